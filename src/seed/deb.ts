import { closeSync, openSync } from 'node:fs';
import { WeirError } from '../base/errors.ts';
import { lastLines, run, stream } from '../base/process.ts';
import { parseStanzas } from './control.ts';
import { bytesReader, fileReader, type ReadAt, readTar, type TarMember } from './tar-reader.ts';

/** A Debian package on disk. */
export interface DebFile {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly sha256: string;
  /** of the `.deb`, absolute */
  readonly path: string;
}

/** What the seed reads of a package's control archive: small, and plain JSON. */
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

/** Reads a package's control archive with the host's dpkg-deb. @throws WeirError `bad-deb` */
export async function readControl(deb: Pick<DebFile, 'path'>): Promise<DebControl> {
  const tool = stream(['dpkg-deb', '--ctrl-tarfile', deb.path]);
  const chunks: Buffer[] = [];
  for await (const chunk of tool.stdout) chunks.push(chunk as Buffer);
  if ((await tool.done) !== 0) throw badDeb(deb.path, tool.stderr());
  const read = bytesReader(Buffer.concat(chunks));
  let control = '';
  let conffiles = '';
  for (const member of readTar(read)) {
    if (member.path === 'control') control = read(member.offset, member.size).toString();
    if (member.path === 'conffiles') conffiles = read(member.offset, member.size).toString();
  }
  const stanza = parseStanzas(control)[0];
  const name = stanza?.get('package');
  const version = stanza?.get('version');
  if (stanza === undefined || name === undefined || version === undefined) {
    throw badDeb(deb.path, 'its control file names no package and version');
  }
  // `Source: glibc (2.43-7)` where the source's version differs.
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

/** A package's files: the members of its data archive and a way to read their bytes. Close it when done. */
export interface DebData {
  readonly members: readonly TarMember[];
  readonly fd: number;
  readonly read: ReadAt;
  readonly close: () => void;
}

/** Decompresses a package's data archive into `scratch` (one file, removed by the caller) and lists it. @throws WeirError `bad-deb` */
export async function openData(deb: Pick<DebFile, 'path'>, scratch: string): Promise<DebData> {
  // dpkg-deb writes to the file itself: the bytes do not pass through this process.
  const result = await run(['dpkg-deb', '--fsys-tarfile', deb.path], { log: scratch });
  if (result.code !== 0) throw badDeb(deb.path, 'its data archive cannot be unpacked');
  const fd = openSync(scratch, 'r');
  try {
    const read = fileReader(fd);
    return { members: [...readTar(read)], fd, read, close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function badDeb(path: string, said: string): WeirError {
  return new WeirError('bad-deb', 'not a Debian package that can be read', {
    where: { file: path },
    details: lastLines(said, 3),
    hint: 'remove the file, so that it is downloaded again',
  });
}
