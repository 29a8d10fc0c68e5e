import { osReleaseSettings } from '../image/os-release.ts';
import type { ProbeAnswer } from './probe.ts';

/** Durations of the boot phases in seconds. `multiUser` counts from the kernel's start to multi-user.target. */
export interface BootTimes {
  readonly firmware?: number;
  readonly loader?: number;
  readonly kernel?: number;
  readonly initrd?: number;
  readonly userspace?: number;
  readonly multiUser?: number;
}

/** The state that a machine reported. A field is undefined if the machine did not answer or lacks the tool. */
export interface MachineState {
  /** `systemctl is-system-running`: running, degraded, starting … */
  readonly state?: string;
  readonly failedUnits: readonly string[];
  /** Jobs still queued at the time of the check. */
  readonly jobs: readonly string[];
  readonly times: BootTimes;
  /** The slowest units, `<seconds> <unit>`, from systemd-analyze blame. */
  readonly slowest: readonly string[];
  readonly services: readonly string[];
  readonly memory?: { readonly totalMiB: number; readonly usedMiB: number };
  readonly kernel?: string;
  readonly commandLine?: string;
  readonly osRelease: Readonly<Record<string, string>>;
  /** `/` and `/usr` as mounted: source, type, options. */
  readonly mounts: readonly {
    readonly at: string;
    readonly source: string;
    readonly type: string;
    readonly options: string;
  }[];
  readonly addresses: readonly string[];
  readonly resolves: boolean;
  readonly secureBoot: boolean;
  /** `getenforce`: Enforcing, Permissive, Disabled. */
  readonly selinux?: string;
  /** SELinux denials without duplicates, one line each. */
  readonly denials: readonly string[];
  readonly warnings: readonly string[];
  readonly packages?: number;
  /** The output lines of `rpm -Va`. */
  readonly verify?: readonly string[];
  readonly install?: { readonly ok: boolean; readonly package: string; readonly output: readonly string[] };
  /** The user's script: its exit code and output. */
  readonly run?: { readonly code: number; readonly output: readonly string[] };
}

/** Converts the probe's answers. */
export function machineState(answers: readonly ProbeAnswer[]): MachineState {
  const texts = new Map(answers.map((answer) => [answer.name, answer]));
  const text = (name: string): string => texts.get(name)?.text ?? '';
  const word = (name: string): string | undefined => {
    const answer = texts.get(name);
    return answer === undefined || answer.code !== 0 || answer.text === '' ? undefined : answer.text.trim();
  };
  const lines = (name: string): string[] =>
    text(name)
      .split('\n')
      .filter((line) => line.trim() !== '');
  const firstWords = (name: string): string[] => lines(name).map((line) => line.trim().split(/\s+/)[0]!);
  const install = texts.get('install');
  const run = texts.get('run');
  const memory = readMemory(text('memory'));
  return {
    // systemctl's exit code is 0 only for the state "running".
    ...optional('state', text('state').trim() || undefined),
    failedUnits: firstWords('failed'),
    jobs: lines('jobs').map((line) => line.trim().split(/\s+/)[1] ?? line),
    times: readTimes(text('time'), text('multi-user')),
    slowest: lines('blame')
      .slice(0, 15)
      .map((line) => line.trim()),
    services: firstWords('services'),
    ...optional('memory', memory),
    ...optional('kernel', word('kernel')),
    ...optional('commandLine', word('cmdline')),
    osRelease: osReleaseSettings(text('os-release')),
    mounts: readMounts(lines('mounts')),
    addresses: lines('addresses')
      .map((line) => line.trim().split(/\s+/)[3]!)
      .filter(Boolean),
    resolves: texts.get('resolve')?.code === 0,
    secureBoot: text('secure-boot').trim() === '1',
    ...optional('selinux', word('selinux')),
    denials: uniqueDenials(lines('denials')),
    warnings: [...new Set(lines('warnings'))],
    ...optional('packages', word('packages') === undefined ? undefined : Number(word('packages'))),
    ...optional('verify', texts.has('verify') ? lines('verify') : undefined),
    ...optional(
      'install',
      install === undefined
        ? undefined
        : {
            ok: install.code === 0 && texts.get('installed')?.code === 0,
            package: text('installed').trim(),
            output: lines('install')
              .flatMap((line) => line.split('\r'))
              .slice(-30),
          },
    ),
    ...optional('run', run === undefined ? undefined : { code: run.code, output: lines('run') }),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

/** `systemd-analyze time`: "Startup finished in 1.2s (firmware) + 800ms (loader) + 2.7s (kernel) + 1min 3.1s (userspace) = …". */
function readTimes(analyze: string, multiUser: string): BootTimes {
  const first = analyze.split('\n')[0] ?? '';
  const part = (name: string): number | undefined => {
    const match = new RegExp(`((?:[\\d.]+(?:min|ms|us|s) ?)+)\\(${name}\\)`).exec(first);
    return match === null ? undefined : seconds(match[1]!);
  };
  const microseconds = Number(multiUser.trim());
  return {
    ...optional('firmware', part('firmware')),
    ...optional('loader', part('loader')),
    ...optional('kernel', part('kernel')),
    ...optional('initrd', part('initrd')),
    ...optional('userspace', part('userspace')),
    ...optional('multiUser', microseconds > 0 ? Math.round(microseconds / 1000) / 1000 : undefined),
  };
}

const unitSeconds: Readonly<Record<string, number>> = { min: 60, s: 1, ms: 0.001, us: 0.000001 };

function seconds(span: string): number {
  let sum = 0;
  for (const match of span.matchAll(/([\d.]+)(min|ms|us|s)/g)) sum += Number(match[1]) * unitSeconds[match[2]!]!;
  return Math.round(sum * 1000) / 1000;
}

function readMemory(meminfo: string): { totalMiB: number; usedMiB: number } | undefined {
  const kib = (name: string): number | undefined => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo);
    return match === null ? undefined : Number(match[1]);
  };
  const total = kib('MemTotal');
  const available = kib('MemAvailable');
  if (total === undefined || available === undefined) return undefined;
  return { totalMiB: Math.round(total / 1024), usedMiB: Math.round((total - available) / 1024) };
}

function readMounts(lines: readonly string[]): MachineState['mounts'] {
  return lines
    .map((line) => line.split(' '))
    .filter(([, at]) => at === '/' || at === '/usr' || at === '/etc')
    .map(([source = '', at = '', type = '', options = '']) => ({ at, source, type, options }));
}

/** Drops time and serial number, so that a denial in both the kernel log and the audit log counts once. */
function uniqueDenials(lines: readonly string[]): string[] {
  const seen = new Map<string, string>();
  for (const line of lines) {
    const what = /avc: *denied.*$/.exec(line)?.[0] ?? line;
    const key = what.replace(/\b(pid|ino)=\d+ ?/g, '');
    if (!seen.has(key)) seen.set(key, what);
  }
  return [...seen.values()];
}

export interface Expectations {
  /** Default `Enforcing`; false if the image has no SELinux. */
  readonly selinux?: 'Enforcing' | 'Permissive' | false;
  readonly secureBoot?: boolean;
  readonly network?: boolean;
  /** Allowed lines of `rpm -Va`, besides changed configuration files. */
  readonly verifyAllowed?: readonly RegExp[];
  /** Allowed denials. */
  readonly denialsAllowed?: readonly RegExp[];
  readonly activeServices?: readonly string[];
}

/** Failures of a machine, one sentence each; empty if it passes. */
export function judge(
  state: MachineState,
  expected: Expectations,
  asked: { readonly install: boolean; readonly run?: boolean },
): string[] {
  const wrong: string[] = [];
  if (state.state !== 'running') wrong.push(`the system is ${state.state ?? 'silent'}, not running`);
  for (const unit of state.failedUnits) wrong.push(`${unit} failed`);
  for (const job of state.state === 'running' ? [] : state.jobs) wrong.push(`${job} was still queued`);
  const selinux = expected.selinux ?? 'Enforcing';
  if (selinux !== false) {
    if (state.selinux !== selinux) wrong.push(`SELinux is ${state.selinux ?? 'absent'}, not ${selinux}`);
    for (const denial of state.denials) {
      if (!matches(expected.denialsAllowed, denial)) wrong.push(`SELinux ${denial}`);
    }
  }
  if (expected.secureBoot === true && !state.secureBoot) wrong.push('Secure Boot is off');
  if (expected.network !== false) {
    if (state.addresses.length === 0) wrong.push('no network interface has an address');
    if (!state.resolves) wrong.push('name resolution does not work');
  }
  for (const line of state.verify ?? []) {
    if (!/^\S+ +c /.test(line) && !matches(expected.verifyAllowed, line)) wrong.push(`rpm -Va: ${line}`);
  }
  for (const service of expected.activeServices ?? []) {
    if (!state.services.includes(service)) wrong.push(`${service} is not active`);
  }
  if (asked.install && state.install?.ok !== true) {
    wrong.push(`dnf could not install: ${state.install?.output.at(-1) ?? 'not run'}`);
  }
  if (asked.run === true && state.run?.code !== 0) {
    wrong.push(
      state.run === undefined
        ? 'the script was not run'
        : `the script exited with ${state.run.code}: ${state.run.output.at(-1) ?? 'no output'}`,
    );
  }
  return wrong;
}

function matches(patterns: readonly RegExp[] | undefined, text: string): boolean {
  return (patterns ?? []).some((pattern) => pattern.test(text));
}
