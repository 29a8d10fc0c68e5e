import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WeirError } from '../../src/base/errors.ts';
import { checkComponent } from '../../src/overlay/check.ts';
import { type PreparedComponent, prepareComponent } from '../../src/overlay/render.ts';
import type { FetchedSources } from '../../src/sources/fetch.ts';
import { failure } from '../base/failure.ts';
import { component, folder, type OverlayData, overlay } from './fixture.ts';

const spec = (patches: string, prep: string): string =>
  `Name: demo\nVersion: 1\nRelease: 1\nSummary: d\nLicense: MIT\nSource0: x.tar.gz\n${patches}\n%description\nd\n\n%prep\n${prep}\n\n%files\n`;

async function fetched(text: string, files: Readonly<Record<string, string>>): Promise<FetchedSources> {
  const dir = await folder({ 'demo.spec': text, ...files });
  const specPath = join(dir, 'demo.spec');
  return { dir, root: dir, specPath, origin: { kind: 'folder', from: dir }, files: [] };
}

const of = (overlays: readonly OverlayData[]) => component({ overlays: overlays.map(overlay) });

async function prepared(text: string, overlays: readonly OverlayData[]): Promise<PreparedComponent> {
  return prepareComponent(of(overlays), await fetched(text, { 'one.patch': '1', 'two.patch': '2' }));
}

async function found(text: string, overlays: readonly OverlayData[]): Promise<string[]> {
  const sources = await fetched(text, { 'one.patch': '1', 'two.patch': '2' });
  const findings = await checkComponent(of(overlays), { fetched: sources }, { now: 0 });
  return findings
    .filter(({ kind }) => kind !== 'no-metadata')
    .map(({ overlay: at, kind, message }) => `${at} ${kind} ${message}`);
}

const add = async (name = 'cve.patch'): Promise<OverlayData> => ({
  type: 'patch-add',
  source: join(await folder({ [name]: 'fix' }), name),
  file: name,
});

describe('a patch that is never applied', () => {
  const byHand = spec('Patch0: one.patch\n', '%setup -q\n%patch -P 0 -p1');

  it('is a rendering error with the overlay, the number and the existing calls', async () => {
    const error = await failure(prepared(byHand, [await add()]));
    expect(error).toMatchObject({
      code: 'patch-not-applied',
      exit: 2,
      message: 'the patch is listed as Patch1 (cve.patch), but the spec never applies it',
      details: ['it has %patch -P 0 -p1'],
      hint: expect.stringContaining('%patch -P 1 -p1'),
      where: { file: '/p/demo.toml', line: 7, component: 'demo', overlay: '1 (patch-add: because)' },
    });
  });

  it('is reported once each, all together', async () => {
    const error: WeirError = await failure(prepared(byHand, [await add(), await add('b.patch')]));
    expect([error, ...error.others].map(({ message }) => /\((.*)\)/.exec(message)?.[1])).toEqual([
      'cve.patch',
      'b.patch',
    ]);
  });

  it('is a finding of overlay check', async () => {
    expect(await found(byHand, [await add()])).toEqual([
      expect.stringMatching(
        /^1 not-applied the patch is listed as Patch1 \(cve\.patch\), but the spec never .*%patch -P 0 -p1$/,
      ),
    ]);
  });

  it('includes one outside the range of %autopatch', async () => {
    const ranges = '%autopatch -p1 -M 99\n%if 0%{?rhel}\n%autopatch -p1 -m 100 -M 100\n%endif';
    const text = spec('Patch0: one.patch\nPatch100: two.patch\n', `%setup -q\n${ranges}`);
    const error = await failure(prepared(text, [await add()]));
    expect(error).toMatchObject({ code: 'patch-not-applied', message: expect.stringContaining('Patch101') });
    expect(error.details).toEqual(['it has %autopatch -p1 -M 99', 'it has %autopatch -p1 -m 100 -M 100']);
  });

  it.each([
    ['%autosetup applies all', '%autosetup -p1', []],
    ['%autopatch applies all', '%setup -q\n%autopatch -p1', []],
    [
      'a later overlay applies it',
      '%setup -q\n%patch -P 0 -p1',
      [{ type: 'spec-append-lines', section: '%prep', lines: ['%patch -P 1 -p1'] }],
    ],
    [
      'a later overlay has the shell take it',
      '%setup -q',
      [{ type: 'spec-append-lines', section: '%prep', lines: ['patch -p1 < %{_sourcedir}/cve.patch'] }],
    ],
    ['it cannot be told', '%setup -q\n%apply_all_patches', []],
  ] as const)('is none where %s', async (_, prep, more) => {
    const text = spec('Patch0: one.patch\n', prep);
    const overlays = [await add(), ...(more as readonly OverlayData[])];
    expect((await prepared(text, overlays)).warnings).toEqual([]);
    expect(await found(text, overlays)).toEqual([]);
  });
});

it('a .nopatch file of a CVE need not be applied', async () => {
  const text = spec('', '%setup -q');
  expect((await prepared(text, [await add('CVE-2000-0803.nopatch')])).warnings).toEqual([]);
});

describe('a removed patch', () => {
  const remove: OverlayData = { type: 'patch-remove', file: 'two.patch' };

  it.each([
    '%patch -p1 -P2 -b .two',
    '%patch -P 2 -p1',
    '%patch 2 -p1',
    '%patch2 -p1',
    '%{patch2}',
    '%patch -p1 \\\n -P2',
    '%autopatch -p1 2',
    'patch -p1 < %{PATCH2}',
    'patch -p1 < %{_sourcedir}/two.patch',
    '%if 0%{?rhel}\n%patch -P2\n%endif',
  ])('and that %s still takes is a warning', async (call) => {
    const text = spec('Patch0: one.patch\nPatch2: two.patch\n', `%setup -q\n%patch -P 0\n${call}`);
    const line = call.startsWith('%if') ? 16 : 15;
    const message = `line ${line} of the spec still applies patch 2 (two.patch), which was removed`;
    const { warnings } = await prepared(text, [remove]);
    expect(warnings).toEqual([`demo, overlay 1 (patch-remove): ${message}`]);
    expect(await found(text, [remove])).toEqual([`1 left-call ${message}`]);
  });

  it.each([
    ['all are applied as they are listed', '%autosetup', []],
    ['only others are', '%setup -q\n%patch -P 0\n%patch -P 20\n%autopatch -M 2', []],
    ['a later overlay takes the call out', '%setup -q\n%patch2 -p1', [{ regex: '%patch2 -p1', replacement: 'true' }]],
    ['only a comment has it', '%autosetup\n# %patch2', []],
  ] as const)('is nothing to tell where %s', async (_, prep, replaced) => {
    const text = spec('Patch0: one.patch\nPatch2: two.patch\n', prep);
    const later = replaced.map((one): OverlayData => ({ type: 'spec-search-replace', ...one }));
    expect((await prepared(text, [remove, ...later])).warnings).toEqual([]);
  });
});
