import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installRoot } from '../../../src/base/paths.ts';
import { loadProject } from '../../../src/project/load.ts';
import { lastDayOfSupport, osReleaseDifferences } from '../../../src/release/lifecycle/os-release.ts';

const lifecycle = { id: 'weir', name: 'Weir Linux', version: '4.0', supportEnd: '2028-11-19' };
// os-release(5): the first day on which there is no support.
const same = { ID: 'weir', NAME: 'Weir Linux', VERSION_ID: '4.0', SUPPORT_END: '2028-11-20', BUILD_ID: 'x' };

test('an os-release that says what the project says does not differ', () => {
  expect(osReleaseDifferences(lifecycle, same)).toEqual([]);
  const { SUPPORT_END, ...endless } = same;
  expect(osReleaseDifferences({ ...lifecycle, supportEnd: undefined } as never, endless)).toEqual([]);
});

test.each([
  [
    { ...same, SUPPORT_END: '2028-11-19' },
    { key: 'SUPPORT_END', found: '2028-11-19', expected: '2028-11-20' },
  ],
  [
    { ...same, ID: 'fedora' },
    { key: 'ID', found: 'fedora', expected: 'weir' },
  ],
  [
    { ...same, VERSION_ID: '44' },
    { key: 'VERSION_ID', found: '44', expected: '4.0' },
  ],
  [
    { ID: 'weir', VERSION_ID: '4.0', SUPPORT_END: '2028-11-20' },
    { key: 'NAME', expected: 'Weir Linux' },
  ],
])('%j differs', (osRelease, difference) => {
  expect(osReleaseDifferences(lifecycle, osRelease)).toEqual([difference]);
});

test('a SUPPORT_END that the project does not know differs', () => {
  const { supportEnd, ...endless } = lifecycle;
  expect(osReleaseDifferences(endless, same)).toEqual([{ key: 'SUPPORT_END', found: '2028-11-20' }]);
});

test('the last day of support is the day before SUPPORT_END', () => {
  expect(lastDayOfSupport({ SUPPORT_END: '2028-03-01' })).toBe('2028-02-29');
  expect([lastDayOfSupport({}), lastDayOfSupport({ SUPPORT_END: 'never' })]).toEqual([undefined, undefined]);
});

test('the distribution here says the same in both places', async () => {
  const distro = join(installRoot, 'distro');
  const text = readFileSync(join(distro, 'components/weir-release/os-release.in'), 'utf8');
  const settings = [...text.matchAll(/^([A-Z_]+)="?(.*?)"?$/gm)].map(([, key, value]) => [key, value]);
  const project = await loadProject(distro);
  expect(osReleaseDifferences(project.lifecycle!, Object.fromEntries(settings) as Record<string, string>)).toEqual([]);
});
