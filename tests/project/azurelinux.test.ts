import { expect, it } from 'vitest';
import { loadProject } from '../../src/project/load.ts';
import { channelOf } from '../../src/project/publish.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Azure Linux's own project: its branch tomls/base/main, checked out anywhere. The numbers are those of 2026-04-30.
it.skipIf(checkout === undefined)(
  'Azure Linux loads (set WEIR_AZURELINUX to a checkout of tomls/base/main)',
  async () => {
    const project = await loadProject(checkout!);
    const components = [...project.components.values()];
    expect(components.length).toBeGreaterThanOrEqual(7583);
    expect(components.filter((component) => component.overlays.length > 0).length).toBeGreaterThanOrEqual(97);
    expect(components.every((component) => component.spec !== undefined)).toBe(true);
    expect(project.components.get('7zip')?.spec).toMatchObject({
      type: 'upstream',
      name: '7zip',
      distro: { name: 'fedora' },
    });
    expect(project.components.get('azurelinux-release')?.spec?.type).toBe('local');
    expect(channelOf(project, project.components.get('bash')!, 'bash')).toBe('rpm-base');
    expect(channelOf(project, project.components.get('bash')!, 'bash-doc')).toBe('rpm-sdk');
  },
);
