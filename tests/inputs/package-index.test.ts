import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PackageIndex, writePackageIndex } from '../../src/inputs/package-index.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';

let dir: string;
let files = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-index-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Only xz needs a tool. */
const toolbox = {} as Toolbox;

interface Entry {
  name?: string;
  epoch?: string;
  version?: string;
  digest?: string;
  kind?: string;
  location?: string;
  base?: string;
  size?: string;
}

function entry(over: Entry = {}): string {
  const { name = 'bash', epoch = '0', version = '5.3', digest = 'b'.repeat(64), kind = 'sha256', size = '100' } = over;
  const { location = `Packages/b/${name}-${version}-1.fc43.x86_64.rpm`, base } = over;
  return `<package type="rpm"><name>${name}</name><arch>x86_64</arch><version epoch="${epoch}" ver="${version}" rel="1.fc43"/>
<checksum type="${kind}" pkgid="YES">${digest}</checksum><summary>A shell</summary>
<size package="${size}" installed="2" archive="3"/>
<location ${base === undefined ? '' : `xml:base="${base}" `}href="${location}"/>
<format><rpm:sourcerpm>bash-5.3-1.fc43.src.rpm</rpm:sourcerpm></format></package>\n`;
}

function primary(...entries: string[]): string {
  return `<?xml version="1.0"?>\n<metadata packages="${entries.length}">\n${entries.join('')}</metadata>\n`;
}

async function indexed(data: string | Uint8Array, name = 'primary.xml'): Promise<PackageIndex> {
  const path = join(dir, `primary-${files}`);
  const target = join(dir, `index-${files++}`);
  await writeFile(path, data);
  await writePackageIndex(toolbox, { path, name }, 'fedora', target);
  return new PackageIndex(await readFile(target, 'utf8'), 'fedora');
}

describe('the index of a repository', () => {
  test('finds a package by its NEVRA', async () => {
    const index = await indexed(primary(entry(), entry({ name: 'vim', epoch: '2' })));
    expect(index.size).toBe(2);
    expect([...index.names]).toEqual(['bash', 'vim']);
    expect(index.find('bash-5.3-1.fc43.x86_64')).toEqual({
      name: 'bash',
      epoch: 0,
      version: '5.3',
      release: '1.fc43',
      arch: 'x86_64',
      rpm: 'b'.repeat(64),
      sourceRpm: 'bash-5.3-1.fc43.src.rpm',
      origin: 'fedora',
      size: 100,
      location: 'Packages/b/bash-5.3-1.fc43.x86_64.rpm',
    });
    expect(index.find('vim-2:5.3-1.fc43.x86_64')?.epoch).toBe(2);
    expect(index.find('vim-5.3-1.fc43.x86_64')).toBeUndefined();
  });

  test.each([
    ['primary.xml.gz', gzipSync],
    ['primary.xml.zst', zstdCompressSync],
  ] as const)('reads %s', async (name, pack) => {
    const text = primary(...Array.from({ length: 500 }, (_, i) => entry({ name: `package-${i}` })));
    expect((await indexed(pack(Buffer.from(text)), name)).size).toBe(500);
  });

  test('decodes entities, and keeps a base URL of its own', async () => {
    const index = await indexed(
      primary(entry({ name: 'a', location: 'a&amp;b.rpm', base: 'https://other.example.org/x/' })),
    );
    expect(index.find('a-5.3-1.fc43.x86_64')?.location).toBe('https://other.example.org/x/a&b.rpm');
  });

  test('lists all versions of a name', async () => {
    const index = await indexed(primary(entry(), entry({ version: '5.4' }), entry({ name: 'bash-doc' })));
    expect(index.versionsOf('bash').map(({ version }) => version)).toEqual(['5.3', '5.4']);
  });

  test('two files of one NEVRA are an error only for who wants that package', async () => {
    const index = await indexed(primary(entry(), entry({ digest: 'c'.repeat(64) }), entry({ name: 'vim' })));
    expect(() => index.find('bash-5.3-1.fc43.x86_64')).toThrow('lists bash-5.3-1.fc43.x86_64 twice');
    expect(index.find('vim-5.3-1.fc43.x86_64')).toBeDefined();
  });

  test.each([
    ['a truncated list', primary(entry()).slice(0, -20), 'truncated'],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(primary(entry())), Buffer.from([0xff])]), 'cannot be read'],
    ['a name that leads elsewhere', primary(entry({ name: '../bash' })), 'invalid or missing name'],
    ['a location that leads elsewhere', primary(entry({ location: '../../x.rpm' })), 'invalid or missing location'],
    ['a location that is absolute', primary(entry({ location: '/x.rpm' })), 'invalid or missing location'],
    ['a base that is no URL', primary(entry({ base: 'javascript:x' })), 'invalid xml:base'],
    ['a weak checksum', primary(entry({ kind: 'sha', digest: 'a'.repeat(40) })), 'checksum is sha, but must be sha256'],
    ['a size that is no number', primary(entry({ size: '-1' })), 'invalid or missing size'],
    ['an epoch that is no number', primary(entry({ epoch: 'x' })), 'invalid epoch'],
  ])('refuses %s', async (_, data, message) => {
    await expect(indexed(data)).rejects.toThrow(message);
  });

  test('refuses damaged compression', async () => {
    const bytes = zstdCompressSync(Buffer.from(primary(entry())));
    await expect(indexed(bytes.subarray(0, bytes.length - 20), 'primary.xml.zst')).rejects.toThrow('primary.xml.zst');
  });
});
