import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Customization, readCustomization } from '../../../src/release/custom/customization.ts';
import { seedOf } from '../../../src/release/custom/inject.ts';
import { failure } from '../../base/failure.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-digests-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function read(text: string): Promise<Customization> {
  await writeFile(join(dir, 'c.yaml'), text);
  return readCustomization(join(dir, 'c.yaml'));
}

describe('the seed of a disk with injected files', () => {
  const seed = (disk: string, uuid: string, destination: string, digest: string) =>
    seedOf(disk, [{ destination }], [{ uuid }], [digest]);

  it('tells disk, partition, path and content', () => {
    const all = [
      seed('d', 'p', '/x', '1'),
      seed('e', 'p', '/x', '1'),
      seed('d', 'q', '/x', '1'),
      seed('d', 'p', '/y', '1'),
      seed('d', 'p', '/x', '2'),
    ];
    expect(new Set(all).size).toBe(5);
    expect(seed('d', 'p', '/x', '1')).toBe(all[0]);
  });
});

describe('passwords', () => {
  it('are locked, or hashes as they are, of the file or of the configuration; others have to be hashed', async () => {
    await writeFile(join(dir, 'hash'), '$6$b\n');
    await writeFile(join(dir, 'plain'), 'secret\n');
    const { setup, passwords } = await read(`
os:
  users:
  - { name: a, password: { type: hashed, value: $6$a } }
  - { name: b, password: { type: hashed-file, value: hash } }
  - { name: c, password: { type: locked } }
  - { name: d, passwordExpiresDays: 9 }
  - { name: e, password: { type: plain-text-file, value: plain } }
  - { name: f, password: { type: plain-text, value: open } }
`);
    expect(setup.users.map(({ passwordHash }) => passwordHash)).toEqual(['$6$a', '$6$b', '!', ...Array(3)]);
    expect(setup.users.map(({ passwordDays }) => passwordDays)).toEqual([...Array(3), 9, ...Array(2)]);
    expect(Object.fromEntries(passwords)).toEqual({ e: 'secret', f: 'open' });
  });

  it.each([
    ['no hash', 'password: { type: hashed, value: "a:b" }', '":"'],
    ['in no file', 'password: { type: hashed-file, value: none }', 'cannot read'],
    ['keys in no file', 'sshPublicKeyPaths: [none]', 'cannot read'],
  ])('that are %s are refused at their line', async (_what, text, said) => {
    const error = await failure(read(`os:\n  users:\n  - { name: a, ${text} }\n`));
    expect(error).toMatchObject({ code: 'bad-image-config', where: { file: join(dir, 'c.yaml'), line: 3 } });
    expect(error.message).toContain(said);
  });
});
