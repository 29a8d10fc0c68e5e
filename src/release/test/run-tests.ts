import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import { cachePath } from '../../base/paths.ts';
import { inStage } from '../../base/progress.ts';
import { withScratch } from '../../engine/scratch.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { diskFormats } from '../image/image-record.ts';
import { builtImage, checkImageName, imageFolder } from '../published.ts';
import type { ImageRecord } from '../record-schema.ts';
import type { TestOutcome } from './outcome.ts';
import { type PlannedTest, plannedTests } from './plan.ts';
import { runPytest, type TestRun } from './pytest.ts';
import { runTmt } from './tmt.ts';

export interface ImageTests {
  readonly image: string;
  /** The file or folder that was tested. */
  readonly path: string;
  /** Whether every test passed or was skipped. */
  readonly ok: boolean;
  readonly tests: readonly TestOutcome[];
}

/**
 * Runs the tests that the project names for an image, one after the other; a failed one does not stop the others.
 * @param file the image's file or folder; by default that of its last build
 * @param only names of tests; all by default
 * @throws WeirError `no-image`, `no-tests`, `unknown-test`, `no-file`
 */
export async function testImage(
  workspace: ProjectWorkspace,
  name: string,
  { file, only }: { readonly file: string | undefined; readonly only: readonly string[] },
): Promise<ImageTests> {
  const { project, cache, engine, progress } = workspace;
  checkImageName(project, name);
  const image = project.images.get(name)!;
  const planned = plannedTests(project, image, only);
  const path = await testedPath(workspace, name, file);
  const tests: TestOutcome[] = [];
  for (const test of planned) {
    const log = testLog(cache, name, test.name);
    const outcome = await inStage(progress, test.name, async (stage) => {
      stage.update(test.type);
      const result = await withScratch(engine.scratch, (scratch) =>
        attempt(test, { image, path, cache, root: project.root, scratch, log }),
      );
      return { result, summary: [result.state, result.reason].filter(Boolean).join(': '), cached: false };
    });
    tests.push(outcome);
  }
  const ok = tests.every(({ state }) => state === 'passed' || state === 'skipped');
  return { image: name, path, ok, tests };
}

async function attempt(test: PlannedTest, on: TestRun): Promise<TestOutcome> {
  const facts = { name: test.name, type: test.type };
  if (test.lacks.length > 0) {
    return { ...facts, state: 'skipped', reason: `the image does not have: ${test.lacks.join(', ')}` };
  }
  try {
    if (test.pytest !== undefined) return await runPytest(test, test.pytest, on);
    if (test.tmt !== undefined) return await runTmt(test, test.tmt, on);
    return { ...facts, state: 'not checked', reason: `Weir does not run tests of type ${test.type}` };
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    const place = error.where?.file === undefined ? '' : `${error.where.file}: `;
    const hint = error.hint === undefined ? [] : [`hint: ${error.hint}`];
    return { ...facts, state: 'not checked', reason: `${place}${error.message}`, details: [...error.details, ...hint] };
  }
}

/** The log of one test of one image: a folder of its own, as both names may have a "-". */
export function testLog(cache: string, image: string, test: string): string {
  return cachePath(cache, 'logs', 'tests', image, `${test}.log`);
}

async function testedPath(workspace: ProjectWorkspace, name: string, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const path = resolve(file);
    if ((await stat(path).catch(() => undefined)) !== undefined) return path;
    throw new WeirError('no-file', 'there is no such file', { where: { file: path }, exit: 2 });
  }
  const record = await builtImage(workspace, name);
  const folder = imageFolder(workspace, name);
  return testedFile(record, folder);
}

/**
 * What tests of a built image get: the OCI layout of a container, the disk in the format that most tools open, or the WSL file.
 * @throws WeirError `no-file` for a record without any of them
 */
export function testedFile(
  { name, kind, files }: Pick<ImageRecord, 'name' | 'kind' | 'files'>,
  folder: string,
): string {
  if (kind === 'container') return join(folder, 'oci');
  const formats = kind === 'disk' ? diskFormats : ['wsl'];
  const found = formats.map((format) => files.find(({ path }) => path === `${name}.${format}`)).find(Boolean);
  if (found !== undefined) return join(folder, found.path);
  throw new WeirError('no-file', `image ${name} has no file to test: none of ${formats.join(', ')}`, {
    where: { file: folder },
    hint: 'build it again, or name a file with --image-path',
    exit: 2,
  });
}
