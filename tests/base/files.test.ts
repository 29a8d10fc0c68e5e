import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { diskError, isAbandoned, isTemporary, readIfExists, temporaryName, writeAtomic } from '../../src/base/files.ts';
import { run } from '../../src/base/process.ts';
import { unprivileged } from '../unprivileged.ts';

/** A temporary name of this process with one part changed: PID, namespace or start time. */
function changed(part: number, to: number): string {
  const parts = basename(temporaryName('/x/y')).slice(1).split('-');
  parts[part] = to.toString(36);
  return `.${parts.join('-')}`;
}

test('a temporary file is abandoned once its process has exited', async () => {
  const own = basename(temporaryName('/x/y'));
  expect(isTemporary(own)).toBe(true);
  expect(isAbandoned(own, 0)).toBe(false);
  const child = spawn('true');
  await once(child, 'exit');
  expect(isAbandoned(changed(0, child.pid!), Date.now())).toBe(true);
});

test('a temporary file is abandoned if its PID has been reused', () => {
  const other = changed(2, 12_345);
  expect(isTemporary(other)).toBe(true);
  expect(isAbandoned(other, Date.now())).toBe(true);
  expect(isAbandoned(changed(0, 1), Date.now())).toBe(true);
});

test('temporary files of other containers expire after a day', () => {
  expect(isAbandoned(changed(1, 7), Date.now())).toBe(false);
  expect(isAbandoned(changed(1, 7), Date.now() - 90_000_000)).toBe(true);
});

test('other names are never abandoned temporary files', () => {
  for (const name of ['.x.tmp', '.git', 'a.tmp', '.1-2-3.tmp']) expect(isAbandoned(name, 0), name).toBe(false);
});

test('a file that cannot be written is an error naming it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-files-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeAtomic(join(dir, 'deep/er/a'), 'text');
  expect(await readIfExists(join(dir, 'deep/er/a'))).toBe('text');
  for (const [path, code] of [
    [join(dir, 'deep/er/a/b'), 'not-a-folder'],
    [join(dir, 'deep/er/a/b/c'), 'not-a-folder'],
    [join(dir, 'deep/er'), 'not-a-file'],
    ['/proc/nope/a', 'not-writable'],
  ] as const)
    await expect(writeAtomic(path, 'x'), path).rejects.toMatchObject({ code, where: { file: path } });
});

test('a missing file is undefined, and an unreadable one is an error naming it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-files-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o755);
  const file = join(dir, 'a');
  expect(await readIfExists(file)).toBeUndefined();
  await writeFile(file, 'text');
  expect(await readIfExists(file)).toBe('text');
  await expect(readIfExists(dir)).rejects.toMatchObject({ code: 'not-a-file', where: { file: dir } });
  await expect(readIfExists(join(file, 'b'))).rejects.toMatchObject({ code: 'not-a-folder' });
  await mkdir(join(dir, 'closed'), { mode: 0 });
  await chmod(file, 0);
  await unprivileged(async () => {
    for (const path of [file, join(dir, 'closed/a')])
      await expect(readIfExists(path)).rejects.toMatchObject({ code: 'not-readable', where: { file: path } });
  });
});

test('the limit of open files bounds concurrency', async () => {
  const script = `
    import { open } from 'node:fs/promises';
    import { mapLimit } from '${new URL('../../src/base/files.ts', import.meta.url)}';
    const done = await mapLimit(Array.from({ length: 200 }), 64, async (_, index) => {
      const handles = await Promise.all([1, 2, 3, 4].map(() => open('/dev/null')));
      await new Promise((resolve) => setImmediate(resolve));
      for (const handle of handles) await handle.close();
      return index;
    });
    console.log(done.length);`;
  const argv = ['sh', '-c', 'ulimit -n 40; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
  expect(await run(argv)).toMatchObject({ code: 0, stdout: '200\n' });
});

test('EMFILE becomes too-many-files', () => {
  const cause = Object.assign(new Error('x'), { code: 'EMFILE' });
  expect(diskError(cause, '/x')).toMatchObject({ code: 'too-many-files', where: { file: '/x' } });
});
