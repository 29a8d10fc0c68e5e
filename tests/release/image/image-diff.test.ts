import { describe, expect, test } from 'vitest';
import { type ComparedImage, compareImages, compareReleases } from '../../../src/release/image/image-diff.ts';
import type { ListedEntry } from '../../../src/tree/listing.ts';

type Attributes = Partial<Extract<ListedEntry, { kind: 'file' }>>;

const owned = { mode: 0o644, user: 'root', group: 'root' };
const file = (path: string, owner: string | undefined, more: Attributes = {}): ListedEntry => ({
  ...owned,
  path,
  kind: 'file',
  digest: 'aa',
  size: 10,
  packages: owner === undefined ? [] : [owner],
  ...more,
});
const folder = (path: string, ...packages: string[]): ListedEntry => ({
  ...owned,
  path,
  kind: 'directory',
  mode: 0o755,
  packages,
});

/** An image of `name version` packages. */
function image(packages: string, entries?: readonly ListedEntry[], name = 'vm'): ComparedImage {
  return {
    name,
    kind: 'disk',
    snapshot: 's',
    installedSize: 0,
    place: '/',
    packages: packages.split(', ').map((text) => {
      const [pkg, version] = text.split(' ');
      return { name: pkg!, epoch: 0, version: version!, release: '1', arch: 'x86_64', content: text };
    }),
    ...(entries === undefined ? {} : { entries }),
  };
}

/** `reason path` of the listed files. */
function listed(a: ComparedImage, b: ComparedImage, allFiles = false): string[] {
  return compareImages(a, b, allFiles).files!.listed.map(({ reason, path }) => `${reason} ${path}`);
}

describe('files of two images', () => {
  test('of a package with a new version are counted, and listed only on request', () => {
    const a = image('bash 1', [file('/bin/a', 'bash'), file('/bin/b', 'bash')]);
    const b = image('bash 2', [file('/bin/b', 'bash', { digest: 'bb' }), file('/bin/c', 'bash')]);
    const { files } = compareImages(a, b, false);
    expect(files).toMatchObject({
      listed: [],
      byPackage: [{ package: 'bash', added: 1, removed: 1, changed: 1 }],
    });
    expect(listed(a, b, true)).toEqual(['/bin/a', '/bin/b', '/bin/c'].map((path) => `changed-package ${path}`));
  });

  test('are sorted: unchanged package, privileges, no package', () => {
    const a = image('bash 1, less 1', [file('/a', undefined), file('/b', 'bash'), file('/z', 'less')]);
    const b = image('bash 2, less 1', [
      file('/a', undefined, { digest: 'bb' }),
      file('/b', 'bash', { mode: 0o4755 }),
      file('/z', 'less', { digest: 'bb' }),
    ]);
    expect(listed(a, b)).toEqual(['unchanged-package /z', 'privilege /b', 'no-package /a']);
  });

  test('a rebuild of the same version explains no change', () => {
    const a = image('bash 1', [file('/bin/bash', 'bash')]);
    const b = { ...image('bash 1', [file('/bin/bash', 'bash', { digest: 'bb' })]) };
    const rebuilt = { ...b, packages: b.packages.map((pkg) => ({ ...pkg, content: 'other' })) };
    expect(compareImages(a, rebuilt, false)).toMatchObject({
      packages: [{ name: 'bash', change: 'rebuilt' }],
      files: { listed: [{ path: '/bin/bash', reason: 'unchanged-package', aspects: ['content'] }], byPackage: [] },
    });
  });

  test.each<[string, Attributes, Attributes, boolean]>([
    ['set-user-ID', { mode: 0o755 }, { mode: 0o4755 }, true],
    ['set-group-ID beside set-user-ID', { mode: 0o4755 }, { mode: 0o6755 }, true],
    ['capabilities', {}, { capabilities: 'cap_net_raw=ep' }, true],
    ['more capabilities', { capabilities: 'cap_net_raw=ep' }, { capabilities: 'cap_sys_admin=ep' }, true],
    ['set-user-ID as before', { mode: 0o4755 }, { mode: 0o4755, digest: 'bb' }, false],
    ['set-user-ID lost', { mode: 0o4755 }, { mode: 0o755 }, false],
    ['capabilities lost', { capabilities: 'cap_net_raw=ep' }, {}, false],
  ])('%s in an upgrade', (_what, before, after, seen) => {
    const a = image('iputils 1', [file('/bin/ping', 'iputils', before)]);
    const b = image('iputils 2', [file('/bin/ping', 'iputils', after)]);
    expect(listed(a, b)).toEqual(seen ? ['privilege /bin/ping'] : []);
  });

  test('a new owner of a folder is not a difference; a file that moves between unchanged packages is', () => {
    const a = image('bash 1, less 1', [folder('/d', 'bash'), file('/f', 'bash')]);
    const b = image('bash 1, less 1', [folder('/d', 'bash', 'less'), file('/f', 'less')]);
    expect(compareImages(a, b, false).files!.listed).toMatchObject([{ path: '/f', aspects: ['packages'] }]);
  });

  test('labels are compared only if both images have them', () => {
    const plain = image('p 1', [file('/f', 'p')]);
    const labelled = (label: string) => image('p 1', [file('/f', 'p', { label })]);
    expect(compareImages(plain, labelled('x'), false).files).toMatchObject({ labelled: 'b', listed: [] });
    expect(compareImages(labelled('x'), plain, false).files).toMatchObject({ labelled: 'a', listed: [] });
    expect(compareImages(plain, plain, false).files).toMatchObject({ labelled: 'neither', listed: [] });
    expect(compareImages(labelled('x'), labelled('y'), false).files).toMatchObject({
      labelled: 'both',
      listed: [{ path: '/f', aspects: ['label'], before: { label: 'x' }, after: { label: 'y' } }],
    });
  });

  test('a large folder without a package is one line, except for changed files and privileges', () => {
    const many = Array.from({ length: 20 }, (_, index) => file(`/store/in/${index}`, undefined));
    const a = image('p 1', [folder('/'), folder('/old'), file('/old/x', undefined)]);
    const b = image('p 1', [
      folder('/'),
      folder('/old'),
      file('/old/x', undefined, { digest: 'bb' }),
      folder('/few'),
      file('/few/x', undefined),
      folder('/store'),
      folder('/store/in'),
      ...many,
      file('/store/in/su', undefined, { mode: 0o4755 }),
      file('/store/in/of-package', 'p'),
    ]);
    const folded = compareImages(a, b, false).files!.listed;
    expect(folded.map(({ path, below }) => [path, below])).toEqual([
      ['/store/in/of-package', undefined],
      ['/store/in/su', undefined],
      ['/few', undefined],
      ['/few/x', undefined],
      ['/old/x', undefined],
      ['/store', { entries: 21, bytes: 200 }],
    ]);
    expect(compareImages(b, a, false).files!.listed.find(({ path }) => path === '/store')).toMatchObject({
      change: 'removed',
      below: { entries: 22, bytes: 210 },
    });
    expect(listed(a, b, true)).toHaveLength(27);
  });
});

test('sizes are listed by package, largest change first; hard links count once', () => {
  const a = image('a 1, b 1', [file('/a', 'a', { size: 5 }), file('/b', 'b', { size: 100 }), file('/c', undefined)]);
  const b = image('a 1, b 2, c 1', [
    file('/a', 'a', { size: 5 }),
    file('/b', 'b', { size: 60 }),
    file('/c', undefined, { size: 12 }),
    file('/d', 'c', { size: 7 }),
    file('/e', 'c', { size: 7, hardlink: '/d' }),
    { ...file('/shared', 'a', { size: 1 }), packages: ['c', 'x'] },
  ]);
  expect(compareImages(a, b, false).sizes).toEqual([
    { package: 'b', before: 100, after: 60 },
    { package: 'c', before: 0, after: 8 },
    { package: null, before: 10, after: 12 },
  ]);
});

test('without trees only packages are compared', () => {
  const diff = compareImages(image('a 1'), image('a 2'), false);
  expect(diff.packages).toMatchObject([{ name: 'a', change: 'upgraded' }]);
  expect(diff).not.toHaveProperty('files');
  expect(diff).not.toHaveProperty('sizes');
});

test('releases: channels, added and removed images, and images in both', () => {
  const release = (images: readonly ComparedImage[], channels: Readonly<Record<string, string>>) => ({
    place: 'release.json',
    version: '4.0',
    snapshot: 's',
    images,
    channels: Object.entries(channels).map(([name, packages]) => ({ name, packages: image(packages).packages })),
  });
  const a = release([image('a 1', [], 'vm'), image('a 1', [], 'old')], { base: 'a 1, b 1', gone: 'z 1' });
  const b = release([image('a 2', [], 'new'), image('a 2', [], 'vm')], { base: 'a 2', sdk: 'b 1' });
  const diff = compareReleases(a, b, false);
  expect(
    diff.channels.map(({ name, packages }) => [name, packages.map((each) => `${each.name} ${each.change}`)]),
  ).toEqual([
    ['base', ['a upgraded', 'b removed']],
    ['gone', ['z removed']],
    ['sdk', ['b added']],
  ]);
  expect(diff.images).toMatchObject({ added: ['new'], removed: ['old'], compared: [{ a: { name: 'vm' } }] });
});
