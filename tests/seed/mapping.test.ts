import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { installRoot } from '../../src/base/paths.ts';
import { compileGlob, matchesUnder, renameByGlob } from '../../src/seed/glob.ts';
import { loadMapping, makeNaming, parseDependency, rootPackages, seedSchemas } from '../../src/seed/mapping.ts';
import { parseDocument } from '../../src/toml/document.ts';

function failure(work: () => unknown): WeirError {
  try {
    work();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

describe('globs', () => {
  it.each([
    ['/usr/share/doc', '/usr/share/doc/a/b', true],
    ['/usr/share/doc', '/usr/share/docs', false],
    ['/etc/rc?.d', '/etc/rc3.d/S01x', true],
    ['/usr/*/x', '/usr/a/b/x', false],
    ['/usr/**/x', '/usr/a/b/x', true],
    ['/p/{a,b}*', '/p/bcd', true],
    ['/p/[0-9]', '/p/x', false],
    ['/g++', '/g++', true],
  ])('%s under %s: %s', (pattern, path, expected) => {
    expect(matchesUnder([compileGlob(pattern)], path)).toBe(expected);
  });

  it('carry stars and the rest of the path into the new name', () => {
    const glob = compileGlob('/boot/vmlinuz-*');
    expect(renameByGlob(glob, '/usr/lib/modules/*/vmlinuz', '/boot/vmlinuz-7.2')).toBe('/usr/lib/modules/7.2/vmlinuz');
    expect(renameByGlob(compileGlob('/a'), '/b', '/a/c/d')).toBe('/b/c/d');
    expect(renameByGlob(compileGlob('/a'), '/b', '/ab')).toBeUndefined();
  });
});

describe('errors in the seed’s TOML', () => {
  const packages = seedSchemas['packages.toml'];
  it('give file, line and column of an unknown key', () => {
    const text = '[packages.a]\nfrom = ["x"]\n\n[packages.b]\nfrom = ["y"]\nform = ["z"]\n';
    const error = failure(() => parseDocument('packages.toml', text, packages));
    expect(error.code).toBe('unknown-key');
    expect(error.exit).toBe(2);
    expect(error.where).toEqual({ file: 'packages.toml', line: 6, column: 1 });
    expect(error.message).toContain('"form"');
  });

  it('give the place of an invalid value', () => {
    const text =
      '[packages.a]\nadd = [\n  { path = "/etc/x", content = "" },\n  { path = "etc/y", content = "" },\n]\n';
    expect(failure(() => parseDocument('p.toml', text, packages)).where).toMatchObject({ line: 4 });
    const mode = '[packages.a.modes]\n"/x" = "0755"\n"/y" = "755"\n';
    expect(failure(() => parseDocument('p.toml', mode, packages)).where).toMatchObject({ line: 3, column: 1 });
  });

  it('give the place of a syntax error', () => {
    expect(failure(() => parseDocument('p.toml', '[packages.a]\nfrom = [\n', packages)).where?.line).toBeGreaterThan(1);
  });

  it('require exactly one content', () => {
    const text = '[packages.a]\nadd = [{ path = "/x", content = "", link = "y" }]\n';
    expect(failure(() => parseDocument('p.toml', text, packages)).message).toContain('exactly one');
  });
});

describe('dependencies in the seed’s TOML', () => {
  it('can refer to the package’s own version', () => {
    expect(parseDependency('x = @', '1-2')).toEqual({ name: 'x', flags: '=', evr: '1-2' });
    expect(parseDependency('x', '1-2')).toEqual({ name: 'x', flags: '' });
    expect(parseDependency('(a or b = @)', '1-2')).toEqual({ name: '(a or b = 1-2)', flags: '' });
  });
});

describe('the seed itself', () => {
  it('has the versions of Perl and of the macros that specs ask for', () => {
    const { packages } = loadMapping(join(installRoot, 'seed'));
    expect(packages.get('perl-libs')!.provides).toContain('perl(:VERSION) = @');
    expect(Number(packages.get('redhat-rpm-config')!.version)).toBeGreaterThanOrEqual(266);
    expect(packages.get('redhat-rpm-config')!['requires-add']).toContain('forge-srpm-macros');
  });

  it('loads, and names Debian packages as Fedora does', () => {
    const mapping = loadMapping(join(installRoot, 'seed'));
    const { rpmName, rank } = makeNaming(mapping);
    expect(
      ['libc6', 'libc-bin', 'gcc-16', 'gcc-16-base', 'g++', 'libpcre2-dev', 'libfoo-dev', 'foo-dev', 'jq'].map(rpmName),
    ).toEqual(['glibc', 'glibc', 'gcc', 'libgcc', 'gcc-c++', 'pcre2-devel', 'libfoo-devel', 'foo-devel', 'jq']);
    expect(rpmName('linux-image-7.2.12+deb14-cloud-amd64')).toBe('kernel');
    expect(rpmName('debconf')).toBeUndefined();
    expect(rank('libc6')).toBeLessThan(rank('libc-bin'));
    expect(rootPackages(mapping, 'base', 'arm64')).toContain('linux-image-cloud-arm64');
    expect(failure(() => rootPackages(mapping, 'bse', 'arm64')).hint).toContain('base, sdk');
    // no deb is part of two RPMs
    const all = [...mapping.packages.values()].flatMap((rule) => rule.from ?? []);
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([]);
  });
});
