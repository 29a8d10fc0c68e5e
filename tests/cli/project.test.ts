import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { folder, launcher, weir } from './weir.ts';

const distro = join(launcher, '..', 'distro');

describe('errors of a project', () => {
  it.each([
    ['a key that is none', '[project]\ndescripton = "x"\n', 2, 1, 'description'],
    ['a type that is wrong', '[components.a]\nspec = { type = "lokal", path = "a.spec" }\n', 2, 10, 'local'],
    ['an overlay without a reason', '[[components.a.overlays]]\ntype = "spec-remove-tag"\ntag = "URL"\n', 1, 16, ''],
    ['TOML that is none', '[project\n', 1, undefined, ''],
  ])('%s is exit code 2 with file, line and column', (_what, toml, line, column, hint) => {
    const dir = folder({ 'weir.toml': toml });
    const { code, stdout, stderr } = weir(['component', 'list'], { cwd: dir });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: \S.*weir\.toml:\d+:\d+[:,] /);
    expect(stderr).toContain(`weir.toml:${line}${column === undefined ? '' : `:${column}`}`);
    expect(stderr).toContain(hint);
  });

  it('an error names the folder of -C if it has no project', () => {
    const dir = folder({});
    const { code, stderr } = weir(['-C', dir, 'config', 'show']);
    expect(code).toBe(2);
    expect(stderr).toContain(dir);
  });

  it('a project without a release can be inspected but not built', () => {
    const dir = folder({ 'weir.toml': '[components.a]\nspec = { type = "local", path = "a.spec" }\n', 'a.spec': '' });
    expect(JSON.parse(weir(['component', 'list', '--json'], { cwd: dir }).stdout)).toEqual([
      { name: 'a', spec: 'local a.spec', overlays: 0, groups: [] },
    ]);
    const named = '[components.a.packages.a-libs.publish]\nrpm-channel = "base"\n[images.i]\ndescription = "d"\n';
    const azldev = folder({ 'azldev.toml': `[components.a]\nspec = { type = "local", path = "a.spec" }\n${named}` });
    const listed = (noun: string) => JSON.parse(weir([noun, 'list', '--json'], { cwd: azldev }).stdout);
    expect(listed('package')).toMatchObject([{ package: 'a-libs', component: 'a', channel: 'base' }]);
    expect(listed('image')).toEqual([{ name: 'i', description: 'd', kind: 'undefined', formats: [] }]);
    expect(weir(['build'], { cwd: dir })).toMatchObject({ code: 2, stderr: expect.stringContaining('[release]') });
  });
});

describe('the distribution that comes with Weir', () => {
  it('is the default outside of a project', () => {
    const outside = weir(['config', 'show', '--json'], { cwd: folder({}) });
    const inside = weir(['config', 'show', '--json'], { cwd: join(distro, 'components') });
    expect(outside).toMatchObject({ code: 0, stderr: '' });
    expect(outside.stdout).toBe(inside.stdout);
    const project = JSON.parse(outside.stdout) as { file: string; components: Record<string, unknown> };
    expect(project.file).toBe(join(distro, 'weir.toml'));
    expect(Object.keys(project.components)).toContain('weir-release');
  });

  it('lists every overlay with reason and place', () => {
    const rows = JSON.parse(weir(['overlay', 'list', '--json']).stdout) as {
      component: string;
      number: number;
      description: string;
      place: string;
    }[];
    expect(rows.length).toBeGreaterThan(8);
    for (const row of rows) {
      expect(row.description).not.toBe('');
      const [file = '', line] = row.place.split(':');
      expect(readFileSync(join(distro, file), 'utf8').split('\n').length).toBeGreaterThanOrEqual(Number(line));
    }
    const numbers = rows.filter((row) => row.component === rows[0]!.component).map((row) => row.number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it('matches the schema that weir prints', () => {
    const { code, stdout } = weir(['schema']);
    expect(code).toBe(0);
    const validate = new Ajv({ strict: false }).compile(JSON.parse(stdout) as object);
    const files = readdirSync(distro, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.toml') && !name.startsWith('specs/'),
    );
    expect(files).toContain('weir.toml');
    const wrong = files.filter((name) => !validate(parse(readFileSync(join(distro, name), 'utf8'))));
    expect(wrong).toEqual([]);
    expect(validate(parse('[projct]\n'))).toBe(false);
  });
});
