import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { channelOf } from '../../src/project/channel.ts';
import { loadConfiguration, loadProject } from '../../src/project/load.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import { resolvedTables } from '../../src/project/resolve.ts';
import { projectJsonSchema } from '../../src/project/schema/file.ts';
import { printTables } from '../../src/project/toml.ts';
import { plain } from '../../src/project/trace.ts';
import { folder } from './fixture.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Azure Linux's own project: its branch tomls/base/main, checked out anywhere. The numbers are those of 2026-04-30; a
// later state has more.
const load = () => loadConfiguration(checkout!, { env: {} });

const overlayCounts = {
  'spec-search-replace': 93,
  'spec-add-tag': 22,
  'spec-append-lines': 18,
  'file-add': 16,
  'spec-remove-tag': 15,
  'spec-update-tag': 14,
  'spec-remove-section': 12,
  'spec-insert-tag': 11,
  'file-search-replace': 10,
  'patch-add': 9,
  'spec-prepend-lines': 5,
  'file-rename': 3,
  'file-remove': 2,
  'spec-set-tag': 2,
  'patch-remove': 1,
};

/** What a component is made of, without where that is written. */
function meaning({ origin, alsoIn, groups, overlays, ...rest }: ResolvedComponent): unknown {
  return { ...rest, overlays: overlays.map(({ origin: _, ...overlay }) => overlay) };
}

describe.skipIf(checkout === undefined)('Azure Linux (set WEIR_AZURELINUX to a checkout of tomls/base/main)', () => {
  it('loads without a warning, with all of its components and overlays', async () => {
    const { project, collected } = await load();
    const components = [...project.components.values()];
    expect([project.warnings, project.dialect.name]).toEqual([[], 'azldev 1.0']);
    expect(components).toHaveLength(7583);
    expect(components.filter((component) => component.overlays.length > 0)).toHaveLength(97);
    const tables = collected.documents.flatMap((document) => Object.values(document.data.components ?? {}));
    expect(tables.filter((table) => Object.keys(table).length === 0)).toHaveLength(7382);
    const counts: Record<string, number> = {};
    for (const { overlays } of components) for (const { type } of overlays) counts[type] = (counts[type] ?? 0) + 1;
    expect(counts).toEqual(overlayCounts);
    expect(components.every((component) => component.spec !== undefined)).toBe(true);
  });

  it('has the components of its files', async () => {
    const { project } = await load();
    const component = (name: string): ResolvedComponent => project.components.get(name)!;
    expect(component('7zip')).toMatchObject({
      spec: {
        type: 'upstream',
        name: '7zip',
        distro: { name: 'fedora', version: '43', snapshot: '2026-02-24T00:00:00-08:00' },
      },
      overlays: [],
      release: { calculation: 'auto' },
    });
    expect(component('azurelinux-release').spec?.type).toBe('local');
    expect(component('kernel')).toMatchObject({
      release: { calculation: 'manual' },
      build: { without: ['debug'], defines: { azl_pkgrelease: '8' } },
      sourceFiles: [{ hashType: 'SHA512', origin: { type: 'download' } }],
    });
    expect(component('ImageMagick').spec).toMatchObject({ commit: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect(channelOf(project, component('bash'), 'bash')).toBe('rpm-base');
    expect(channelOf(project, component('bash'), 'bash-doc')).toBe('rpm-sdk');
    expect(channelOf(project, component('bash'), 'bash-debuginfo')).toBeUndefined();
    expect([...project.images.keys()]).toContain('vm-base');
  });

  it('accepts its own overrides with --config-file', async () => {
    const project = await loadProject(checkout!, {
      env: {},
      configFiles: [`${checkout}/overrides/fedora.distro.azl.sources.toml`],
    });
    expect(project.distros.get('fedora')).toMatchObject({
      distGitBaseUri: expect.stringMatching(/^git:/),
      defaultVersion: '43',
    });
    expect(project.distros.get('fedora')?.versions.size).toBe(5);
  });

  it('is valid by the JSON Schema, file by file', async () => {
    const { project } = await load();
    const validate = new Ajv({ strict: false }).compile(projectJsonSchema());
    expect(project.files.length).toBeGreaterThan(200);
    expect(project.files.filter((file) => !validate(parse(readFileSync(file, 'utf8'))))).toEqual([]);
  });

  it('resolves to equivalent tables, which print as equivalent TOML', async () => {
    const configuration = await load();
    const tables = resolvedTables(configuration);
    const said = plain(tables) as Record<string, Record<string, object>>;
    for (const origins of [false, true]) {
      expect(parse(printTables(tables, { origins, root: configuration.project.root }))).toEqual(said);
    }
    // In a folder of its own, where files of the project are not: paths are made absolute again.
    const components = Object.keys(said.components!);
    const groups = components.map((name) => [
      `of ${name}`,
      { components: [name], 'default-component-config': said.components![name] },
    ]);
    const again = await loadProject(
      folder({
        'azldev.toml': stringify({
          ...said,
          components: Object.fromEntries(components.map((name) => [name, {}])),
          'component-groups': Object.fromEntries(groups),
        }),
      }),
      { env: {} },
    );
    const moved = (of: { root: string; components: ReadonlyMap<string, ResolvedComponent> }): unknown =>
      JSON.parse(JSON.stringify([...of.components.values()].map(meaning)).replaceAll(of.root, ''));
    const byName = (project: typeof again): typeof again => ({
      ...project,
      components: new Map([...project.components].sort(([a], [b]) => (a < b ? -1 : 1))),
    });
    expect(moved(byName(again))).toEqual(moved(byName(configuration.project)));
  });
});
