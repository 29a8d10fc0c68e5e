import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareInputs } from '../../src/history/compare-inputs.ts';
import { fileDigests } from '../../src/history/file-digests.ts';
import type { ComponentInputs, LockedInputs } from '../../src/history/input-parts.ts';
import { componentDecisions, componentInputs, projectInputs } from '../../src/history/inputs.ts';
import { overlayDecisions } from '../../src/history/overlay-inputs.ts';
import { macrosFile } from '../../src/overlay/render.ts';
import { loadProject } from '../../src/project/load.ts';
import type { BuildConfig } from '../../src/project/model/component.ts';
import type { Project } from '../../src/project/model/project.ts';
import { component, type OverlayData, overlay } from '../overlay/fixture.ts';
import { distros, folder, load } from '../project/fixture.ts';

async function inputsOf(project: Project, name = 'a', lock?: LockedInputs): Promise<ComponentInputs> {
  const locks = new Map(lock === undefined ? [] : [[name, lock]]);
  return componentInputs(project.components.get(name)!, { project, locks, files: fileDigests() });
}

async function inputsIn(text: string, lock?: LockedInputs): Promise<ComponentInputs> {
  return inputsOf(await load(distros + text), 'a', lock);
}

function named(inputs: ComponentInputs): Record<string, string | undefined> {
  return Object.fromEntries(inputs.parts.map(({ name, value }) => [name, value]));
}

const empty = await load(distros);

function inputsWith(part: Parameters<typeof component>[0]): Promise<ComponentInputs> {
  return componentInputs(component(part), { project: empty, files: fileDigests() });
}

it('names each input of a component', async () => {
  const dir = folder({
    'weir.toml': `${distros}
[components.a]
spec = { type = "upstream", upstream-name = "b", upstream-commit = "ABCDEF1234" }
release.calculation = "manual"
render.skip-file-filter = true
source-files = [{ filename = "x.tar.gz", hash = "${'ab'.repeat(32)}", hash-type = "SHA256", origin = { type = "download", uri = "https://example.org/x.tar.gz" } }]
[components.a.build]
with = ["tls"]
without = ["docs"]
defines = { rhel = "11", dropped = "1" }
undefines = ["dropped"]
check = { skip = true, skip_reason = "no network" }
emit-upstream-provenance = true
[[components.a.overlays]]
type = "spec-add-tag"
description = "why"
tag = "BuildRequires"
value = "foo"
[[components.a.overlays]]
type = "file-add"
description = "why"
file = "new.conf"
source = "files/new.conf"
`,
    'files/new.conf': 'x = 1\n',
  });
  const inputs = await inputsOf(await loadProject(dir), 'a', { manualBump: 2 });
  expect(named(inputs)).toEqual({
    'build.emit-upstream-provenance': 'true',
    'check.skip': 'no network',
    'define rhel': '11',
    'manual bump': '2',
    name: 'a',
    'overlay 1 (spec-add-tag)': 'BuildRequires: foo',
    'overlay 2 (file-add)': expect.stringMatching(/^new\.conf \([0-9a-f]{12}\)$/),
    'release.calculation': 'manual',
    'render.skip-file-filter': 'true',
    'source file x.tar.gz': 'download SHA256 abababababab',
    'spec source': 'upstream',
    'upstream commit': 'abcdef1234',
    'upstream name': 'b',
    'with tls': undefined,
    'without docs': undefined,
  });
  expect(inputs.parts.find((part) => part.name.startsWith('overlay 2'))?.where).toBe('weir.toml:31');
});

it('identifies upstream by snapshot and branch, or by the commit alone', async () => {
  const snapshot = await inputsIn('[components.a]');
  expect(named(snapshot)).toEqual({
    name: 'a',
    'spec source': 'upstream',
    'upstream distro': 'fedora 43',
    'upstream snapshot': '2026-01-02T00:00:00Z',
    'dist-git': 'https://example.org/rpms/$pkg.git',
    'release.calculation': 'auto',
  });
  const locked = await inputsIn('[components.a]', { upstreamCommit: 'c'.repeat(40) });
  expect(named(locked)).toMatchObject({ 'upstream commit': 'c'.repeat(40) });
  expect(Object.keys(named(locked))).not.toContain('upstream snapshot');
  // With the commit known, the way to it is no input.
  const mirror = distros
    .replace('https://example.org/', 'https://mirror.example.org/')
    .replace('2026-01-02', '2026-03-04');
  const elsewhere = await inputsOf(await load(`${mirror}[components.a]`), 'a', { upstreamCommit: 'c'.repeat(40) });
  expect(elsewhere.digest).toBe(locked.digest);
  expect((await inputsOf(await load(`${mirror}[components.a]`))).digest).not.toBe(snapshot.digest);
});

it('identifies a local folder by its files, wherever the project is', async () => {
  const files = {
    'weir.toml': '[components.a]\nspec = { type = "local", path = "a/demo.spec" }\n',
    'a/demo.spec': 'Name: a\n',
    'a/fix.patch': 'p\n',
    'a/other.spec': 'Name: other\n',
    'a/sub/file': '1\n',
    'a/notes.toml': '# a\n',
  };
  const [first, second] = [folder(files), folder(files)];
  const before = await inputsOf(await loadProject(first));
  expect(before.parts.map((part) => part.name)).toEqual([
    'name',
    'release.calculation',
    'spec file',
    'spec folder fix.patch',
    'spec folder sub/file',
    'spec source',
  ]);
  await writeFile(join(second, 'a/notes.toml'), '# b\n');
  await writeFile(join(second, 'a/other.spec'), 'Name: changed\n');
  expect((await inputsOf(await loadProject(second))).digest).toBe(before.digest);
  await chmod(join(second, 'a/sub/file'), 0o755);
  await writeFile(join(second, 'a/new'), '1\n');
  const difference = compareInputs(before, await inputsOf(await loadProject(second)));
  expect(difference).toMatchObject({
    added: [{ name: 'spec folder new' }],
    removed: [],
    changed: [{ name: 'spec folder sub/file' }],
  });
});

it('identifies a dist-git that is a plain folder by its files', async () => {
  const dir = folder({
    'weir.toml': `${distros.replace('"https://example.org/rpms/$pkg.git"', '"upstream/$pkg"')}[components.a]\n[components.b]\n`,
    'upstream/a/a.spec': 'Name: a\n',
    'upstream/a/sources': 'SHA512 (x) = 00\n',
    'upstream/b/.git/HEAD': '',
    'upstream/b/b.spec': 'Name: b\n',
  });
  const project = await loadProject(dir);
  expect(Object.keys(named(await inputsOf(project)))).toEqual([
    'name',
    'release.calculation',
    'spec file',
    'spec folder sources',
    'spec source',
  ]);
  // A repository, however: its working tree is not what is built.
  expect(named(await inputsOf(project, 'b'))).toMatchObject({ 'dist-git': 'local', 'upstream distro': 'fedora 43' });
});

it('ignores what cannot change the result', async () => {
  const plain = await inputsIn('[components.a]\n');
  const loud = await inputsIn(`
[components.a]
publish = { rpm-channel = "base" }
[components.a.packages.a-libs.publish]
rpm-channel = "extra"
[components.a.build]
failure = { expected = true, expected-reason = "known" }
hints = { expensive = true }
undefines = ["nothing"]
[component-groups.g]
components = ["a"]
`);
  expect(loud.digest).toBe(plain.digest);
  const one = `
[components.a]
[[components.a.overlays]]
type = "spec-remove-tag"
tag = "Epoch"
description = "why"
`;
  const more = `\n\n${one.replace('"why"', '"another reason"')}
metadata = { category = "azl-pruning", upstream-status = "inapplicable" }
`;
  expect((await inputsIn(more)).digest).toBe((await inputsIn(one)).digest);
});

it('identifies a source file by its hash, or without one by its origin', async () => {
  const file = { filename: 'x', replaceUpstream: false };
  const hash = { hash: 'ab'.repeat(32), hashType: 'SHA256' as const };
  const at = (uri: string, more = {}) =>
    inputsWith({ sourceFiles: [{ ...file, ...more, origin: { type: 'download', uri } }] });
  expect((await at('https://a.example/', hash)).digest).toBe((await at('https://b.example/', hash)).digest);
  expect((await at('https://a.example/')).digest).not.toBe((await at('https://b.example/')).digest);
});

it('depends on the order of overlays, but not of build options', async () => {
  const build: BuildConfig = {
    ...component().build,
    with: ['a', 'b'],
    defines: { x: '1', y: '2' },
  };
  const turned: BuildConfig = { ...build, with: ['b', 'a', 'b'], defines: { y: '2', x: '1' } };
  expect((await inputsWith({ build })).digest).toBe((await inputsWith({ build: turned })).digest);
  const [one, two] = [tagged('A'), tagged('B')];
  const straight = await inputsWith({ overlays: [one, two] });
  const crossed = await inputsWith({ overlays: [two, one] });
  expect(crossed.digest).not.toBe(straight.digest);
  expect(compareInputs(straight, crossed)).toEqual({ added: [], removed: [], changed: [], reordered: true });
});

function tagged(tag: string, value = '1') {
  return overlay({ type: 'spec-set-tag', tag, value });
}

it('reports added, removed and changed overlays, but not renumbered ones', async () => {
  const before = await inputsWith({ overlays: [tagged('A'), tagged('B'), tagged('C')] });
  const cases = [
    { overlays: [tagged('N'), tagged('A'), tagged('B'), tagged('C')], added: [1], removed: [], changed: [] },
    { overlays: [tagged('A'), tagged('C')], added: [], removed: [2], changed: [] },
    { overlays: [tagged('A'), tagged('B', '2'), tagged('C')], added: [], removed: [], changed: [2] },
    { overlays: [tagged('N'), tagged('A'), tagged('B', '2')], added: [1], removed: [3], changed: [3] },
    { overlays: [], added: [], removed: [1, 2, 3], changed: [] },
  ];
  for (const { overlays, ...expected } of cases) {
    const difference = compareInputs(before, await inputsWith({ overlays }));
    const numbers = (parts: readonly { readonly name: string }[]) => parts.map(({ name }) => Number(/\d+/.exec(name)));
    expect({
      added: numbers(difference.added),
      // In the fourth case B changed and C went; which of both is told by type and place alone.
      removed: numbers(difference.removed),
      changed: numbers(difference.changed),
    }).toEqual(expected);
    expect(difference.reordered).toBe(false);
  }
});

it('notices a changed source file of an overlay', async () => {
  const dir = folder({ fix: '1\n' });
  const made = () => inputsWith({ overlays: [overlay({ type: 'patch-add', source: join(dir, 'fix'), file: 'fix' })] });
  const before = await made();
  await writeFile(join(dir, 'fix'), '2\n');
  const after = await made();
  expect(compareInputs(before, after).changed).toMatchObject([{ name: 'overlay 1 (patch-add)' }]);
  await mkdir(join(dir, 'sub'));
  await rename(join(dir, 'fix'), join(dir, 'sub', 'fix'));
  const moved = overlay({ type: 'patch-add', source: join(dir, 'sub', 'fix'), file: 'fix' });
  expect((await inputsWith({ overlays: [moved] })).digest).toBe(after.digest);
  // A file that is not there is told by rendering; here it is only another state.
  expect((await made()).digest).not.toBe(after.digest);
});

it('decides on every field of the model', async () => {
  const undecided = (decisions: object, value: object) => Object.keys(value).filter((key) => !(key in decisions));
  expect(undecided(componentDecisions, component())).toEqual([]);
  expect(undecided(overlayDecisions, tagged('A'))).toEqual([]);
});

const word = fc.stringMatching(/^[a-z]{1,3}$/);
const buildOptions = fc.record({
  with: fc.array(word, { maxLength: 3 }),
  without: fc.array(word, { maxLength: 3 }),
  defines: fc.dictionary(
    fc.oneof(
      word,
      word.map((name) => `_with_${name}`),
    ),
    word,
    { maxKeys: 3 },
  ),
  undefines: fc.array(
    fc.oneof(
      word,
      word.map((name) => `_without_${name}`),
    ),
    { maxLength: 2 },
  ),
});

it('has different parts if build options give a different macros file', async () => {
  const both = fc.tuple(buildOptions, buildOptions);
  await fc.assert(
    fc.asyncProperty(both, async ([first, second]) => {
      const a: BuildConfig = { ...component().build, ...first };
      const b: BuildConfig = { ...component().build, ...second };
      const difference = compareInputs(await inputsWith({ build: a }), await inputsWith({ build: b }));
      const same = [...difference.added, ...difference.removed, ...difference.changed].length === 0;
      if (same) expect(macrosFile(a)).toBe(macrosFile(b));
      if (macrosFile(a) !== macrosFile(b)) expect(same).toBe(false);
    }),
  );
});

const overlayData: fc.Arbitrary<OverlayData> = fc.oneof(
  fc.record({ type: fc.constant('spec-set-tag' as const), tag: word, value: word }),
  fc.record({ type: fc.constant('spec-append-lines' as const), lines: fc.array(word, { maxLength: 2 }) }),
  fc.record({ type: fc.constant('file-rename' as const), file: word, replacement: word }),
);

it('explains every digest that differs, and no other', async () => {
  const state = fc.record({
    overlays: fc.array(overlayData.map(overlay), { maxLength: 5 }),
    build: buildOptions.map((options) => ({ ...component().build, ...options })),
    release: fc.record({ calculation: fc.constantFrom('auto' as const, 'manual' as const) }),
  });
  await fc.assert(
    fc.asyncProperty(state, state, async (first, second) => {
      const [before, after] = [await inputsWith(first), await inputsWith(second)];
      const { added, removed, changed, reordered } = compareInputs(before, after);
      const told = added.length + removed.length + changed.length > 0 || reordered;
      expect(told).toBe(before.digest !== after.digest);
      // The other way round it is the same story.
      const back = compareInputs(after, before);
      expect(back.added.length + back.changed.length).toBe(removed.length + changed.length);
      expect(compareInputs(before, await inputsWith(structuredClone(first)))).toMatchObject({ reordered: false });
    }),
  );
});

it.skipIf(process.env.WEIR_AZURELINUX === undefined)(
  "has a digest for each of Azure Linux's components (set WEIR_AZURELINUX to a checkout of tomls/base/main)",
  async () => {
    const project = await loadProject(process.env.WEIR_AZURELINUX!);
    const inputs = await projectInputs({ project, files: fileDigests() });
    expect(inputs.size).toBe(project.components.size);
    expect(new Set([...inputs.values()].map((each) => each.digest)).size).toBe(inputs.size);
    const missing = [...inputs.values()].flatMap((each) => each.parts).filter((part) => part.digest === 'missing');
    expect(missing).toEqual([]);
  },
);
