// Random damage to a cache and to a release, chosen by a seed, and whether it is detected.

import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface Tampered {
  /** Kind of damage: `content`, `size`, `mode`, `removed`, `added`, `swapped`, `empty`, `emptied`, `forged`, `link`. */
  readonly kind: string;
  /** Damaged object: `blob`, `action`, `root` … */
  readonly where: string;
  /** Relative to the cache or the output folder; verification must report one of these. */
  readonly paths: readonly string[];
  /** For damage without effect, such as a missing file that is simply recreated; it need not be reported. */
  readonly harmless?: boolean;
}

export type Random = (below: number) => number;

/** A deterministic random number generator (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Draws `count` different elements of a list and removes them from it. */
function draw<T>(from: T[], count: number, random: Random): T[] {
  const drawn: T[] = [];
  while (drawn.length < count && from.length > 0) drawn.push(...from.splice(random(from.length), 1));
  return drawn;
}

/** Replaces a file with modified bytes but the same mode and times; hard links to the old file keep the old content. */
async function replace(path: string, change: (bytes: Buffer) => Buffer, mode?: number): Promise<void> {
  const info = await lstat(path);
  const beside = join(dirname(path), 'tampered');
  await writeFile(beside, change(await readFile(path)));
  await chmod(beside, mode ?? info.mode & 0o7777);
  await utimes(beside, info.atime, info.mtime);
  await rename(beside, path);
}

function flip(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[changed.length >> 1]! ^= 1;
  return changed;
}

const kinds: Readonly<Record<string, (path: string, other: string) => Promise<void>>> = {
  content: (path) => replace(path, flip),
  size: (path) => replace(path, (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
  mode: (path) => replace(path, (bytes) => bytes, 0o4755),
  removed: (path) => rm(path),
  emptied: (path) => replace(path, () => Buffer.alloc(0)),
  swapped: async (path, other) => {
    const [own, others] = [await readFile(path), await readFile(other)];
    await replace(path, () => others);
    await replace(other, () => own);
  },
  link: async (path) => {
    await copyFile(path, `${path}.aside`);
    await rename(`${path}.aside`, join(dirname(path), '..', `aside-${basename(path)}`));
    await rm(path);
    await symlink(join('..', `aside-${basename(path)}`), path);
  },
};

interface StoredResult {
  readonly kind: string;
  readonly value: unknown;
  readonly files: Readonly<Record<string, { readonly digest: string; readonly size: number }>>;
}

/**
 * Damages a cache: each kind of damage to `count` blobs, results of actions, files of roots and repositories, and indexes.
 * @param cache only has files replaced, so it may be a clone made of hard links
 */
export async function tamperCache(cache: string, count: number, random: Random): Promise<Tampered[]> {
  const done: Tampered[] = [];
  const actions = new Map<string, StoredResult>();
  for (const name of (await readdir(join(cache, 'actions'), { recursive: true })).sort()) {
    if (name.endsWith('.json'))
      actions.set(`actions/${name}`, JSON.parse(await readFile(join(cache, 'actions', name), 'utf8')) as StoredResult);
  }
  const naming = (digest: string): string[] =>
    [...actions].filter(([, result]) => JSON.stringify(result).includes(digest)).map(([path]) => path);
  const blobPath = (digest: string): string => `store/${digest.slice(0, 2)}/${digest}`;
  const harm = async (where: string, kind: string, path: string, other: string, named?: string[]): Promise<void> => {
    await kinds[kind]!(join(cache, path), join(cache, other));
    // Nothing needs a missing blob that no result refers to.
    const harmless = named?.length === 0 ? { harmless: true } : {};
    done.push({ kind, where, paths: [path, ...(named ?? [])], ...harmless });
  };

  // Files of packages, as used in trees and images; listed in the results of unpacking.
  const contents: string[] = [];
  const packages: string[] = [];
  for (const { kind, value, files } of actions.values()) {
    if (kind === 'sign-rpm' || kind === 'rpmbuild') packages.push(...Object.values(files).map(({ digest }) => digest));
    if (kind !== 'unpack-rpm') continue;
    for (const entry of (value as { entries: { digest?: string; size?: number }[] }).entries)
      if (entry.digest !== undefined && (entry.size ?? 0) > 1) contents.push(entry.digest);
  }
  const present = (digests: readonly string[]): string[] =>
    [...new Set(digests)].filter((digest) => existsSync(join(cache, blobPath(digest)))).sort();
  for (const [where, victims] of [
    ['content of a package', present(contents)],
    ['package', present(packages)],
  ] as const) {
    for (const kind of ['content', 'size', 'mode', 'removed', 'emptied', 'swapped', 'link']) {
      for (const digest of draw(victims, count, random)) {
        const [other = digest] = kind === 'swapped' ? draw(victims, 1, random) : [digest];
        await harm(where, kind, blobPath(digest), blobPath(other), kind === 'removed' ? naming(digest) : undefined);
      }
    }
  }
  await writeFile(join(cache, 'store/aa/added'), 'x');
  done.push({ kind: 'added', where: 'store', paths: ['store/aa/added'] });

  const byKind = Map.groupBy(actions.keys(), (path) => actions.get(path)!.kind);
  for (const [what, paths] of [...byKind].sort()) {
    for (const kind of ['content', 'swapped', 'emptied', 'empty', 'forged', 'removed']) {
      const [path, other = path] = draw(paths, kind === 'swapped' ? 2 : 1, random);
      if (path === undefined || (kind === 'swapped' && other === path)) continue;
      if (kind === 'removed') {
        await rm(join(cache, path));
        done.push({ kind, where: `action ${what}`, paths: [path], harmless: true });
      } else if (kind === 'empty' || kind === 'forged') {
        await replace(join(cache, path), (bytes) => (kind === 'empty' ? Buffer.from('{}\n') : forge(bytes.toString())));
        done.push({ kind, where: `action ${what}`, paths: [path] });
      } else await harm(`action ${what}`, kind, path, other ?? path);
    }
  }

  for (const part of ['roots', 'repos']) {
    const folders = (await readdir(join(cache, part), { withFileTypes: true }))
      .filter((each) => each.isDirectory() && !each.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
    for (const kind of ['content', 'size', 'mode', 'removed', 'added', 'swapped']) {
      for (const folder of draw(folders, 1, random)) {
        const root = join(part, folder);
        const files = (await readdir(join(cache, root), { recursive: true })).filter(
          (name) => !name.includes('.weir-'),
        );
        const plain: string[] = [];
        for (const name of files.sort()) {
          const info = await lstat(join(cache, root, name));
          if (info.isFile() && info.size > 1) plain.push(join(root, name));
        }
        const [path, other] = draw(plain, 2, random);
        if (kind === 'added') await writeFile(join(cache, dirname(path!), 'added'), 'x');
        else await kinds[kind]!(join(cache, path!), join(cache, other!));
        done.push({ kind, where: part === 'roots' ? 'file of a root' : 'file of a repository', paths: [root] });
      }
    }
  }

  for (const part of ['hashes', 'stamps', 'projects']) {
    const files: string[] = [];
    for (const name of (await readdir(join(cache, part), { recursive: true }).catch(() => [])).sort())
      if ((await lstat(join(cache, part, name))).isFile()) files.push(join(part, name));
    for (const kind of ['content', 'swapped', 'emptied']) {
      const [path, other = path] = draw(files, kind === 'swapped' ? 2 : 1, random);
      if (path !== undefined && (kind !== 'swapped' || other !== path)) await harm(`index ${part}`, kind, path, other!);
    }
  }
  return done;
}

/** Forges a result without the key: files become setuid, and the last element of a list is dropped. */
function forge(text: string): Buffer {
  const result = JSON.parse(text) as StoredResult & { mark?: string };
  const { value } = result;
  const forged = Array.isArray(value) ? value.slice(0, -1) : value;
  const body = `${JSON.stringify({ ...result, value: forged }).replaceAll('"mode":493', '"mode":2541')}\n`;
  // If it has neither, changing another digit will do.
  return Buffer.from(body === text ? text.replace(/"seconds":/, '"seconds":1') : body);
}

/** Damages an output folder: its repository, images and records. @param out may be a clone made of hard links */
export async function tamperOutput(out: string, count: number, random: Random): Promise<Tampered[]> {
  const done: Tampered[] = [];
  const { snapshot } = JSON.parse(await readFile(join(out, 'release.json'), 'utf8')) as { snapshot: string };
  const all: string[] = [];
  for (const name of (await readdir(out, { recursive: true })).sort()) {
    const info = await lstat(join(out, name));
    // Whole disks are too large to be rewritten in memory.
    if (info.isFile() && info.size > 1 && info.size < 1 << 28) all.push(name);
  }
  const parts: Readonly<Record<string, string[]>> = {
    'published package': all.filter((name) => name.endsWith('.rpm') && name.includes(`/${snapshot}/`)),
    'published metadata': all.filter((name) => name.includes('/repodata/') && name.includes(`/${snapshot}/`)),
    'published image': all.filter((name) => name.startsWith('images/') && !name.endsWith('image.json')),
    // Last, so that the others are damaged as they were before there was evidence.
    'published evidence': all.filter((name) => name.includes(`/${snapshot}/evidence/`)),
  };
  for (const [where, files] of Object.entries(parts)) {
    for (const kind of ['content', 'size', 'mode', 'removed', 'emptied', 'swapped', 'added', 'link']) {
      for (const path of draw(files, kind === 'link' ? 1 : count, random)) {
        const [other = path] = kind === 'swapped' ? draw(files, 1, random) : [path];
        if (kind === 'added') {
          const added = join(dirname(path), `added-${done.length}`);
          await writeFile(join(out, added), 'x');
          done.push({ kind, where, paths: [added] });
        } else {
          await kinds[kind]!(join(out, path), join(out, other));
          // An invalid signature is reported for the signed file.
          done.push({ kind, where, paths: [path, ...(path.endsWith('.asc') ? [path.slice(0, -4)] : [])] });
        }
      }
    }
    const [beside] = draw(files, 1, random);
    if (beside === undefined) continue;
    const empty = join(dirname(beside), `empty-${done.length}`);
    await mkdir(join(out, empty));
    done.push({ kind: 'added', where: 'empty folder', paths: [empty] });
  }
  return done;
}

/** Whether verification reported the damage. @param named paths of faults */
export function isNoticed({ paths }: Tampered, named: ReadonlySet<string>): boolean {
  return paths.some((path) => named.has(path) || [...named].some((fault) => path.startsWith(`${fault}/`)));
}
