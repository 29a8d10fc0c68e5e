import { describe, expect, it } from 'vitest';
import { defaultRelease } from '../../src/project/release-default.ts';
import { load } from './fixture.ts';

const distro = '[distros.d]\ndefault-version = "1"\n[distros.d.versions.1]\nrelease-ver = "9"\n';
const project = (reference: string): string => `[project]\ndefault-distro = { ${reference} }\n${distro}`;

describe('the release of a project without one', () => {
  it('has the date of the default distro', async () => {
    const release = defaultRelease(await load(project('name = "d", snapshot = "2026-01-02T00:00:00Z"')));
    expect(release).toMatchObject({ version: '9', snapshot: '2026-01-02T00:00:00Z', epoch: 1_767_312_000 });
  });

  it('needs a date: the hint names both places for it', async () => {
    const without = await load(project('name = "d"'));
    expect(() => defaultRelease(without)).toThrow(
      expect.objectContaining({
        code: 'no-release',
        hint: 'add snapshot = "…" to default-distro in [project], or a [release] table with "version" and "snapshot"',
      }),
    );
  });
});
