import type { Digest } from '../../base/digest.ts';
import { isoDay } from '../../base/time.ts';
import { putBytes, readBlobText } from '../../engine/store.ts';
import { espVolumeId } from '../../image/vm.ts';
import type { WeirImage } from '../../project/model/image.ts';
import type { Entry, Tree } from '../../tree/tree.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** Image-specific files: os-release, SELinux mode, hostname, machine-id, fstab. @param uuidSeed seed of the disk's UUIDs */
export async function imageEntries(
  workspace: Workspace,
  name: string,
  definition: WeirImage,
  tree: Tree,
  uuidSeed: Digest,
): Promise<Entry[]> {
  const { engine, clock, release } = workspace;
  const added: Entry[] = [];
  const owned = { user: 'root', group: 'root', mtime: clock, packages: [] } as const;
  const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
    const before = tree.entries.find((entry) => entry.path === path);
    const packages = before?.packages ?? [];
    added.push({ ...owned, packages, kind: 'file', path, mode, ...(await putBytes(engine.store, text)) });
  };
  const osRelease = tree.entries.find((entry) => entry.path === '/usr/lib/os-release');
  if (osRelease?.kind === 'file') {
    const text = (await readBlobText(engine.store, osRelease.digest)).trimEnd();
    await put(
      '/usr/lib/os-release',
      `${text}\nIMAGE_ID="${name}"\nIMAGE_VERSION="${release.version}.${dateOf(clock)}"\n`,
    );
  }
  const config = tree.entries.find((entry) => entry.path === '/etc/selinux/config');
  if (config?.kind === 'file' && definition.selinux !== 'enforcing') {
    const text = await readBlobText(engine.store, config.digest);
    await put('/etc/selinux/config', text.replace(/^SELINUX=.*$/m, `SELINUX=${definition.selinux}`));
  }
  if (definition.hostname !== undefined) await put('/etc/hostname', `${definition.hostname}\n`);
  // Empty, so that each installation gets its own ID without a first boot, where systemd-firstboot would wait for answers.
  if (definition.kind === 'wsl') await put('/etc/machine-id', '', 0o444);
  if (definition.kind === 'disk') {
    // `uninitialized`: with an empty file systemd assumes that this is not the first boot and skips units that need one.
    await put('/etc/machine-id', 'uninitialized\n', 0o444);
    const root = `LABEL=${definition.disk.rootLabel} / ${definition.disk.rootFs} defaults,x-systemd.growfs 0 1`;
    const { espMount } = definition.disk;
    const volume = espVolumeId(uuidSeed).toUpperCase();
    const esp =
      espMount === undefined
        ? 'LABEL=ESP /boot vfat noauto,nofail,umask=0077 0 2'
        : `UUID=${volume.slice(0, 4)}-${volume.slice(4)} ${espMount} vfat defaults 0 0`;
    const mounted = espMount === undefined ? ' The ESP is mounted by whoever writes to it.' : '';
    await put(
      '/etc/fstab',
      `# The root file system; the kernel command line names its partition.${mounted}\n${root}\n${esp}\n`,
    );
    if (espMount !== undefined && !tree.entries.some(({ path }) => path === espMount)) {
      added.push({ ...owned, kind: 'directory', path: espMount, mode: 0o755 });
    }
  }
  return added;
}

function dateOf(clock: number): string {
  return isoDay(clock).replaceAll('-', '');
}
