import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  ageBand,
  type DivergenceLedger,
  divergenceOf,
  type LedgerOptions,
  ledgerMarkdown,
  parseConditions,
  parseDays,
} from '../../src/audit/divergence.ts';
import { WeirError } from '../../src/base/errors.ts';
import { overlayTimes } from '../../src/history/overlay-age.ts';
import { loadProject } from '../../src/project/load.ts';
import type { Overlay } from '../../src/project/model/overlay.ts';
import type { Project } from '../../src/project/model/project.ts';
import { repository } from './repository.ts';

const toml = `[project]
default-distro = { name = "up", version = "1" }
[distros.up]
dist-git-base-uri = "/dist-git/$pkg"
default-version = "1"
[distros.up.versions."1"]
[distros.up.versions."1".default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }

[components.plain]

[components.busy]
build = { with = ["tls"], without = ["gui"], defines = { _x = "1" }, undefines = ["_y"], check = { skip = true, skip_reason = "needs network" } }
source-files = [
  { filename = "b.tar.gz", hash = "${'a'.repeat(64)}", hash-type = "SHA256", origin = { type = "download", uri = "https://x.example/b.tar.gz" } },
]
overlays = [
  { type = "spec-remove-tag", tag = "URL", description = "First | <b>" },
  { type = "spec-set-tag", tag = "URL", value = "x", description = "Second", metadata = { category = "weir-pruning", upstream-status = "inapplicable" } },
]

`;

const more = `
[[components.fixed.overlays]]
type = "patch-add"
description = "A fix"
source = "fix.patch"
[components.fixed.overlays.metadata]
category = "upstream-backport"
upstream-status = "upstreamed"
commits = [{ url = "https://git.example/c/1" }]
bugs = [{ url = "https://bugs.example/2" }]

[[components.fixed.overlays]]
type = "spec-set-tag"
description = "Not yet looked at"
tag = "URL"
value = "x"
metadata = { category = "weir-temp-workaround", upstream-status = "unknown" }

[components.own]
spec = { type = "local", path = "own.spec" }
`;

async function project(): Promise<{ readonly dir: string; readonly load: () => Promise<Project> }> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-ledger-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'weir.toml'), toml + more);
  await writeFile(join(dir, 'own.spec'), 'Name: own\n');
  await writeFile(join(dir, 'fix.patch'), '');
  return { dir, load: () => loadProject(dir) };
}

const now = 1_000 * 86_400;

async function ledger(options: Partial<LedgerOptions> = {}): Promise<DivergenceLedger> {
  const loaded = await (await project()).load();
  const { overlays } = loaded.components.get('fixed')!;
  const introduced = new Map<Overlay, number | 'uncommitted'>([
    [overlays[0]!, now - 200 * 86_400],
    [overlays[1]!, 'uncommitted'],
  ]);
  return divergenceOf(loaded, [...loaded.components.values()], { now, introduced, ...options });
}

describe('the ledger', () => {
  it('lists every overlay with metadata, place and age, and all other differences', async () => {
    const { entries, components, diverging } = await ledger();
    expect([components, diverging]).toEqual([4, 3]);
    expect(entries.map(({ component, kind, number, description }) => [component, kind, number, description])).toEqual([
      ['busy', 'overlay', 1, 'First | <b>'],
      ['busy', 'overlay', 2, 'Second'],
      ['busy', 'build-option', undefined, 'with tls'],
      ['busy', 'build-option', undefined, 'without gui'],
      ['busy', 'build-option', undefined, '_x = 1'],
      ['busy', 'build-option', undefined, '_y not defined'],
      ['busy', 'check-skip', undefined, 'needs network'],
      ['busy', 'source', undefined, 'b.tar.gz, added'],
      ['fixed', 'overlay', 1, 'A fix'],
      ['fixed', 'overlay', 2, 'Not yet looked at'],
      ['own', 'local', undefined, 'own.spec'],
    ]);
    expect(entries.find((entry) => entry.description === 'A fix')).toEqual({
      component: 'fixed',
      kind: 'overlay',
      number: 1,
      type: 'patch-add',
      description: 'A fix',
      category: 'upstream-backport',
      upstreamStatus: 'upstreamed',
      commits: ['https://git.example/c/1'],
      bugs: ['https://bugs.example/2'],
      place: 'weir.toml:23',
      since: now - 200 * 86_400,
      ageDays: 200,
    });
  });

  it('has totals', async () => {
    expect((await ledger()).totals).toEqual({
      kind: { overlay: 4, 'build-option': 4, 'check-skip': 1, local: 1, source: 1 },
      category: { none: 1, 'upstream-backport': 1, 'weir-pruning': 1, 'weir-temp-workaround': 1 },
      upstreamStatus: { inapplicable: 1, none: 1, unknown: 1, upstreamed: 1 },
      type: { 'spec-set-tag': 2, 'patch-add': 1, 'spec-remove-tag': 1 },
      age: { uncommitted: 1, '180 days to a year': 1, unknown: 2 },
    });
  });

  it.each<[what: string, options: Partial<LedgerOptions>, descriptions: readonly string[]]>([
    ['a category', { categories: ['weir-pruning'] }, ['Second']],
    ['two categories', { categories: ['weir-pruning', 'upstream-backport'] }, ['Second', 'A fix']],
    ['no metadata', { categories: ['none'] }, ['First | <b>']],
    ['a status', { upstreamStatuses: ['unknown'] }, ['Not yet looked at']],
    ['both', { categories: ['weir-pruning'], upstreamStatuses: ['unknown'] }, []],
  ])('can be limited to %s', async (_what, options, descriptions) => {
    expect((await ledger(options)).entries.map((entry) => entry.description)).toEqual(descriptions);
  });

  it('can be printed as Markdown', async () => {
    const page = ledgerMarkdown(await ledger(), 'What differs');
    await expect(page).toMatchFileSnapshot(join('golden', 'divergence.golden'));
    expect(page).toContain('| 1. spec-remove-tag | First \\| \\<b> |');
  });
});

describe('conditions', () => {
  it.each<[text: string, descriptions: readonly string[]]>([
    ['no-metadata', ['First | <b>']],
    ['no-description', []],
    ['category=weir-pruning', ['Second']],
    ['category=none', ['First | <b>']],
    ['upstream-status=unknown', ['Not yet looked at']],
    ['older-than=199d', ['A fix']],
    ['older-than=200d', []],
    ['older-than=26w', ['A fix']],
    ['older-than=1y', []],
    ['kind=local', ['own.spec']],
    ['kind=check-skip', ['needs network']],
    ['type=spec-set-tag', ['Second', 'Not yet looked at']],
    ['type=spec-set-tag+upstream-status=unknown', ['Not yet looked at']],
    ['no-metadata, category=weir-pruning', ['First | <b>', 'Second']],
    ['category=upstream-backport+older-than=2y', []],
  ])('%s', async (text, descriptions) => {
    const conditions = parseConditions(text);
    const found = (await ledger()).entries.filter((entry) => conditions.some(({ matches }) => matches(entry)));
    expect(found.map((entry) => entry.description)).toEqual(descriptions);
  });

  it.each([
    ['no-metdata', 'did you mean no-metadata?'],
    ['', 'use one of: '],
    ['no-metadata=1', 'did you mean no-metadata?'],
    ['category', 'did you mean category?'],
    ['older-than=soon', 'write it as'],
    ['older-than', 'write it as'],
    ['kind=x', 'use one of: overlay'],
    ['no-metadata,,', 'use one of: '],
  ])('%j is invalid', (text, hint) => {
    let error: unknown;
    try {
      parseConditions(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(WeirError);
    expect(error).toMatchObject({ code: 'bad-condition', exit: 2, hint: expect.stringContaining(hint) });
  });

  it.each([
    ['30', 30],
    ['30d', 30],
    ['2w', 14],
    ['6m', 180],
    ['1y', 365],
    ['', undefined],
    ['-1d', undefined],
    ['1.5d', undefined],
    ['1h', undefined],
  ])('an age of %j is %s days', (text, days) => {
    expect(parseDays(text)).toBe(days);
  });

  it.each<[since: number | 'uncommitted' | undefined, ageDays: number | undefined, band: string]>([
    [undefined, undefined, 'unknown'],
    ['uncommitted', undefined, 'uncommitted'],
    [0, 0, 'under 30 days'],
    [0, 30, '30 to 90 days'],
    [0, 365, 'over a year'],
  ])('%s, %s days, is %s', (since, ageDays, band) => {
    expect(ageBand({ ...(since === undefined ? {} : { since }), ...(ageDays === undefined ? {} : { ageDays }) })).toBe(
      band,
    );
  });
});

describe('the age of overlays', () => {
  it('is that of their oldest line, unaffected by later additions and changes', async () => {
    const { dir, commit } = await repository();
    const load = (): Promise<Project> => loadProject(dir);
    const without = (toml + more).replace(/\[\[components\.fixed\.overlays\]\]\ntype = "spec-set-tag"[^[]*/, '');
    await commit(1000, { 'weir.toml': without, 'own.spec': 'Name: own\n', 'fix.patch': '' });
    await commit(2000, { 'weir.toml': toml + more });
    const better = (toml + more).replace('"A fix"', '"A better fix"').replace('"Second"', '"Changed"');
    await commit(3000, { 'weir.toml': better });
    const loaded = await load();
    const times = await overlayTimes(dir, loaded.components.values());
    const found = ['busy', 'fixed'].flatMap((name) =>
      loaded.components.get(name)!.overlays.map((overlay) => [overlay.description, times.get(overlay)]),
    );
    expect(found).toEqual([
      ['First | <b>', 1000],
      // On one line, git cannot tell it from a change.
      ['Changed', 3000],
      ['A better fix', 1000],
      ['Not yet looked at', 2000],
    ]);
    await writeFile(
      join(dir, 'weir.toml'),
      `${without}[[components.fixed.overlays]]\ntype = "spec-remove-tag"\ntag = "Epoch"\ndescription = "New"\n`,
    );
    const changed = await load();
    const [, fresh] = changed.components.get('fixed')!.overlays;
    expect((await overlayTimes(dir, changed.components.values())).get(fresh!)).toBe('uncommitted');
  });

  it('is unknown without git', async () => {
    const { dir, load } = await project();
    expect((await overlayTimes(dir, (await load()).components.values())).size).toBe(0);
  });
});
