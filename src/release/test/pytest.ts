import { mkdir, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import { readIfExists } from '../../base/files.ts';
import { lastLines, run, tail } from '../../base/process.ts';
import { expandGlob } from '../../project/glob.ts';
import type { Image } from '../../project/model/image.ts';
import type { PytestSuite } from '../../project/model/test.ts';
import { countsOf } from './junit.ts';
import { type CaseCounts, type TestOutcome, whyNothingChecked } from './outcome.ts';
import { filledArgument, type PlannedTest } from './plan.ts';
import { pythonEnvironment } from './venv.ts';

/** What a test is run on and with. */
export interface TestRun {
  readonly image: Image;
  /** The image's file or folder. */
  readonly path: string;
  readonly cache: string;
  /** The project's folder. */
  readonly root: string;
  /** A folder for this test alone. */
  readonly scratch: string;
  /** File for the output. */
  readonly log: string;
}

/** Exit codes of pytest besides 0: https://docs.pytest.org/en/stable/reference/exit-codes.html */
const exits: Readonly<Record<number, string>> = {
  2: 'pytest was interrupted',
  3: 'pytest met an internal error',
  4: 'pytest was called wrongly',
  5: 'pytest found no tests',
};

/** Runs a pytest suite in an environment of its own. @throws WeirError those of `pythonEnvironment`, `not-a-folder` */
export async function runPytest(test: PlannedTest, suite: PytestSuite, on: TestRun): Promise<TestOutcome> {
  const dir = suite.workingDir ?? on.root;
  const { dir: venv, python } = await pythonEnvironment(on.cache, test.name, suite, dir);
  const junit = join(on.scratch, 'junit.xml');
  const argv = [
    ...[python, '-m', 'pytest'],
    ...suite.testPaths.flatMap((pattern) => testFiles(pattern, dir)),
    ...suite.extraArgs.map((argument) => filledArgument(argument, on.image, on.path)),
    // Both would otherwise be written into the project.
    ...['-o', `cache_dir=${join(on.scratch, 'cache')}`, '--junit-xml', junit],
  ];
  await mkdir(dirname(on.log), { recursive: true });
  await rm(on.log, { force: true });
  const env = testEnvironment(process.env as Record<string, string>, venv);
  const { code } = await run(argv, { cwd: dir, env, log: on.log });
  const report = await readIfExists(junit);
  const cases = report === undefined ? undefined : countsOf(report);
  const facts = { name: test.name, type: test.type, log: on.log, ...(report === undefined ? {} : { report }) };
  const judged = judgedRun(code, cases);
  const counted = cases === undefined ? {} : { cases };
  if (judged.state === 'passed') return { ...facts, ...judged, ...counted };
  return { ...facts, ...judged, details: lastLines(await tail(on.log), 10), ...counted };
}

/** The environment of pytest: what the caller set for Python or pytest would change what runs. */
export function testEnvironment(caller: Readonly<Record<string, string>>, venv: string): Record<string, string> {
  const { PYTHONHOME: _home, PYTHONPATH: _path, PYTEST_ADDOPTS: _options, PYTEST_PLUGINS: _plugins, ...outer } = caller;
  const path = `${join(venv, 'bin')}:${caller.PATH ?? ''}`;
  return { ...outer, VIRTUAL_ENV: venv, PATH: path, PYTHONDONTWRITEBYTECODE: '1' };
}

/** What a run of pytest says by its exit code and its report. */
export function judgedRun(code: number, cases: CaseCounts | undefined): Pick<TestOutcome, 'state' | 'reason'> {
  const nothing = cases === undefined ? undefined : whyNothingChecked(cases);
  if (code === 0 && cases !== undefined) {
    return nothing === undefined ? { state: 'passed' } : { state: 'not checked', reason: nothing };
  }
  if (code === 1 && cases !== undefined) {
    // A case can both fail and meet an error when it is taken down.
    const failed = Math.min(cases.tests, cases.failures + cases.errors);
    const reason =
      failed === 0
        ? 'pytest ended with exit code 1, although no case failed'
        : `${failed} of ${cases.tests} cases failed`;
    return { state: 'failed', reason };
  }
  return { state: 'not checked', reason: exits[code] ?? `pytest ended with exit code ${code}` };
}

/** Files that a pattern matches, relative to the folder; the pattern itself if there are none, so that pytest names it. */
function testFiles(pattern: string, dir: string): string[] {
  // Options would change what runs without a word in the report.
  if (pattern.startsWith('-'))
    throw new WeirError('bad-test-path', `a test path cannot begin with "-": ${pattern}`, { exit: 2 });
  if (!/[*?[{]/.test(pattern)) return [pattern];
  const files = expandGlob(pattern, dir);
  return files.length === 0 ? [pattern] : files.map((file) => (isAbsolute(pattern) ? file : relative(dir, file)));
}
