import { posix } from 'node:path';
import { below, type Files, nodeAt, resolvePath } from './files.ts';

/** Folders of systemd units in an image, highest priority first (systemd.unit(5)). */
const folders = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** Whether an image has a systemd unit. @throws WeirError `unreadable` */
export function hasUnit(files: Files, unit: string): boolean {
  return folders.some((folder) => resolvePath(files, `${folder}/${unit}`) !== undefined);
}

/** Whether a target wants or requires a unit that is not masked (systemd.unit(5)). @throws WeirError `unreadable` */
export function isEnabled(files: Files, unit: string): boolean {
  if (!hasUnit(files, unit) || isMasked(files, unit)) return false;
  return folders.some((folder) =>
    below(files, folder).some(
      ([path]) => posix.basename(path) === unit && /\.(wants|requires)$/.test(posix.dirname(path)),
    ),
  );
}

/** Whether the unit with the highest priority is a symlink to /dev/null or empty. @throws WeirError `unreadable` */
export function isMasked(files: Files, unit: string): boolean {
  for (const folder of folders) {
    const node = nodeAt(files, `${folder}/${unit}`);
    if (node === undefined) continue;
    return (node.kind === 'symlink' && node.target === '/dev/null') || (node.kind === 'file' && node.size === 0);
  }
  return false;
}
