import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kiwiImage } from '../../src/kiwi/kiwi-image.ts';
import { loadProject } from '../../src/project/load.ts';
import type { KiwiImage, WeirImage } from '../../src/project/model/image.ts';

const checkout = process.env.WEIR_AZURELINUX;
const root = checkout ?? '';

// Azure Linux's own descriptions, from its branch tomls/base/main or a later state: each image that the project defines resolves
// for each architecture that it is for.
describe.skipIf(checkout === undefined)('Azure Linux (set WEIR_AZURELINUX to a checkout of its project)', async () => {
  const images = checkout === undefined ? [] : [...(await loadProject(root)).images.values()];
  const described = images.flatMap(({ name, definition, architectures }) => {
    if (definition?.type !== 'kiwi') return [];
    const archs = architectures.length === 0 ? ['x86_64', 'aarch64'] : architectures;
    return archs.map((arch) => ({ name, definition: definition as KiwiImage, arch }));
  });

  test('defines images', () => {
    expect(described.length).toBeGreaterThanOrEqual(10);
  });

  test.each(described)('$name for $arch: packages, disk layout and command line', ({ definition, arch }) => {
    const text = readFileSync(definition.path, 'utf8');
    if (/image="iso"/.test(text) && definition.profile?.includes('iso') === true) {
      expect(() => kiwiImage(definition, arch)).toThrow(expect.objectContaining({ code: 'kiwi-type' }));
      return;
    }
    const { definition: made, resolved, differences } = kiwiImage(definition, arch);
    expect(made.packages.length).toBeGreaterThan(3);
    expect(new Set(made.packages).size).toBe(made.packages.length);
    expect(relative(root, resolved.file)).not.toMatch(/^\.\./);
    expect(differences.length).toBeGreaterThan(0);
    console.log(`${relative(root, definition.path)} ${definition.profile ?? ''} ${arch}: ${summary(made)}`);
    if (made.kind === 'disk') {
      expect(made.disk.rootLabel).toBe('azurelinux');
      expect(made.disk.size).toBeGreaterThanOrEqual(2 ** 30);
    } else if (made.kind === 'container') {
      expect(made.container.names?.[0]).toMatch(/^microsoft\/azurelinux\/.*:/);
    }
  });
});

function summary(image: WeirImage): string {
  const packages = `${image.packages.length} packages`;
  if (image.kind === 'container')
    return `${packages}, ${image.container.names?.join(' ')}, ${image.container.cmd.join(' ')}`;
  if (image.kind === 'wsl') return packages;
  const { size, espSize, espMount } = image.disk;
  const layout = `${image.formats.join(' ')} of ${size / 2 ** 20} MiB, ESP ${espSize / 2 ** 20} MiB at ${espMount ?? '-'}`;
  return `${packages}, ${layout}, ${image.kernel.commandLine.join(' ')}`;
}
