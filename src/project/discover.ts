import { join, relative } from 'node:path';
import { noteGlob } from '../toml/disk-inputs.ts';
import { problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected } from './collect.ts';
import { expandGlob } from './glob.ts';
import type { ConfigDocument } from './include.ts';
import { placeholder } from './placeholder.ts';
import { nameSchema } from './schema/words.ts';

/** A component that only its overlay files define: their folder has its name. */
export interface Discovered {
  /** The folder with the component's name. */
  readonly dir: string;
  /** Of the pattern that found it. */
  readonly document: ConfigDocument;
  readonly path: TomlPath;
}

/**
 * The components whose folders the project's patterns find, by name; those with tables of their own too.
 * Problems are `duplicate-name`; a folder whose name is not that of a component is a warning.
 */
export function discover(collected: Collected, problems: Problems): Map<string, Discovered> {
  const found = new Map<string, Discovered>();
  const key = 'default-component-config';
  for (const { pattern, dir } of collected.defaults.overlayFiles ?? []) {
    if (dir === undefined) continue;
    const says = collected.documents.findLast(({ data }) => data[key]?.['overlay-files']?.includes(pattern));
    if (says === undefined) continue;
    const path = [key, 'overlay-files', says.data[key]!['overlay-files']!.indexOf(pattern)];
    const [before = '', after = ''] = pattern.split(placeholder);
    const glob = `${before}*${after}`;
    const matches = noteGlob(says.inputs, glob, dir, expandGlob(glob, dir));
    const names = new Set(matches.map((file) => relative(join(dir, before), file).split('/')[0]!));
    for (const name of names) {
      const folder = join(dir, before, name);
      if (!nameSchema.safeParse(name).success) {
        const message = `the overlay files in "${name}" belong to no component: this is not a component's name`;
        problems.warn(problem(says, path, 'component-name', message, { hint: 'rename the folder' }));
      } else if (found.has(name)) {
        const hint = 'restrict one of the patterns, or rename one of the folders';
        const message = `two patterns find the component ${name}`;
        problems.add(problem(says, path, 'duplicate-name', message, { details: [found.get(name)!.dir, folder], hint }));
      } else {
        found.set(name, { dir: folder, document: says, path });
      }
    }
  }
  return found;
}
