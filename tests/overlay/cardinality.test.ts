import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { applyOverlays } from '../../src/overlay/apply.ts';
import { printSpec } from '../../src/spec/parse.ts';
import { component, folder, type OverlayData, overlay } from './fixture.ts';

const spec = `Name: demo
Url: x
Requires: a
Requires: b
Requires: A
Patch0: one.patch
Patch1: two.patch
%build
make
%package devel
%build
make
`;

/** The spec after an overlay, or the code of its error. */
async function outcome(data: OverlayData, specified: boolean): Promise<string> {
  const dir = await folder({
    'demo.spec': spec,
    'one.patch': '',
    'two.patch': '',
    'three.patch': '',
    p: '',
    'p.patch': '',
  });
  const one = component({
    overlays: [overlay({ ...data, ...('source' in data ? { source: join(dir, data.source) } : {}) })],
  });
  try {
    const applied = await applyOverlays({
      component: specified ? { ...one, specified: true } : one,
      filesDir: dir,
      specPath: join(dir, 'demo.spec'),
    });
    return printSpec(applied.spec);
  } catch (error) {
    if (error instanceof WeirError) return error.code;
    throw error;
  }
}

describe('overlays in a project that follows the specification', () => {
  it.each<[string, OverlayData]>([
    ['add a tag that is there', { type: 'spec-add-tag', tag: 'url', value: 'y' }],
    ['set one of several tags', { type: 'spec-set-tag', tag: 'Requires', value: 'y' }],
    ['update several tags', { type: 'spec-update-tag', tag: 'Requires', value: 'y' }],
    ['add a patch with another ending', { type: 'patch-add', file: 'new', source: 'p' }],
    ['remove patches that are not all listed', { type: 'patch-remove', file: 't*.patch' }],
  ])('cannot %s', async (_what, data) => {
    expect(await outcome(data, true)).toBe('overlay-cardinality');
    expect(await outcome(data, false)).toMatch(/^Name: demo/);
  });

  it.each<[string, OverlayData, string]>([
    ['add a tag', { type: 'spec-add-tag', tag: 'License', value: 'MIT' }, 'License: MIT\n'],
    ['set a tag', { type: 'spec-set-tag', tag: 'Url', value: 'y' }, 'Url: y\n'],
    ['update a tag', { type: 'spec-update-tag', tag: 'Url', value: 'y' }, 'Url: y\n'],
    ['insert a further tag', { type: 'spec-insert-tag', tag: 'Requires', value: 'c' }, 'Requires: A\nRequires: c\n'],
    ['prepend to every section', { type: 'spec-prepend-lines', section: '%build', lines: ['x'] }, '%build\nx\nmake\n'],
  ])('can %s', async (_what, data, result) => {
    const text = await outcome(data, true);
    expect(text).toContain(result);
    expect(text).toBe(await outcome(data, false));
  });

  it('remove a tag by its exact value', async () => {
    const data: OverlayData = { type: 'spec-remove-tag', tag: 'Requires', value: 'a' };
    expect(await outcome(data, true)).toContain('Requires: b\nRequires: A\n');
    expect(await outcome(data, false)).not.toContain('Requires: A');
    expect(await outcome({ ...data, value: 'B' }, true)).toBe('overlay-no-match');
  });
});
