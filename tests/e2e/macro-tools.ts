import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import { loadMapping } from '../../src/seed/mapping.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';

/** What rpm makes of the seed's macros that stand in for Fedora's. */
export function macroAcceptance(open: () => Promise<Toolbox>): void {
  describe('the macros of forges', () => {
    let folder: string;
    let toolbox: Toolbox;

    beforeAll(async () => {
      toolbox = await open();
      folder = await mkdtemp(join(tmpdir(), 'weir-macros-'));
      const rule = loadMapping(join(installRoot, 'seed')).packages.get('forge-srpm-macros')!;
      await writeFile(
        join(folder, 'macros.forge'),
        rule.add!.find(({ path }) => path.endsWith('/macros.forge'))!.content!,
      );
    });

    afterAll(() => rm(folder, { recursive: true, force: true }));

    /** Expands text after the definitions; each is `name value`. */
    const expanded = async (definitions: readonly string[], text: string): Promise<string> => {
      const lines = definitions.map((definition) => `%${definition}\n`).join('');
      await writeFile(join(folder, 'macros.spec'), lines);
      const loads = ['macros.forge', 'macros.spec'].flatMap((name) => ['--load', join(folder, name)]);
      const binds = [{ from: folder, to: folder }];
      const { stdout } = await runTool(toolbox, { argv: ['rpm', ...loads, '--eval', text], binds });
      return stdout.trim();
    };
    const names = '%{forgemeta}%{forgesource} | %{forgesetupargs} | %{?distprefix}';

    test.each([
      [
        ['forgeurl https://github.com/o/r', 'version 1.2'],
        'https://github.com/o/r/archive/v1.2/r-1.2.tar.gz | -n r-1.2 |',
      ],
      [
        ['forgeurl https://github.com/o/r/', 'version 1.2', 'tag v%{version}'],
        'https://github.com/o/r/archive/v1.2/r-1.2.tar.gz | -n r-1.2 |',
      ],
      [
        ['forgeurl https://github.com/o/r', 'version 2', 'tag release/2b'],
        'https://github.com/o/r/archive/release/2b/r-release-2b.tar.gz | -n r-release-2b | .git2b',
      ],
      [
        ['forgeurl https://github.com/o/r', 'version 0', 'commit 0123456789abcdef', 'date 20260102'],
        'https://github.com/o/r/archive/0123456789abcdef/r-0123456789abcdef.tar.gz | -n r-0123456789abcdef | .20260102git0123456',
      ],
      [
        ['forgeurl https://gitlab.com/a/b/c', 'version 3'],
        'https://gitlab.com/a/b/c/-/archive/3/c-3.tar.bz2 | -n c-3 |',
      ],
      [['forgeurl https://pagure.io/r', 'version 4'], 'https://pagure.io/r/archive/4/r-4.tar.gz | -n r-4 |'],
      [
        ['forgeurl https://codeberg.org/o/r', 'version 5'],
        'https://codeberg.org/o/r/archive/v5.tar.gz#/r-5.tar.gz | -n r |',
      ],
    ])('%j', async (definitions, expected) => {
      expect(await expanded(definitions, names)).toBe(expected);
    });

    test('what the spec sets stays', async () => {
      const own = ['forgeurl https://github.com/o/r', 'version 1', 'archiveext zip', 'extractdir x'];
      expect(await expanded(own, names)).toBe('https://github.com/o/r/archive/v1/r-1.zip | -n x |');
    });

    test('several sources have a suffix each', async () => {
      const first = ['forgeurl0 https://github.com/o/r', 'version0 1', 'version 1'];
      const second = ['forgeurl1 https://github.com/o/s', 'version1 2'];
      expect(
        await expanded([...first, ...second], '%{forgemeta -a}%{forgesource0} %{forgesource1} %{forgesetupargs1}'),
      ).toBe(
        'https://github.com/o/r/archive/v1/r-1.tar.gz https://github.com/o/s/archive/v2/s-2.tar.gz -T -D -b 1 -n s-2',
      );
    });

    test('a snapshot has its commit in the version', async () => {
      const snapshot = ['forgeurl https://github.com/o/r', 'version0 1.2', 'commit 0123456789abcdef', 'date 20260102'];
      expect(await expanded(snapshot, '%{forgemeta}%{forgeversion}')).toBe('1.2^20260102git0123456');
    });
  });
}
