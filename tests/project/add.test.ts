import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { checkNew, fileForComponents, homeOf, type NewComponent, withComponents } from '../../src/project/add.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { folder } from './fixture.ts';

const spec = { type: 'local', path: 'b/b.spec' };
const specLine = 'spec = { type = "local", path = "b/b.spec" }';
const add = (text: string, ...components: (string | NewComponent)[]): string =>
  withComponents(
    '/p/weir.toml',
    text,
    components.map((one) => (typeof one === 'string' ? { name: one } : one)),
  );

describe('adding components to a file', () => {
  it.each<[string, string, (string | NewComponent)[], string]>([
    ['an empty file', '', ['b'], '[components.b]\n'],
    [
      'a file without components',
      '[project]\ndescription = "d"',
      ['b'],
      '[project]\ndescription = "d"\n\n[components.b]\n',
    ],
    ['a sorted list', '[components.a]\n[components.c]\n', ['b'], '[components.a]\n[components.b]\n[components.c]\n'],
    ['before the first', '# list\n\n[components.b]\n', ['a'], '# list\n\n[components.a]\n[components.b]\n'],
    ['before a comment of the first', '# b is\n[components.b]\n', ['a'], '[components.a]\n# b is\n[components.b]\n'],
    ['after the last', '[components.a]\n\n[project]\n', ['b'], '[components.a]\n[components.b]\n\n[project]\n'],
    [
      'a list in no order',
      '[components.z]\n[components.b]\n[components.a]\n',
      ['c'],
      '[components.z]\n[components.b]\n[components.a]\n[components.c]\n',
    ],
    [
      'a list without regard to case',
      '[components.a]\n[components.B]\n[components.c]\n[components.D]\n',
      ['Ca'],
      '[components.a]\n[components.B]\n[components.c]\n[components.Ca]\n[components.D]\n',
    ],
    [
      'between tables with settings',
      '[components.a.build]\nwith = ["x"]\n[[components.a.overlays]] # why\ntype = "patch-remove"\nfile = "x"\n\n[components.c]\n',
      ['b'],
      '[components.a.build]\nwith = ["x"]\n[[components.a.overlays]] # why\ntype = "patch-remove"\nfile = "x"\n\n[components.b]\n\n[components.c]\n',
    ],
    [
      'a spec among those without',
      '[components.a]\n[components.c]\n',
      [{ name: 'b', spec }],
      `[components.a]\n\n[components.b]\n${specLine}\n\n[components.c]\n`,
    ],
    ['several', '[components.b]\n', ['c', 'a'], '[components.a]\n[components.b]\n[components.c]\n'],
    ['a name with a dot', '', ['python3.12'], '[components."python3.12"]\n'],
    ['a name as the file quotes it', "[components.'a.b']\n", ['a.c'], "[components.'a.b']\n[components.'a.c']\n"],
    ['CRLF', '[components.a]\r\n[components.c]\r\n', ['b'], '[components.a]\r\n[components.b]\r\n[components.c]\r\n'],
    ['tables of a table', '[components]\na = {}\n', ['b'], '[components]\na = {}\n\n[components.b]\n'],
  ])('%s', (_what, before, components, after) => {
    expect(add(before, ...components)).toBe(after);
  });

  it('reports a file in which it cannot add a table', () => {
    expect(() => add('components = { a = {} }\n', 'b')).toThrow(
      expect.objectContaining({ code: 'cant-add', exit: 2, where: expect.objectContaining({ line: 1 }) }),
    );
  });

  it('changes nothing else, whatever the file', () => {
    const name = fc.constantFrom('a', 'B', 'c.d', 'e+f', 'zz', 'q_1');
    const line = fc.oneof(
      name.map((one) => `[components.${JSON.stringify(one)}]`),
      name.map((one) => `  [components.'${one}'.build] # note`),
      name.map((one) => `[[components.${JSON.stringify(one)}.overlays]]\ntype = "file-remove"\nfile = """\nx"""`),
      fc.constantFrom('', '# [components.x]', '[project]', 'with = [\n"a", # b\n]', 'description = "d"', '\t'),
    );
    let tried = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), fc.boolean(), (lines, crlf) => {
        const before = lines.join('\n').replaceAll('\n', crlf ? '\r\n' : '\n');
        let after: string;
        try {
          after = add(before, 'new', { name: 'New.2', spec });
        } catch (error) {
          // No TOML to begin with, or nothing of ours.
          if (error instanceof WeirError) return;
          throw error;
        }
        tried++;
        const rest = after.split('\n').filter((one) => one.trim() !== '');
        for (const kept of before.split('\n').filter((one) => one.trim() !== '')) {
          expect(rest).toContain(kept);
        }
        const { components = {}, ...others } = parse(after) as { components?: Record<string, unknown> };
        const was = parse(before) as { components?: Record<string, unknown> };
        expect({ ...others, components }).toEqual({
          ...was,
          components: { ...was.components, new: {}, 'New.2': { spec } },
        });
      }),
      { numRuns: 300 },
    );
    expect(tried).toBeGreaterThan(20);
  });
});

describe('the place for new components', () => {
  const files = {
    'weir.toml': 'includes = ["comps/list.toml", "other/*.toml"]\n[components.own]\nbuild.with = ["x"]\n',
    'comps/list.toml': 'includes = ["**/*.comp.toml"]\n[components.a]\n[components.b]\n',
    'comps/c/c.comp.toml': '[components.c.build]\nwith = ["x"]\n',
    'user/weir/config.toml': '[components.u1]\n[components.u2]\n[components.u3]\n',
  };

  it('is the file with the most components without settings, or the root file', async () => {
    const dir = folder(files);
    const configuration = await loadConfiguration(dir, { env: { XDG_CONFIG_HOME: join(dir, 'user') } });
    expect(fileForComponents(configuration)).toBe(join(dir, 'comps/list.toml'));
    const empty = folder({ 'weir.toml': '' });
    expect(fileForComponents(await loadConfiguration(empty, { env: {} }))).toBe(join(empty, 'weir.toml'));
  });

  it('is a separate file if the project includes such files', async () => {
    const dir = folder(files);
    const configuration = await loadConfiguration(dir, { env: {} });
    expect(homeOf(configuration, join(dir, 'comps/list.toml'), 'x')).toBe(join(dir, 'comps/x/x.comp.toml'));
    expect(homeOf(configuration, join(dir, 'weir.toml'), 'x')).toBe(join(dir, 'weir.toml'));
  });

  it('is rejected for existing and invalid names', async () => {
    const dir = folder(files);
    const configuration = await loadConfiguration(dir, { env: {} });
    const code = (name: string): string => {
      try {
        checkNew(configuration, [name]);
      } catch (error) {
        return (error as WeirError).code;
      }
      return 'fine';
    };
    expect(['x', 'a', '../x', '', 'a b'].map(code)).toEqual([
      'fine',
      'component-exists',
      'invalid-name',
      'invalid-name',
      'invalid-name',
    ]);
  });
});
