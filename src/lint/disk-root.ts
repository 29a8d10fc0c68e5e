import { partitionTypes } from '../image/disk.ts';
import { type IdentifiedPartition, locateDevice } from './devices.ts';
import { otherTypes, treeTypes } from './disk-types.ts';
import { below, type Files, resolvePath } from './files.ts';
import { fstabMounts, type Mount, mountSource, unitMounts } from './fstab.ts';
import type { GptPartition } from './gpt.ts';
import { RootBuilder } from './root-builder.ts';

/** The root as the running system sees it. */
export interface DiskRoot {
  readonly files: Files;
  /** All mounts except the root partition. */
  readonly mounted: ReadonlyMap<string, GptPartition>;
}

/**
 * Assembles the file systems of a disk as the system mounts them: by fstab(5), by systemd's units, and by partition types
 * (Discoverable Partitions Specification). A mount whose content cannot be read is marked as unseen.
 * @param own the files of the root's partition
 * @param filesOf the files of a partition; undefined if its file system is not supported @throws WeirError `unreadable`
 */
export async function diskRoot(
  own: Files,
  ownPartition: GptPartition,
  partitions: readonly IdentifiedPartition[],
  filesOf: (partition: IdentifiedPartition) => Promise<Files | undefined>,
): Promise<DiskRoot> {
  const builder = new RootBuilder();
  builder.mount('/', own);
  const mounted = new Map<string, GptPartition>();
  const put = async (place: string, each: IdentifiedPartition): Promise<void> => {
    mounted.set(place, each.partition);
    const files = await filesOf(each);
    if (files !== undefined) builder.mount(place, files);
    else builder.hide(place, `partition ${each.partition.number} ${contentName(each)}`);
  };

  const wanted = [...(await fstabMounts(own)), ...(await unitMounts(own))].filter(
    (mount) => mount.place.startsWith('/') && mount.place !== '/' && mountSource(mount) === 'disk',
  );
  const places = new Set(wanted.map(({ place }) => place));
  const doubtful: (readonly [Mount, string])[] = [];
  for (const mount of wanted.sort((a, b) => a.place.length - b.place.length)) {
    const located = locateDevice(partitions, mount.device);
    if (located.state === 'unknown') doubtful.push([mount, located.why]);
    if (located.state !== 'found' || located.partition.number === ownPartition.number) continue;
    if (mount.type === 'swap' || mount.options.includes('noauto') || mounted.has(mount.place)) continue;
    await put(mount.place, partitions.find(({ partition }) => partition.number === located.partition.number)!);
  }
  for (const each of partitions) {
    const place = treeTypes.get(each.partition.type);
    const folder = place === undefined ? undefined : resolvePath(own, place);
    // A mount by name or an existing mount point wins over one by partition type.
    if (place === undefined || places.has(place) || mounted.has(place)) continue;
    if (folder !== undefined && below(own, folder).length > 0) continue;
    await put(place, each);
  }
  // An ambiguous name can only mean a partition that no other mount has named.
  const named = new Set([ownPartition, ...mounted.values()].map(({ number }) => number));
  const left = partitions.find(
    ({ partition, content }) =>
      !named.has(partition.number) && content.state !== 'empty' && !withoutTree.has(partition.type),
  );
  for (const [{ place }, why] of left === undefined ? [] : doubtful) builder.hide(place, why);
  return { files: builder.files(), mounted };
}

const withoutTree = new Set<string>([otherTypes.biosBoot, otherTypes.swap, otherTypes.reserved, partitionTypes.esp]);

/** Describes a partition's content: `contains xfs, which is not supported`. */
export function contentName({ content }: IdentifiedPartition): string {
  if (content.state === 'empty') return 'is empty';
  return content.state === 'unknown'
    ? `is not readable: ${content.why}`
    : `contains ${content.type}, which is not supported`;
}
