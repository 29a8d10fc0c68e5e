import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { differences } from '../../../bench/conformance/builds.ts';
import { openCheckout, parseBatch } from '../../../bench/conformance/checkout.ts';
import { findCandidates, sampled } from '../../../bench/conformance/choose.ts';
import { type PoolFile, sameNamed } from '../../../bench/conformance/debian.ts';
import { upstreamFilesOf, withoutVerification } from '../../../bench/conformance/dist-git.ts';
import { totals } from '../../../bench/conformance/table.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-conformance-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const hash = 'a'.repeat(128);

function pool(source: string, file: string, size = 1000): PoolFile {
  return { suite: 'sid', source, version: '1-1', file, size };
}

const debian = {
  files: new Map<string, readonly PoolFile[]>([
    ['1.0.8 tar.gz', [pool('bzip2', 'bzip2_1.0.8.orig.tar.gz'), pool('other', 'other_1.0.8.orig.tar.gz')]],
    [
      '0.2.0 tar.gz',
      [pool('rust-shlex-0.2', 'rust-shlex-0.2_0.2.0.orig.tar.gz'), pool('shlex', 'shlex_0.2.0.orig.tar.gz')],
    ],
    ['0.11 tar.gz', [pool('libalgorithm-c3-perl', 'libalgorithm-c3-perl_0.11.orig.tar.gz')]],
    ['1.2.0 tar.gz', [pool('tomli-w', 'tomli-w_1.2.0.orig.tar.gz')]],
  ]),
};

describe('files of the same name in Debian', () => {
  const sources = (component: string, filename: string): string[] =>
    sameNamed(debian, component, filename).map(({ source }) => source);

  test('have the same version and type, and the name of the file or of the component', () => {
    expect(sources('bzip2', 'bzip2-1.0.8.tar.gz')).toEqual(['bzip2']);
    expect(sources('bzip2', 'bzip2-1.0.7.tar.gz')).toEqual([]);
    expect(sources('bzip2', 'bzip2-1.0.8.tar.xz')).toEqual([]);
    expect(sources('bzip2', 'v1.0.8.tar.gz')).toEqual([]);
  });

  test('may have the prefixes of languages, and a version in the name of a crate', () => {
    expect(sources('perl-Algorithm-C3', 'Algorithm-C3-0.11.tar.gz')).toEqual(['libalgorithm-c3-perl']);
    expect(sources('python-tomli-w', 'tomli_w-1.2.0.tar.gz')).toEqual(['tomli-w']);
    expect(sources('rust-shlex', 'shlex-0.2.0.crate')).toEqual(['rust-shlex-0.2']);
  });
});

const specText = `Name: demo
Version: 1
Source0: demo-1.tar.gz
Source1: demo-1.tar.gz.sig
BuildRequires: gcc
BuildRequires: gpgverify
%prep
%{gpgverify} --keyring='%{SOURCE2}' \\
  --signature='%{SOURCE1}' --data='%{SOURCE0}'
xzcat '%{SOURCE0}' | gpgv2 --quiet --keyring %{SOURCE2} %{SOURCE1} -
%autosetup
`;

test('a spec without verification keeps everything else, with the sources in their places', () => {
  expect(withoutVerification(Buffer.from(specText)).toString()).toBe(
    'Name: demo\nVersion: 1\nSource0: demo-1.tar.gz\nSource1: demo-1.tar.gz.sig\nBuildRequires: gcc\n%prep\n%autosetup\n',
  );
});

test('the upstream files of a component have empty signatures, and sources without them', () => {
  const file = (name: string, text: string) => ({ name, bytes: Buffer.from(text), executable: false });
  const files = [{ filename: 'demo-1.tar.gz', hashType: 'SHA512' as const, hash }];
  const candidate = { name: 'demo', files, signatures: ['demo-1.tar.gz.sig'], cost: 1 };
  const made = upstreamFilesOf(candidate, [file('demo.spec', specText), file('sources', 'x'), file('a.patch', 'p')]);
  expect(made.map(({ name }) => name)).toEqual(['demo.spec', 'sources', 'a.patch', 'demo-1.tar.gz.sig']);
  expect(made[0]!.bytes.toString()).not.toContain('gpgv');
  expect(made[1]!.bytes.toString()).toBe(`SHA512 (demo-1.tar.gz) = ${hash}\n`);
  expect(made[3]!.bytes).toHaveLength(0);
});

function writeSpecs(root: string): void {
  const component = (name: string, spec: string, sources: string): void => {
    const folder = join(root, 'specs', name.slice(0, 1), name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.spec`), spec);
    writeFileSync(join(folder, 'sources'), sources);
  };
  component(
    'bzip2',
    'Name: bzip2\n',
    `SHA512 (bzip2-1.0.8.tar.gz) = ${hash}\nSHA512 (bzip2-1.0.8.tar.gz.sig) = ${hash}\n`,
  );
  component('python-tomli-w', 'BuildArch: noarch\n', `SHA512 (tomli_w-1.2.0.tar.gz) = ${hash}\n`);
  component('absent', 'Name: absent\n', `SHA512 (absent-3.tar.gz) = ${hash}\n`);
  component('lua-rpm-macros', 'BuildArch: noarch\n', '');
}

describe('a checkout', () => {
  writeSpecs(join(dir, 'tree'));

  test('gives the components that Debian may have the sources of, macros first, then the cheap ones', async () => {
    const candidates = await findCandidates(await openCheckout(join(dir, 'tree')), debian);
    expect(candidates.map(({ name, signatures }) => [name, signatures])).toEqual([
      ['lua-rpm-macros', []],
      ['python-tomli-w', []],
      ['bzip2', ['bzip2-1.0.8.tar.gz.sig']],
    ]);
    const orders = [1, 2, 3, 4, 5].map((seed) => sampled(candidates, seed).map(({ name }) => name));
    for (const order of orders) expect(order[0]).toBe('lua-rpm-macros');
    expect(new Set(orders.map((order) => order.join())).size).toBe(2);
    expect(sampled(candidates, 1)).toEqual(sampled(candidates, 1));
  });

  test('may be a git directory without a work tree', async () => {
    const git = (...args: string[]): void => {
      const identity = ['-c', 'user.name=T', '-c', 'user.email=t@weir.invalid'];
      const result = spawnSync('git', ['-C', join(dir, 'tree'), ...identity, ...args], { encoding: 'utf8' });
      if (result.status !== 0) throw new Error(result.stderr);
    };
    git('init', '-q', '-b', 'tomls/base/main');
    git('add', '.');
    git('commit', '-q', '-m', 'specs');
    const tree = await openCheckout(join(dir, 'tree'));
    const bare = await openCheckout(join(dir, 'tree', '.git'));
    expect(new Map([...bare.components].sort())).toEqual(new Map([...tree.components].sort()));
    const wanted = [
      { component: 'bzip2', name: 'sources' },
      { component: 'bzip2', name: 'no-such-file' },
      { component: 'bzip2', name: 'bzip2.spec' },
    ];
    const text = async (checkout: typeof tree) =>
      (await checkout.read(wanted)).map((file) =>
        file === undefined ? undefined : Buffer.from(file.bytes).toString(),
      );
    expect(await text(bare)).toEqual(await text(tree));
    expect((await text(bare))[2]).toBe('Name: bzip2\n');
  });
});

test('objects that a partial clone lacks are left out', () => {
  const output = Buffer.from('aa blob 3\nx\ny\nbb missing\ncc blob 0\n\n');
  expect([...parseBatch(output)].map(([id, bytes]) => [id, bytes.toString()])).toEqual([
    ['aa', 'x\ny'],
    ['cc', ''],
  ]);
});

test('a package that is missing from one of two builds differs', () => {
  const first = new Map([
    ['a.rpm', '1'],
    ['b.rpm', '2'],
  ]);
  expect(differences(first, new Map(first))).toEqual([]);
  expect(differences(first, new Map([...first, ['c.rpm', '3']]))).toEqual(['c.rpm']);
  expect(differences(first, new Map([['a.rpm', '9']]))).toEqual(['a.rpm', 'b.rpm']);
});

test('totals count results, and second builds apart', () => {
  const rows = [
    { component: 'a', result: 'built', twice: 'equal' },
    { component: 'b', result: 'built', twice: 'differs: b.rpm' },
    { component: 'c', result: 'failed (build)' },
  ];
  expect(totals(rows)).toEqual({ built: 2, 'failed (build)': 1, 'twice, equal bytes': 1, 'twice, not equal': 1 });
  expect(totals(rows.slice(2))).toEqual({ 'failed (build)': 1 });
});
