import { closeSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { fileReader, type ReadAt } from '../archive/read-at.ts';
import { memberReader, readMember, readTar, type TarMember } from '../archive/tar.ts';
import { sha256 } from '../base/digest.ts';
import { byPath } from '../base/order.ts';
import type { Engine } from '../engine/action.ts';
import { putBytesNow, putStream } from '../engine/store.ts';
import { decodeCapabilities, encodeCapabilities } from './capabilities.ts';
import { sortEntries } from './compose.ts';
import { parseIds } from './owners.ts';
import type { Entry, FileEntry, Tree } from './tree.ts';

/** Files up to this size in bytes are hashed in memory. */
const smallFile = 1 << 20;

/**
 * The tree in an archive of a root folder. Unchanged entries keep the mtime and packages that they have in the composed tree; new and
 * changed entries get the clock's time.
 * @param archive a tar file with numeric owners and `security.capability`, hard links as such
 * @param skipped paths that the archive does not contain, such as mounts; their entries are those of the composed tree
 * @param special called for each device and pipe. A tree contains none; composing leaves them out, too
 */
export async function readBack(
  engine: Pick<Engine, 'store'>,
  composed: Tree,
  archive: string,
  skipped: (path: string) => boolean,
  clock: number,
  special: (path: string, kind: string) => void = () => {},
): Promise<Tree> {
  const fd = openSync(archive, 'r');
  try {
    const source = fileReader(fd);
    const before = new Map(composed.entries.map((entry) => [entry.path, entry]));
    const members = [...readTar(source)].filter(({ path }) => !skipped(`/${path}`));
    const owners = namesOf(source, members);
    const entries: Entry[] = composed.entries.filter((entry) => skipped(entry.path));
    const linkSets = new Map<string, TarMember[]>();
    for (const member of members) {
      if (member.kind === 'hardlink') linkSets.set(member.target, [...(linkSets.get(member.target) ?? []), member]);
    }
    for (const member of members) {
      if (member.kind === 'hardlink') continue;
      if (!inTree.includes(member.kind)) special(`/${member.path}`, member.kind);
      const links = linkSets.get(member.path);
      if (links === undefined)
        entries.push(...(await toEntries(engine, source, [member], member, before, owners, clock)));
      else entries.push(...(await toEntries(engine, source, [member, ...links], member, before, owners, clock)));
    }
    return { ...composed, entries: sortEntries(entries) };
  } finally {
    closeSync(fd);
  }
}

const inTree: readonly string[] = ['file', 'directory', 'symlink'];

interface Names {
  readonly user: (uid: number) => string;
  readonly group: (gid: number) => string;
}

/** Names of user and group ids in the archive's own account files; an id without a name stays numeric. */
function namesOf(source: ReadAt, members: readonly TarMember[]): Names {
  const names = (path: string): ((id: number) => string) => {
    const member = members.find((each) => each.path === path && each.kind === 'file');
    const text = member === undefined ? '' : readMember(source, member).toString();
    const byId = new Map<number, string>();
    for (const [name, id] of parseIds(text)) if (!byId.has(id)) byId.set(id, name);
    return (id) => byId.get(id) ?? String(id);
  };
  return { user: names('etc/passwd'), group: names('etc/group') };
}

/** Entries for one file of the archive under all its names. */
async function toEntries(
  engine: Pick<Engine, 'store'>,
  source: ReadAt,
  named: readonly TarMember[],
  member: TarMember,
  before: ReadonlyMap<string, Entry>,
  owners: Names,
  clock: number,
): Promise<Entry[]> {
  const attributes = {
    mode: member.mode,
    user: owners.user(member.uid),
    group: owners.group(member.gid),
    mtime: clock,
  };
  const pathOf = (each: TarMember): string => `/${each.path}`;
  const base = (path: string): Omit<Entry, 'kind'> => ({
    path,
    ...attributes,
    packages: before.get(path)?.packages ?? [],
  });
  const kept = (entry: Entry): Entry => {
    const known = before.get(entry.path);
    return known !== undefined && isSame(known, entry) ? known : entry;
  };
  switch (member.kind) {
    case 'directory':
      return [kept({ ...base(pathOf(member)), kind: 'directory' })];
    case 'symlink':
      return [kept({ ...base(pathOf(member)), mode: 0o777, kind: 'symlink', target: member.target })];
    case 'file': {
      const blob = await content(engine, source, member);
      const xattr = member.xattrs?.get('security.capability');
      const [first, ...others] = named.map((each) => ({ path: pathOf(each) })).sort(byPath);
      const entry = (path: string): FileEntry => {
        const capabilities = xattr === undefined ? undefined : capabilityText(xattr, before.get(path));
        return { ...base(path), kind: 'file', ...blob, ...(capabilities === undefined ? {} : { capabilities }) };
      };
      return [kept(entry(first!.path)), ...others.map(({ path }) => kept({ ...entry(path), hardlink: first!.path }))];
    }
    default:
      return [];
  }
}

async function content(
  engine: Pick<Engine, 'store'>,
  source: ReadAt,
  member: TarMember,
): Promise<{ digest: string; size: number }> {
  if (member.size <= smallFile) {
    const bytes = readMember(source, member);
    return putBytesNow(engine.store, bytes, sha256(bytes));
  }
  const read = memberReader(source, member);
  function* blocks(): Generator<Buffer> {
    for (let at = 0; at < member.size; at += smallFile) yield read(at, Math.min(smallFile, member.size - at));
  }
  return putStream(engine.store, Readable.from(blocks()));
}

/** The capabilities as text: from the package's header if they are equal, otherwise decoded from the attribute. */
function capabilityText(xattr: Buffer, known: Entry | undefined): string {
  const text = known?.kind === 'file' ? known.capabilities : undefined;
  if (text !== undefined && encodeCapabilities(text).equals(xattr)) return text;
  return decodeCapabilities(xattr);
}

function isSame(a: Entry, b: Entry): boolean {
  // The mode of a link has no meaning.
  if (a.kind !== b.kind || a.user !== b.user || a.group !== b.group) return false;
  if (a.kind === 'symlink' && b.kind === 'symlink') return a.target === b.target;
  if (a.mode !== b.mode) return false;
  if (a.kind !== 'file' || b.kind !== 'file') return true;
  return a.digest === b.digest && a.hardlink === b.hardlink && a.capabilities === b.capabilities;
}
