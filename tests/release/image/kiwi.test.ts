import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProject } from '../../../src/project/load.ts';
import type { Project } from '../../../src/project/model/project.ts';
import { chosenImages } from '../../../src/release/build.ts';
import { readCustomization } from '../../../src/release/custom/customization.ts';
import { customizeImage } from '../../../src/release/custom/customize.ts';
import { asWeirImage, kiwiConfig, withKiwiImages } from '../../../src/release/image/kiwi.ts';
import type { ProjectWorkspace, Workspace } from '../../../src/workspace/workspace.ts';
import { writeDescription } from '../../kiwi/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-kiwi-'));
afterAll(() => rm(folder, { recursive: true }));

const toml = `
[images.plain.definition]
type = "weir"
kind = "container"
packages = ["bash"]
[images.cell]
definition = { type = "kiwi", path = "kiwi/example.kiwi", profile = "cell" }
[images.disc]
definition = { type = "kiwi", path = "kiwi/example.kiwi", profile = "disc" }
[images.arm]
architectures = ["aarch64"]
definition = { type = "kiwi", path = "kiwi/example.kiwi", profile = "cell" }
[images.undefined]

[project]
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1]
release-ver = "1"
kiwi-config-override = "kiwi.yml"
`;

let project: Project;
beforeAll(async () => {
  await writeFile(join(folder, 'weir.toml'), toml);
  await writeFile(join(folder, 'kiwi.yml'), 'build_constraints:\n  - max_size: 1g\n');
  await writeDescription(join(folder, 'kiwi'));
  project = await loadProject(folder);
});

function workspace(): {
  readonly notes: string[];
  readonly place: Pick<ProjectWorkspace, 'project' | 'arch' | 'progress'>;
} {
  const notes: string[] = [];
  const note = (name: string, text: string): void => {
    notes.push(`${name}: ${text}`);
  };
  const progress = { note, finished: [], stage: () => expect.unreachable() };
  return { notes, place: { project, arch: 'x86_64', progress } };
}

describe('images to build', () => {
  test('all that are defined and for the architecture', () => {
    const names = chosenImages({ project, arch: 'x86_64' }).map(({ name }) => name);
    expect(names).toEqual(['plain', 'cell', 'disc']);
    expect(chosenImages({ project, arch: 'x86_64' }, ['cell']).map(({ name }) => name)).toEqual(['cell']);
  });

  test('one for another architecture is refused', () => {
    expect(() => chosenImages({ project, arch: 'x86_64' }, ['arm'])).toThrow(
      expect.objectContaining({ code: 'image-architecture', hint: 'its architectures are aarch64' }),
    );
    expect(chosenImages({ project, arch: 'aarch64' }, ['arm'])).toHaveLength(1);
  });
});

describe('descriptions', () => {
  test('become definitions, with the limit of kiwi-config-override; what differs is noted', () => {
    const { notes, place } = workspace();
    const { images } = withKiwiImages(place, chosenImages(place), false).project;
    expect(images.get('cell')?.definition).toMatchObject({ type: 'weir', kind: 'container', maxSize: 2 ** 30 });
    expect(images.get('plain')).toEqual(project.images.get('plain'));
    expect([...images.keys()]).toEqual([...project.images.keys()]);
    expect(notes).toContain("cell: packages come from the project's repositories, not from those of the description");
  });

  test('of a type that is not built are noted, and refused if asked for', () => {
    const { notes, place } = workspace();
    const { images } = withKiwiImages(place, chosenImages(place), false).project;
    expect(images.get('disc')?.definition?.type).toBe('kiwi');
    expect(notes).toContain('disc: not built: Weir does not build images of type "iso" yet');
    expect(() => withKiwiImages(place, chosenImages(place, ['disc']), true)).toThrow(
      expect.objectContaining({ code: 'kiwi-type', exit: 2 }),
    );
  });

  test('can be customized', async () => {
    const { place } = workspace();
    await writeFile(join(folder, 'c.yaml'), '');
    const custom = await readCustomization(join(folder, 'c.yaml'));
    const derive = (name: string) =>
      customizeImage(
        place as Workspace,
        name,
        custom,
        { path: folder, format: undefined },
        { jobs: 1, keepGoing: false },
      );
    // The folder is checked once there is a definition, before anything is built.
    await expect(derive('cell')).rejects.toMatchObject({ code: 'output-exists' });
    await expect(derive('disc')).rejects.toMatchObject({ code: 'kiwi-type', exit: 2 });
    await expect(derive('undefined')).rejects.toMatchObject({
      code: 'image-kind',
      hint: expect.stringContaining('kiwi'),
    });
  });

  test('are listed by what they become', () => {
    const { place } = workspace();
    expect(asWeirImage(place, project.images.get('cell')!)).toMatchObject({ definition: { kind: 'container' } });
    expect(asWeirImage(place, project.images.get('disc')!)).toMatchObject({ code: 'kiwi-type' });
  });

  test('the configuration is that of the default distro', () => {
    expect(kiwiConfig(project)).toBe(join(folder, 'kiwi.yml'));
    expect(kiwiConfig({ ...project, distros: new Map() })).toBeUndefined();
  });
});
