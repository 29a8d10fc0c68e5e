// Packages made by rpmbuild 6.1 from fixtures/reference.spec.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { readPayload } from '../../src/rpm/payload.ts';
import { readRpm, readRpmHeaders, verifyPayload } from '../../src/rpm/read.ts';
import { tag } from '../../src/rpm/tags.ts';
import type { RpmSpec, RpmSpecFile } from '../../src/rpm/types.ts';
import { writeRpm } from './write-rpm.ts';

const fixture = (format: number): string => join(import.meta.dirname, 'fixtures', `reference-v${format}.rpm`);

describe.each([4, 6])('rpmbuild’s package in format %i', (format) => {
  test('is parsed', async () => {
    const pkg = await readRpm(fixture(format));
    expect(pkg).toMatchObject({
      format,
      name: 'reference',
      epoch: 2,
      version: '1.2~rc1',
      release: '3',
      arch: 'noarch',
      description: 'Long text\nof two lines, ünicode.',
      vcs: 'git+https://example.org/ref.git',
      sourceRpm: 'reference-1.2~rc1-3.src.rpm',
      isSource: false,
      buildTime: 1_762_128_000,
      size: 33,
      signed: false,
      payloadCompressor: format === 4 ? 'gzip' : 'zstd',
      fileDigestAlgorithm: 'sha256',
      conflicts: [{ name: 'evil', flags: '<', evr: '2' }],
      supplements: [{ name: 'nano', flags: '' }],
    });
    expect(pkg.requires).toContainEqual({ name: 'bash', flags: '>=', evr: '4' });
    expect(pkg.requires).toContainEqual({ name: 'coreutils', flags: '', pre: true, uses: ['post'] });
    expect(pkg.requires).toContainEqual({ name: '(foo if bar)', flags: '' });
    expect(pkg.scriptlets).toEqual([
      { kind: 'post', interpreter: ['/bin/sh'], script: 'echo post' },
      { kind: 'preun', interpreter: ['/sbin/ldconfig'], script: '' },
      { kind: 'posttrans', interpreter: ['<lua>'], script: 'print("hi")' },
    ]);
    expect(
      pkg.fileTriggers.map(({ scope, when, prefixes, priority }) => ({ scope, when, prefixes, priority })),
    ).toEqual([
      { scope: 'file', when: 'in', prefixes: ['/usr/share/fonts'], priority: 1_000_000 },
      { scope: 'trans', when: 'in', prefixes: ['/lib64', '/usr/lib64'], priority: 2_000_001 },
      { scope: 'trans', when: 'postun', prefixes: ['/usr/lib64'], priority: 1_000_000 },
    ]);
    const shown = pkg.files.map(({ path, kind, mode, group, flags, capabilities, hardlink }) =>
      [path, kind, mode.toString(8), group, ...Object.keys(flags), capabilities, hardlink].filter(Boolean).join(' '),
    );
    expect(shown).toEqual([
      '/etc/ref directory 755 root',
      '/etc/ref/a.conf file 644 root config',
      '/etc/ref/b.conf file 644 root config',
      '/etc/ref/empty file 644 root config missingok',
      '/usr/bin/cap file 4755 root cap_net_raw=ep',
      '/usr/bin/link symlink 777 root',
      '/usr/bin/three file 644 root',
      '/usr/lib/ref directory 755 root',
      '/usr/lib/ref/one file 644 root /usr/bin/three',
      '/usr/lib/ref/two file 644 root /usr/bin/three',
      '/usr/share/doc/x directory 1777 mail',
      '/usr/share/doc/x/LICENSE file 644 root doc license',
      '/usr/share/doc/x/README file 644 root doc',
      '/var/log/ref file 0 root ghost',
    ]);
  });

  test('has a readable payload, with the content of hard links in the last of them', async () => {
    const path = fixture(format);
    await verifyPayload(path);
    const read: string[] = [];
    for await (const { file, content } of readPayload(path, await readRpm(path))) {
      const bytes = content && (await buffer(content));
      if (bytes !== undefined) expect(sha256(bytes)).toBe(file.digest);
      read.push(`${file.path} ${bytes?.toString().trim() ?? '-'}`);
    }
    expect(read).toEqual([
      '/etc/ref -',
      '/etc/ref/a.conf a=b',
      '/etc/ref/b.conf c=d',
      '/etc/ref/empty ',
      '/usr/bin/cap caps',
      '/usr/bin/link -',
      '/usr/lib/ref -',
      '/usr/share/doc/x -',
      '/usr/share/doc/x/LICENSE license',
      '/usr/share/doc/x/README doc',
      '/usr/bin/three -',
      '/usr/lib/ref/one -',
      '/usr/lib/ref/two one',
    ]);
  });
});

test('writeRpm makes the same header and archive as rpmbuild', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-rpm-'));
  try {
    const from = fixture(6);
    const pkg = await readRpm(from);
    const contents = new Map<number, Buffer>();
    for await (const { file, content } of readPayload(from, pkg)) {
      if (content !== undefined) contents.set(file.inode, await buffer(content));
    }
    const files = pkg.files.map((file): RpmSpecFile => {
      const { path, kind, mode, user, group, mtime, flags, verify, target, capabilities, hardlink, inode } = file;
      const holds = kind === 'file' && flags.ghost !== true && hardlink === undefined;
      return {
        ...{ path, kind: kind as 'file', mode, user, group, mtime, flags, verify },
        ...(target === undefined ? {} : { target }),
        ...(capabilities === undefined ? {} : { capabilities }),
        ...(hardlink === undefined ? {} : { hardlink }),
        ...(holds ? { content: contents.get(inode)! } : {}),
      };
    });
    const own = (name: string): boolean =>
      /^(rpmlib|config|group)\(|^reference$|^\/(bin\/sh|sbin\/ldconfig)$/.test(name);
    const { sourceRpm: _derived, ...rest } = pkg;
    const spec: RpmSpec = {
      ...rest,
      files: files.reverse(),
      provides: pkg.provides.filter(({ name }) => !own(name)),
      requires: pkg.requires.filter(({ name }) => !own(name)),
      ownerRequires: true,
    };
    const out = join(folder, 'again.rpm');
    await writeRpm(out, spec);
    const theirs = await readRpmHeaders(from);
    const ours = await readRpmHeaders(out);
    const optflags = 1122;
    const platform = 1132;
    const [mimeIndex, mimeDict] = [5115, 5116];
    // Left out: details of rpmbuild's host, file types by libmagic, and sizes that depend on the zstd build and level.
    const leftOut: readonly number[] = [optflags, platform, mimeIndex, mimeDict];
    const packed: readonly number[] = [tag.payloadSize, tag.payloadSha256, tag.payloadSha512, tag.payloadSha3_256];
    const comparable = (header: typeof ours.main): Map<number, unknown> =>
      new Map([...header].filter(([number]) => !leftOut.includes(number) && !packed.includes(number)));
    expect(comparable(ours.main)).toEqual(comparable(theirs.main));
    for (const number of packed) expect(ours.main.get(number)?.type).toBe(theirs.main.get(number)?.type);
    expect([...ours.signature.keys()]).toEqual([...theirs.signature.keys()]);
    expect(ours.headerOffset).toBe(theirs.headerOffset);
  } finally {
    await rm(folder, { recursive: true });
  }
});
