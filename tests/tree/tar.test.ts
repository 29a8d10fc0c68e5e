import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readTar } from '../../src/archive/tar.ts';
import { sha256 } from '../../src/base/digest.ts';
import { run } from '../../src/base/process.ts';
import { openStore, putBytes, type Store } from '../../src/engine/store.ts';
import { encodeCapabilities } from '../../src/tree/capabilities.ts';
import { parseIds } from '../../src/tree/owners.ts';
import { treeTar } from '../../src/tree/tar.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';

let dir: string;
let store: Store;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-tar-'));
  store = await openStore(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const base = { user: 'root', group: 'root', mode: 0o755, mtime: 1000, packages: [] };
const tree = (entries: readonly Entry[]): Tree => ({ entries, packages: [] });
const bytesOf = (value: Tree, options: Parameters<typeof treeTar>[2] = { epoch: 2000 }) =>
  buffer(treeTar(store, value, options));

async function file(path: string, content: string | Buffer, more: Partial<Entry> = {}): Promise<Entry> {
  const blob = await putBytes(store, content);
  return { ...base, mode: 0o644, ...more, kind: 'file', path, ...blob } as Entry;
}

const passwd = 'root:x:0:0::/root:/bin/sh\nbig:x:2000000:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n';
const group = 'root:x:0:\ntty:x:5:\nbig:x:2000001:\n';

const segment = fc.oneof(
  fc.stringMatching(/^[a-z0-9._ -]{1,40}$/),
  fc.stringMatching(/^[a-z]{90,200}$/),
  fc.stringMatching(/^[äöß漢字a-z]{1,60}$/),
);
const path = fc
  .array(segment, { minLength: 1, maxLength: 6 })
  .filter((parts) => parts.every((part) => part !== '.' && part !== '..'))
  .map((parts) => `/t/${parts.join('/')}`);
const owner = { user: fc.constantFrom('root', 'big', 'nobody'), group: fc.constantFrom('root', 'tty', 'big') };
const common = { ...owner, path, mode: fc.integer({ min: 0, max: 0o7777 }), mtime: fc.integer({ min: 0, max: 4000 }) };
const anEntry = fc.oneof(
  fc.record({ ...common, kind: fc.constant('directory' as const) }),
  fc.record({ ...common, kind: fc.constant('symlink' as const), target: fc.oneof(path, segment) }),
  fc.record({
    ...common,
    kind: fc.constant('file' as const),
    content: fc.oneof(
      fc.uint8Array({ maxLength: 1500 }),
      fc.constantFrom(0, 511, 512, (1 << 20) - 512, 1 << 20, 2_500_000).map((size) => new Uint8Array(size).fill(7)),
    ),
  }),
);

describe('treeTar', () => {
  test('round-trips through another reader', async () => {
    const ids = { passwd: await file('/etc/passwd', passwd), group: await file('/etc/group', group) };
    const users = parseIds(passwd);
    const groups = parseIds(group);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anEntry, { selector: (entry) => entry.path, maxLength: 12 }), async (made) => {
        const entries: Entry[] = [ids.group, ids.passwd];
        for (const entry of made) {
          const { content, ...rest } = { content: undefined, ...entry };
          if (content === undefined) entries.push({ ...rest, packages: [] } as Entry);
          else entries.push({ ...rest, packages: [], ...(await putBytes(store, content)) } as Entry);
        }
        const bytes = await bytesOf(tree(entries));
        expect(bytes.length % 512).toBe(0);
        const members = [...readTar(bytesReader(bytes))];
        expect(members.map((member) => `/${member.path}`)).toEqual(entries.map((entry) => entry.path));
        for (const [index, member] of members.entries()) {
          const entry = entries[index]!;
          expect(member).toMatchObject({
            kind: entry.kind,
            mode: entry.mode,
            uid: users.get(entry.user),
            gid: groups.get(entry.group),
            mtime: Math.min(entry.mtime, 2000),
          });
          if (entry.kind === 'symlink') expect(member.target).toBe(entry.target);
          if (entry.kind === 'file') {
            expect(sha256(bytes.subarray(member.offset, member.offset + member.size))).toBe(entry.digest);
          }
        }
        expect(sha256(await bytesOf(tree(entries)))).toBe(sha256(bytes));
      }),
      { numRuns: 60 },
    );
  });

  test('is accepted by GNU tar', async () => {
    const long = `/${'d'.repeat(120)}`;
    const entries = [
      { ...base, kind: 'directory', path: '/' },
      { ...base, kind: 'directory', path: long },
      await file(`${long}/${'f'.repeat(150)}`, 'long'),
      { ...base, kind: 'symlink', path: '/link', target: 'x'.repeat(130), mode: 0o777 },
      await file('/one', 'hello\n', { mode: 0o4755 }),
      { ...(await file('/two', 'hello\n')), hardlink: '/one' },
      await file('/huge', 'x', { user: 'huge', group: 'huge' }),
      await file('/ümlaut', ''),
    ] as Entry[];
    entries.push(await file('/etc/passwd', 'huge:x:3000000:0'), await file('/etc/group', 'huge:x:4000000:'));
    const options = { epoch: 0 };
    const listed = await run(['tar', '-tvf', '-', '--numeric-owner', '--utc', '--quoting-style=literal'], {
      input: await bytesOf(tree(entries), options),
      env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
    });
    expect(listed.stderr).toBe('');
    expect(listed.stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 ./',
      `drwxr-xr-x 0/0 0 1970-01-01 00:00 ${'d'.repeat(120)}/`,
      `-rw-r--r-- 0/0 4 1970-01-01 00:00 ${'d'.repeat(120)}/${'f'.repeat(150)}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00 link -> ${'x'.repeat(130)}`,
      '-rwsr-xr-x 0/0 6 1970-01-01 00:00 one',
      'hrw-r--r-- 0/0 0 1970-01-01 00:00 two link to one',
      '-rw-r--r-- 3000000/4000000 1 1970-01-01 00:00 huge',
      '-rw-r--r-- 0/0 0 1970-01-01 00:00 ümlaut',
      '-rw-r--r-- 0/0 16 1970-01-01 00:00 etc/passwd',
      '-rw-r--r-- 0/0 15 1970-01-01 00:00 etc/group',
      '',
    ]);
  });

  test('includes attributes only on request', async () => {
    const entries = [
      await file('/ping', 'elf', { capabilities: 'cap_net_raw=ep', label: 'u:r:t:s0' } as Partial<Entry>),
    ];
    const plain = (await bytesOf(tree(entries))).toString('latin1');
    expect(plain).not.toContain('SCHILY');
    const full = await bytesOf(tree(entries), { epoch: 0, xattrs: { capabilities: true, selinux: true } });
    expect(full.toString('latin1')).toContain('SCHILY.xattr.security.selinux=u:r:t:s0\0\n');
    const record = Buffer.concat([
      Buffer.from('SCHILY.xattr.security.capability='),
      encodeCapabilities('cap_net_raw=ep'),
      Buffer.from('\n'),
    ]);
    expect(full.includes(record)).toBe(true);
  });

  test('reports unknown owners and missing content with their place', async () => {
    const orphan = { ...base, kind: 'directory', path: '/var/lib/x', user: 'ghost', packages: ['x'] } as Entry;
    await expect(bytesOf(tree([orphan]))).rejects.toMatchObject({
      code: 'unknown-owner',
      where: { package: 'x' },
      message: '/var/lib/x belongs to the user ghost, which is not in /etc/passwd',
    });
    const lost = { ...base, kind: 'file', path: '/lost', digest: sha256('never stored'), size: 12 } as Entry;
    await expect(bytesOf(tree([lost]))).rejects.toMatchObject({ code: 'missing-blob' });
  });
});

describe('encodeCapabilities', () => {
  // Expected bytes as written by setcap(8).
  test.each([
    ['cap_net_raw=ep', '0100000200200000000000000000000000000000'],
    ['cap_net_raw,cap_net_admin+ep', undefined],
    ['= cap_net_bind_service=eip', '0100000200040000000400000000000000000000'],
    ['cap_checkpoint_restore=p', '0000000200000000000000000001000000000000'],
  ])('%s', (text, hex) => {
    const expected = hex ?? '0100000200300000000000000000000000000000';
    expect(encodeCapabilities(text).toString('hex')).toBe(expected);
  });

  test.each(['', 'cap_nothing=ep', 'net_raw=ep', 'cap_net_raw', '+ep', 'cap_net_raw=ep cap_chown=p'])(
    '"%s" is rejected',
    (text) => {
      expect(() => encodeCapabilities(text)).toThrow(expect.objectContaining({ code: 'bad-capabilities' }));
    },
  );
});
