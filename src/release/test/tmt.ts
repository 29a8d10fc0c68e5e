import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import { readIfExists } from '../../base/files.ts';
import { refuseOffline } from '../../base/network.ts';
import { lastLines, run, runOk, tail } from '../../base/process.ts';
import type { TmtTest } from '../../project/model/test.ts';
import { countsOf } from './junit.ts';
import { type TestOutcome, whyNothingChecked } from './outcome.ts';
import type { PlannedTest } from './plan.ts';
import type { TestRun } from './pytest.ts';

/** Runs a plan of tmt (https://tmt.readthedocs.io) in a virtual machine of the image, with the host's tmt. */
export async function runTmt(test: PlannedTest, { source, plan }: TmtTest, on: TestRun): Promise<TestOutcome> {
  const facts = { name: test.name, type: test.type };
  const missing = await whyNoTmt(on.path);
  if (missing !== undefined) return { ...facts, state: 'not checked', reason: missing };
  const tree = join(on.scratch, 'source');
  await fetchCommit(source.gitUrl, source.ref, tree);
  const junit = join(on.scratch, 'junit.xml');
  await mkdir(dirname(on.log), { recursive: true });
  await rm(on.log, { force: true });
  const argv = [
    ...['tmt', '--root', tree, 'run', '--all', '--id', join(on.scratch, 'run')],
    ...['plan', '--name', `^${plan.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`],
    ...['provision', '--how', 'virtual', '--image', on.path],
    ...['report', '--how', 'junit', '--file', junit],
  ];
  const { code } = await run(argv, { log: on.log });
  const report = await readIfExists(junit);
  const cases = report === undefined ? undefined : countsOf(report);
  const rest = {
    ...facts,
    log: on.log,
    ...(report === undefined ? {} : { report }),
    ...(cases === undefined ? {} : { cases }),
  };
  const nothing = cases === undefined ? 'tmt wrote no report' : whyNothingChecked(cases);
  if (code === 0 && nothing === undefined) return { ...rest, state: 'passed' };
  const details = lastLines(await tail(on.log), 10);
  if (code === 1) return { ...rest, state: 'failed', reason: 'a test of the plan failed', details };
  if (code === 0 && nothing !== undefined) return { ...rest, state: 'not checked', reason: nothing, details };
  // 2: a step could not be done; 3: no test ran.
  return { ...rest, state: 'not checked', reason: `tmt ended with exit code ${code}`, details };
}

async function whyNoTmt(image: string): Promise<string | undefined> {
  const found = await run(['tmt', '--version']).catch((error: unknown) => {
    if (error instanceof WeirError && error.code === 'no-program') return undefined;
    throw error;
  });
  if (found?.code !== 0) return 'tmt is not installed on this machine';
  return (await stat(image)).isFile() ? undefined : 'tmt starts a virtual machine, and this image is not a disk';
}

/** Checks out one commit. @throws WeirError `offline`, `tool-failed` */
async function fetchCommit(url: string, commit: string, dir: string): Promise<void> {
  if (!url.startsWith('file://')) refuseOffline(`the tests at ${url} are not here`);
  await mkdir(dir, { recursive: true });
  const git = (...words: readonly string[]): Promise<unknown> =>
    runOk(['git', '-C', dir, ...words], {
      env: { ...(process.env as Record<string, string>), GIT_TERMINAL_PROMPT: '0' },
    });
  await git('init', '--quiet');
  await git('fetch', '--quiet', '--depth', '1', '--', url, commit);
  await git('checkout', '--quiet', '--detach', commit);
}
