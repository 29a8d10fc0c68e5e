import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { printListing } from '../../src/tree/listing.ts';
import type { Entry } from '../../src/tree/tree.ts';
import { folder, weir } from './weir.ts';

const owned = { mode: 0o644, user: 'root', group: 'root', mtime: 0 };
const label = (type: string) => `system_u:object_r:${type}_t:s0`;
const file = (path: string, owner: string | undefined, size: number, more: Partial<Entry> = {}): Entry =>
  ({
    ...owned,
    path,
    kind: 'file',
    digest: `${path} ${size}`,
    size,
    label: label('usr'),
    packages: owner === undefined ? [] : [owner],
    ...more,
  }) as Entry;
const pkg = (name: string, evr: string) => {
  const [, epoch, version, release] = /^(?:(\d+):)?(.+)-(.+)$/.exec(evr)!;
  const rpm = `${name} ${evr}`;
  return { name, epoch: Number(epoch ?? 0), version, release, arch: 'x86_64', rpm, nevra: `${name}-${evr}.x86_64` };
};

const packages = {
  old: [pkg('bash', '5.3-4'), pkg('iputils', '20250605-1'), pkg('setup', '2.15-1'), pkg('vim', '9.2-1')],
  new: [pkg('bash', '5.3-5'), pkg('curl', '8.22.0-1'), pkg('iputils', '20250605-1'), pkg('setup', '2.15-1')],
};
const trees: Readonly<Record<keyof typeof packages, readonly Entry[]>> = {
  old: [
    file('/etc/hosts', 'setup', 200),
    file('/etc/localtime', undefined, 0, { kind: 'symlink', target: '../usr/share/zoneinfo/UTC' }),
    file('/usr/bin/bash', 'bash', 1_400_000, { mode: 0o755 }),
    file('/usr/bin/ping', 'iputils', 156_000, { mode: 0o755, capabilities: 'cap_net_raw=ep' }),
    file('/usr/bin/vim', 'vim', 4_000_000, { mode: 0o755 }),
  ],
  new: [
    file('/etc/hosts', 'setup', 200, { mode: 0o600, user: 'daemon', label: label('etc') }),
    file('/etc/localtime', undefined, 0, { kind: 'symlink', target: '../usr/share/zoneinfo/Europe/Berlin' }),
    file('/usr/bin/bash', 'bash', 1_900_000, { mode: 0o755 }),
    file('/usr/bin/curl', 'curl', 300_000, { mode: 0o4755 }),
    file('/usr/bin/ping', 'iputils', 156_000, { mode: 0o755 }),
    file('/var/spool/extra', undefined, 17, { user: 'daemon', group: 'mail' }),
  ],
};

/** The parts of a build's output folder that are read, with one image. */
function build(which: keyof typeof packages, options: { readonly tree?: boolean } = {}): string {
  const out = folder({});
  const dir = join(out, 'images', 'vm-base');
  mkdirSync(dir, { recursive: true });
  const installedSize = trees[which].reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0);
  const image = { name: 'vm-base', kind: 'disk', inputs: which, snapshot: `snapshot-${which}`, installedSize };
  writeFileSync(join(dir, 'image.json'), JSON.stringify({ ...image, packages: packages[which] }));
  if (options.tree !== false) {
    writeFileSync(join(dir, 'tree.jsonl.gz'), gzipSync(printListing({ entries: trees[which] })));
  }
  const nevras = packages[which].map(({ nevra }) => nevra);
  const channel = { name: 'base', packages: packages[which].map(({ nevra, rpm }) => ({ nevra, sha256: rpm })) };
  const { snapshot } = image;
  const release = { version: '4.0', snapshot, channels: [channel], images: [{ ...image, packages: nevras }] };
  writeFileSync(join(out, 'release.json'), JSON.stringify(release));
  return out;
}

const releaseOf = (out: string): string => readFileSync(join(out, 'release.json'), 'utf8');
const imageOf = (out: string): string => join(out, 'images', 'vm-base');

/** The output, with short folder names and adjusted column widths. */
function printed(argv: readonly string[], outs: Readonly<Record<string, string>>): string {
  const { code, stdout, stderr } = weir(argv);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Object.entries(outs).reduce((text, [name, out]) => text.replaceAll(out, name), stdout);
}

describe('weir image diff', () => {
  const a = build('old');
  const b = build('new');

  it('lists files of unchanged packages first, then privileges, packages and sizes', async () => {
    const text = printed(['image', 'diff', imageOf(a), imageOf(b)], { OLD: a, NEW: b });
    await expect(text).toMatchFileSnapshot(join('golden', 'image-diff.txt'));
  });

  it('--files also lists files of changed packages', () => {
    const text = printed(['image', 'diff', '--files', imageOf(a), imageOf(b)], {});
    expect(text).toMatch(/^~ {2}\/usr\/bin\/bash +bash +content, size 1400000 → 1900000$/m);
    expect(text).toMatch(/^- {2}\/usr\/bin\/vim +vim +file 0755, 4000000 bytes$/m);
  });

  it('compares releases by folder or release.json', async () => {
    const text = printed(['image', 'diff', a, join(b, 'release.json')], { OLD: a, NEW: b });
    await expect(text).toMatchFileSnapshot(join('golden', 'image-diff-release.txt'));
  });

  it('an image does not differ from itself', () => {
    const text = printed(['image', 'diff', imageOf(a), imageOf(a)], {});
    expect(text).toMatch(/\n\nno differences in packages, files and sizes\n$/);
  });

  it('an image name refers to the output folder', () => {
    const { code, stdout } = weir(['image', 'diff', 'vm-base', imageOf(b), '--out', a, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'image',
      a: { name: 'vm-base', place: imageOf(a), snapshot: 'snapshot-old', packages: 4, files: 5 },
      packages: [
        { name: 'bash', change: 'upgraded', before: { evr: '5.3-4', arch: 'x86_64' }, after: { evr: '5.3-5' } },
        { name: 'curl', change: 'added' },
        { name: 'vim', change: 'removed' },
      ],
      files: { labelled: 'both', byPackage: [{ package: 'bash', changed: 1 }, {}, { package: 'vim', removed: 1 }] },
    });
  });

  it('--packages works without trees, and with a single release.json', () => {
    const old = build('old', { tree: false });
    const images = printed(['image', 'diff', '--packages', imageOf(old), imageOf(b)], {});
    expect(images).toMatch(/^packages: 1 added, 1 removed, 1 upgraded$/m);
    expect(images).not.toMatch(/\/usr\/bin/);
    const alone = folder({ 'kept.json': '' });
    writeFileSync(join(alone, 'kept.json'), releaseOf(old));
    expect(printed(['image', 'diff', '--packages', join(alone, 'kept.json'), b], {})).toContain(
      'bash     upgraded  5.3-4',
    );
  });

  it.each<[string, () => string[], RegExp, RegExp, number]>([
    [
      'an image without a tree',
      () => [imageOf(build('old', { tree: false })), imageOf(b)],
      /tree\.jsonl\.gz: image vm-base has no tree file/,
      /weir build --image vm-base.*--packages/,
      1,
    ],
    ['an image that is not built', () => ['vm-base', imageOf(b), '--out', folder({})], /not built/, /weir build/, 1],
    ['a name that no image has', () => ['vm-bse', imageOf(b)], /no image vm-bse/, /vm-base/, 2],
    ['a folder that is not there', () => [join(a, 'images', 'none'), b], /no such image, file or folder/, /folder/, 2],
    ['another folder', () => [folder({ x: '' }), b], /not an image or release folder/, /image\.json/, 2],
    [
      'a file that is no JSON',
      () => [join(folder({ 'x.json': '{' }), 'x.json'), b],
      /not an image or release folder/,
      /release\.json/,
      2,
    ],
    ['an image and a release', () => [imageOf(a), b], /image .* release/, /two images or two releases/, 2],
    ['--packages with --files', () => [a, b, '--packages', '--files'], /cannot be used with/, /--help/, 2],
    [
      'a release whose images are of a later build',
      () => {
        const out = build('old');
        writeFileSync(join(out, 'release.json'), releaseOf(b));
        return [out, b];
      },
      /image vm-base of this release was rebuilt since/,
      /--packages/,
      1,
    ],
    [
      'a damaged tree',
      () => {
        const out = build('old');
        writeFileSync(join(imageOf(out), 'tree.jsonl.gz'), 'no gzip');
        return [imageOf(out), imageOf(b)];
      },
      /tree\.jsonl\.gz: not a gzipped tree/,
      /rebuild the image/,
      1,
    ],
  ])('%s is one clear error', (_what, argv, says, hint, exit) => {
    const { code, stdout, stderr } = weir(['image', 'diff', ...argv()]);
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).toMatch(says);
    expect(stderr.split('\n').find((line) => line.startsWith('hint:')) ?? '').toMatch(hint);
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  });
});
