import { partitionTypes } from '../../image/disk.ts';
import type { ModuleIndex } from '../../image/kernel-modules.ts';
import { fallbackLoaders } from '../architecture.ts';
import type { BootEntry } from '../boot-entries.ts';
import { locateDevice } from '../devices.ts';
import type { DiskFacts } from '../disk-facts.ts';
import { findIgnoringCase } from '../files.ts';
import { readPe } from '../pe.ts';
import {
  azureError,
  azureErrorElseWarning,
  type Complaint,
  diskError,
  looking,
  type Rule,
  unreadable,
} from '../rule.ts';
import { biosBootProblem } from './partitions.ts';

async function efiBootProblems({ esp, architecture }: DiskFacts): Promise<Complaint[]> {
  const files = await esp();
  if (files === undefined) return [{ message: 'the disk has no EFI system partition' }];
  const wanted = fallbackLoaders[await architecture()];
  const where = `esp:${wanted}`;
  const path = findIgnoringCase(files, wanted);
  if (path === undefined) return [{ message: 'there is no boot loader', where }];
  const machine = readPe(await files.read(path))?.machine;
  if (machine === (await architecture())) return [];
  return [{ message: machine === undefined ? 'not an EFI program' : `it is for ${machine}`, where }];
}

const efiBoot: Rule<DiskFacts> = {
  id: 'efi-boot-loader',
  appliesTo: { 'azure-gen2': 'error' },
  why: 'Generation 2 machines boot by UEFI with empty variables: only the fallback path is tried.',
  check: efiBootProblems,
};

const starts: Rule<DiskFacts> = {
  id: 'boot-loader',
  appliesTo: { generic: 'error', kubernetes: 'error' },
  why: 'Without a boot loader for UEFI or BIOS, the disk does not boot.',
  check: async (facts) => {
    const bios = biosBootProblem(facts);
    if (bios === undefined) return [];
    const efi = await efiBootProblems(facts);
    return efi.length === 0 ? [] : [...efi, { message: bios, where: 'sector 0' }];
  },
};

const bootEntry: Rule<DiskFacts> = {
  id: 'boot-entry',
  appliesTo: diskError,
  why: 'The boot loader needs a kernel, an initrd and a command line, and all files that the entry names.',
  check: async (facts) => {
    const entries = await facts.bootEntries();
    if (entries.length === 0) {
      return [{ message: 'there is neither a unified kernel image nor an entry in /loader/entries' }];
    }
    return entries.flatMap(({ where, missing }) =>
      missing.map((name) => ({ message: `its ${name} is missing or empty`, where })),
    );
  },
};

const rootOnDisk: Rule<DiskFacts> = {
  id: 'root-on-disk',
  appliesTo: diskError,
  why: 'The root that the command line names must be on this disk, or the boot ends in the initrd.',
  check: (facts) =>
    eachEntry(facts, async ({ commandLine }) => {
      const root = commandLine()
        .findLast((word) => word.startsWith('root='))
        ?.slice(5);
      if (root !== undefined) {
        const located = locateDevice(facts.contents(), root);
        if (located.state === 'unknown') throw unreadable(located.why);
        return located.state === 'found' ? [] : [`root=${root} is not on this disk`];
      }
      // Without root=, systemd finds the root by its partition type (Discoverable Partitions Specification).
      const types = facts.gpt().partitions.map(({ type }) => type);
      const ownType = { x86_64: partitionTypes.rootX86_64, aarch64: partitionTypes.rootArm64 }[
        await facts.architecture()
      ];
      return types.includes(ownType) ? [] : ['neither root= nor a partition type defines the root'];
    }),
};

const serialConsole: Rule<DiskFacts> = {
  id: 'serial-console',
  appliesTo: azureErrorElseWarning,
  why: 'A cloud machine has no screen: its messages, and access without a network, are on the serial console.',
  check: async (facts) => {
    const device = (await facts.architecture()) === 'aarch64' ? 'ttyAMA0' : 'ttyS0';
    return eachEntry(facts, ({ commandLine }) =>
      hasConsole(commandLine(), 'console', device) ? [] : [`console=${device} is not on the command line`],
    );
  },
};

const earlyConsole: Rule<DiskFacts> = {
  id: 'early-console',
  appliesTo: azureError,
  why: "Without earlyprintk, Azure's boot diagnostics do not show kernel messages from before the console starts.",
  when: async (facts) => (await facts.architecture()) === 'x86_64',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) =>
      hasConsole(commandLine(), 'earlyprintk', 'ttyS0') ? [] : ['earlyprintk=ttyS0 is not on the command line'],
    ),
};

/** `console=ttyS0` and `console=ttyS0,115200n8`. */
function hasConsole(commandLine: readonly string[], key: string, device: string): boolean {
  return commandLine.some((word) => word === `${key}=${device}` || word.startsWith(`${key}=${device},`));
}

const noQuiet: Rule<DiskFacts> = {
  id: 'no-quiet-boot',
  appliesTo: azureErrorElseWarning,
  why: 'With rhgb or quiet, the serial console does not show why a boot failed.',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) =>
      ['rhgb', 'quiet', 'splash']
        .filter((word) => commandLine().includes(word))
        .map((word) => `${word} is on the command line`),
    ),
};

const kernelModules: Rule<DiskFacts> = {
  id: 'kernel-modules',
  appliesTo: diskError,
  why: 'A kernel can only load modules of its own release.',
  check: (facts) =>
    eachEntry(facts, async ({ release }) => {
      if (release === undefined) return ['the release of its kernel is unknown'];
      const index = await facts.modules(release);
      return index === undefined ? [`the root has no modules of ${release} with depmod's indexes`] : [];
    }),
};

const hypervDrivers: Rule<DiskFacts> = {
  id: 'hyperv-drivers',
  appliesTo: azureError,
  why: "Azure's disks and networks use Hyper-V's bus: without its drivers in the initrd, no root is found.",
  check: (facts) =>
    eachEntry(facts, async (entry) => {
      const there = await entry.modules();
      const missing = ['hv_vmbus', 'hv_storvsc', 'hv_netvsc'].filter((name) => !there.has(name));
      if (missing.length === 0) return [];
      const { builtin } = await kernelParts(facts, entry);
      return missing
        .filter((name) => !builtin.has(name))
        .map((name) => `${name} is neither in the initrd nor built in`);
    }),
};

/** The modules of an entry's kernel. @throws WeirError `unreadable` if unknown; kernel-modules reports details */
export async function kernelParts(facts: DiskFacts, { release }: BootEntry): Promise<ModuleIndex> {
  if (release === undefined) throw unreadable('the release of its kernel is unknown');
  const index = await facts.modules(release);
  if (index === undefined) throw unreadable(`the root has no modules of ${release} with depmod's indexes`);
  return index;
}

const provisioningModules: Rule<DiskFacts> = {
  id: 'provisioning-modules',
  appliesTo: azureError,
  why: "Azure provides a new machine's settings on a DVD with UDF, and the EFI system partition is FAT.",
  check: (facts) =>
    eachEntry(facts, async (entry) => {
      const index = await kernelParts(facts, entry);
      return ['udf', 'vfat']
        .filter((name) => !index.builtin.has(name) && !index.modules.has(name))
        .map((name) => `the kernel has no ${name}, neither as a module nor built in`);
    }),
};

/**
 * Problems of each boot entry; an entry that cannot be checked is reported as such.
 * @throws WeirError `unreadable` if there is no boot entry, so nothing to check
 */
export async function eachEntry(
  facts: DiskFacts,
  problems: (entry: BootEntry) => readonly string[] | Promise<readonly string[]>,
): Promise<Complaint[]> {
  const entries = await facts.bootEntries();
  if (entries.length === 0) throw unreadable('there is no readable boot entry');
  const found = await Promise.all(
    entries.map(async (entry) => {
      const complaints = await looking(async () => (await problems(entry)).map((message): Complaint => ({ message })));
      return complaints.map((complaint): Complaint => ({ ...complaint, where: entry.where }));
    }),
  );
  return found.flat();
}

/** Rules on booting. */
export const bootRules: readonly Rule<DiskFacts>[] = [
  starts,
  efiBoot,
  bootEntry,
  rootOnDisk,
  serialConsole,
  earlyConsole,
  noQuiet,
  kernelModules,
  hypervDrivers,
  provisioningModules,
];
