import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

describe('weir config check', () => {
  it('says the dialect and the keys that tell it', () => {
    const dir = folder({ 'azldev.toml': '[images.i]\narchitectures = ["x86_64"]\n' });
    expect(weir(['config', 'check'], { cwd: dir })).toEqual({
      code: 0,
      stderr: '',
      stdout:
        'project  azldev.toml\ndialect  azldev 1.0: images.*.architectures in azldev.toml:2\n         images.*.architectures: azldev 1.0 or later (azldev.toml:2)\n',
    });
  });

  it('fails for a KIWI description that is missing or wrong, not for a type that Weir does not build', () => {
    const image = (name: string, path: string) =>
      `[images.${name}]\ndefinition = { type = "kiwi", path = "${path}" }\n`;
    const kiwi = (type: string) =>
      `<image schemaversion="8.3" name="x"><preferences><type image="${type}"/></preferences></image>`;
    const dir = folder({
      'azldev.toml': ['none', 'disc', 'odd', 'odder'].map((name) => image(name, `${name.slice(0, 4)}.kiwi`)).join(''),
      'disc.kiwi': kiwi('iso'),
      'odd.kiwi': kiwi('floppy'),
      'odde.kiwi': '<image',
    });
    const { code, stderr } = weir(['config', 'check'], { cwd: dir });
    expect(code).toBe(1);
    expect(stderr.match(/^error: .*$/gm)).toEqual([
      `error: ${join(dir, 'none.kiwi')}: no such file`,
      `error: ${join(dir, 'odd.kiwi')}:1:56: image="floppy" of <type> must be a type of image`,
      expect.stringContaining(`error: ${join(dir, 'odde.kiwi')}:1:`),
    ]);
  });

  it('fails for keys that contradict each other, with all places', () => {
    const dir = folder({
      'azldev.toml':
        'includes = ["b.toml"]\n[test-suites.s]\ntype = "pytest"\npytest = {}\n[images.i]\narchitectures = []\n',
      'b.toml': '[sku-groups.g]\n',
    });
    const { code, stdout, stderr } = weir(['config', 'check'], { cwd: dir });
    expect([code, stdout.split('\n')[1]]).toEqual([
      1,
      'dialect  azldev after 1.0: test-suites in azldev.toml:2, images.*.architectures in azldev.toml:6, sku-groups in b.toml:1',
    ]);
    expect(
      stderr,
    ).toBe(`error: ${join(dir, 'azldev.toml')}:2:2: test-suites is of azldev 0.2 to 0.4, but other keys are newer
  ${join(dir, 'azldev.toml')}:6:1: images.*.architectures is of azldev 1.0 or later
  ${join(dir, 'b.toml')}:1:2: sku-groups is of azldev after 1.0
hint: no version of azldev reads both: use the newer form, or remove the newer keys
`);
    const json = JSON.parse(weir(['config', 'check', '--json'], { cwd: dir }).stdout) as { differences: object[] };
    expect(json).toMatchObject({
      dialect: 'azldev after 1.0',
      differences: [{ code: 'dialects', line: 2, column: 2 }],
    });
  });

  it("accepts every key in a project of Weir's", () => {
    const dir = folder({ 'weir.toml': '[test-suites]\n[sku-groups]\n' });
    expect(weir(['config', 'check'], { cwd: dir })).toMatchObject({ code: 0, stderr: '' });
  });

  it('fails for keys that the specification does not have, in a project that follows it', () => {
    const dir = folder({ 'azldev.toml': 'spec-version = "0.1"\n[tools]\n' });
    const { code, stdout, stderr } = weir(['config', 'check'], { cwd: dir });
    expect([code, stdout.split('\n')[1]]).toEqual([1, 'dialect  distro-toml 0.1: spec-version = "0.1" in azldev.toml']);
    expect(stderr).toBe(`error: ${join(dir, 'azldev.toml')}:2:2: the specification has no [tools]\nhint: remove it\n`);
  });

  it('names the folder of pins', () => {
    const dir = folder({ 'azldev.toml': 'includes = ["base/upstream-commits/*.toml"]\n', 'locks/a.lock': '' });
    expect(weir(['config', 'check'], { cwd: dir }).stdout).toContain(
      'pins     base/upstream-commits; locks are ignored\n',
    );
  });
});

describe('weir config check --spec', () => {
  it('prints each difference with its place, and exits with 1', () => {
    const dir = folder({ 'azldev.toml': '# ours\n[tools]\n' });
    const { code, stdout, stderr } = weir(['config', 'check', '--spec', '0.1'], { cwd: dir });
    expect([code, stdout, stderr]).toEqual([
      1,
      'azldev.toml:1:1: spec-version: "spec-version" is missing in the root file (add spec-version = "0.1")\nazldev.toml:2:2: foreign-key: the specification has no [tools] (remove it)\n',
      '2 differences from revision 0.1 of the specification\n',
    ]);
    const json = JSON.parse(weir(['config', 'check', '--spec', '0.1', '--json'], { cwd: dir }).stdout) as object;
    expect(json).toMatchObject({
      specification: '0.1',
      unchecked: 0,
      differences: [
        { code: 'spec-version', file: join(dir, 'azldev.toml'), line: 1, column: 1 },
        { code: 'foreign-key', line: 2, column: 2, hint: 'remove it' },
      ],
    });
  });

  it('exits with 0 without differences, and with 2 for a revision that it does not know', () => {
    const dir = folder({ 'azldev.toml': 'spec-version = "0.1"\n' });
    expect(weir(['config', 'check', '--spec', '0.1'], { cwd: dir })).toMatchObject({ code: 0, stdout: '' });
    expect(weir(['config', 'check', '--spec', '0.2'], { cwd: dir }).code).toBe(2);
  });
});

describe('weir config dump', () => {
  it('prints all files as one', () => {
    const dir = folder({
      'weir.toml': 'includes = ["a/b.toml"]\n[project]\ndescription = "d"\n',
      'a/b.toml': '[components.c]\nspec = { type = "local", path = "c.spec" }\n',
    });
    const { code, stdout } = weir(['config', 'dump'], { cwd: dir });
    expect(code).toBe(0);
    expect(stdout).toContain('description = "d"\n');
    expect(stdout).toContain('[components.c.spec]\ntype = "local"\npath = "a/c.spec"\n');
    expect(weir(['config', 'dump', '--origins'], { cwd: dir }).stdout).toContain('"a/c.spec"  # a/b.toml:2');
    const json = JSON.parse(weir(['config', 'dump', '--json'], { cwd: dir }).stdout) as object;
    expect(json).toMatchObject({ components: { c: { spec: { type: 'local', path: 'a/c.spec' } } } });
  });
});
