import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const project = {
  'weir.toml': `includes = ["list.toml"]
[distros.up]
default-version = "1"
dist-git-base-uri = "https://example.org/$pkg"
[distros.up.versions.1]
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up" } }
`,
  'list.toml': 'includes = ["*/*.toml"]\n# ours\n[components.a]\n[components.c]\nbuild.with = ["x"]\n',
};

describe('weir component add', () => {
  it('adds components beside the others to the project', () => {
    const dir = folder(project);
    const added = weir(['component', 'add', 'b', 'd', '--json'], { cwd: dir });
    const file = join(dir, 'list.toml');
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(added.stdout)).toEqual([
      { name: 'b', file },
      { name: 'd', file },
    ]);
    expect(readFileSync(file, 'utf8')).toBe(
      'includes = ["*/*.toml"]\n# ours\n[components.a]\n[components.b]\n[components.c]\nbuild.with = ["x"]\n\n[components.d]\n',
    );
    const rows = JSON.parse(weir(['component', 'list', '-a', '--json'], { cwd: dir }).stdout) as { name: string }[];
    expect(rows.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('creates a local component with a spec', () => {
    const dir = folder(project);
    const { code, stdout } = weir(['component', 'add', 'own', '--local'], { cwd: dir });
    expect([code, stdout]).toEqual([0, 'own: own/own.comp.toml, own/own.spec\n']);
    expect(readFileSync(join(dir, 'own/own.spec'), 'utf8')).toMatch(/^Name: +own$/m);
    const shown = JSON.parse(weir(['component', 'show', 'own', '--json'], { cwd: dir }).stdout) as object;
    expect(shown).toMatchObject({ spec: { type: 'local', path: join(dir, 'own/own.spec') } });
    expect(weir(['component', 'add', 'own', '--local'], { cwd: dir })).toMatchObject({ code: 2, stdout: '' });
  });

  it.each([
    [['a'], 'list.toml:3'],
    [['b', '--distro', 'upp'], 'did you mean up?'],
    [['b', '--distro', 'up/2'], 'up has no version 2'],
    [['b', 'd', '--commit', 'abcdef1'], 'allow only one component'],
    [['b', '--commit', 'xyz'], '7 to 40 hex digits'],
    [['b', '--local', '--distro', 'up'], '--local excludes --distro'],
    [['b', '--file', 'other.toml'], 'not a configuration file of this project'],
    [['../b'], 'invalid component name'],
  ])('rejects %j and changes nothing', (args, says) => {
    const dir = folder(project);
    const { code, stdout, stderr } = weir(['component', 'add', ...args], { cwd: dir });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(readFileSync(join(dir, 'list.toml'), 'utf8')).toBe(project['list.toml']);
    expect(existsSync(join(dir, 'b'))).toBe(false);
  });

  it('never changes the distribution that comes with Weir', () => {
    expect(weir(['component', 'add', 'b'], { cwd: folder({}) })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no weir.toml'),
    });
  });
});

describe('extra configuration', () => {
  it("is the user's, then each --config-file, and config show lists it", () => {
    const dir = folder({
      ...project,
      'xdg/weir/config.toml': '[project]\ndescription = "user"\n[components.a]\nbuild.with = ["user"]\n',
      '1.toml': '[project]\ndescription = "one"\n',
      '2.toml': '[components.a]\nbuild.with = ["two"]\n',
    });
    const options = { cwd: dir, env: { XDG_CONFIG_HOME: join(dir, 'xdg') } };
    const files = ['--config-file', '1.toml', '--config-file=2.toml'];
    const { stdout, code } = weir([...files, 'config', 'show'], options);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'files       weir.toml\n              list.toml\n            xdg/weir/config.toml  user\n            1.toml  --config-file\n            2.toml  --config-file\n',
    );
    const resolved = JSON.parse(weir([...files, 'config', 'resolve', '--json'], options).stdout) as object;
    expect(resolved).toMatchObject({
      project: { description: 'one' },
      components: { a: { build: { with: ['user', 'two'] } } },
    });
    expect(weir(['config', 'show', '--config-file', 'gone.toml'], options)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no such file'),
    });
  });

  it('ignores unknown keys with --permissive-config', () => {
    const dir = folder({ 'weir.toml': '[components.a]\nspek = 1\nbuild = { wiht = [], with = ["x"] }\n' });
    expect(weir(['component', 'list'], { cwd: dir })).toMatchObject({ code: 2, stdout: '' });
    const { code, stdout, stderr } = weir(['component', 'list', '--permissive-config', '--json'], { cwd: dir });
    expect([code, JSON.parse(stdout)]).toEqual([0, [expect.objectContaining({ name: 'a' })]]);
    expect(stderr).toMatch(
      /^warning: .*:2:1.*unknown key "spek".*\nhint: did you mean spec\?\nwarning: .*:3:11.*"wiht"/,
    );
    const shown = JSON.parse(weir(['config', 'show', '--json', '--permissive-config'], { cwd: dir }).stdout) as object;
    expect(shown).toMatchObject({ warnings: [{ code: 'unknown-key', message: expect.stringContaining('spek') }, {}] });
    expect(weir(['component', 'list', '--permissive-config', '-q'], { cwd: dir }).stderr).toBe('');
  });
});

describe('weir config resolve', () => {
  it('prints a part, optionally with origins', () => {
    const dir = folder(project);
    expect(weir(['config', 'resolve', '--key', 'components.a.spec.upstream-distro'], { cwd: dir }).stdout).toBe(
      '[components.a.spec.upstream-distro]\nname = "up"\nversion = "1"\n',
    );
    expect(weir(['config', 'resolve', '--key', 'components.c.build', '--origins'], { cwd: dir }).stdout).toBe(
      '[components.c.build]\nwith = [\n  "x",  # list.toml:5 [components.c]\n]\n',
    );
    const said = weir(['config', 'resolve', '--key', 'components.a.spec.type', '--origins', '--json'], { cwd: dir });
    expect(JSON.parse(said.stdout)).toEqual([
      {
        path: ['components', 'a', 'spec', 'type'],
        value: 'upstream',
        said: [{ value: 'upstream', file: join(dir, 'weir.toml'), line: 7, table: ['default-component-config'] }],
      },
    ]);
    expect(weir(['config', 'resolve', 'a', '--key', 'project'], { cwd: dir })).toMatchObject({ code: 2, stdout: '' });
    expect(weir(['config', 'resolve', '--key', 'components.a.spek'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean spec?'),
    });
  });
});

it('with --json, each error is an object', () => {
  const dir = folder({ 'weir.toml': 'includes = ["a.toml"]\n[componets]\n', 'a.toml': '[components.x]\nspek = 1\n' });
  const { code, stdout } = weir(['component', 'list', '--json'], { cwd: dir });
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'unknown-key', where: { file: join(dir, 'weir.toml'), line: 2, column: 2 } },
    others: [{ code: 'unknown-key', where: { file: join(dir, 'a.toml'), line: 2, column: 1 } }],
  });
});
