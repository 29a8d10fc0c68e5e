import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesReader, fileReader, type ReadAt } from '../archive/read-at.ts';
import { readMember, readTar, type TarMember } from '../archive/tar.ts';
import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { noSpace } from '../base/files.ts';
import { lastLines, run } from '../base/process.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { parseStanzas } from './control.ts';

/** A Debian package on disk. */
export interface DebFile {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly sha256: string;
  /** Absolute path of the `.deb`. */
  readonly path: string;
}

/** The parts of a package's control archive that the seed uses: small, plain JSON. */
export interface DebControl {
  readonly name: string;
  /** Debian version, with epoch and revision. */
  readonly version: string;
  /** Debian name: `amd64`, `all` … */
  readonly arch: string;
  readonly source: string;
  readonly sourceVersion: string;
  /** Absolute paths of configuration files. */
  readonly conffiles: readonly string[];
  /** Fields by lower-case name: `depends`, `description`, `homepage` … */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Unpacks archives of packages to `<place>/<number>.tar` with the host's dpkg-deb, all in one call, because starting a program
 * takes longer than unpacking most packages. @throws WeirError `bad-deb`
 */
export async function unpackDebs(
  debs: readonly Pick<DebFile, 'path'>[],
  part: 'control' | 'data',
  place: string,
): Promise<string[]> {
  // The bytes go to the file without passing through this process. The limit is in blocks of 512 bytes.
  const script = `what=$1; cd "$2"; shift 2; n=0; ulimit -f ${mostUnpacked / 512} 2>/dev/null || :
for deb; do dpkg-deb "$what" "$deb" >$n.tar || { printf '%s\\n' "$deb"; exit 1; }; n=$((n + 1)); done`;
  const option = part === 'control' ? '--ctrl-tarfile' : '--fsys-tarfile';
  const result = await run(['sh', '-c', script, 'sh', option, place, ...debs.map((deb) => deb.path)]);
  if (/No space left on device|Disk quota exceeded/i.test(result.stderr)) throw noSpace(place);
  if (result.code !== 0) {
    const said = `cannot unpack its ${part} archive, or the archive exceeds ${mostUnpacked} bytes`;
    throw badDeb(result.stdout.trim(), result.stderr || said);
  }
  return debs.map((_deb, index) => join(place, `${index}.tar`));
}

/** Limit for an unpacked archive in bytes; the largest in Debian, debug information, have a third of it. */
const mostUnpacked = 16 * 2 ** 30;
const mostOfControl = 16 << 20;

/** Digest of the code that unpacks and reads control archives. */
export function controlCode(): Digest {
  return codeDigest(import.meta.url);
}

/** Reads a package's unpacked control archive. @throws WeirError `bad-deb` */
export async function readControl(deb: Pick<DebFile, 'path'>, tar: string): Promise<DebControl> {
  const read = bytesReader(await readFile(tar));
  let control = '';
  let conffiles = '';
  for (const member of readTar(read)) {
    if (member.path === 'control') control = readMember(read, member, mostOfControl).toString();
    if (member.path === 'conffiles') conffiles = readMember(read, member, mostOfControl).toString();
  }
  const stanza = parseStanzas(control)[0];
  const name = stanza?.get('package');
  const version = stanza?.get('version');
  if (stanza === undefined || name === undefined || version === undefined) {
    throw badDeb(deb.path, 'its control file lacks the package name or version');
  }
  // `Source: glibc (2.43-7)` if the source's version differs.
  const source = /^(\S+)(?:\s+\(([^)]+)\))?$/.exec(stanza.get('source') ?? name);
  return {
    name,
    version,
    arch: stanza.get('architecture') ?? 'all',
    source: source?.[1] ?? name,
    sourceVersion: source?.[2] ?? version,
    conffiles: conffiles.split('\n').filter((line) => line.startsWith('/')),
    fields: Object.fromEntries(stanza),
  };
}

/** A package's files: the members of its data archive and a reader for their content. Close it when done. */
export interface DebData {
  readonly members: readonly TarMember[];
  readonly fd: number;
  readonly read: ReadAt;
  readonly close: () => void;
}

/** Lists a package's unpacked data archive. @throws WeirError `bad-tar` */
export function openData(tar: string): DebData {
  const fd = openSync(tar, 'r');
  try {
    const read = fileReader(fd);
    const members = [...readTar(read)];
    const strange = members.find(({ kind, extents }) => kind === 'unknown' || extents !== undefined);
    if (strange !== undefined) {
      const what =
        strange.kind === 'unknown' ? `has the unknown type ${JSON.stringify(strange.type)}` : 'is a sparse file';
      throw new WeirError('bad-tar', `${strange.path} ${what}, which is unsupported in Debian packages`);
    }
    return { members, fd, read, close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function badDeb(path: string, said: string): WeirError {
  return new WeirError('bad-deb', 'invalid Debian package', {
    where: { file: path },
    details: lastLines(said, 3),
    hint: 'remove the file to have it downloaded again',
  });
}
