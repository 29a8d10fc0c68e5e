import { posix } from 'node:path';
import { below, type Files, nodeAt, resolvePath } from './files.ts';

/** Where systemd looks for units in an image, the first one first (systemd.unit(5)). */
const folders = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** Whether an image has a systemd unit at all. @throws WeirError `unreadable` */
export function hasUnit(files: Files, unit: string): boolean {
  return folders.some((folder) => resolvePath(files, `${folder}/${unit}`) !== undefined);
}

/** Whether a target wants or requires a unit at the start, and nothing masks it (systemd.unit(5)). @throws WeirError `unreadable` */
export function isEnabled(files: Files, unit: string): boolean {
  if (!hasUnit(files, unit) || isMasked(files, unit)) return false;
  return folders.some((folder) =>
    below(files, folder).some(
      ([path]) => posix.basename(path) === unit && /\.(wants|requires)$/.test(posix.dirname(path)),
    ),
  );
}

/** Whether the first place that has the unit has it as a link to /dev/null or an empty file. @throws WeirError `unreadable` */
export function isMasked(files: Files, unit: string): boolean {
  for (const folder of folders) {
    const node = nodeAt(files, `${folder}/${unit}`);
    if (node === undefined) continue;
    return (node.kind === 'symlink' && node.target === '/dev/null') || (node.kind === 'file' && node.size === 0);
  }
  return false;
}
