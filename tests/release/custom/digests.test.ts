import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEngine } from '../../../src/engine/engine.ts';
import { putBytes, readBlobText } from '../../../src/engine/store.ts';
import { passwordHashes, readPasswords, withPasswords } from '../../../src/release/custom/custom-users.ts';
import { type Customization, readCustomization } from '../../../src/release/custom/customization.ts';
import { extrasDigest } from '../../../src/release/custom/customize.ts';
import { seedOf } from '../../../src/release/custom/inject.ts';
import type { Toolbox } from '../../../src/toolbox/tool.ts';

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

describe('the digest of a customization', () => {
  it('covers the permissions of folders that the image has', async () => {
    const digest = async (mode: string) =>
      extrasDigest(
        await read(`os:\n  additionalDirs:\n  - { source: a, destination: /a, mergedDirPermissions: "${mode}" }\n`),
        [],
        [],
      );
    expect(await digest('700')).not.toBe(await digest('755'));
  });

  it('covers the hash of a password, not its text', async () => {
    const user = async (value: string) =>
      read(`os:\n  users:\n  - { name: a, password: { type: plain-text, value: ${value} } }\n`);
    const one = await user('one');
    expect(extrasDigest(one, [], ['$6$x'])).toBe(extrasDigest(await user('two'), [], ['$6$x']));
    expect(extrasDigest(one, [], ['$6$x'])).not.toBe(extrasDigest(one, [], ['$6$y']));
  });
});

describe('passwords', () => {
  // A hash needs no tool.
  const hashes = async (custom: Customization) =>
    passwordHashes({} as Toolbox, custom, await readPasswords(custom), 'seed');

  it('are locked, or hashes as they are, of the file or of the configuration', async () => {
    await writeFile(join(dir, 'hash'), '$6$b\n');
    const custom = await read(`
os:
  users:
  - { name: a, password: { type: hashed, value: $6$a } }
  - { name: b, password: { type: hashed-file, value: hash } }
  - { name: c, password: { type: locked } }
  - { name: d, passwordExpiresDays: 9 }
`);
    const made = await hashes(custom);
    expect(made).toEqual(['$6$a', '$6$b', '!', undefined]);
    const { store } = await openEngine(join(dir, 'cache'));
    const blob = await putBytes(store, ['a', 'b', 'c', 'd'].map((name) => `${name}:*:1::::::\n`).join(''));
    const owned = { mode: 0, user: 'root', group: 'root', mtime: 1, packages: [] };
    const shadow = { ...owned, kind: 'file', path: '/etc/shadow', ...blob } as const;
    const tree = await withPasswords(store, { entries: [shadow], packages: [] }, custom, made);
    const entry = tree.entries[0]!;
    const text = entry.kind === 'file' ? await readBlobText(store, entry.digest) : '';
    expect(text).toBe('a:$6$a:1::::::\nb:$6$b:1::::::\nc:!:1::::::\nd:*:1::9::::\n');
  });

  it('that are no hash, or in no file, are refused at their line', async () => {
    const odd = 'os:\n  users:\n  - { name: a, password: { type: hashed, value: "a:b" } }\n';
    await expect(read(odd).then(hashes)).rejects.toMatchObject({ code: 'bad-image-config', where: { line: 3 } });
    const missing = 'os:\n  users:\n  - { name: a, password: { type: hashed-file, value: none } }\n';
    await expect(read(missing).then(hashes)).rejects.toMatchObject({ code: 'bad-image-config', where: { line: 3 } });
  });
});
