import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { installRoot } from '../base/paths.ts';

/**
 * Digest of Weir's own code: another Weir may make other bytes out of the same inputs, so what is made in seconds is made again
 * by it. What takes longer has a version that is raised by hand (`Action.version`).
 * @param parts files below `src`, or rooms: the files in them, not those of rooms within
 */
export function codeDigest(parts: readonly string[]): Digest {
  const source = join(installRoot, 'src');
  const files = parts.flatMap((part) => {
    if (part.endsWith('.ts')) return [part];
    return readdirSync(join(source, part))
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .map((name) => `${part}/${name}`);
  });
  return sha256(files.map((file) => `${file}\n${readFileSync(join(source, file), 'utf8')}`).join('\0'));
}
