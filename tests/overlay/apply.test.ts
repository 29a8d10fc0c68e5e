import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { formatError, WeirError } from '../../src/base/errors.ts';
import { runOk } from '../../src/base/process.ts';
import { applyOverlays, type OverlaidSources } from '../../src/overlay/apply.ts';
import { readEntry } from '../../src/overlay/files.ts';
import { printSpec } from '../../src/spec/parse.ts';
import { component, folder, type OverlayData, overlay } from './fixture.ts';

const spec = 'Name: demo\nPatch0: old.patch\n%prep\n%patch -P0\n%build\n';

async function contents(sources: OverlaidSources): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, entry] of sources.files) {
    if (entry.kind !== 'link') found[name] = Buffer.from(await readEntry(entry)).toString();
  }
  return found;
}

async function demo(extra: Record<string, string | Uint8Array> = {}): Promise<string> {
  return folder({ 'demo.spec': spec, 'old.patch': 'old', 'conf/a.conf': 'one\ntwo\n', 'b.conf': 'two\n', ...extra });
}

async function apply(dir: string, ...overlays: OverlayData[]): Promise<OverlaidSources> {
  return applyOverlays({
    component: component({ overlays: overlays.map(overlay) }),
    filesDir: dir,
    specPath: join(dir, 'demo.spec'),
  });
}

async function failure(work: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WeirError) return error;
  throw new Error(`no WeirError: ${String(error)}`);
}

describe('overlays on files', () => {
  it('patch-add copies the file and lists it', async () => {
    const dir = await demo();
    const source = join(await folder({ 'new.patch': 'new' }), 'new.patch');
    const result = await apply(dir, { type: 'patch-add', source, file: 'new.patch' });
    expect(printSpec(result.spec)).toContain('Patch0: old.patch\nPatch1: new.patch\n');
    expect((await contents(result))['new.patch']).toBe('new');
    expect(result.applied).toMatchObject([{ number: 1, changedSpec: true, files: ['new.patch'] }]);
  });

  it('patch-remove removes both', async () => {
    const result = await apply(await demo(), { type: 'patch-remove', file: 'o*.patch' });
    expect(printSpec(result.spec)).not.toContain('old.patch');
    expect(Object.keys(await contents(result))).toEqual(['b.conf', 'conf/a.conf']);
  });

  it('file-add, file-remove, file-rename, file-search-replace and file-prepend-lines', async () => {
    const source = join(await folder({ x: 'x' }), 'x');
    const result = await apply(
      await demo(),
      { type: 'file-add', source, file: 'sub/x.txt' },
      { type: 'file-remove', file: '{b,c}.conf' },
      { type: 'file-rename', file: '**/a.conf', replacement: 'z.conf' },
      { type: 'file-search-replace', file: '**/*.conf', regex: '(?m)^two$', replacement: '$1' },
      { type: 'file-prepend-lines', file: 'conf/z.conf', lines: ['# top'] },
    );
    expect(await contents(result)).toEqual({ 'old.patch': 'old', 'sub/x.txt': 'x', 'conf/z.conf': '# top\none\n$1\n' });
  });

  it('file-search-replace sees the whole file', async () => {
    const error = await failure(
      apply(await demo(), { type: 'file-search-replace', file: 'conf/*', regex: '^two$', replacement: 'x' }),
    );
    expect(error.code).toBe('overlay-no-match');
    expect(error.details).toEqual(['closest: conf/a.conf:2: two']);
    expect(error.hint).toContain('(?m)');
  });

  // A file that was there: its name; what it is after: the text, or undefined where it is gone.
  it.each<[what: string, data: OverlayData, after: Readonly<Record<string, string | undefined>>]>([
    [
      'lines before those of a file',
      { type: 'file-prepend-lines', file: 'b.conf', lines: ['x', 'y'] },
      { 'b.conf': 'x\ny\ntwo\n' },
    ],
    [
      'a line that ends in a line break, and so an empty one',
      { type: 'file-prepend-lines', file: 'b.conf', lines: ['x\n'] },
      { 'b.conf': 'x\n\ntwo\n' },
    ],
    [
      'several lines in one text',
      { type: 'file-prepend-lines', file: 'b.conf', lines: ['x\ny'] },
      { 'b.conf': 'x\ny\ntwo\n' },
    ],
    ['lines of an empty file', { type: 'file-prepend-lines', file: 'empty', lines: ['x'] }, { empty: 'x\n' }],
    [
      'lines of a file of Windows',
      { type: 'file-prepend-lines', file: 'win.ini', lines: ['x'] },
      { 'win.ini': 'x\r\na\r\nb\r\n' },
    ],
    [
      'lines of every file that matches',
      { type: 'file-prepend-lines', file: '**/*.conf', lines: ['x'] },
      { 'b.conf': 'x\ntwo\n', 'conf/a.conf': 'x\none\ntwo\n' },
    ],
    [
      'lines of one of many',
      { type: 'file-prepend-lines', file: 'conf/*', lines: ['x'] },
      { 'conf/a.conf': 'x\none\ntwo\n' },
    ],
    ['text', { type: 'file-search-replace', file: 'b.conf', regex: 'two', replacement: '2' }, { 'b.conf': '2\n' }],
    [
      'text by nothing',
      { type: 'file-search-replace', file: 'b.conf', regex: 'wo', replacement: '' },
      { 'b.conf': 't\n' },
    ],
    [
      'by a pattern',
      { type: 'file-search-replace', file: 'v.txt', regex: '\\d+\\.\\d+', replacement: '9' },
      { 'v.txt': 'v9, 9\n' },
    ],
    [
      'by text that looks like a group',
      { type: 'file-search-replace', file: 'b.conf', regex: '(t)(wo)', replacement: '$2\\1$0' },
      { 'b.conf': '$2\\1$0\n' },
    ],
    [
      'over the end of a line',
      { type: 'file-search-replace', file: 'conf/a.conf', regex: 'one\\ntwo', replacement: 'both' },
      { 'conf/a.conf': 'both\n' },
    ],
    [
      'at the end of the text',
      { type: 'file-search-replace', file: 'conf/a.conf', regex: '\\n$', replacement: '' },
      { 'conf/a.conf': 'one\ntwo' },
    ],
    [
      'at every line',
      { type: 'file-search-replace', file: 'conf/a.conf', regex: '(?m)^', replacement: '> ' },
      { 'conf/a.conf': '> one\n> two\n> ' },
    ],
    [
      'without regard to case',
      { type: 'file-search-replace', file: 'b.conf', regex: '(?i)TWO', replacement: '2' },
      { 'b.conf': '2\n' },
    ],
    [
      'with a dot for line ends',
      { type: 'file-search-replace', file: 'conf/a.conf', regex: '(?s)o.*o', replacement: '0' },
      { 'conf/a.conf': '0\n' },
    ],
    [
      'a class of characters',
      { type: 'file-search-replace', file: 'v.txt', regex: '[[:digit:]]', replacement: '' },
      { 'v.txt': 'v., .\n' },
    ],
    [
      'letters of any script',
      { type: 'file-search-replace', file: 'uni', regex: '\\pL+', replacement: 'x' },
      { uni: 'x x\n' },
    ],
    [
      'only where it matches',
      { type: 'file-search-replace', file: '**/*.conf', regex: 'one', replacement: '1' },
      { 'conf/a.conf': '1\ntwo\n' },
    ],
    [
      'bytes that are no UTF-8',
      { type: 'file-search-replace', file: 'latin', regex: 'b', replacement: 'é' },
      { latin: 'a\uFFFDé\n' },
    ],
    ['but not specs', { type: 'file-search-replace', file: '*', regex: 'two', replacement: '2' }, { 'b.conf': '2\n' }],
    ['a file', { type: 'file-remove', file: 'b.conf' }, { 'b.conf': undefined }],
    ['a file in a folder', { type: 'file-remove', file: 'conf/a.conf' }, { 'conf/a.conf': undefined }],
    ['files', { type: 'file-remove', file: '{empty,*.ini}' }, { empty: undefined, 'win.ini': undefined }],
    ['files everywhere', { type: 'file-remove', file: '**/*.conf' }, { 'b.conf': undefined, 'conf/a.conf': undefined }],
    ['files of a folder', { type: 'file-remove', file: 'conf/**' }, { 'conf/a.conf': undefined }],
    ['files with a dot before', { type: 'file-remove', file: '.gitignore' }, { '.gitignore': undefined }],
    ['files whose folder is called git', { type: 'file-remove', file: 'git/*' }, { 'git/config': undefined }],
    [
      'a file by another name',
      { type: 'file-rename', file: 'b.conf', replacement: 'c.conf' },
      { 'b.conf': undefined, 'c.conf': 'two\n' },
    ],
    [
      'in its folder',
      { type: 'file-rename', file: 'conf/*.conf', replacement: 'z' },
      { 'conf/a.conf': undefined, 'conf/z': 'one\ntwo\n' },
    ],
    ['a new file', { type: 'file-add', source: 'SOURCE', file: 'new' }, { new: 'source\n' }],
    ['a new file in a new folder', { type: 'file-add', source: 'SOURCE', file: 'a/b/new' }, { 'a/b/new': 'source\n' }],
    [
      'a patch under its own name',
      { type: 'patch-add', source: 'SOURCE', file: 'my.patch' },
      { 'my.patch': 'source\n' },
    ],
    ['a removed patch', { type: 'patch-remove', file: '*.patch' }, { 'old.patch': undefined }],
  ])('%s', async (_what, data, after) => {
    const dir = await demo({
      empty: '',
      'win.ini': 'a\r\nb\r\n',
      'v.txt': 'v1.20, 3.4\n',
      uni: 'żółć Ω\n',
      latin: Buffer.from('a\xe9b\n', 'latin1'),
      '.gitignore': 'x\n',
      'git/config': 'x\n',
    });
    const source = join(await folder({ s: 'source\n' }), 's');
    const before = await contents(await apply(dir));
    const result = await apply(dir, 'source' in data ? { ...data, source } : data);
    const now = await contents(result);
    const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
      (name) => before[name] !== now[name],
    );
    expect(Object.fromEntries(changed.map((name) => [name, now[name]]))).toEqual(after);
    expect([...result.applied[0]!.files].sort()).toEqual(Object.keys(after).sort());
  });

  it.each(['patch-add', 'file-add'] as const)(
    '%s takes its source behind links, but from nowhere else',
    async (type) => {
      const dir = await demo();
      const root = await folder({ 'p/patches/a.patch': 'a', 'secret/key': 'k' });
      const at = (name: string): string => join(root, 'p', name);
      await symlink('patches/a.patch', at('link'));
      await symlink('../secret', at('folder'));
      await symlink(join(root, 'secret/key'), at('leak'));
      await symlink('/nowhere', at('broken'));
      const input = (name: string) => ({
        component: component({ overlays: [overlay({ type, source: at(name), file: 'n.patch' })] }),
        filesDir: dir,
        specPath: join(dir, 'demo.spec'),
      });
      const { files } = await applyOverlays(input('link'), { root: at('') });
      expect(Buffer.from(await readEntry(files.get('n.patch')!)).toString()).toBe('a');
      for (const name of ['leak', 'folder/key', 'broken']) {
        const error = await failure(applyOverlays(input(name), { root: at('') }));
        expect(error, name).toMatchObject({ code: 'link-out', where: { file: '/p/demo.toml', line: 7 } });
        expect(error.message).toContain(name);
      }
    },
  );

  it('reject a source that is a Git LFS pointer, and use its content if available', async () => {
    const dir = await demo();
    const oid = sha256('the patch');
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 9\n`;
    const root = await folder({ 'big.patch': pointer });
    const add: OverlayData = { type: 'patch-add', source: join(root, 'big.patch'), file: 'n.patch' };
    expect(await failure(apply(dir, add))).toMatchObject({
      code: 'lfs-pointer',
      where: { file: '/p/demo.toml', line: 7 },
      message: expect.stringContaining('big.patch'),
    });
    await runOk(['git', '-C', root, 'init', '-q']);
    const store = join(root, '.git/lfs/objects', oid.slice(0, 2), oid.slice(2, 4));
    await mkdir(store, { recursive: true });
    await writeFile(join(store, oid), 'the patch');
    const { files } = await apply(dir, add);
    expect(Buffer.from(await readEntry(files.get('n.patch')!)).toString()).toBe('the patch');
  });

  it('keep the mode of files, and copy that of sources', async () => {
    const dir = await demo({ run: '#!/bin/sh\n' });
    await chmod(join(dir, 'run'), 0o755);
    const sources = await folder({ tool: 'x' });
    await chmod(join(sources, 'tool'), 0o755);
    const { files } = await apply(
      dir,
      { type: 'file-prepend-lines', file: 'run', lines: ['#!/bin/bash'] },
      { type: 'file-search-replace', file: '{run,b.conf}', regex: 'two|bash', replacement: 'x' },
      { type: 'file-add', source: join(sources, 'tool'), file: 'tool' },
      { type: 'file-rename', file: 'run', replacement: 'start' },
    );
    const executable = [...files]
      .filter(([, entry]) => entry.kind !== 'link' && entry.executable)
      .map(([name]) => name);
    expect(executable.sort()).toEqual(['start', 'tool']);
  });

  it.each<[what: string, spec: string, data: OverlayData, after: string]>([
    [
      'the first patch',
      'Name: x\nSource0: y\n',
      { type: 'patch-add', source: 'S', file: 'n.patch' },
      'Patch0: n.patch\n',
    ],
    [
      'the next number',
      'Name: x\nPatch0: a\nPatch1: b\n',
      { type: 'patch-add', source: 'S', file: 'n.patch' },
      'Patch1: b\nPatch2: n.patch\n',
    ],
    [
      'behind the highest, whatever is missing before',
      'Name: x\nPatch7: b\nPatch2: a\n',
      { type: 'patch-add', source: 'S', file: 'n.patch' },
      'Patch8: n.patch\n',
    ],
    [
      'in the list',
      'Name: x\n%patchlist\na.patch\n',
      { type: 'patch-add', source: 'S', file: 'n.patch' },
      '%patchlist\na.patch\nn.patch\n',
    ],
  ])('patch-add: %s', async (_what, text, data, after) => {
    const dir = await folder({ 'demo.spec': text });
    const source = join(await folder({ s: '' }), 's');
    expect(printSpec((await apply(dir, { ...data, source } as OverlayData)).spec)).toContain(after);
  });

  it.each<[what: string, spec: string, file: string, after: string, gone: readonly string[]]>([
    ['one tag', 'Name: x\nPatch0: a.patch\nPatch1: b.patch\n', 'a.patch', 'Name: x\nPatch1: b.patch\n', ['a.patch']],
    [
      'one line of the list',
      'Name: x\n%patchlist\na.patch\nb.patch\n',
      'b.patch',
      'Name: x\n%patchlist\na.patch\n',
      ['b.patch'],
    ],
    [
      'both',
      'Name: x\nPatch0: a.patch\n%patchlist\na.patch\nb.patch\n',
      'a.patch',
      'Name: x\n%patchlist\nb.patch\n',
      ['a.patch'],
    ],
    [
      'several tags by a glob',
      'Name: x\nPatch0: CVE-1.patch\nPatch1: b.patch\nPatch2: CVE-2.patch\n',
      'CVE-*.patch',
      'Name: x\nPatch1: b.patch\n',
      ['CVE-1.patch', 'CVE-2.patch'],
    ],
    [
      'several lines by a glob',
      'Name: x\n%patchlist\nCVE-1.patch\nb.patch\nCVE-2.patch\n',
      'CVE-?.patch',
      'Name: x\n%patchlist\nb.patch\n',
      ['CVE-1.patch', 'CVE-2.patch'],
    ],
  ])('patch-remove: %s', async (_what, text, file, after, gone) => {
    const all = ['a.patch', 'b.patch', 'CVE-1.patch', 'CVE-2.patch'];
    const dir = await folder({ 'demo.spec': text, ...Object.fromEntries(all.map((name) => [name, ''])) });
    const result = await apply(dir, { type: 'patch-remove', file });
    expect(printSpec(result.spec)).toBe(after);
    expect(all.filter((name) => !result.files.has(name))).toEqual(gone);
  });

  it.each<[name: string, there: boolean]>([
    ['.git/HEAD', false],
    ['.git/objects/pack/p.idx', false],
    ['sub/.git/config', false],
    ['.gitignore', true],
    ['.gitattributes', true],
    ['git/config', true],
    ['my.gitconfig', true],
  ])('of %s are there: %s', async (name, there) => {
    const dir = await demo({ [name]: 'x' });
    const overlay: OverlayData = { type: 'file-search-replace', file: '**', regex: 'x', replacement: 'y' };
    if (there) expect((await apply(dir, overlay)).applied[0]!.files).toEqual([name]);
    else expect((await failure(apply(dir, overlay))).code).toBe('overlay-no-match');
  });

  it.each<{ data: OverlayData; code: string }>([
    { data: { type: 'file-prepend-lines', file: 'c.conf', lines: ['x'] }, code: 'overlay-no-match' },
    { data: { type: 'file-prepend-lines', file: '*.spec', lines: ['x'] }, code: 'overlay-invalid' },
    { data: { type: 'file-prepend-lines', file: 'demo.spe?', lines: ['x'] }, code: 'overlay-no-match' },
    { data: { type: 'file-prepend-lines', file: 'link', lines: ['x'] }, code: 'overlay-invalid' },
    { data: { type: 'file-prepend-lines', file: 'link/passwd', lines: ['x'] }, code: 'overlay-no-match' },
    { data: { type: 'file-search-replace', file: 'c.conf', regex: 'x', replacement: '' }, code: 'overlay-no-match' },
    {
      data: { type: 'file-search-replace', file: 'b.conf', regex: 'three', replacement: '' },
      code: 'overlay-no-match',
    },
    {
      data: { type: 'file-search-replace', file: 'b.conf', regex: 'two', replacement: 'two' },
      code: 'overlay-no-match',
    },
    { data: { type: 'file-search-replace', file: 'demo.spec', regex: 'x', replacement: '' }, code: 'overlay-invalid' },
    { data: { type: 'file-search-replace', file: 'link', regex: 'x', replacement: '' }, code: 'overlay-invalid' },
    { data: { type: 'file-search-replace', file: 'b.conf', regex: 'a(?=b)', replacement: '' }, code: 'bad-regex' },
    { data: { type: 'file-search-replace', file: 'b.conf', regex: '(a)\\1', replacement: '' }, code: 'bad-regex' },
    { data: { type: 'file-search-replace', file: '[b.conf', regex: 'x', replacement: '' }, code: 'invalid-glob' },
    { data: { type: 'file-remove', file: '*.bak' }, code: 'overlay-no-match' },
    { data: { type: 'file-remove', file: 'conf' }, code: 'overlay-no-match' },
    { data: { type: 'file-remove', file: '../**' }, code: 'overlay-no-match' },
    { data: { type: 'file-remove', file: '/etc/passwd' }, code: 'overlay-no-match' },
    { data: { type: 'file-remove', file: 'link/*' }, code: 'overlay-no-match' },
    { data: { type: 'file-rename', file: 'c.conf', replacement: 'x' }, code: 'overlay-no-match' },
    { data: { type: 'file-rename', file: 'demo.spec', replacement: 'x' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: 'link', replacement: 'x' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: 'b.conf' }, code: 'overlay-exists' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: 'conf' }, code: 'overlay-exists' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: '.git' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: '' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'a//b' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: './x' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'sub/.git/x' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'conf' }, code: 'overlay-exists' },
    { data: { type: 'file-add', source: import.meta.dirname, file: 'n' }, code: 'overlay-source' },
    { data: { type: 'patch-add', source: '/nowhere/x.patch', file: 'x.patch' }, code: 'overlay-source' },
    { data: { type: 'patch-add', source: import.meta.filename, file: 'demo.spec' }, code: 'overlay-invalid' },
    { data: { type: 'patch-add', source: import.meta.filename, file: '../x.patch' }, code: 'overlay-invalid' },
    { data: { type: 'patch-remove', file: 'ghost.patch' }, code: 'overlay-no-match' },
    { data: { type: 'patch-remove', file: '{old' }, code: 'invalid-glob' },
    { data: { type: 'file-remove', file: 'c.conf' }, code: 'overlay-no-match' },
    { data: { type: 'file-remove', file: '*.spec' }, code: 'overlay-invalid' },
    { data: { type: 'file-remove', file: 'link' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: '**/*.conf', replacement: 'x' }, code: 'overlay-ambiguous' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: 'old.patch' }, code: 'overlay-exists' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: '../x' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: '..' }, code: 'overlay-invalid' },
    { data: { type: 'file-rename', file: 'b.conf', replacement: 'x.spec' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: '/dev/null/x', file: 'n' }, code: 'overlay-source' },
    { data: { type: 'file-add', source: '/dev/null', file: 'n' }, code: 'overlay-source' },
    { data: { type: 'file-add', source: import.meta.filename, file: '../n' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: '/n' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: '.git/config' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'demo.spec' }, code: 'overlay-invalid' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'b.conf' }, code: 'overlay-exists' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'b.conf/x' }, code: 'overlay-exists' },
    { data: { type: 'file-add', source: import.meta.filename, file: 'link/x' }, code: 'overlay-exists' },
    { data: { type: 'patch-add', source: import.meta.filename, file: 'old.patch' }, code: 'overlay-exists' },
    { data: { type: 'patch-remove', file: 'new*.patch' }, code: 'overlay-no-match' },
    { data: { type: 'file-search-replace', file: '*.conf', regex: '(', replacement: '' }, code: 'bad-regex' },
  ])('$data.type $data.file fails with $code', async ({ data, code }) => {
    const dir = await demo();
    await symlink('/etc', join(dir, 'link'));
    const error = await failure(apply(dir, data));
    expect([error.code, error.exit]).toEqual([code, 2]);
    expect(error.where).toMatchObject({ component: 'demo', file: '/p/demo.toml', line: 7 });
  });

  it('a patch that is listed but has no file', async () => {
    const dir = await folder({ 'demo.spec': spec, 'old-1.patch': '' });
    const error = await failure(apply(dir, { type: 'patch-remove', file: 'old.patch' }));
    expect([error.code, error.message]).toEqual([
      'overlay-no-match',
      'the spec lists old.patch, but the sources have no such file',
    ]);
    expect(error.details).toEqual(['closest: old-1.patch']);
  });
});

it.each<[file: string, closest: string | undefined]>([
  ['conf/a.cnf', 'conf/a.conf'],
  ['etc/conf/a.conf', 'conf/a.conf'],
  ['old.path', 'old.patch'],
  ['nothing-like-it', undefined],
])('for %s the closest is %s', async (file, closest) => {
  const error = await failure(apply(await demo(), { type: 'file-remove', file }));
  expect(error.message).toBe(`no file of the sources matches ${file}`);
  expect(error.details).toEqual(closest === undefined ? [] : [`closest: ${closest}`]);
});

it('a file whose name is a glob of something else is reported', async () => {
  const dir = await folder({ 'demo.spec': spec, 'old-[1].patch': '' });
  const error = await failure(apply(dir, { type: 'file-remove', file: 'old-[1].patch' }));
  expect(error.details).toEqual([
    'a file has this name, but the name is read as a glob: escape each of * ? [ ] { } with a backslash to match the file',
  ]);
  const { files } = await apply(dir, { type: 'file-remove', file: 'old-\\[1\\].patch' });
  expect([...files.keys()]).toEqual([]);
});

it('an overlay without a reason is identified by its number and type', async () => {
  const dir = await demo();
  const bare = { ...overlay({ type: 'file-remove', file: 'none' }), description: '' };
  const demoComponent = component({ overlays: [bare] });
  const error = await failure(
    applyOverlays({ component: demoComponent, filesDir: dir, specPath: join(dir, 'demo.spec') }),
  );
  expect(error.where).toMatchObject({ overlay: '1 (file-remove)' });
});

it('with a failure callback, later overlays are still applied', async () => {
  const dir = await demo();
  const overlays = [overlay({ type: 'file-remove', file: 'none' }), overlay({ type: 'file-remove', file: 'b.conf' })];
  const failed: unknown[] = [];
  const result = await applyOverlays(
    { component: component({ overlays }), filesDir: dir, specPath: join(dir, 'demo.spec') },
    { failed: (number, { type }, error) => failed.push([number, type, error.code]) },
  );
  expect(failed).toEqual([[1, 'file-remove', 'overlay-no-match']]);
  expect([...result.files.keys()]).toEqual(['conf/a.conf', 'old.patch']);
});

it('a failing overlay is named in the error and leaves the sources unchanged', async () => {
  const dir = await demo();
  const before = await Promise.all(
    (await readdir(dir)).map((name) => readFile(join(dir, name), 'utf8').catch(() => name)),
  );
  const error = await failure(
    apply(dir, { type: 'file-remove', file: 'b.conf' }, { type: 'spec-update-tag', tag: 'Nam', value: 'x' }),
  );
  expect(formatError(error)).toBe(
    [
      'error: /p/demo.toml:7, component demo, overlay 2 (spec-update-tag: because): the main package has no tag Nam',
      '  closest: line 1: Name: demo',
      'hint: upstream may have changed: compare the overlay with the upstream spec, and change or remove it',
    ].join('\n'),
  );
  const after = await Promise.all(
    (await readdir(dir)).map((name) => readFile(join(dir, name), 'utf8').catch(() => name)),
  );
  expect(after).toEqual(before);
});

it('a pattern with catastrophic backtracking elsewhere takes linear time', async () => {
  const dir = await folder({ 'demo.spec': spec, a: 'a'.repeat(20_000) });
  const error = await failure(
    apply(dir, { type: 'file-search-replace', file: 'a', regex: '(a*)*(a|aa)*b', replacement: '' }),
  );
  expect(error.code).toBe('overlay-no-match');
});

it('any overlay gives a result or a WeirError, and stays inside the sources', {
  timeout: 60_000,
}, async () => {
  const dir = await demo({ 'c d': '\uFFFE', '.x/y': '' });
  await symlink('/etc', join(dir, 'link'));
  const text = fc.oneof(
    fc.string({ maxLength: 8, unit: fc.constantFrom(...'ab./*?[]{},\\$^()|+\n %-é'.split('')) }),
    fc.constantFrom(
      'b.conf',
      'conf/a.conf',
      '**',
      '*.patch',
      'two',
      '%prep',
      'demo.spec',
      '../x',
      'link/passwd',
      '.git/x',
    ),
  );
  const source = fc.constantFrom(import.meta.filename, '/nowhere', dir, join(dir, 'link'));
  const lines = fc.array(text, { maxLength: 3 });
  const overlays: fc.Arbitrary<OverlayData> = fc.oneof(
    fc.record({ type: fc.constant('file-add' as const), file: text, source }),
    fc.record({ type: fc.constant('patch-add' as const), file: text, source }),
    fc.record({ type: fc.constantFrom('file-remove' as const, 'patch-remove' as const), file: text }),
    fc.record({ type: fc.constant('file-remove' as const), file: text, archive: text }),
    fc.record({ type: fc.constant('file-rename' as const), file: text, replacement: text }),
    fc.record({ type: fc.constant('file-prepend-lines' as const), file: text, lines }),
    fc.record({ type: fc.constant('file-search-replace' as const), file: text, regex: text, replacement: text }),
    fc.record({ type: fc.constant('spec-search-replace' as const), regex: text, replacement: text }),
    fc.record({ type: fc.constant('spec-append-lines' as const), section: text, lines }),
    fc.record({ type: fc.constant('spec-set-tag' as const), tag: text, value: text }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(overlays, { minLength: 1, maxLength: 4 }), async (data) => {
      try {
        const { files, applied } = await apply(dir, ...data);
        expect(applied).toHaveLength(data.length);
        for (const name of files.keys()) {
          const parts = name.split('/');
          expect(parts.some((part) => part === '' || part === '.' || part === '..' || part === '.git')).toBe(false);
          expect(name.endsWith('.spec')).toBe(false);
          // Nothing lies below the link, so that nothing is ever written through it.
          expect(name.startsWith('link/')).toBe(false);
        }
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        expect(error.exit).toBe(2);
      }
    }),
    { numRuns: 400 },
  );
});
