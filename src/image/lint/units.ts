import { posix } from 'node:path';
import { type Files, resolvePath } from './files.ts';

const folders = ['/etc/systemd/system', '/usr/lib/systemd/system'];

/** Whether an image has a systemd unit at all. */
export function hasUnit(files: Files, unit: string): boolean {
  return folders.some((folder) => resolvePath(files, `${folder}/${unit}`) !== undefined);
}

/** Whether a target wants or requires a unit at the start, and nothing masks it (systemd.unit(5)). */
export function isEnabled(files: Files, unit: string): boolean {
  if (!hasUnit(files, unit) || isMasked(files, unit)) return false;
  for (const [path] of files.nodes) {
    if (posix.basename(path) !== unit) continue;
    const parent = posix.dirname(path);
    if (/\.(wants|requires)$/.test(parent) && folders.includes(posix.dirname(parent))) return true;
  }
  return false;
}

export function isMasked(files: Files, unit: string): boolean {
  const node = files.nodes.get(`/etc/systemd/system/${unit}`);
  return (node?.kind === 'symlink' && node.target === '/dev/null') || (node?.kind === 'file' && node.size === 0);
}
