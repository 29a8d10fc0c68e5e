import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { openStore } from '../../src/engine/store.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import type { Distro } from '../../src/project/model/distro.ts';
import type { Project } from '../../src/project/model/project.ts';
import { type FetchedSources, fetchSources, type SourceContext } from '../../src/sources/fetch.ts';
import { component } from '../overlay/fixture.ts';

/** A folder to work in, with a cache, and ways to say what is in it; gone after the test. */
export interface Bench {
  readonly root: string;
  readonly context: SourceContext;
  /** Writes files below `dir`. */
  readonly files: (dir: string, content: Readonly<Record<string, string>>) => Promise<void>;
  /** A project at `root` whose components come from the distro `up`. */
  readonly project: (distro: Partial<Distro>, others?: readonly Distro[]) => Project;
  readonly fetch: (one: ResolvedComponent, of: Project, more?: Partial<SourceContext>) => Promise<FetchedSources>;
  /** Runs git in a folder; commits are a day apart. */
  readonly git: (dir: string, args: readonly string[]) => Promise<string>;
  /** Commits files to a repository, made where it is not there. @returns the commit */
  readonly commit: (dir: string, content: Readonly<Record<string, string>>) => Promise<string>;
}

export async function bench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  const context: SourceContext = {
    store: await openStore(join(root, 'cache/store')),
    cache: join(root, 'cache'),
    attempts: 1,
  };
  const files: Bench['files'] = async (dir, content) => {
    for (const [name, text] of Object.entries(content)) {
      await mkdir(dirname(join(root, dir, name)), { recursive: true });
      await writeFile(join(root, dir, name), text);
    }
  };
  let time = 1_600_000_000;
  const git: Bench['git'] = async (dir, args) => {
    const who = ['-c', 'user.name=A B', '-c', 'user.email=a@b.example'];
    const date = `${time} +0000`;
    const env = { PATH: process.env.PATH!, HOME: root, GIT_CONFIG_NOSYSTEM: '1' };
    const { stdout } = await runOk(['git', ...who, '-C', join(root, dir), ...args], {
      env: { ...env, GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date },
    });
    return stdout.trim();
  };
  let changes = 0;
  let uses = 0;
  return {
    root,
    context,
    files,
    git,
    project: (distro, others = []) => {
      const up: Distro = { name: 'up', repos: [], disableOrigins: false, versions: new Map(), ...distro };
      const distros = new Map([up, ...others].map((one) => [one.name, one]));
      return { root, project: { lockDir: join(root, 'locks') }, distros, seed: undefined } as unknown as Project;
    },
    fetch: (one, of, more = {}) => fetchSources(one, of, { ...context, ...more }, join(root, `out${uses++}`)),
    commit: async (dir, content) => {
      await mkdir(join(root, dir), { recursive: true });
      await git(dir, ['init', '-q', '-b', 'f1']);
      await files(dir, content);
      await git(dir, ['add', '-A']);
      await git(dir, ['commit', '-q', '-m', `change ${changes++}`]);
      time += 86_400;
      return git(dir, ['rev-parse', 'HEAD']);
    },
  };
}

/** A component `demo` of the distro `up`. @param spec what its spec table says besides */
export function upstream(part: Partial<ResolvedComponent> = {}, spec: object = {}): ResolvedComponent {
  return component({ spec: { type: 'upstream', name: 'demo', distro: { name: 'up' }, ...spec }, ...part });
}

/** Version 1 of `up` is the branch f1. */
export const branchF1: Partial<Distro> = {
  defaultVersion: '1',
  versions: new Map([['1', { name: '1', distGitBranch: 'f1', inputs: { rpmBuild: [], imageBuild: [] } }]]),
};

export function sha512(text: string | Uint8Array): string {
  return createHash('sha512').update(text).digest('hex');
}
