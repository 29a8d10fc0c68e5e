import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Answer, folder, weir } from './weir.ts';

const spec = (name: string): string => `Name: ${name}\nVersion: 1\nRelease: 1\n`;

function project(): { readonly dir: string; readonly render: (...argv: string[]) => Answer } {
  const dir = folder({
    'p/weir.toml': `
[project]
description = "p"
rendered-specs-dir = "../specs"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[distros.up]
dist-git-base-uri = "../upstream"
[distros.up.versions.1]
[component-groups.pair]
components = ["one", "two"]
[components.one]
[components.two]
[components.other]
[components.gone]
[components.bad]
[[components.bad.overlays]]
type = "spec-remove-tag"
description = "it has none"
tag = "Epoch"
`,
    ...Object.fromEntries(['one', 'two', 'other', 'bad'].map((name) => [`upstream/${name}/${name}.spec`, spec(name)])),
  });
  const cache = join(dir, 'cache');
  return {
    dir,
    render: (...argv) =>
      weir(['-C', join(dir, 'p'), 'component', 'render', ...argv], { env: { XDG_CACHE_HOME: cache } }),
  };
}

describe('component render', () => {
  it('takes names, globs and groups', () => {
    const { dir, render } = project();
    expect(render('one')).toMatchObject({ code: 0, stdout: 'wrote o/one/one.spec\n' });
    expect(render('-p', 'o*').stdout).toBe('wrote o/other/other.spec\n');
    expect(render('-g', 'pair', '-q')).toEqual({ code: 0, stdout: 'wrote t/two/two.spec\n', stderr: '' });
    expect(render('-g', 'pair', '-p', 'oth*', '-q')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readdirSync(join(dir, 'specs')).sort()).toEqual(['o', 't']);
    expect(render('onne')).toMatchObject({ code: 2, stdout: '' });
    expect(render('onne').stderr).toContain('did you mean one?');
  });

  it.each([[[]], [['-a']]])('of all (%s) reports each failed component and exits with 1', (argv) => {
    const { dir, render } = project();
    const { code, stdout, stderr } = render(...argv);
    expect(code).toBe(1);
    expect(stdout).toBe('wrote o/one/one.spec\nwrote o/other/other.spec\nwrote t/two/two.spec\n');
    expect(stderr).toContain(`${join(dir, 'p/weir.toml')}:18, component bad, overlay 1 (spec-remove-tag: it has none)`);
    expect(stderr).toMatch(/error: .*component gone: /);
    expect(stderr).toContain('error: failed to render 2 components: bad, gone\n');
    expect(stderr).not.toContain('bug');
  });

  it('prints the same as JSON', () => {
    const { render } = project();
    const { code, stdout } = render('--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      components: 5,
      unchanged: 0,
      changed: [{ path: 'o/one/one.spec', state: 'missing' }, {}, {}],
      failed: [
        { component: 'bad', error: { code: 'overlay-no-match', where: { component: 'bad' } } },
        { component: 'gone', error: { code: 'no-dist-git' } },
      ],
    });
  });

  it('--check writes nothing: lists stale files and exits 1, else 0', () => {
    const { dir, render } = project();
    const stale = render('one', '--check', '-q');
    expect(stale).toMatchObject({ code: 1, stdout: 'missing o/one/one.spec\n' });
    expect(stale.stderr).toContain('1 rendered files are stale');
    expect(existsSync(join(dir, 'specs'))).toBe(false);
    render('one');
    expect(render('one', '--check', '-q')).toEqual({ code: 0, stdout: '', stderr: '' });
    const path = join(dir, 'specs/o/one/one.spec');
    const right = readFileSync(path, 'utf8');
    writeFileSync(path, `${right}# by hand\n`);
    expect(render('one', '--check', '-q')).toMatchObject({ code: 1, stdout: 'changed o/one/one.spec\n' });
    expect(render('one', '-q')).toMatchObject({ code: 0, stdout: 'wrote o/one/one.spec\n' });
    expect(readFileSync(path, 'utf8')).toBe(right);
  });

  it('--clean removes folders without a component', () => {
    const { dir, render } = project();
    render('two');
    mkdirSync(join(dir, 'specs/o/old'), { recursive: true });
    writeFileSync(join(dir, 'specs/o/old/old.spec'), readFileSync(join(dir, 'specs/t/two/two.spec')));
    expect(render().stderr).toContain('o/old is rendered, but there is no such component; --clean removes it');
    expect(render('--clean', '-q')).toMatchObject({ code: 1, stdout: 'removed o/old\n' });
    expect(readdirSync(join(dir, 'specs/o'))).toEqual(['one', 'other']);
  });

  it('diff requires a selection', () => {
    const { dir } = project();
    const diff = (...argv: string[]): Answer =>
      weir(['-C', join(dir, 'p'), 'component', 'diff', ...argv], { env: { XDG_CACHE_HOME: join(dir, 'cache') } });
    expect(diff()).toMatchObject({ code: 2, stdout: '' });
    const { code, stdout } = diff('-g', 'pair', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([
      { component: 'one', diff: expect.stringContaining('+++ rendered/one.spec') },
      { component: 'two', diff: expect.stringContaining('+++ rendered/two.spec') },
    ]);
  });
});
