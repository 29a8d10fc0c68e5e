import type { BootEntry } from '../boot-entries.ts';
import { type DiskFacts, ext4Names } from '../disk-facts.ts';
import { findIgnoringCase } from '../files.ts';
import { readPe } from '../pe.ts';
import { azureError, azureErrorElseWarning, type Complaint, diskError, type Rule } from '../rule.ts';
import { biosBootProblem } from './partitions.ts';

const loaders = { x86_64: '/EFI/BOOT/BOOTX64.EFI', aarch64: '/EFI/BOOT/BOOTAA64.EFI' } as const;

async function efiBootProblems({ esp, architecture }: DiskFacts): Promise<Complaint[]> {
  const files = await esp();
  if (files === undefined) return [{ message: 'the disk has no EFI system partition' }];
  const wanted = loaders[architecture()];
  const where = `esp:${wanted}`;
  const path = findIgnoringCase(files, wanted);
  if (path === undefined) return [{ message: 'there is no boot loader', where }];
  const machine = readPe(await files.read(path))?.machine;
  if (machine === architecture()) return [];
  return [{ message: machine === undefined ? 'it is no EFI program' : `it is for ${machine}`, where }];
}

const efiBoot: Rule<DiskFacts> = {
  id: 'efi-boot-loader',
  appliesTo: { 'azure-gen2': 'error' },
  why: 'Generation 2 machines start by UEFI, whose variables are empty at first: then only the fallback path is tried.',
  check: efiBootProblems,
};

const starts: Rule<DiskFacts> = {
  id: 'boot-loader',
  appliesTo: { generic: 'error', kubernetes: 'error' },
  why: 'A disk that neither UEFI nor a BIOS finds a boot loader on starts nowhere.',
  check: async (facts) => {
    const efi = await efiBootProblems(facts);
    const bios = biosBootProblem(facts);
    return efi.length === 0 || bios === undefined ? [] : [...efi, { message: bios, where: 'sector 0' }];
  },
};

const bootEntry: Rule<DiskFacts> = {
  id: 'boot-entry',
  appliesTo: diskError,
  why: 'The boot loader needs a kernel with an initrd and a command line, and everything that the entry names.',
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
  why: 'The root that the command line names must be on this disk, or the start ends in the initrd.',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) => {
      const root = commandLine.findLast((word) => word.startsWith('root='))?.slice(5);
      // Without it the root is found by its partition's type (Discoverable Partitions Specification).
      if (root === undefined) return [];
      return isOnDisk(facts, root) ? [] : [`root=${root} is not on this disk`];
    }),
};

/** Whether a name that mount(8) takes is that of something on this disk; names by the kernel's order count as there. */
export function isOnDisk({ gpt, disk }: DiskFacts, name: string): boolean {
  const [key, value = ''] = name.split(/=(.*)/s);
  const wanted = value.replaceAll('"', '').toLowerCase();
  const { partitions } = gpt();
  const ext4 = () => partitions.map(({ offset }) => ext4Names(disk.read, offset));
  if (key === 'PARTUUID') return partitions.some(({ uuid }) => uuid === wanted);
  if (key === 'PARTLABEL') return partitions.some((each) => each.name.toLowerCase() === wanted);
  if (key === 'UUID' && wanted.length === 36) return ext4().some((names) => names?.uuid === wanted);
  if (key === 'LABEL') {
    const fat = partitions.map(({ offset }) =>
      disk
        .read(offset + 71, 11)
        .toString('latin1')
        .trim()
        .toLowerCase(),
    );
    return fat.includes(wanted) || ext4().some((names) => names?.label.toLowerCase() === wanted);
  }
  return true;
}

const serialConsole: Rule<DiskFacts> = {
  id: 'serial-console',
  appliesTo: azureErrorElseWarning,
  why: 'A cloud machine has no screen: what it says, and the way in when the network fails, is the serial console.',
  check: (facts) => {
    const device = facts.architecture() === 'aarch64' ? 'ttyAMA0' : 'ttyS0';
    return eachEntry(facts, ({ commandLine }) =>
      hasConsole(commandLine, 'console', device) ? [] : [`console=${device} is not on the command line`],
    );
  },
};

const earlyConsole: Rule<DiskFacts> = {
  id: 'early-console',
  appliesTo: azureError,
  why: "Azure's boot diagnostics show what the kernel says before its consoles are there only with earlyprintk.",
  when: (facts) => facts.architecture() === 'x86_64',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) =>
      hasConsole(commandLine, 'earlyprintk', 'ttyS0') ? [] : ['earlyprintk=ttyS0 is not on the command line'],
    ),
};

/** `console=ttyS0` and `console=ttyS0,115200n8`. */
function hasConsole(commandLine: readonly string[], key: string, device: string): boolean {
  return commandLine.some((word) => word === `${key}=${device}` || word.startsWith(`${key}=${device},`));
}

const noQuiet: Rule<DiskFacts> = {
  id: 'no-quiet-boot',
  appliesTo: azureErrorElseWarning,
  why: 'With rhgb or quiet, the serial console does not say why a start failed.',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) =>
      ['rhgb', 'quiet', 'splash']
        .filter((word) => commandLine.includes(word))
        .map((word) => `${word} is on the command line`),
    ),
};

const kernelModules: Rule<DiskFacts> = {
  id: 'kernel-modules',
  appliesTo: diskError,
  why: "A kernel finds its modules by its own release; another release's are of no use to it.",
  check: (facts) =>
    eachEntry(facts, async ({ release }) => {
      if (release === undefined) return ['nothing says what release its kernel has'];
      const index = await facts.modules(release);
      return index === undefined ? [`the root has no modules of ${release} with the indexes that depmod makes`] : [];
    }),
};

const hypervDrivers: Rule<DiskFacts> = {
  id: 'hyperv-drivers',
  appliesTo: azureError,
  why: "Azure's disks and networks are on Hyper-V's bus: without its drivers in the initrd, no root is found.",
  check: (facts) =>
    eachEntry(facts, async (entry) => {
      const there = await entry.modules();
      const builtin = await builtIn(facts, entry);
      return ['hv_vmbus', 'hv_storvsc', 'hv_netvsc']
        .filter((name) => !there.has(name) && !builtin.has(name))
        .map((name) => `${name} is neither in the initrd nor built in`);
    }),
};

async function builtIn(facts: DiskFacts, { release }: BootEntry): Promise<ReadonlySet<string>> {
  const index = release === undefined ? undefined : await facts.modules(release);
  return index?.builtin ?? new Set();
}

const provisioningModules: Rule<DiskFacts> = {
  id: 'provisioning-modules',
  appliesTo: azureError,
  why: 'Azure hands a new machine its settings on a DVD with a UDF file system, and its EFI system partition is FAT.',
  check: (facts) =>
    eachEntry(facts, async ({ release }) => {
      const index = release === undefined ? undefined : await facts.modules(release);
      // That there are no modules at all is told by kernel-modules.
      if (index === undefined) return [];
      return ['udf', 'vfat']
        .filter((name) => !index.builtin.has(name) && !index.modules.has(name))
        .map((name) => `the kernel has no ${name}, neither as a module nor built in`);
    }),
};

/** What is wrong with each way to start the system. */
async function eachEntry(
  facts: DiskFacts,
  problems: (entry: BootEntry) => readonly string[] | Promise<readonly string[]>,
): Promise<Complaint[]> {
  const entries = await facts.bootEntries();
  const found = await Promise.all(
    entries.map(async (entry) => (await problems(entry)).map((message) => ({ message, where: entry.where }))),
  );
  return found.flat();
}

/** Rules on how the system starts. */
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
