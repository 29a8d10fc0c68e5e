import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { writeAtomic, writeIfChanged } from '../../src/base/files.ts';
import { writeRendered } from '../../src/overlay/rendered-folder.ts';
import { openProject } from '../../src/workspace/project.ts';

let dir: string;

beforeEach(() => {
  // Not below the folder of temporary files, which may always be written.
  dir = mkdtempSync(join(homedir(), '.weir-test-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

it('a read-only run writes neither a lock nor any other file of a project', async () => {
  vi.stubEnv('WEIR_READ_ONLY', '1');
  const path = join(dir, 'toolbox.lock');
  for (const write of [writeAtomic, writeIfChanged]) {
    await expect(write(path, 'x')).rejects.toMatchObject({ code: 'read-only', where: { file: path } });
  }
  expect(readdirSync(dir)).toEqual([]);
});

it('a read-only run writes in the cache and in the folder of temporary files', async () => {
  vi.stubEnv('WEIR_READ_ONLY', '1');
  vi.stubEnv('XDG_CACHE_HOME', dir);
  await writeAtomic(join(dir, 'weir', 'a'), 'x');
  expect(readFileSync(join(dir, 'weir', 'a'), 'utf8')).toBe('x');
  const temporary = mkdtempSync(join(tmpdir(), 'weir-test-'));
  await writeAtomic(join(temporary, 'b'), 'x');
  expect(readdirSync(temporary)).toEqual(['b']);
  rmSync(temporary, { recursive: true });
});

it('a read-only run writes nothing in a project below the folder of temporary files', async () => {
  vi.stubEnv('WEIR_READ_ONLY', '1');
  vi.stubEnv('TMPDIR', dir);
  writeFileSync(join(dir, 'weir.toml'), '');
  const project = join(dir, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'weir.toml'), '[project]\ndescription = "d"\n');
  vi.stubEnv('XDG_CACHE_HOME', join(project, 'cache'));
  await openProject(project);
  const path = join(project, 'toolbox.lock');
  await expect(writeAtomic(path, 'x')).rejects.toMatchObject({ code: 'read-only', where: { file: path } });
  await writeAtomic(join(project, 'cache/weir/a'), 'x');
  await writeAtomic(join(dir, 'other'), 'x');
  const file = { bytes: Buffer.from('x'), executable: false };
  const rendered = { dir: 'a/a', files: new Map([['a.spec', file]]), warnings: [] };
  expect(() => writeRendered(join(project, 'specs'), rendered as never)).toThrow('this run only reads');
});

it.each(['', '0'])('WEIR_READ_ONLY=%s is no read-only run', async (value) => {
  vi.stubEnv('WEIR_READ_ONLY', value);
  await writeAtomic(join(dir, 'a'), 'x');
  expect(readdirSync(dir)).toEqual(['a']);
});
