import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { launch, openLauncher, program } from '../../src/engine/launcher.ts';
import { openSeal } from '../../src/engine/seal.ts';

// A root with stand-ins for the programs: the test is about which bytes the launcher copies and keeps.

const arm = process.arch === 'arm64';
const library = `usr/lib/${arm ? 'aarch64' : 'x86_64'}-linux-gnu`;
const loader = arm ? 'usr/lib/ld-linux-aarch64.so.1' : 'usr/lib64/ld-linux-x86-64.so.2';
const programs = ['bwrap', 'prlimit', 'setpriv', 'unshare'].map((name) => `usr/bin/${name}`);
const libraries = ['c.so.6', 'cap.so.2', 'cap-ng.so.0', 'pcre2-8.so.0', 'selinux.so.1', 'smartcols.so.1'];

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-launcher-'));
  root = join(dir, 'root');
  for (const folder of ['usr/bin', 'usr/lib64', library]) await mkdir(join(root, folder), { recursive: true });
  for (const path of [loader, ...programs, ...libraries.map((name) => `${library}/lib${name}`)]) {
    await writeFile(join(root, path), `content of ${path}`, { mode: 0o755 });
  }
});
afterEach(() => rm(dir, { recursive: true }));

const open = (known?: ReadonlyMap<string, string>): ReturnType<typeof openLauncher> =>
  openLauncher(join(dir, 'cache'), root, '0123456789abcdef0', openSeal(join(dir, 'key')), known);

test('the launcher has copies outside of the root', async () => {
  const launcher = await open();
  expect(launcher.dir.startsWith(root)).toBe(false);
  await writeFile(join(root, 'usr/bin/bwrap'), 'changed in a sandbox');
  expect(await readFile(join((await open()).dir, 'bwrap'), 'utf8')).toBe('content of usr/bin/bwrap');
});

test.each(['bwrap', 'ld.so', 'lib/libc.so.6', 'inside/setpriv', 'untrusted.bpf'])(
  'a modified %s is recreated',
  async (name) => {
    const path = join((await open()).dir, name);
    const before = await readFile(path);
    await chmod(path, 0o755);
    await appendFile(path, 'x');
    await open();
    expect(await readFile(path)).toEqual(before);
  },
);

test('copies that differ from the unpacked toolbox are recreated', async () => {
  await open();
  await writeFile(join(root, 'usr/bin/bwrap'), 'the right one');
  const known = new Map([['usr/bin/bwrap', sha256('the right one')]]);
  expect(await readFile(join((await open(known)).dir, 'bwrap'), 'utf8')).toBe('the right one');
});

test('a root without bubblewrap is rejected', async () => {
  await rm(join(root, 'usr/bin/bwrap'));
  await expect(open()).rejects.toThrow(/the toolbox lacks usr\/bin\/bwrap/);
});

test('the path of the launcher is a separate argument of the command line', async () => {
  const launcher = { dir: '/odd: path;x\n', inside: '/x' };
  const argv = launch(launcher, [...program('bwrap'), '--version'], 'tool.bpf');
  expect(argv.filter((word) => word.includes('odd'))).toEqual([launcher.dir]);
});

test('digests without a valid mark are rejected', async () => {
  const launcher = await open();
  const file = join(launcher.dir, 'digests.json');
  const evil = 'a forged program';
  await chmod(join(launcher.dir, 'lib/libc.so.6'), 0o644);
  await writeFile(join(launcher.dir, 'lib/libc.so.6'), evil);
  const text = (await readFile(file, 'utf8')).replace(
    /"lib\/libc\.so\.6":"[0-9a-f]+"/,
    `"lib/libc.so.6":"${sha256(evil)}"`,
  );
  await writeFile(file, text);
  expect(await readFile(join((await open()).dir, 'lib/libc.so.6'), 'utf8')).toMatch(/^content of/);
});
