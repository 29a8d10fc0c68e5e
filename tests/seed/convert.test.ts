import { chmod, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { runOk } from '../../src/base/process.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { readRpm } from '../../src/rpm/read.ts';
import type { RpmPackage } from '../../src/rpm/types.ts';
import { convertSeed, type Seed } from '../../src/seed/convert.ts';
import type { DebFile } from '../../src/seed/deb.ts';
import { type Mapping, seedSchemas } from '../../src/seed/mapping.ts';
import { parseDocument } from '../../src/toml/document.ts';
import { nodeZstd } from '../rpm/write-rpm.ts';

const clock = 1_700_000_000;
let dir: string;
let debs: DebFile[];
let mapping: Mapping;
let seed: Seed;
const rpms = new Map<string, RpmPackage>();

interface Content {
  readonly text?: string;
  readonly target?: string;
  readonly same?: string;
  readonly mode?: number;
}

/** A real .deb made by dpkg-deb. */
async function deb(
  name: string,
  version: string,
  fields: string,
  files: Record<string, Content>,
  conffiles = '',
): Promise<DebFile> {
  const root = join(dir, name);
  await mkdir(join(root, 'DEBIAN'), { recursive: true });
  const head = `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: x <x@example.org>\n`;
  await writeFile(join(root, 'DEBIAN/control'), `${head}${fields}Description: the ${name}\n long text\n .\n end\n`);
  if (conffiles !== '') await writeFile(join(root, 'DEBIAN/conffiles'), conffiles);
  for (const [path, content] of Object.entries(files)) {
    const at = join(root, path);
    await mkdir(dirname(at), { recursive: true });
    if (content.target !== undefined) await symlink(content.target, at);
    else if (content.same !== undefined) await link(join(root, content.same), at);
    else await writeFile(at, content.text ?? '');
    if (content.mode !== undefined) await chmod(at, content.mode);
  }
  const path = join(dir, `${name}.deb`);
  await runOk(['dpkg-deb', '--root-owner-group', '--build', root, path]);
  return { name, version, arch: 'amd64', sha256: await fileDigest(path), path };
}

function toMapping(packages: string): Mapping {
  const rules = parseDocument('packages.toml', packages, seedSchemas['packages.toml']).data;
  return {
    defaults: {
      vendor: 'Debian, converted',
      ignore: ['debconf'],
      remove: ['/usr/share/doc'],
      'requires-pre': ['filesystem'],
      rename: [{ from: 'lib*-dev', to: 'lib*-devel' }],
    },
    names: new Map(),
    packages: new Map(Object.entries(rules.packages)),
    roots: new Map(),
  };
}

const rules = `
[packages.filesystem]
version = "1"
summary = "folders"
directories = { "/usr" = "0755", "/usr/bin" = "0755", "/usr/lib" = "0755", "/etc" = "0755" }
links = { "/usr/lib64" = "lib/{multiarch}" }

[packages.glib]
from = ["libc6", "libc-bin"]
provides = ["glib-common = @"]
requires-remove = ["unwanted"]
remove = ["/usr/bin/old"]
move = { "/usr/share/tool/*.conf" = "/etc/tool.d/*.conf" }
links = { "/usr/bin/tool" = "tool-*" }
modes = { "/usr/bin/tool-2" = "4755" }
owners = { "/usr/bin/tool-2" = "root:kvm" }
capabilities = { "/usr/bin/tool-2" = "cap_net_raw=ep" }
users = ["g kvm 36 -"]
presets = ["enable tool.service"]
add = [
  { path = "/etc/tool.conf", copy-of = "/usr/share/tool/sample", mode = "0600", config = "noreplace", no-verify = ["digest", "mtime"] },
  { path = "/etc/all", concat = "/usr/share/tool/*.conf" },
]

[[packages.glib.triggers]]
when = "in"
prefixes = ["/usr/lib"]
script = "x()"
`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-seed-'));
  const copyright =
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: x\nLicense: GPL-2+\n';
  const libc = await deb(
    'libc6',
    '1:2.43-7',
    'Source: glibc (1:2.43-6)\nHomepage: https://example.org\nDepends: tool (>= 2), unwanted, gone (>> 1) | lost, debconf (>= 1) | cdebconf, libc-bin\nBreaks: tool (<< 1)\nProvides: libc6-virtual (= 5)\n',
    {
      'lib/libreal.so.1': { text: await readFile('/proc/self/exe', 'latin1').then((text) => text.slice(0, 4)) },
      'usr/share/doc/libc6/copyright': { text: copyright },
      'usr/share/doc/libc6/changelog': { text: 'removed' },
      'usr/share/common': { text: 'first' },
      'etc/libc.conf': { text: 'a' },
    },
    '/etc/libc.conf\n',
  );
  const bin = await deb('libc-bin', '2.9', 'Pre-Depends: libc6 (>= 1:2.43)\n', {
    'usr/bin/tool-2': { text: '#!/bin/sh\n', mode: 0o755 },
    'usr/bin/old': { text: 'old' },
    'usr/bin/new': { same: 'usr/bin/old' },
    'usr/share/common': { text: 'second' },
    'usr/share/tool/b.conf': { text: 'B\n' },
    'usr/share/tool/a.conf': { text: 'A\n' },
    'usr/share/tool/sample': { text: 'sample' },
    'usr/share/gone/only.conf': { target: '../tool/sample' },
  });
  const tool = await deb(
    'tool',
    '2.0-1',
    'Depends: libc-bin (>= 2.9), libc6 (>= 1:2.43-7), missing\nRecommends: extra\n',
    {
      'usr/bin/x': { text: 'x', mode: 0o755 },
    },
  );
  const ignored = await deb('debconf', '1', '', {});
  debs = [libc, bin, tool, ignored];
  mapping = toMapping(rules);
  const engine = await openEngine(join(dir, 'cache'));
  seed = await convertSeed(engine, mapping, debs, clock, nodeZstd);
  for (const one of seed.packages) rpms.set(one.name, await readRpm(one.path));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function names(list: readonly { readonly name: string; readonly flags: string; readonly evr?: string }[]): string[] {
  return list.map((one) => `${one.name}${one.flags === '' ? '' : ` ${one.flags} ${one.evr}`}`);
}

describe('a seed made from real debs', () => {
  it('has the packages and reports what it left out', () => {
    expect(seed.packages.map((one) => one.nevra)).toEqual([
      'filesystem-1-1.x86_64',
      'glib-1:2.43-7.x86_64',
      'tool-2.0-1.x86_64',
    ]);
    expect(seed.ignored).toEqual(['debconf']);
    expect(seed.demotions).toEqual([
      { package: 'glib', requires: '(gone > 1-0 or lost)', why: 'missing' },
      { package: 'tool', requires: 'missing', why: 'missing' },
    ]);
  });

  it('records the Debian source', () => {
    const glib = rpms.get('glib')!;
    expect(glib).toMatchObject({
      epoch: 1,
      version: '2.43',
      release: '7',
      arch: 'x86_64',
      summary: 'the libc6',
      license: 'GPL-2.0-or-later',
      vendor: 'Debian, converted',
      url: 'https://example.org',
      sourceRpm: 'glibc-2.43-6.src.rpm',
      buildTime: clock,
    });
    expect(glib.vcs).toBe('pkg:deb/debian/glibc@1:2.43-6?arch=source');
    expect(glib.description).toBe('long text\n\nend\n\nMade from Debian: libc6 1:2.43-7, libc-bin 2.9.');
  });

  it('translates dependencies', () => {
    const glib = rpms.get('glib')!;
    expect(names(glib.provides)).toEqual(
      expect.arrayContaining([
        'libc6 = 1:2.43-7',
        'libc-bin = 2.9-0',
        'libc6-virtual = 5-0',
        'glib-common = 1:2.43-7',
        'glib = 1:2.43-7',
        'group(kvm) = ZyBrdm0gMzYgLQAA',
      ]),
    );
    const requires = names(glib.requires).filter((name) => !name.startsWith('rpmlib('));
    expect(requires.sort()).toEqual(['config(glib) = 1:2.43-7', 'filesystem', 'tool >= 2-0']);
    expect(glib.requires.find((one) => one.name === 'filesystem')?.pre).toBe(true);
    expect(names(glib.recommends)).toEqual(['(gone > 1-0 or lost)']);
    expect(glib.conflicts).toEqual([]);
    const tool = names(rpms.get('tool')!.requires);
    // libc-bin does not determine the version of glib
    expect(tool).toEqual(expect.arrayContaining(['libc-bin >= 2.9-0', 'glib >= 1:2.43-7']));
    expect(names(rpms.get('tool')!.recommends)).toEqual(['extra', 'missing']);
  });

  it('lays files out', () => {
    const glib = rpms.get('glib')!;
    expect(glib.files.map((one) => one.path)).toEqual([
      '/etc/all',
      '/etc/libc.conf',
      '/etc/tool.conf',
      '/etc/tool.d',
      '/etc/tool.d/a.conf',
      '/etc/tool.d/b.conf',
      '/usr/bin/new',
      '/usr/bin/tool',
      '/usr/bin/tool-2',
      '/usr/lib/libreal.so.1',
      '/usr/lib/systemd',
      '/usr/lib/systemd/system-preset',
      '/usr/lib/systemd/system-preset/80-glib.preset',
      '/usr/lib/sysusers.d',
      '/usr/lib/sysusers.d/glib.conf',
      '/usr/share',
      '/usr/share/common',
      '/usr/share/gone',
      '/usr/share/gone/only.conf',
      '/usr/share/licenses',
      '/usr/share/licenses/glib',
      '/usr/share/licenses/glib/copyright',
      '/usr/share/tool',
      '/usr/share/tool/sample',
    ]);
    const file = (path: string) => glib.files.find((one) => one.path === path)!;
    expect(file('/etc/libc.conf').flags.config).toBe('noreplace');
    expect(file('/etc/tool.conf')).toMatchObject({ mode: 0o600, size: 6, verify: 0xffffffde });
    expect(file('/usr/bin/tool').target).toBe('tool-2');
    expect(file('/usr/bin/tool-2')).toMatchObject({ mode: 0o4755, group: 'kvm', capabilities: 'cap_net_raw=ep' });
    expect(file('/usr/lib/libreal.so.1').mode & 0o111).toBe(0o111);
    expect(file('/usr/share/common').size).toBe('first'.length);
    // its other name was removed; the content stays
    expect(file('/usr/bin/new').size).toBe(3);
    expect(file('/etc/all').size).toBe(4);
    expect(file('/usr/share/licenses/glib/copyright').flags.license).toBe(true);
    expect(rpms.get('filesystem')!.files.find((one) => one.path === '/usr/lib64')?.target).toBe('lib/x86_64-linux-gnu');
    expect(glib.fileTriggers).toMatchObject([{ scope: 'trans', when: 'in', prefixes: ['/usr/lib'], script: 'x()' }]);
    expect(glib.scriptlets).toEqual([]);
  });

  it('is identical when made twice, and comes from the cache the second time', async () => {
    const again = await openEngine(join(dir, 'again'));
    const second = await convertSeed(again, mapping, [...debs].reverse(), clock, nodeZstd);
    expect(second.packages.map((one) => one.digest)).toEqual(seed.packages.map((one) => one.digest));
    const ran = again.counts.ran;
    await convertSeed(again, mapping, debs, clock, nodeZstd);
    expect(again.counts.ran).toBe(ran);
  });

  it('is one cache hit if nothing changed, and remakes a package that is missing', async () => {
    const engine = await openEngine(join(dir, 'again'));
    expect(await convertSeed(engine, mapping, debs, clock, nodeZstd)).toMatchObject({ demotions: seed.demotions });
    expect(engine.counts).toEqual({ ran: 0, cached: 1, doubted: 0 });
    const { name, path } = seed.packages[0]!;
    await rm(path.replace(join(dir, 'cache'), join(dir, 'again')));
    const again = await convertSeed(engine, mapping, debs, clock, nodeZstd);
    expect(again.packages.map(({ digest }) => digest)).toEqual(seed.packages.map(({ digest }) => digest));
    expect([engine.counts.ran, await fileDigest(again.packages[0]!.path)], name).toEqual([1, seed.packages[0]!.digest]);
  });

  it('remakes only packages affected by a change in the mapping', async () => {
    const engine = await openEngine(join(dir, 'cache'));
    const changed = toMapping(rules.replace('"enable tool.service"', '"disable tool.service"'));
    await convertSeed(engine, changed, debs, clock, nodeZstd);
    expect(engine.counts.ran).toBe(1);
  });

  it('rejects paths that do not exist', async () => {
    const engine = await openEngine(join(dir, 'cache'));
    const wrong = toMapping('[packages.tool]\nfrom = ["tool"]\nmodes = { "/usr/bin/y" = "0755" }\n');
    await expect(convertSeed(engine, wrong, debs, clock, nodeZstd)).rejects.toMatchObject({
      code: 'seed-path',
      where: { package: 'tool' },
    });
  });

  it('names a corrupt deb', async () => {
    const path = join(dir, 'broken.deb');
    await writeFile(path, 'no');
    const engine = await openEngine(join(dir, 'cache'));
    const file = { name: 'b', version: '1', arch: 'all', sha256: 'broken', path };
    await expect(convertSeed(engine, mapping, [file], clock, nodeZstd)).rejects.toMatchObject({
      code: 'bad-deb',
      where: { file: path },
    });
  });
});
