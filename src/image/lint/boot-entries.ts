import { posix } from 'node:path';
import { below, type Files, findIgnoringCase, readBytes, readText, settingLines } from './files.ts';
import { type Decompress, initrdFiles, initrdModules } from './initrd-modules.ts';
import { readPe, sectionText } from './pe.ts';
import { once, unreadable } from './rule.ts';

/** A way to start the system that the image has. */
export interface BootEntry {
  /** As findings name it: `esp:/EFI/Linux/x.efi`. */
  readonly where: string;
  /** Words of the kernel's command line. */
  readonly commandLine: readonly string[];
  /** The kernel's release, where the entry says it. */
  readonly release: string | undefined;
  /** What it needs and does not have. */
  readonly missing: readonly string[];
  /** Modules in the initrd by normalised name; none where there is no initrd. @throws WeirError `unreadable` */
  readonly modules: () => Promise<ReadonlySet<string>>;
}

/** A file system where a boot loader looks, and the folder in it that is its root to the loader. */
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
  const pe = readPe((await readBytes(place.files, path))!);
  if (pe === undefined) throw unreadable(`${where} is no EFI program`);
  // Addons beside the image and for all images have their part of the command line.
  const addons = paths.filter((each) => {
    const folder = posix.dirname(each).toLowerCase();
    return (
      each.toLowerCase().endsWith('.addon.efi') &&
      (folder === `${path.toLowerCase()}.extra.d` || folder === `${place.folder}/loader/addons`)
    );
  });
  const more = await Promise.all(
    addons.map(async (each) => {
      const addon = readPe((await readBytes(place.files, each))!);
      return addon === undefined ? '' : (sectionText(addon, '.cmdline') ?? '');
    }),
  );
  const content = (name: string) => pe.sections.find((section) => section.name === name)?.content;
  const initrd = content('.initrd');
  return {
    where,
    commandLine: words([sectionText(pe, '.cmdline') ?? '', ...more].join(' ')),
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
  // GRUB's variables, such as $tuned_initrd, name nothing that lies in the image.
  const named = (key: string) => words((values.get(key) ?? []).join(' ')).filter((word) => !word.startsWith('$'));
  const find = (name: string): string | undefined =>
    findIgnoringCase(place.files, posix.join('/', place.folder, name)) ?? findIgnoringCase(place.files, name);
  const [kernel] = named('linux');
  const initrds = named('initrd');
  const missing = [...(kernel === undefined ? ['linux'] : [kernel]), ...(initrds.length === 0 ? ['initrd'] : initrds)];
  return {
    where: `${place.name}:${path}`,
    commandLine: named('options'),
    release: values.get('version')?.[0] ?? /vmlinuz-(.+)$/.exec(kernel ?? '')?.[1],
    missing: missing.filter((name) => find(name) === undefined),
    modules: once(async () => {
      const found = initrds.map(find).filter((each) => each !== undefined);
      const contents = await Promise.all(found.map((each) => readBytes(place.files, each)));
      const files = await Promise.all(contents.map((each) => initrdFiles(each!, decompress)));
      return initrdModules(files.flat());
    }),
  };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
