import { posix } from 'node:path';
import type { DiskFacts } from '../disk-facts.ts';
import { below, type Files, nodeAt, readSuspect, readText, settingLines } from '../files.ts';
import { azureError, type Complaint, type Rule } from '../rule.ts';
import { hasUnit, isEnabled } from '../units.ts';
import { shellSettings } from './root.ts';

const packages: Rule<DiskFacts> = {
  id: 'azure-packages',
  appliesTo: azureError,
  why: "Azure's agents set a machine's name and keys, report to the platform that it runs, and name its disks.",
  check: async (facts) => {
    const installed = new Set(await facts.packages());
    return ['azure-vm-utils', 'hyperv-daemons', 'WALinuxAgent', 'cloud-init']
      .filter((name) => !installed.has(name))
      .map((name) => ({ message: `${name} is not installed` }));
  },
};

const cloudInit: Rule<DiskFacts> = {
  id: 'cloud-init-azure',
  appliesTo: azureError,
  why: 'If cloud-init looks for other clouds first, it waits for them at every boot and trusts any that responds.',
  check: async ({ root }) => {
    const files = await root();
    const base = '/etc/cloud/cloud.cfg';
    const parts = below(files, '/etc/cloud/cloud.cfg.d').map(([path]) => path);
    let list: { readonly names: readonly string[]; readonly where: string } | undefined;
    // As in cloud-init, the last one counts.
    for (const where of [base, ...parts.filter((path) => path.endsWith('.cfg')).sort()]) {
      const names = datasourceList((await readSuspect(files, where)) ?? '');
      if (names !== undefined) list = { names, where };
    }
    const complaints: Complaint[] = [];
    if (list === undefined) {
      const hint = 'datasource_list: [ Azure ] in a file of /etc/cloud/cloud.cfg.d';
      complaints.push({ message: 'nothing sets datasource_list', where: base, hint });
    } else if (list.names.join(' ') !== 'Azure') {
      complaints.push({ message: `datasource_list is [ ${list.names.join(', ')} ], not [ Azure ]`, where: list.where });
    }
    const off = '/etc/cloud/cloud-init.disabled';
    if (nodeAt(files, off) !== undefined) complaints.push({ message: 'cloud-init is turned off', where: off });
    return complaints;
  },
};

/** The list in a cloud-init file, in either YAML form; undefined if not set there. */
export function datasourceList(text: string): readonly string[] | undefined {
  const [, after] = /^datasource_list:(.*)$/ms.exec(text) ?? [];
  if (after === undefined) return undefined;
  const [, flow] = /^\s*\[(.*?)\]/s.exec(after) ?? [];
  const names =
    flow === undefined ? (/^[^\n]*\n((?:\s*-[^\n]*\n?)*)/.exec(after)?.[1] ?? '').split('\n') : flow.split(',');
  return names.map((name) => name.replace(/^\s*-/, '').replace(/["']/g, '').trim()).filter((name) => name !== '');
}

const agentSettings = {
  'Provisioning.Agent': 'cloud-init',
  'ResourceDisk.Format': 'n',
  'ResourceDisk.EnableSwap': 'n',
};

const agent: Rule<DiskFacts> = {
  id: 'waagent-settings',
  appliesTo: azureError,
  why: 'cloud-init sets up accounts and the temporary disk; an agent that does so, too, undoes its work.',
  check: async ({ root }) => {
    const where = '/etc/waagent.conf';
    const text = await readText(await root(), where);
    if (text === undefined) return [{ message: 'no such file', where }];
    const settings = shellSettings(text);
    return Object.entries(agentSettings)
      .filter(([key, value]) => settings.get(key)?.toLowerCase() !== value)
      .map(([key, value]) => ({
        message: `${key} is ${settings.get(key) ?? 'not set'}`,
        where,
        hint: `${key}=${value}`,
      }));
  },
};

/** Services, each with its unit names in different distributions. */
const services: Readonly<Record<string, readonly string[]>> = {
  "Azure's agent": ['waagent.service', 'walinuxagent.service'],
  'cloud-init': ['cloud-init.service', 'cloud-init-network.service', 'cloud-init-local.service', 'cloud-init.target'],
  chrony: ['chronyd.service', 'chrony.service'],
};

const agentServices: Rule<DiskFacts> = {
  id: 'azure-services',
  appliesTo: azureError,
  why: 'If the agent does not start, Azure reports the machine as failed after twenty minutes.',
  check: async ({ root }) => {
    const files = await root();
    return Object.entries(services).flatMap(([name, units]) => {
      if (units.some((unit) => isEnabled(files, unit))) return [];
      const there = units.find((unit) => hasUnit(files, unit));
      return [{ message: there === undefined ? `${name} has no unit` : `${there} does not start at boot` }];
    });
  },
};

const chrony: Rule<DiskFacts> = {
  id: 'chrony-hyperv-clock',
  appliesTo: azureError,
  why: "Hyper-V's host clock, a PTP device, is more accurate than network time and works without a network.",
  check: async ({ root }) => {
    const files = await root();
    const wanted = 'refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0';
    const clocks = (await chronyLines(files)).filter(
      ({ words }) => words.slice(0, 3).join(' ') === 'refclock PHC /dev/ptp_hyperv',
    );
    const [clock] = clocks;
    if (clock === undefined)
      return [{ message: 'the host clock is not used', where: '/etc/chrony.conf', hint: wanted }];
    const text = ` ${clock.words.join(' ')} `;
    return ['poll 3', 'dpoll -2', 'offset 0']
      .filter((option) => !text.includes(` ${option} `))
      .map((option) => ({ message: `the host clock lacks ${option}`, where: clock.where, hint: wanted }));
  },
};

interface Directive {
  readonly words: readonly string[];
  readonly where: string;
}

/** The directives of chrony.conf(5) and of the files in folders that it names. */
async function chronyLines(files: Files): Promise<Directive[]> {
  const lines: Directive[] = [];
  const add = async (where: string): Promise<void> => {
    for (const line of settingLines((await readText(files, where)) ?? '')) {
      const words = line.split(/\s+/);
      lines.push({ words, where });
      const [directive, ...folders] = words;
      if (directive === 'include' && folders[0] !== undefined)
        await addAll(posix.dirname(folders[0]), posix.basename(folders[0]));
      if (directive === 'confdir') for (const folder of folders) await addAll(folder, '*.conf');
    }
  };
  const addAll = async (folder: string, glob: string): Promise<void> => {
    for (const [path] of below(files, folder)) {
      if (posix.matchesGlob(posix.basename(path), glob)) await add(path);
    }
  };
  await add('/etc/chrony.conf');
  await add('/etc/chrony/chrony.conf');
  lines.push(...(await clocksOfHelpers(files)));
  return lines;
}

/**
 * Clocks that a script adds to chrony's configuration before chronyd starts. chronyd exits if a configured clock does not exist,
 * so an image for several platforms checks first.
 */
async function clocksOfHelpers(files: Files): Promise<Directive[]> {
  const lines: Directive[] = [];
  for (const unit of services.chrony ?? []) {
    for (const folder of ['/usr/lib/systemd/system', '/etc/systemd/system']) {
      for (const [path] of below(files, `${folder}/${unit}.d`)) {
        const programs = ((await readText(files, path)) ?? '').matchAll(/^ExecStartPre=[-+!:@|]*(\/\S+)/gm);
        for (const [, program] of programs) {
          const text = (await readText(files, program!)) ?? '';
          if (!text.includes('/dev/ptp_hyperv')) continue;
          for (const [, options] of text.matchAll(/refclock PHC \S+ ([\w\t -]+)/g)) {
            lines.push({
              words: ['refclock', 'PHC', '/dev/ptp_hyperv', ...options!.trim().split(/\s+/)],
              where: program!,
            });
          }
        }
      }
    }
  }
  return lines;
}

/** Rules for Azure only. */
export const azureRules: readonly Rule<DiskFacts>[] = [packages, agentServices, cloudInit, agent, chrony];
