import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCached } from '../../src/project/project-cache.ts';
import { distros, failure, folder, load } from './fixture.ts';

const overlay = (word: string): string =>
  `[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "patch-add"\ndescription = "${word}"\nsource = "x"\n`;

const pattern = '[default-component-config]\noverlay-files = ["comps/{component}/overlays/*.toml"]\n';
const files = {
  'azldev.toml': `includes = ["base/base.toml"]\n${distros}`,
  'base/base.toml': `includes = ["comps/*/*.comp.toml"]\n${pattern}`,
  'base/comps/a/overlays/2.toml': overlay('a2'),
  'base/comps/a/overlays/1.toml': overlay('a1'),
  'base/comps/b/overlays/1.toml': overlay('b1'),
  'base/comps/b/b.comp.toml': '[components.b.build]\nwith = ["x"]\n',
  'base/comps/c/c.comp.toml': '[components.c]\noverlay-files = ["mine/*.toml"]\n',
  'base/comps/c/overlays/1.toml': overlay('c1'),
  'base/comps/c/mine/1.toml': overlay('c of its own'),
  'base/comps/d/d.comp.toml': '[components.d]\noverlay-files = []\n[components.e]\n',
  'base/comps/d/overlays/1.toml': overlay('d1'),
};

describe('overlay files with {component}', () => {
  it("are those of each component's folder, and a folder is a component", async () => {
    const { components } = await load(files);
    const found = [...components].map(([name, one]) => [name, one.overlays.map(({ description }) => description)]);
    expect(Object.fromEntries(found)).toEqual({ a: ['a1', 'a2'], b: ['b1'], c: ['c of its own'], d: [], e: [] });
    expect(components.get('a')).toMatchObject({ spec: { type: 'upstream', name: 'a' }, groups: [] });
    expect(components.get('a')?.origin.file).toMatch(/base\/base\.toml$/);
  });

  it('are looked for again when a folder appears', async () => {
    const dir = folder(files);
    const cache = { dir: join(folder({}), 'cache'), key: join(folder({}), 'key') };
    const names = async (): Promise<string[]> => [...(await loadCached(dir, { env: {} }, cache)).components.keys()];
    expect(await names()).not.toContain('new');
    const file = join(dir, 'base/comps/new/overlays/1.toml');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, overlay('new'));
    expect(await names()).toContain('new');
  });

  it('are a warning in a folder whose name is not that of a component', async () => {
    const project = await load({ ...files, 'base/comps/-x y/overlays/1.toml': overlay('x') });
    expect(project.warnings.map(({ message }) => message)).toEqual([
      'the overlay files in "-x y" belong to no component: this is not a component\'s name',
    ]);
  });

  it('are an error if two patterns find the same component', async () => {
    const two = pattern.replace('"]', '", "other/{component}/*.toml"]');
    const error = await failure({ ...files, 'base/base.toml': two, 'base/other/a/1.toml': overlay('again') });
    expect([error.code, error.message]).toEqual(['duplicate-name', 'two patterns find the component a']);
  });

  it.each([
    ['**/{component}/*.toml', 'no wildcard may precede {component}'],
    ['x-{component}/*.toml', '{component} must be a whole part of the path, between slashes'],
    ['{component}/{component}/x.toml', '{component} may be there only once'],
    ['a/{component}', '{component} names a folder, so the files in it must follow'],
    ['a/{component}/', '{component} names a folder, so the files in it must follow'],
    ['{component}/[', 'unclosed "["'],
  ])('cannot be %j', async (text, says) => {
    const error = await failure({
      'azldev.toml': `${distros}[default-component-config]\noverlay-files = ["${text}"]\n[components.a]\n`,
    });
    expect([error.code, error.where?.line]).toEqual(['invalid-glob', expect.any(Number)]);
    expect(error.message).toContain(says);
  });

  it.each([
    '[components.a]\noverlay-files = ["{component}/x.toml"]\n',
    '[component-groups.g.default-component-config]\noverlay-files = ["{component}/x.toml"]\n',
    '[distros.ours.versions.2.default-component-config]\noverlay-files = ["{component}/x.toml"]\n',
  ])('are only valid for the whole project, not in %j', async (text) => {
    const error = await failure({ 'azldev.toml': distros + text });
    expect(error.message).toContain('{component} is only valid in the [default-component-config] of the project');
  });
});
