import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { headerText } from '../../src/rpm/header.ts';
import { readPayload } from '../../src/rpm/payload.ts';
import { readRpm, readRpmHeaders, verifyPayload } from '../../src/rpm/read.ts';
import { signatureTag } from '../../src/rpm/tags.ts';
import type { Dependency, RpmPackage, RpmSpec, RpmSpecFile } from '../../src/rpm/types.ts';
import { writeRpm } from './write-rpm.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-rpm-'));
});
afterAll(() => rm(folder, { recursive: true }));

const basic = {
  name: 'pkg',
  version: '1.0',
  release: '1',
  arch: 'noarch',
  summary: 'A package',
  description: 'It is\none.',
  license: 'MIT',
  buildTime: 1_700_000_000,
} as const satisfies RpmSpec;

const full: RpmSpec = {
  ...basic,
  files: [
    { path: '/usr/bin/tool', kind: 'file', mode: 0o755, content: Buffer.from('#!/bin/sh\nexit 0\n') },
    { path: '/usr/bin/alias', kind: 'symlink', mode: 0o777, target: 'tool' },
    { path: '/etc/tool', kind: 'directory', mode: 0o750, group: 'adm' },
    { path: '/etc/tool/c', kind: 'file', mode: 0o640, flags: { config: 'noreplace' }, content: Buffer.from('a=b\n') },
  ],
};

let serial = 0;
async function write(spec: RpmSpec): Promise<string> {
  const path = join(folder, `${serial++}.rpm`);
  await writeRpm(path, spec);
  return path;
}

async function contents(path: string, pkg?: RpmPackage): Promise<Map<string, Buffer | undefined>> {
  const found = new Map<string, Buffer | undefined>();
  for await (const { file, content } of readPayload(path, pkg ?? (await readRpm(path)))) {
    found.set(file.path, content && (await buffer(content)));
  }
  return found;
}

describe('a written package', () => {
  test('is bit-identical on every run and for every form of content', async () => {
    const bytes = Buffer.alloc(700_000, 'abcdefg');
    const spec = (content: RpmSpecFile['content']): RpmSpec => ({
      ...basic,
      files: [{ path: '/a', kind: 'file', mode: 0o644, content: content! }],
    });
    const pieces = (size: number) => () =>
      Readable.from(
        (function* () {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        })(),
      );
    const [whole, small, large] = await Promise.all(
      [bytes, pieces(1234), pieces(300_000)].map(async (content) => readFile(await write(spec(content)))),
    );
    expect(sha256(small!)).toBe(sha256(whole!));
    expect(sha256(large!)).toBe(sha256(whole!));
  });

  test('is described by the result', async () => {
    const path = join(folder, 'new', 'folder', 'said.rpm');
    const written = await writeRpm(path, full);
    const bytes = await readFile(path);
    expect(written).toEqual({ path, digest: sha256(bytes), fileSize: bytes.length, size: 17 + 4 + 4 });
    expect(await readdir(join(folder, 'new', 'folder'))).toEqual(['said.rpm']);
  });

  test('has the dependencies that rpmbuild adds', async () => {
    const pkg = await readRpm(
      await write({
        ...full,
        arch: 'x86_64',
        epoch: 3,
        requires: [
          { name: '(a if b)', flags: '' },
          { name: 'c', flags: '>=', evr: '1~rc1' },
          { name: 'c', flags: '>=', evr: '1~rc1' },
        ],
        obsoletes: [{ name: 'd', flags: '<', evr: '1^git' }],
        scriptlets: [
          { kind: 'post', interpreter: ['/bin/sh'], script: 'true' },
          { kind: 'posttrans', interpreter: ['<lua>'], script: 'x=1' },
          { kind: 'preun', interpreter: ['/usr/bin/env', 'python3'], script: 'pass' },
        ],
        ownerRequires: true,
      }),
    );
    const show = ({ name, flags, evr, uses }: Dependency): string =>
      [name, flags, evr, uses && `(${uses.join()})`].filter((part) => part !== undefined && part !== '').join(' ');
    expect(pkg.provides.map(show)).toEqual([
      'config(pkg) = 3:1.0-1 (config)',
      'pkg = 3:1.0-1',
      'pkg(x86-64) = 3:1.0-1',
    ]);
    expect(pkg.requires.map(show)).toEqual([
      '(a if b)',
      '/bin/sh (interp,post)',
      '/usr/bin/env (interp,preun)',
      'c >= 1~rc1',
      'config(pkg) = 3:1.0-1 (config)',
      'group(adm) (pre,postun)',
      'rpmlib(BuiltinLuaScripts) <= 4.2.2-1 (rpmlib)',
      'rpmlib(CaretInVersions) <= 4.15.0-1 (rpmlib)',
      'rpmlib(LargeFiles) <= 4.12.0-1 (rpmlib)',
      'rpmlib(PayloadIsZstd) <= 5.4.18-1 (rpmlib)',
      'rpmlib(RichDependencies) <= 4.12.0-1 (rpmlib)',
      'rpmlib(ScriptletInterpreterArgs) <= 4.0.3-1 (rpmlib)',
      'rpmlib(TildeInVersions) <= 4.10.0-1 (rpmlib)',
    ]);
  });

  test('may be empty', async () => {
    const path = await write(basic);
    expect(await readRpm(path)).toMatchObject({ format: 6, files: [], size: 0, signed: false });
    await verifyPayload(path);
    expect(await contents(path)).toEqual(new Map());
  });

  test('round-trips', async () => {
    const name = fc.string({ unit: fc.constantFrom(...'ab.-_ü 😀\\*['), minLength: 1, maxLength: 4 });
    const fileName = name.filter((text) => text !== '.' && text !== '..');
    const path = fc.array(fileName, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
    const attributes = fc.record(
      {
        mode: fc.integer({ min: 0, max: 0o7777 }),
        user: fc.constantFrom('root', 'games'),
        group: fc.constantFrom('root', 'mail'),
        mtime: fc.nat(2 ** 32 - 1),
      },
      { requiredKeys: ['mode'] },
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.nat(400_000).map((size) => Buffer.alloc(size, size)),
    );
    const flags = fc.record(
      {
        config: fc.constantFrom('' as const, 'noreplace' as const),
        doc: fc.constant(true),
        license: fc.constant(true),
        missingok: fc.constant(true),
        artifact: fc.constant(true),
      },
      { requiredKeys: [] },
    );
    const kind = fc.oneof(
      fc.record({ kind: fc.constant('file' as const), content: bytes, flags, linkTo: fc.option(fc.nat()) }),
      fc.record({ kind: fc.constant('file' as const), flags: fc.constant({ ghost: true }) }),
      fc.record({ kind: fc.constant('directory' as const) }),
      fc.record({ kind: fc.constant('symlink' as const), target: name }),
    );
    const files = fc
      .uniqueArray(fc.tuple(path, attributes, kind), { selector: ([text]) => text, maxLength: 8 })
      .map((drawn): RpmSpecFile[] => {
        const owners = drawn.filter(([, , what]) => 'linkTo' in what && what.linkTo === null).map(([text]) => text);
        return drawn.map(([text, own, what]): RpmSpecFile => {
          if (!('linkTo' in what)) return { path: text, ...own, ...what };
          const { linkTo, content, ...rest } = what;
          if (linkTo === null || owners.length === 0) return { path: text, ...own, ...rest, content };
          return { path: text, ...own, ...rest, hardlink: owners[linkTo % owners.length]! };
        });
      });
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        const out = await write({ ...basic, files: list });
        const pkg = await readRpm(out);
        await verifyPayload(out);
        const sorted = [...list].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
        expect(pkg.files.map((file) => file.path)).toEqual(sorted.map((file) => file.path));
        const ownerOf = (file: RpmSpecFile): RpmSpecFile =>
          file.hardlink === undefined ? file : sorted.find((other) => other.path === file.hardlink)!;
        const read = await contents(out, pkg);
        pkg.files.forEach((file, index) => {
          const given = sorted[index]!;
          const owner = ownerOf(given);
          const set = sorted.filter((other) => other.kind === 'file' && ownerOf(other) === owner);
          const ghost = given.flags?.ghost === true;
          const data = owner.content as Uint8Array | undefined;
          expect(file).toMatchObject({
            kind: given.kind,
            mode: owner.mode,
            user: owner.user ?? 'root',
            group: owner.group ?? 'root',
            mtime: owner.mtime ?? basic.buildTime,
            flags: given.flags ?? {},
            size: data?.length ?? (given.target === undefined ? 0 : Buffer.byteLength(given.target)),
          });
          expect(file.target).toBe(given.target);
          expect(file.digest).toBe(data && sha256(data));
          expect(file.hardlink).toBe(data && set[0] !== given ? set[0]!.path : undefined);
          expect(read.has(file.path)).toBe(!ghost);
          // the last member of a set has the content for all of it
          const content = read.get(file.path);
          expect(content?.equals(data!) ?? false).toBe(data !== undefined && set.at(-1) === given);
        });
        await rm(out);
      }),
      { numRuns: 60 },
    );
  });

  test('keeps scriptlets, triggers, changelog and texts', async () => {
    const given = {
      ...basic,
      epoch: 1,
      url: 'https://example.org/',
      vendor: 'Vendor',
      packager: 'Packager',
      vcs: 'git+https://example.org/x',
      bugUrl: 'https://example.org/bugs',
      buildHost: 'builder',
      sourceRpm: 'other-2-3.src.rpm',
      group: 'System',
      scriptlets: [
        { kind: 'pre', interpreter: ['/bin/sh'], script: 'echo "ü"\n\ntrue' },
        { kind: 'postun', interpreter: ['/sbin/ldconfig'], script: '' },
        { kind: 'postuntrans', interpreter: ['/bin/sh', '-e'], script: 'false' },
      ],
      fileTriggers: [
        { scope: 'file', when: 'un', prefixes: ['/a'], interpreter: ['/bin/sh'], script: 'one', priority: 1 },
        { scope: 'trans', when: 'in', prefixes: ['/b', '/z'], interpreter: ['<lua>'], script: 'two', priority: 2 },
        { scope: 'trans', when: 'postun', prefixes: ['/b', '/c'], interpreter: ['/bin/sh'], script: '', priority: 3 },
      ],
      changelog: [
        { time: 1_700_000_000, author: 'A <a@example.org> - 2', text: '- two' },
        { time: 1_600_000_000, author: 'A <a@example.org> - 1', text: '- one\n- more' },
      ],
    } as const satisfies RpmSpec;
    expect(await readRpm(await write(given))).toMatchObject({ ...given });
  });
});

describe('a package whose name is not allowed in a file name', () => {
  // The writer rejects such names, so they are patched into a written package; headers of equal length.
  test.each([
    ['name', 'harmless', '../../xx'],
    ['name', 'harmless', 'a b\nc.de'],
    ['name', 'harmless', '-rf......'.slice(0, 8)],
    ['version', '1.22.333', '1/../../'],
    ['release', '4.55.666', '1/../../'],
  ])('is rejected: the %s', async (field, good, evil) => {
    const path = await write({ ...basic, [field]: good });
    const { main, signature, headerOffset, payloadOffset, mainBytes } = await readRpmHeaders(path);
    const changed = Buffer.from(mainBytes.toString('latin1').replaceAll(good, evil), 'latin1');
    expect(changed.length).toBe(mainBytes.length);
    expect(changed.equals(mainBytes)).toBe(false);
    const whole = await readFile(path);
    changed.copy(whole, headerOffset);
    const digests = [
      ['sha256', signatureTag.sha256],
      ['sha3-256', signatureTag.sha3_256],
    ] as const;
    let text = whole.toString('latin1', 0, headerOffset);
    for (const [algorithm, number] of digests) {
      const before = headerText(signature, number);
      if (before !== undefined) text = text.replace(before, createHash(algorithm).update(changed).digest('hex'));
    }
    whole.write(text, 0, 'latin1');
    expect(main.size).toBeGreaterThan(0);
    expect(payloadOffset).toBeGreaterThan(headerOffset);
    await writeFile(path, whole);
    await expect(readRpm(path)).rejects.toMatchObject({ code: 'bad-rpm', message: expect.stringMatching(/file name/) });
  });
});

describe('a damaged package', () => {
  test('truncated anywhere is rejected with its path', async () => {
    const whole = await readFile(await write(full));
    for (const length of [0, 3, 95, 96, 110, 4000, 4460, 5000, whole.length - 1]) {
      const path = join(folder, 'short.rpm');
      await writeFile(path, whole);
      await truncate(path, length);
      await expect(readRpm(path)).rejects.toMatchObject({ code: 'bad-rpm', where: { file: path } });
    }
  });

  test('with one byte of the header changed is rejected', async () => {
    const path = await write(full);
    const whole = await readFile(path);
    const { headerOffset, payloadOffset } = await readRpm(path);
    for (let at = headerOffset; at < payloadOffset; at += 41) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0x10;
      await writeFile(path, damaged);
      await expect(readRpm(path), `byte ${at}`).rejects.toMatchObject({ code: 'bad-rpm', where: { file: path } });
    }
  });

  test('with one byte of the payload changed is rejected by verifyPayload and by readPayload', async () => {
    const path = await write(full);
    const whole = await readFile(path);
    const { payloadOffset } = await readRpm(path);
    for (let at = payloadOffset; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0x10;
      await writeFile(path, damaged);
      const refusal = { code: 'bad-rpm', where: { file: path } };
      await expect(verifyPayload(path), `byte ${at}`).rejects.toMatchObject(refusal);
      await expect(contents(path), `byte ${at}`).rejects.toMatchObject(refusal);
    }
  });

  test('that is something else, or missing, is rejected', async () => {
    const path = join(folder, 'text.rpm');
    await writeFile(path, 'no package at all\n'.repeat(20));
    await expect(readRpm(path)).rejects.toMatchObject({ code: 'bad-rpm', message: 'this is not an RPM package' });
    await expect(readRpm(join(folder, 'none.rpm'))).rejects.toMatchObject({ code: 'no-rpm' });
  });

  test('with extra bytes after its end is rejected', async () => {
    const path = await write(full);
    await writeFile(path, Buffer.concat([await readFile(path), Buffer.from('x')]));
    await expect(readRpm(path)).rejects.toMatchObject({ code: 'bad-rpm' });
  });
});

describe('readPayload', () => {
  test('skips unread content', async () => {
    const file = (path: string, size: number): RpmSpecFile => ({
      path,
      kind: 'file',
      mode: 0o644,
      content: Buffer.alloc(size, path),
    });
    const path = await write({ ...basic, files: [file('/a', 900_001), file('/b', 900_002), file('/c', 5)] });
    const seen: string[] = [];
    for await (const { file: entry, content } of readPayload(path, await readRpm(path))) {
      seen.push(entry.path);
      if (entry.path === '/b') {
        for await (const chunk of content!) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
      }
      if (entry.path === '/c') expect((await buffer(content!)).toString()).toBe('/c/c/');
    }
    expect(seen).toEqual(['/a', '/b', '/c']);
  });

  test('can be stopped early', async () => {
    const path = await write(full);
    for await (const { file } of readPayload(path, await readRpm(path))) {
      expect(file.path).toBe('/etc/tool');
      break;
    }
  });

  test('rejects an unsupported compression', async () => {
    const path = await write(full);
    const pkg = { ...(await readRpm(path)), payloadCompressor: 'xz' };
    await expect(contents(path, pkg)).rejects.toMatchObject({ code: 'unsupported-payload', where: { file: path } });
  });
});

describe('writeRpm rejects', () => {
  const file = { path: '/a', kind: 'file', mode: 0o644, content: Buffer.alloc(0) } as const;
  test.each<[string, Partial<RpmSpec>, RegExp]>([
    ['a version with a dash', { version: '1-2' }, /invalid version or release '1-2'/],
    ['a name with a space', { name: 'a b' }, /invalid package name/],
    ['a file twice', { files: [file, file] }, /\/a is listed twice/],
    ['a relative path', { files: [{ ...file, path: 'a' }] }, /'a' is not a normalised absolute path/],
    ["a path with '..'", { files: [{ ...file, path: '/a/../b' }] }, /is not a normalised absolute path/],
    ['a slash at the end', { files: [{ ...file, path: '/a/' }] }, /is not a normalised absolute path/],
    ['a link to nothing', { files: [{ path: '/a', kind: 'file', mode: 0, hardlink: '/b' }] }, /which is not a file/],
    ['a file without content', { files: [{ path: '/a', kind: 'file', mode: 0 }] }, /\/a: needs content/],
    ['a folder with content', { files: [{ ...file, kind: 'directory' }] }, /\/a: must not have content/],
    ['a symlink to nowhere', { files: [{ path: '/a', kind: 'symlink', mode: 0 }] }, /only symlinks have a target/],
    ['a NUL', { summary: 'a\0b' }, /contains a NUL/],
  ])('%s', async (_what, part, message) => {
    const refused = join(folder, 'refused');
    await expect(writeRpm(join(refused, 'x.rpm'), { ...basic, ...part })).rejects.toThrow(message);
    await expect(readdir(refused)).rejects.toThrow();
  });

  test('unreadable content, and leaves nothing behind', async () => {
    const inside = join(folder, 'failed');
    const content = (): Readable => {
      throw new Error('gone');
    };
    await mkdir(inside);
    const spec = { ...basic, files: [{ ...file, content }] };
    await expect(writeRpm(join(inside, 'x.rpm'), spec, join(inside, 'scratch'))).rejects.toMatchObject({
      code: 'unreadable-content',
      message: 'cannot read the content of /a',
    });
    expect(await readdir(inside)).toEqual([]);
  });
});
