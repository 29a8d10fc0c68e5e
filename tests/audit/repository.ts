import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { run } from '../../src/base/process.ts';

/** A git repository in a temporary folder. */
export interface Repository {
  readonly dir: string;
  /** Writes files (or removes those that are undefined) and commits them with the given time. */
  readonly commit: (time: number, files: Readonly<Record<string, string | undefined>>) => Promise<void>;
  /** Its commits date from 1970. */
  readonly git: (...args: string[]) => Promise<void>;
  readonly write: (files: Readonly<Record<string, string | undefined>>) => Promise<void>;
}

export async function repository(): Promise<Repository> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-git-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@b.example', '-c', 'commit.gpgsign=false'];
  const runIn = async (time: number, args: readonly string[]): Promise<void> => {
    const date = `@${time} +0000`;
    const env = { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } as Record<string, string>;
    const { code, stderr } = await run(['git', '-C', dir, ...identity, ...args], { env });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  };
  const write: Repository['write'] = async (files) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      if (text === undefined) await rm(join(dir, name));
      else await writeFile(join(dir, name), text);
    }
  };
  await runIn(0, ['init', '-q', '-b', 'main']);
  return {
    dir,
    write,
    git: (...args) => runIn(0, args),
    commit: async (time, files) => {
      await write(files);
      await runIn(time, ['add', '-A']);
      await runIn(time, ['commit', '-q', '--allow-empty', '-m', `at ${time}`]);
    },
  };
}
