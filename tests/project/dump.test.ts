import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mergedTables } from '../../src/project/dump.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import type { Project } from '../../src/project/model/project.ts';
import { printTables } from '../../src/project/toml.ts';
import { distros, folder } from './fixture.ts';

/** What a project means, without the files that say it: globs are relative to those. */
function meaning(project: Project): unknown {
  const { files: _, configFiles: __, dialect: ___, file: ____, root, ...rest } = project;
  return JSON.parse(
    JSON.stringify(rest, (key, value: unknown) => {
      if (['origin', 'alsoIn', 'specs', 'excludedPaths'].includes(key)) return undefined;
      return value instanceof Map ? Object.fromEntries([...value].sort()) : value;
    }).replaceAll(root, ''),
  );
}

/** Loads a project, replaces its root file by the dump, and loads it again. */
async function dumped(
  files: Readonly<Record<string, string>>,
): Promise<{ text: string; before: unknown; after: unknown }> {
  const dir = folder(files);
  const name = Object.keys(files)[0]!;
  const first = await loadConfiguration(dir, { env: {} });
  const text = printTables(mergedTables(first), { origins: false, root: dir });
  const copy = folder({});
  cpSync(dir, copy, { recursive: true });
  for (const entry of readdirSync(copy)) if (entry.endsWith('.toml')) rmSync(join(copy, entry));
  writeFileSync(join(copy, name), text);
  const second = await loadConfiguration(copy, { env: {} });
  return { text, before: meaning(first.project), after: meaning(second.project) };
}

const overlayFile =
  '[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "file-add"\ndescription = "d"\nfile = "f"\nsource = "x"\n';

describe('the dump of a configuration', () => {
  it.each(['weir.toml', 'azldev.toml'])('loads as the same project, from %s', async (root) => {
    const { before, after } = await dumped({
      [root]: `includes = ["pins.toml", "b\\\\[1\\\\]/*.toml"]
${distros}
[default-component-config]
overlay-files = ["of/*.toml"]
build.with = ["a"]
[components.empty]
[images.i]
definition = { type = "kiwi", path = "k/i.kiwi" }
[tests.t]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["*.py"] }
[test-groups.g]
tests = [{ name = "t" }]
`,
      'pins.toml': '[components.c.spec]\nupstream-commit = "1234567"\n',
      'b[1]/c.toml': `[components.c]
build = { with = ["b"], defines = { empty = "" } }
tests.tests = [{ group = "g" }]
overlays = [{ type = "patch-add", description = "\\"p\\" \\n", source = "p.patch" }]
[components.off]
overlay-files = []
[component-groups.locals]
specs = ["specs/**/*.spec"]
excluded-paths = ["specs/old/**"]
default-component-config = { build.without = ["x"] }
[components.l]
spec = { type = "local", path = "l.spec" }
`,
      'b[1]/of/1.toml': overlayFile,
      'b[1]/specs/s/s.spec': '',
      'b[1]/specs/old/o.spec': '',
    });
    expect(after).toEqual(before);
    expect((before as { components: object }).components).toHaveProperty('s');
    expect((before as { components: { c: { overlays: unknown[] } } }).components.c.overlays).toHaveLength(2);
  });

  const pinned = (name: string): string => `[components.${name}.spec]\nupstream-commit = "1234567"\n`;
  const own = (name: string): string => `[components.${name}.spec]\nupstream-commit = "7654321"\n`;
  it.each([
    ['all', '*.toml', {}],
    ['those that count', '{a,c}.toml', { 'base/comps/b.toml': own('b') }],
    ['the one that counts', 'c.toml', { 'base/comps/a.toml': own('a'), 'base/comps/b.toml': own('b') }],
  ])('keeps the folder of pins, with %s', async (_what, pattern, more: Readonly<Record<string, string>>) => {
    const { text, before, after } = await dumped({
      'weir.toml': `includes = ["base/upstream-commits/*.toml", "base/comps/*.toml"]\n${distros}`,
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [`base/upstream-commits/${name}.toml`, pinned(name)])),
      'base/comps/c.toml':
        '[components.c]\noverlays = [{ type = "patch-add", description = "d", source = "p.patch" }]\n',
      ...more,
    });
    expect(text).toContain(`includes = ["base/upstream-commits/${pattern}"]`);
    expect(before).toHaveProperty('project.pinFolder', '/base/upstream-commits');
    expect(after).toEqual(before);
  });

  it('has built-in values, and no includes', async () => {
    const { text } = await dumped({ 'azldev.toml': 'includes = ["*/x.toml"]\n' });
    expect(text).toContain('log-dir = "build/logs"');
    expect(text).toContain('[resources.rpm-repo-set-templates.azl-standard]');
    expect(text).not.toContain('includes');
  });
});
