import { posix } from 'node:path';
import { below, type Files, findIgnoringCase, readBytes, readText, settingLines, unseenBelow } from './files.ts';
import { type Decompress, initrdFiles, initrdModules } from './initrd-modules.ts';
import { readPe, sectionText } from './pe.ts';
import { once, unreadable } from './rule.ts';

/** A boot entry of the image. */
export interface BootEntry {
  /** Name in findings: `esp:/EFI/Linux/x.efi`. */
  readonly where: string;
  /** Kernel parameters. @throws WeirError `unreadable` if some of them cannot be determined */
  readonly commandLine: () => readonly string[];
  /** The kernel's release, if the entry contains it. */
  readonly release: string | undefined;
  /** Missing parts. */
  readonly missing: readonly string[];
  /** Modules in the initrd by normalised name; empty without an initrd. @throws WeirError `unreadable` */
  readonly modules: () => Promise<ReadonlySet<string>>;
}

/** A file system that a boot loader reads, and the folder in it that the loader uses as its root. */
export interface BootPlace {
  readonly name: string;
  readonly files: Files;
  readonly folder: string;
}

/**
 * Unified kernel images below /EFI/Linux and the entries below /loader/entries, as the UAPI group's Boot Loader
 * Specification has them (types 2 and 1).
 */
export async function bootEntries(places: readonly BootPlace[], decompress: Decompress): Promise<BootEntry[]> {
  const entries = await Promise.all(
    places.flatMap((place) => {
      const paths = below(place.files, place.folder === '' ? '/' : place.folder).map(([path]) => path);
      const inside = (path: string) => path.slice(place.folder.length).toLowerCase();
      const unseen = unseenBelow(place.files, place.folder === '' ? '/' : place.folder)[0];
      if (unseen !== undefined) throw unreadable(`${place.name}:${unseen.where}: ${unseen.message}`);
      const unified = paths.filter((path) => /^\/efi\/linux\/[^/]+\.efi$/.test(inside(path)));
      const plain = paths.filter((path) => /^\/loader\/entries\/[^/]+\.conf$/.test(inside(path)));
      return [
        ...unified.map((path) => unifiedEntry(place, path, paths, decompress)),
        ...plain.map((path) => plainEntry(place, path, decompress)),
      ];
    }),
  );
  return entries;
}

async function unifiedEntry(
  place: BootPlace,
  path: string,
  paths: readonly string[],
  decompress: Decompress,
): Promise<BootEntry> {
  const where = `${place.name}:${path}`;
  const bytes = await readBytes(place.files, path);
  const pe = bytes && readPe(bytes);
  if (pe === undefined) throw unreadable(`${where} is not an EFI program`);
  // Addons of one image and of all images extend the command line.
  const addons = paths.filter((each) => {
    const folder = posix.dirname(each).toLowerCase();
    return (
      each.toLowerCase().endsWith('.addon.efi') &&
      (folder === `${path.toLowerCase()}.extra.d` || folder === `${place.folder}/loader/addons`)
    );
  });
  const more = await Promise.all(
    addons.map(async (each) => {
      const content = await readBytes(place.files, each);
      const addon = content && readPe(content);
      if (addon === undefined) throw unreadable(`${place.name}:${each} is not an EFI program`);
      return sectionText(addon, '.cmdline') ?? '';
    }),
  );
  const content = (name: string) => pe.sections.find((section) => section.name === name)?.content;
  const initrd = content('.initrd');
  const commandLine = words([sectionText(pe, '.cmdline') ?? '', ...more].join(' '));
  return {
    where,
    commandLine: () => commandLine,
    release: sectionText(pe, '.uname'),
    missing: ['.linux', '.initrd', '.cmdline'].filter((name) => (content(name)?.length ?? 0) === 0),
    modules: once(async () => initrdModules(initrd === undefined ? [] : await initrdFiles(initrd, decompress))),
  };
}

async function plainEntry(place: BootPlace, path: string, decompress: Decompress): Promise<BootEntry> {
  const values = new Map<string, string[]>();
  for (const line of settingLines((await readText(place.files, path)) ?? '')) {
    const [, key, value] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, [...(values.get(key) ?? []), value!]);
  }
  // GRUB variables such as $tuned_initrd do not name files of the image.
  const named = (key: string) => words((values.get(key) ?? []).join(' ')).filter((word) => !word.startsWith('$'));
  const options = await withVariables(place, words((values.get('options') ?? []).join(' ')));
  const find = (name: string): string | undefined =>
    findIgnoringCase(place.files, posix.join('/', place.folder, name)) ??
    findIgnoringCase(place.files, posix.join('/', name));
  const [kernel] = named('linux');
  const initrds = named('initrd');
  const missing = [...(kernel === undefined ? ['linux'] : [kernel]), ...(initrds.length === 0 ? ['initrd'] : initrds)];
  return {
    where: `${place.name}:${path}`,
    commandLine: options,
    release: values.get('version')?.[0] ?? /vmlinuz-(.+)$/.exec(kernel ?? '')?.[1],
    missing: missing.filter((name) => find(name) === undefined),
    modules: once(async () => {
      const found = initrds.map(find).filter((each) => each !== undefined);
      const contents = await Promise.all(found.map((each) => place.files.read(each)));
      const files = await Promise.all(contents.map((each) => initrdFiles(each, decompress)));
      return initrdModules(files.flat());
    }),
  };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/**
 * Words that GRUB substitutes for its variables: the value in its environment block (grubenv), or nothing if unset.
 * @returns a function that throws `unreadable` if a GRUB script sets the variable
 */
async function withVariables(place: BootPlace, all: readonly string[]): Promise<() => readonly string[]> {
  if (!all.some((word) => word.includes('$'))) return () => all;
  const folders = ['grub2', 'grub', 'efi/EFI/fedora'].map((name) => posix.join('/', place.folder, name));
  const texts = async (name: string) => {
    const read = await Promise.all(folders.map((folder) => readText(place.files, `${folder}/${name}`)));
    return read.filter((text) => text !== undefined);
  };
  const block = (await texts('grubenv')).join('\n');
  const script = (await texts('grub.cfg')).join('\n');
  let unknown: string | undefined;
  const known = all.flatMap((word): string[] => {
    const name = /^\$\{?(\w+)\}?$/.exec(word)?.[1];
    if (name === undefined) {
      if (word.includes('$')) unknown = word;
      return [word];
    }
    const value = new RegExp(`^${name}=(.*)$`, 'm').exec(block)?.[1];
    if (value === undefined && new RegExp(`\\bset\\s+"?${name}=`).test(script)) unknown = word;
    return words(value ?? '');
  });
  return () => {
    if (unknown !== undefined) throw unreadable(`the command line contains ${unknown}, which GRUB sets at boot`);
    return known;
  };
}
