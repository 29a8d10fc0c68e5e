import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { folder } from '../project/fixture.ts';

/** A project kept in git, made in the test: a real repository, with authors and times that are always the same. */
export interface ProjectRepository {
  readonly dir: string;
  /** Writes files (null removes one) and commits them, an hour after the commit before. @returns the commit */
  readonly commit: (message: string, files: Readonly<Record<string, string | null>>) => string;
  readonly write: (files: Readonly<Record<string, string | null>>) => void;
  readonly git: (...args: string[]) => string;
}

const start = Date.UTC(2026, 0, 5, 12) / 1000;

/** @param inside folder of the repository that the project is in */
export function projectRepository(files: Readonly<Record<string, string>>, inside = ''): ProjectRepository {
  const top = folder({});
  const dir = join(top, inside);
  let time = start - 3600;
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: top,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: top,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'Ann Author',
        GIT_AUTHOR_EMAIL: 'ann@example.org',
        GIT_AUTHOR_DATE: `${time - 60} +0200`,
        GIT_COMMITTER_NAME: 'Carl Committer',
        GIT_COMMITTER_EMAIL: 'carl@example.org',
        GIT_COMMITTER_DATE: `${time} +0000`,
      },
    }).trim();
  const write: ProjectRepository['write'] = (changes) => {
    for (const [name, content] of Object.entries(changes)) {
      const path = join(dir, name);
      if (content === null) {
        rmSync(path);
        continue;
      }
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
  };
  const commit: ProjectRepository['commit'] = (message, changes) => {
    write(changes);
    time += 3600;
    git('add', '-A');
    git('commit', '--quiet', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  git('init', '--quiet', '--initial-branch=main', '.');
  commit('the project begins', files);
  return { dir, commit, write, git };
}
