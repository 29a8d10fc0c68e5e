import { expect, test } from 'vitest';
import { testEnvironment } from '../../../src/release/test/pytest.ts';
import { testedFile, testLog } from '../../../src/release/test/run-tests.ts';

const file = (path: string) => ({ path, size: 1, sha256: '' });
const record = (kind: 'container' | 'disk' | 'wsl', ...names: string[]) => ({
  ...{ name: 'vm', kind },
  files: ['image.json', ...names].map(file),
});

test('tests get the file of an image that most tools open', () => {
  expect(testedFile(record('disk', 'vm.raw', 'vm.qcow2'), '/o')).toBe('/o/vm.qcow2');
  expect(testedFile(record('disk', 'vm.vhdx'), '/o')).toBe('/o/vm.vhdx');
  expect(testedFile(record('disk', 'vm.vhdx', 'vm.vhd'), '/o')).toBe('/o/vm.vhd');
  expect(testedFile(record('wsl', 'vm.wsl'), '/o')).toBe('/o/vm.wsl');
  expect(testedFile(record('container'), '/o')).toBe('/o/oci');
});

test('an image without such a file is an error', () => {
  for (const kind of ['disk', 'wsl'] as const) {
    expect(() => testedFile(record(kind, 'vm.iso'), '/o')).toThrow('no file to test');
  }
});

test('two tests of two images never share a log', () => {
  expect(testLog('/c', 'a-b', 'c')).not.toBe(testLog('/c', 'a', 'b-c'));
});

test("the caller's options do not change what pytest runs", () => {
  const caller = { PATH: '/bin', HOME: '/h', PYTEST_ADDOPTS: '--collect-only', PYTEST_PLUGINS: 'x', PYTHONPATH: '/p' };
  expect(testEnvironment(caller, '/v')).toEqual({
    ...{ PATH: '/v/bin:/bin', HOME: '/h', VIRTUAL_ENV: '/v', PYTHONDONTWRITEBYTECODE: '1' },
  });
});
