import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exists } from '../../src/base/files.ts';
import { installRoot } from '../../src/base/paths.ts';
import { run, runOk } from '../../src/base/process.ts';
import type { Jail } from '../../src/engine/jail.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import type { Attempt, Damage } from './escape-run.ts';
import { escapes } from './escapes.ts';
import { isRoot, projectWith, shared, tools, weir } from './weir.ts';

// Other people's code tries to get out of every kind of sandbox, as root and as an ordinary user.

const nobody = 65_534;
let home: string;
let root: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'weir-escapes-'));
  // Root in a user namespace has no more rights in another user's folder than anybody.
  await chmod(home, 0o755);
  root = join(home, 'root');
  // A copy: links would change hands, and a sandbox that fails would hurt the toolbox of every other test.
  await runOk(['cp', '-a', (await tools()).root, root]);
  if (isRoot) await runOk(['chown', '-R', `${nobody}:${nobody}`, home]);
});

afterAll(async () => {
  if (home !== undefined) await removeTree(home);
});

interface Outcome {
  readonly attempts: readonly Attempt[];
  readonly damage: Damage;
}

async function runAll(kind: Jail['kind'], asUser: boolean): Promise<Outcome> {
  const folder = join(home, `${kind}-${asUser ? 'user' : 'root'}`);
  await mkdir(folder);
  if (asUser && isRoot) await runOk(['chown', `${nobody}:${nobody}`, folder]);
  const user = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs'];
  const program = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(installRoot, 'tests/e2e/escape-run.ts'),
  ];
  const result = await run([...(asUser && isRoot ? user : []), ...program, kind, root, folder], {
    env: { PATH: process.env.PATH ?? '', HOME: folder, WEIR_ESCAPE_SECRET: 'yes' },
    cwd: folder,
  });
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as Outcome;
}

function expectHeld({ attempts, damage }: Outcome, kind: Jail['kind']): void {
  expect(attempts.map((attempt) => attempt.name)).toEqual(escapes.map((way) => way.name));
  const idle = attempts.filter((attempt) => !attempt.began);
  expect(idle.map(({ name, said }) => `${name}: ${said}`)).toEqual([]);
  const open = escapes.filter((way) => kind === 'chroot' && way.openInChroot !== undefined);
  expect(attempts.filter((attempt) => attempt.escaped).map((attempt) => attempt.name)).toEqual(
    open.map((way) => way.name),
  );
  for (const way of escapes.filter((each) => each.ended !== undefined)) {
    const attempt = attempts.find((each) => each.name === way.name)!;
    expect(attempt.error, `${way.name}: ${attempt.said}`).toBe('limit-exceeded');
    expect(attempt.said).toMatch(way.ended!);
  }
  expect(damage).toEqual({ root: [], source: 'as it was\n', corePattern: false, late: false });
}

describe('all known sandbox escapes fail', () => {
  test('for an ordinary user', async () => {
    expectHeld(await runAll('bubblewrap', true), 'bubblewrap');
  });

  test.runIf(isRoot)('for root', async () => {
    expectHeld(await runAll('bubblewrap', false), 'bubblewrap');
  });

  test.runIf(isRoot)('for root without user namespaces', async () => {
    expectHeld(await runAll('bubblewrap-root', false), 'bubblewrap-root');
  });

  test.runIf(isRoot)('in the chroot, except for the documented ones', async () => {
    expectHeld(await runAll('chroot', false), 'chroot');
  });
});

test('a macro of a queried spec has no side effects and no access', async () => {
  const { root: toolbox } = await tools();
  const project = await projectWith({
    'distro/components/trap/trap.toml': () => '[components.trap]\nspec = { type = "local", path = "trap.spec" }\n',
    'distro/components/trap/trap.spec': () => `Name: trap
Version: 1
Release: 1
Summary: %(busybox mount -o remount,bind,rw /usr; touch /usr/bin/X /etc/X; test -e ${shared.work} && echo seen; id -un; true)
License: MIT
`,
  });
  const result = await weir(['-C', project, 'component', 'query', 'trap', '--json']);
  expect(result.code, result.stderr).toBe(0);
  expect(result.stdout).toMatch(/"summary": *"builder"/);
  for (const path of ['usr/bin/X', 'etc/X']) expect(await exists(join(toolbox, path))).toBe(false);
});
