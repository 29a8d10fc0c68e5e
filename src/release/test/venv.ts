import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { valueDigest } from '../../base/digest.ts';
import { WeirError } from '../../base/errors.ts';
import { withLock } from '../../base/file-lock.ts';
import { exists } from '../../base/files.ts';
import { isOffline } from '../../base/network.ts';
import { cachePath } from '../../base/paths.ts';
import { lastLines, run } from '../../base/process.ts';
import type { PytestSuite } from '../../project/model/test.ts';

/** A Python environment, ready to run pytest. */
export interface PythonEnvironment {
  readonly dir: string;
  readonly python: string;
}

const marker = '.weir-ready';

/**
 * The environment of a suite, in the cache: made with the host's Python, again whenever Python or the file with the requirements
 * changes. `none` installs nothing: then pytest is the host's.
 * @throws WeirError `no-python`, `no-requirements`, `no-pytest`, `venv-failed`
 */
export async function pythonEnvironment(
  cache: string,
  name: string,
  suite: PytestSuite,
  workingDir: string,
): Promise<PythonEnvironment> {
  const version = await run(['python3', '-c', 'import sys; print(sys.version, sys.prefix)']).catch((error: unknown) => {
    if (error instanceof WeirError && error.code === 'no-program') return undefined;
    throw error;
  });
  if (version?.code !== 0) {
    throw new WeirError('no-python', 'there is no python3 to run tests with', {
      hint: 'install Python 3 with its venv module (Debian: python3-venv)',
    });
  }
  const requirements = await requirementsOf(suite, workingDir);
  const text = requirements === undefined ? '' : await readFile(requirements, 'utf8');
  const key = valueDigest([version.stdout, suite.install, requirements ?? '', text]).slice(0, 16);
  const dir = cachePath(cache, 'tests', `${name}-${key}`);
  const python = join(dir, 'bin', 'python3');
  await mkdir(dirname(dir), { recursive: true });
  return withLock(`${dir}.lock`, async () => {
    if (!(await exists(join(dir, marker)))) {
      // What an interrupted run left may be incomplete.
      await rm(dir, { recursive: true, force: true });
      await fill(dir, python, suite, requirements);
      await writeFile(join(dir, marker), '');
    }
    return { dir, python };
  });
}

/** The file with what the suite requires, or undefined if it installs nothing. */
async function requirementsOf({ install }: PytestSuite, workingDir: string): Promise<string | undefined> {
  if (install === 'none') return undefined;
  const file = join(workingDir, install === 'pyproject' ? 'pyproject.toml' : 'requirements.txt');
  if (await exists(file)) return file;
  throw new WeirError('no-requirements', 'there is no such file', {
    where: { file },
    hint: `add it, or change install = "${install}"; "none" installs nothing`,
    exit: 2,
  });
}

async function fill(
  dir: string,
  python: string,
  { install }: PytestSuite,
  requirements: string | undefined,
): Promise<void> {
  // Without pip it takes a tenth of the time.
  const system = install === 'none' ? ['--system-site-packages', '--without-pip'] : [];
  await step(['python3', '-m', 'venv', ...system, dir], 'the Python environment cannot be made');
  if (requirements !== undefined) {
    if (isOffline()) {
      throw new WeirError('offline', `${requirements} is not installed yet, but this run is offline`, {
        hint: 'run once with network access',
      });
    }
    // A project is installed editable, so that tests see its code as it is.
    const what = install === 'pyproject' ? ['-e', dirname(requirements)] : ['-r', requirements];
    await step(
      [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...what],
      `pip cannot install ${requirements}`,
    );
  }
  const { code } = await run([python, '-c', 'import pytest']);
  if (code === 0) return;
  throw new WeirError('no-pytest', 'pytest is not in the Python environment', {
    hint:
      requirements === undefined
        ? 'set install = "requirements" or "pyproject" and name pytest there, or install it on this machine'
        : `add pytest to ${requirements}`,
  });
}

async function step(argv: readonly string[], message: string): Promise<void> {
  const { code, stdout, stderr } = await run(argv);
  if (code === 0) return;
  throw new WeirError('venv-failed', message, { details: lastLines(`${stdout}\n${stderr}`, 10) });
}
