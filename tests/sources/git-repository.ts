import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A dist-git with files beside its `.git`, made in the test. */
export interface Repository {
  readonly dir: string;
  readonly git: (...args: string[]) => string;
  /** Writes files (undefined removes one) and commits everything, a day after the commit before. @returns the commit */
  readonly commit: (files: Readonly<Record<string, string | Uint8Array | undefined>>, message?: string) => string;
}

/** 2020-09-13T12:26:40Z, the time of the first commit. */
export const firstTime = 1_600_000_000;

export function repositoryAt(dir: string, branch = 'f1', objectFormat = 'sha1'): Repository {
  let time = firstTime;
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: dir,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'Ann',
        GIT_AUTHOR_EMAIL: 'ann@example.org',
        GIT_COMMITTER_NAME: 'Carl',
        GIT_COMMITTER_EMAIL: 'carl@example.org',
        GIT_AUTHOR_DATE: `${time} +0000`,
        GIT_COMMITTER_DATE: `${time} +0000`,
      },
    }).trim();
  mkdirSync(dir, { recursive: true });
  git('init', '--quiet', '-b', branch, `--object-format=${objectFormat}`);
  return {
    dir,
    git,
    commit: (files, message = 'a change') => {
      for (const [name, content] of Object.entries(files)) {
        const path = join(dir, name);
        mkdirSync(dirname(path), { recursive: true });
        if (content === undefined) rmSync(path);
        else writeFileSync(path, content);
        if (name.endsWith('.sh')) chmodSync(path, 0o755);
      }
      git('add', '-A');
      git('commit', '--quiet', '--allow-empty', '-m', message);
      time += 86_400;
      return git('rev-parse', 'HEAD');
    },
  };
}
