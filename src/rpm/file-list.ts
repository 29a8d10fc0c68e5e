import { WeirError } from '../base/errors.ts';
import { type Header, headerNumbers, headerTexts } from './header.ts';
import { fileBits, tag } from './tags.ts';
import type { FileFlags, RpmFile } from './types.ts';

/** Throws if parallel arrays differ in length; a reader would otherwise pair the wrong values. */
export function parallel<T>(values: readonly T[], count: number, what: string): readonly T[] {
  if (values.length !== count) throw new WeirError('bad-rpm', `${what}: ${values.length} values for ${count} entries`);
  return values;
}

/** The longest path that Linux accepts. */
const longestPath = 4096;

/** The files of a package, from its main header. @throws WeirError `bad-rpm` */
export function fileList(main: Header): RpmFile[] {
  const baseNames = headerTexts(main, tag.baseNames);
  const count = baseNames.length;
  if (count === 0) return [];
  const dirNames = headerTexts(main, tag.dirNames);
  const numbers = (number: number, what: string): readonly number[] =>
    parallel(headerNumbers(main, number), count, what);
  const texts = (number: number, what: string): readonly string[] => parallel(headerTexts(main, number), count, what);
  const optional = (number: number, what: string): readonly string[] | undefined =>
    main.has(number) ? texts(number, what) : undefined;
  const dirIndexes = numbers(tag.dirIndexes, 'folders');
  const modes = numbers(tag.fileModes, 'modes');
  const mtimes = numbers(tag.fileMtimes, 'times');
  const flags = numbers(tag.fileFlags, 'file flags');
  const users = texts(tag.fileUserName, 'owners');
  const groups = texts(tag.fileGroupName, 'groups');
  const targets = texts(tag.fileLinkTos, 'link targets');
  const digests = texts(tag.fileDigests, 'file digests');
  const inodes = numbers(tag.fileInodes, 'inodes');
  const devices = main.has(tag.fileDevices) ? numbers(tag.fileDevices, 'devices') : undefined;
  const sizes = numbers(main.has(tag.longFileSizes) ? tag.longFileSizes : tag.fileSizes, 'sizes');
  const verify = main.has(tag.fileVerifyFlags) ? numbers(tag.fileVerifyFlags, 'verify flags') : undefined;
  const capabilities = optional(tag.fileCaps, 'capabilities');
  const languages = optional(tag.fileLangs, 'languages');
  const firstOfSet = new Map<string, string>();
  return baseNames.map((baseName, index) => {
    const folder = dirNames[dirIndexes[index]!];
    if (folder === undefined)
      throw new WeirError('bad-rpm', `a file has the directory index ${dirIndexes[index]}, which does not exist`);
    const path = folder + baseName;
    if (path.length > longestPath) throw new WeirError('bad-rpm', `file path too long: ${path.length} characters`);
    const mode = modes[index]!;
    const kind = kindOf(mode);
    const fileFlags = flagsOf(flags[index]!);
    let hardlink: string | undefined;
    if (kind === 'file' && fileFlags.ghost !== true) {
      const set = `${devices?.[index] ?? 0}:${inodes[index]}`;
      hardlink = firstOfSet.get(set);
      if (hardlink === undefined) firstOfSet.set(set, path);
    }
    return {
      path: path === '/' ? path : path.replace(/\/$/, ''),
      kind,
      mode: mode & 0o7777,
      user: users[index]!,
      group: groups[index]!,
      mtime: mtimes[index]!,
      size: sizes[index]!,
      flags: fileFlags,
      verify: verify?.[index] ?? 0xffff_ffff,
      inode: inodes[index]!,
      ...(digests[index] === '' ? {} : { digest: digests[index]! }),
      ...(kind === 'symlink' ? { target: targets[index]! } : {}),
      ...(capabilities === undefined || capabilities[index] === '' ? {} : { capabilities: capabilities[index]! }),
      ...(hardlink === undefined ? {} : { hardlink }),
      ...(languages === undefined || languages[index] === '' ? {} : { languages: languages[index]!.split('|') }),
    };
  });
}

function kindOf(mode: number): RpmFile['kind'] {
  switch (mode & 0o17_0000) {
    case 0o10_0000:
      return 'file';
    case 0o04_0000:
      return 'directory';
    case 0o12_0000:
      return 'symlink';
    default:
      return 'other';
  }
}

function flagsOf(bits: number): FileFlags {
  const has = (bit: number): boolean => (bits & bit) !== 0;
  return {
    ...(has(fileBits.config) ? { config: has(fileBits.noreplace) ? 'noreplace' : '' } : {}),
    ...(has(fileBits.doc) ? { doc: true } : {}),
    ...(has(fileBits.license) ? { license: true } : {}),
    ...(has(fileBits.readme) ? { readme: true } : {}),
    ...(has(fileBits.ghost) ? { ghost: true } : {}),
    ...(has(fileBits.missingok) ? { missingok: true } : {}),
    ...(has(fileBits.artifact) ? { artifact: true } : {}),
  };
}
