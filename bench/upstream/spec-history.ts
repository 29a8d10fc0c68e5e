import { join } from 'node:path';
import { mapLimit } from '../../src/base/files.ts';
import { runOk } from '../../src/base/process.ts';
import { openReader } from '../../src/sources/git-objects.ts';
import type { RepositoryFile } from '../distgit.ts';
import { Pack } from './pack.ts';

/** A commit of a spec collection: a repository with one spec per package in the folder `specs`. */
export interface CollectionCommit {
  readonly id: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly subject: string;
}

/** A state of a spec. */
export interface SpecState {
  /** Index in `commits`. */
  readonly at: number;
  /** Object id; undefined where the spec was removed. */
  readonly blob: string | undefined;
}

export interface Collection {
  readonly gitDir: string;
  /** Oldest first. */
  readonly commits: readonly CollectionCommit[];
  /** Package → the states of its spec, oldest first. */
  readonly states: ReadonlyMap<string, readonly SpecState[]>;
}

export async function readCollection(gitDir: string): Promise<Collection> {
  const format = '--format=%x01%H%x02%ct%x02%s%x03';
  const shape = ['--raw', '-z', '--no-abbrev', '--no-renames', '--root', '--diff-merges=first-parent'];
  const argv = [
    'git',
    '--git-dir',
    gitDir,
    'log',
    '--first-parent',
    '--reverse',
    ...shape,
    format,
    'HEAD',
    '--',
    'specs',
  ];
  const { stdout } = await runOk(argv);
  const commits: CollectionCommit[] = [];
  const states = new Map<string, SpecState[]>();
  for (const record of stdout.split('\x01').slice(1)) {
    const end = record.indexOf('\x03');
    const [id, time, subject] = record.slice(0, end).split('\x02');
    const at = commits.push({ id: id!, time: Number(time), subject: subject! }) - 1;
    const fields = record.slice(end + 1).split('\0');
    for (let index = 0; index + 1 < fields.length; index++) {
      const blob = /^\s*:\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [A-Z]/.exec(fields[index]!)?.[1];
      if (blob === undefined) continue;
      const name = /^specs\/([^/]+)\.spec$/.exec(fields[++index]!)?.[1];
      if (name === undefined) continue;
      const state = { at, blob: /^0+$/.test(blob) ? undefined : blob };
      const before = states.get(name);
      if (before === undefined) states.set(name, [state]);
      else before.push(state);
    }
  }
  return { gitDir, commits, states };
}

/**
 * Writes a bare repository per package, with the history of its spec.
 * @param folder of the repositories
 * @param since the oldest commit whose changes are kept; the state before it is the first commit
 * @param constant further files of a package, the same in all of its commits
 * @returns packages without one: the collection lacks a content
 */
export async function writeDistGits(
  collection: Collection,
  folder: string,
  names: readonly string[],
  branches: readonly string[],
  since: number,
  constant: (name: string) => readonly RepositoryFile[],
): Promise<string[]> {
  const reader = openReader(collection.gitDir);
  const missing: string[] = [];
  try {
    await mapLimit(names, 8, async (name) => {
      const all = collection.states.get(name) ?? [];
      const states = all.slice(
        Math.max(
          0,
          all.findLastIndex(({ at }) => at < since),
        ),
      );
      const blobs = await Promise.all(states.map(({ blob }) => (blob === undefined ? undefined : reader.read(blob))));
      if (states.some(({ blob }, index) => blob !== undefined && blobs[index] === undefined)) {
        missing.push(name);
        return;
      }
      const pack = new Pack();
      const files = new Map(
        constant(name).map((file) => [file.name, { id: pack.add('blob', file.bytes), executable: file.executable }]),
      );
      let commit: string | undefined;
      for (const [index, { at }] of states.entries()) {
        const { time, subject } = collection.commits[at]!;
        const blob = blobs[index]?.bytes;
        const [here, gone] = blob === undefined ? ['dead.package', `${name}.spec`] : [`${name}.spec`, 'dead.package'];
        files.delete(gone!);
        const bytes = blob ?? Buffer.from('Removed from the collection\n');
        files.set(here!, { id: pack.add('blob', bytes), executable: false });
        const who = `Bench <bench@weir.invalid> ${time} +0000`;
        const parent = commit === undefined ? '' : `parent ${commit}\n`;
        const text = `tree ${pack.addTree(files)}\n${parent}author ${who}\ncommitter ${who}\n\n${subject}\n`;
        commit = pack.add('commit', Buffer.from(text));
      }
      pack.write(join(folder, name), branches, commit!);
    });
  } finally {
    reader.close();
  }
  return missing;
}
