import { readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatError, WeirError } from '../../src/base/errors.ts';
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

  it('patch-remove removes both, and warns of what still applies it', async () => {
    const result = await apply(await demo(), { type: 'patch-remove', file: 'o*.patch' });
    expect(printSpec(result.spec)).not.toContain('old.patch');
    expect(Object.keys(await contents(result))).toEqual(['b.conf', 'conf/a.conf']);
    expect(result.warnings).toEqual([expect.stringContaining('still applies patch 0')]);
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

  it.each<{ data: OverlayData; code: string }>([
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
    const dir = await folder({ 'demo.spec': spec });
    expect((await failure(apply(dir, { type: 'patch-remove', file: 'old.patch' }))).code).toBe('overlay-no-match');
  });
});

it('a failing overlay says which it is and leaves the sources untouched', async () => {
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

it('a pattern that would run away elsewhere takes time in proportion to the text', async () => {
  const dir = await folder({ 'demo.spec': spec, a: 'a'.repeat(20_000) });
  const error = await failure(
    apply(dir, { type: 'file-search-replace', file: 'a', regex: '(a*)*(a|aa)*b', replacement: '' }),
  );
  expect(error.code).toBe('overlay-no-match');
});
