import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  changeInputsLock,
  type LockedRepository,
  parseInputsLock,
  printInputsLock,
  readInputsLock,
  withPackages,
} from '../../src/inputs/inputs-lock.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-lock-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const digest = (letter: string): string => letter.repeat(64);
const bash = { nevra: 'bash-5.3-1.fc43.x86_64', size: 12, sha256: digest('b'), location: 'Packages/b/bash.rpm' };
const vim = { nevra: 'vim-2:9.1-1.fc43.x86_64', size: 13, sha256: digest('c'), location: 'Packages/v/vim.rpm' };
const fedora: LockedRepository = {
  address: 'metalink https://mirrors.example.org/metalink?repo=fedora-43&arch=x86_64',
  repomd: digest('a'),
  revision: '1760000000',
  signed: false,
  keys: [digest('d')],
  metadata: [{ type: 'primary', sha256: digest('e'), size: 7, path: 'repodata/primary.xml.zst' }],
  packages: [bash],
};

describe('inputs.lock', () => {
  test('reads what it writes', () => {
    const lock = new Map([['x86_64/fedora', fedora]]);
    expect(parseInputsLock(printInputsLock(lock), 'inputs.lock')).toEqual(lock);
  });

  test('the same packages in another order are the same text', () => {
    const text = (packages: LockedRepository['packages']): string =>
      printInputsLock(new Map([['x86_64/fedora', { ...fedora, packages }]]));
    expect(text([bash, vim])).toBe(text([vim, bash]));
  });

  test('packages are added, or replaced', () => {
    const lock = new Map([['x86_64/fedora', fedora]]);
    expect(withPackages(lock, 'x86_64/fedora', [vim]).get('x86_64/fedora')?.packages).toEqual([bash, vim]);
    expect(withPackages(lock, 'x86_64/fedora', [vim], true).get('x86_64/fedora')?.packages).toEqual([vim]);
    expect(withPackages(lock, 'x86_64/other', [vim])).toBe(lock);
  });

  test('changes at the same time do not get lost', async () => {
    const path = join(dir, 'inputs.lock');
    const keys = Array.from({ length: 12 }, (_, index) => `x86_64/repository-${index}`);
    await Promise.all(keys.map((key) => changeInputsLock(path, dir, (lock) => new Map(lock).set(key, fedora))));
    expect([...(await readInputsLock(path)).keys()].sort()).toEqual([...keys].sort());
    expect(await readFile(path, 'utf8')).toMatch(/^# The RPM repositories/);
  });

  test.each([
    ['no TOML', 'version = ', 'invalid TOML'],
    ['another version', 'version = 2', 'unsupported version'],
    ['no state', 'version = 1\n[x]\naddress = "a"', 'must have address, repomd'],
    [
      'a package that leads elsewhere',
      printed({ packages: [{ ...bash, location: '../bash.rpm' }] }),
      'invalid package entry',
    ],
    [
      'metadata that leads elsewhere',
      printed({ metadata: [{ ...fedora.metadata[0]!, path: 'repodata/../x' }] }),
      'invalid metadata entry',
    ],
    ['a key without digest', printed({ keys: ['x'] }), 'invalid digest of a key'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseInputsLock(text, 'inputs.lock')).toThrow(message);
  });

  test('an error names the line', () => {
    const text = printed({ packages: [bash, { ...vim, location: '/vim.rpm' }] });
    const line = text.split('\n').findIndex((each) => each.includes('/vim.rpm')) + 1;
    try {
      parseInputsLock(text, 'inputs.lock');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'bad-lock', where: { file: 'inputs.lock', line } });
    }
  });
});

function printed(over: Partial<LockedRepository>): string {
  return printInputsLock(new Map([['x86_64/fedora', { ...fedora, ...over }]]));
}
