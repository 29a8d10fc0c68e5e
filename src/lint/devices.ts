import { type PartitionContent, volumeTypes } from '../image/filesystem-identity.ts';
import { otherTypes } from './disk-types.ts';
import type { GptPartition } from './gpt.ts';

/** A partition and its content. */
export interface IdentifiedPartition {
  readonly partition: GptPartition;
  readonly content: PartitionContent;
}

/** The device of a mount: a partition of this disk, missing, or unknown. */
export type Located =
  | { readonly state: 'found'; readonly partition: GptPartition }
  | { readonly state: 'missing' }
  | { readonly state: 'unknown'; readonly why: string };

const byTag: Readonly<Record<string, string>> = {
  'by-uuid': 'UUID',
  'by-label': 'LABEL',
  'by-partuuid': 'PARTUUID',
  'by-partlabel': 'PARTLABEL',
};

/** Finds the device that mount(8) or the kernel's `root=` refers to. */
export function locateDevice(partitions: readonly IdentifiedPartition[], name: string): Located {
  const [, link, linkValue] = /^\/dev\/disk\/([^/]+)\/(.+)$/.exec(name) ?? [];
  const linkKey = link === undefined ? undefined : byTag[link];
  // udev escapes some characters as \x20.
  const decoded = linkValue?.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  if (linkKey !== undefined) return byName(partitions, linkKey, decoded!);
  const [, key, value] = /^([A-Z]+)=(.*)$/s.exec(name) ?? [];
  if (key !== undefined) return byName(partitions, key, value!.replace(/^"(.*)"$/s, '$1'));
  const why = name.startsWith('/dev/') ? 'that depends on the machine' : 'that is not of this disk';
  return { state: 'unknown', why: `${name} is a device name ${why}` };
}

function byName(partitions: readonly IdentifiedPartition[], key: string, value: string): Located {
  const found = (matching: (each: IdentifiedPartition) => boolean): Located | undefined => {
    const each = partitions.find(matching);
    return each && { state: 'found', partition: each.partition };
  };
  const same = (a: string | undefined): boolean => a?.toLowerCase() === value.toLowerCase();
  const missing = { state: 'missing' } as const;
  if (key === 'PARTUUID') return found(({ partition }) => same(partition.uuid)) ?? missing;
  if (key === 'PARTLABEL') return found(({ partition }) => partition.name === value) ?? missing;
  if (key !== 'UUID' && key !== 'LABEL') return { state: 'unknown', why: `${key}= is not supported here` };
  const field = key === 'UUID' ? 'uuid' : 'label';
  const here = found(({ content }) => {
    if (content.state !== 'known' || value === '') return false;
    return field === 'uuid' ? same(content.uuid) : content.label === value;
  });
  if (here !== undefined) return here;
  for (const each of partitions) {
    const reason = withoutNames.has(each.partition.type) ? undefined : hidingReason(each.content, field);
    if (reason !== undefined) {
      return { state: 'unknown', why: `${key}=${value} may be partition ${each.partition.number}: ${reason}` };
    }
  }
  return missing;
}

/** Types of partitions that contain boot code or nothing, and so no file system. */
const withoutNames = new Set<string>([otherTypes.biosBoot, otherTypes.reserved]);

/** Why a partition may contain a file system with any name. */
function hidingReason(content: PartitionContent, field: 'uuid' | 'label'): string | undefined {
  if (content.state === 'empty') return undefined;
  if (content.state === 'unknown') return content.why;
  if (volumeTypes.has(content.type)) return `it is ${volumeTypes.get(content.type)}, which is not supported`;
  return content[field] === undefined ? `the ${field} of ${content.type} is not supported` : undefined;
}
