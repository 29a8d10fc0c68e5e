import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { profileFile } from '../../src/project/root-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-profile-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'weir.toml'), '');
mkdirSync(join(dir, 'components'));

test('a profile is a file in the folder profiles, from any folder of the project', () => {
  expect(() => profileFile(dir, 'fedora')).toThrow('the project has no profile fedora');
  mkdirSync(join(dir, 'profiles'));
  writeFileSync(join(dir, 'profiles/fedora.toml'), '');
  expect(profileFile(dir, 'fedora')).toBe(join(dir, 'profiles/fedora.toml'));
  expect(profileFile(join(dir, 'components'), 'fedora')).toBe(join(dir, 'profiles/fedora.toml'));
});

test('a misspelt name gets a hint, and no name leads out of the folder', () => {
  const thrown = (name: string): unknown => {
    try {
      return profileFile(dir, name);
    } catch (error) {
      return error;
    }
  };
  expect(thrown('fedroa')).toMatchObject({ code: 'no-profile', exit: 2, hint: expect.stringContaining('fedora') });
  expect(thrown('../weir')).toMatchObject({ code: 'no-profile' });
});
