import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { imageRecord, newFolder, projectWith, shared, weir } from './weir.ts';

interface ReleaseBuild {
  readonly ok: boolean;
  readonly snapshot: string;
  readonly images: readonly {
    readonly name: string;
    readonly cached: boolean;
    readonly rules: number;
    readonly broken: readonly string[];
    readonly warnings: readonly string[];
  }[];
}

describe('a release', () => {
  test('has all images from one snapshot, each passing its rules', async () => {
    const result = await weir(['-C', shared.project, 'release', 'build', '--out', shared.out, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const built = JSON.parse(result.stdout) as ReleaseBuild;
    expect(built.ok).toBe(true);
    expect(built.images.every(({ cached }) => cached)).toBe(true);
    expect(built.images.flatMap(({ broken, warnings }) => [...broken, ...warnings])).toEqual([]);
    for (const { name, rules } of built.images) {
      expect(rules, name).toBeGreaterThan(10);
      expect((await imageRecord(name)).snapshot).toBe(built.snapshot);
    }
  });

  test('lists the packages of each image, and no package has two versions', async () => {
    const result = await weir(['-C', shared.project, 'release', 'show', '--out', shared.out, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const release = JSON.parse(result.stdout) as ReleaseRecord;
    const published = new Set(release.channels.flatMap(({ packages }) => packages.map(({ nevra }) => nevra)));
    const versions = new Map<string, string>();
    for (const image of release.images) {
      const record = await imageRecord(image.name);
      expect(image.packages).toEqual(record.packages.map(({ nevra }) => nevra));
      for (const { name, nevra } of record.packages) {
        expect(published).toContain(nevra);
        expect(versions.get(name) ?? nevra).toBe(nevra);
        versions.set(name, nevra);
      }
    }
    expect(release.images.length).toBeGreaterThanOrEqual(9);
  });

  test('with an image that breaks a rule is built, but reports it and fails', async () => {
    const project = await projectWith({
      'distro/weir.toml': (text) => text.replace('"images/*.toml"', '"bare.toml"'),
      'distro/bare.toml': () =>
        '[images.bare.definition]\ntype = "weir"\nkind = "container"\npackages = ["filesystem"]\n',
    });
    const out = join(await newFolder('bare'), 'out');
    const result = await weir(['-C', project, 'release', 'build', '--out', out, '--json']);
    expect(result.code).toBe(1);
    const { ok, images } = JSON.parse(result.stdout) as ReleaseBuild;
    expect({ ok, names: images.map(({ name }) => name) }).toEqual({ ok: false, names: ['bare'] });
    expect(images[0]!.broken).toEqual([expect.stringMatching(/^os-release \(container, oci\): /)]);
    expect(result.stderr).toContain('error: bare: os-release');
    await rm(out, { recursive: true });
  });
});
