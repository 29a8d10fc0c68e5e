import { resolve } from 'node:path';
import type { TomlPath } from '../toml/place.ts';
import type { ConfigDocument } from './include.ts';
import type { RawFile } from './schema/file.ts';

// Keys that only some versions of the format know: signs of the version that a project is for.

/** Versions of azldev that changed the format, oldest first. */
export const formatVersions = ['0.2', '0.3', '0.4', '1.0', 'after 1.0'] as const;
export type FormatVersion = (typeof formatVersions)[number];

/** A place with a key that only some versions know. */
export interface Evidence {
  /** The key, with `*` for names: the same for every place of its kind. */
  readonly key: string;
  /** The versions that know it, in words. */
  readonly versions: string;
  readonly from?: FormatVersion;
  readonly to?: FormatVersion;
  readonly document: ConfigDocument;
  readonly path: TomlPath;
}

/** Includes of a folder of pins, as azldev writes them. */
const pinPattern = /^((?:[^*?[{]*\/)?upstream-commits)\/[^/]*\.toml$/;

/** The folder of pins that a project includes, absolute; undefined if it includes none. */
export function pinFolderOf(documents: readonly ConfigDocument[]): string | undefined {
  for (const { data, dir } of documents) {
    for (const pattern of data.includes ?? []) {
      const [, folder] = pinPattern.exec(pattern) ?? [];
      if (folder !== undefined) return resolve(dir, folder);
    }
  }
  return undefined;
}

const known = {
  'test-suites': { to: '0.4', versions: 'azldev 0.2 to 0.4' },
  'images.*.tests.test-suites': { to: '0.4', versions: 'azldev 0.2 to 0.4' },
  tests: { from: '0.4', versions: 'azldev 0.4 or later' },
  'test-groups': { from: '0.4', versions: 'azldev 0.4 or later' },
  'images.*.tests.tests': { from: '0.4', versions: 'azldev 0.4 or later' },
  'components.*.tests': { from: '0.4', versions: 'azldev 0.4 or later' },
  'distros.*.versions.*.kiwi-config-override': { from: '0.4', versions: 'azldev 0.4 or later' },
  'components.* in several files': { from: '0.4', versions: 'azldev 0.4 or later' },
  'images.*.architectures': { from: '1.0', versions: 'azldev 1.0 or later' },
  'includes of upstream-commits': { from: '1.0', versions: 'azldev 1.0 or later, with --without-lockfile' },
  'images.*.properties': { from: 'after 1.0', versions: 'azldev after 1.0' },
  'sku-groups': { from: 'after 1.0', versions: 'azldev after 1.0' },
  'vm-skus': { from: 'after 1.0', versions: 'azldev after 1.0' },
} as const satisfies Readonly<
  Record<string, { readonly from?: FormatVersion; readonly to?: FormatVersion; readonly versions: string }>
>;

/** Every place with such a key, in reading order. */
export function evidenceIn(documents: readonly ConfigDocument[]): Evidence[] {
  const found: Evidence[] = [];
  const components = new Set<string>();
  for (const document of documents) {
    const { data } = document;
    const add = (key: keyof typeof known, path: TomlPath): void => {
      found.push({ key, ...known[key], document, path });
    };
    for (const [index, pattern] of (data.includes ?? []).entries()) {
      if (pinPattern.test(pattern)) add('includes of upstream-commits', ['includes', index]);
    }
    for (const key of ['test-suites', 'tests', 'test-groups', 'sku-groups', 'vm-skus'] as const) {
      if (data[key] !== undefined) add(key, [key]);
    }
    addImages(data, add);
    for (const [name, { versions = {} }] of Object.entries(data.distros ?? {})) {
      for (const [version, raw] of Object.entries(versions)) {
        const key = 'kiwi-config-override';
        if (raw[key] !== undefined) {
          add(`distros.*.versions.*.${key}`, ['distros', name, 'versions', version, key]);
        }
      }
    }
    for (const name in data.components) {
      const path = ['components', name];
      if (components.has(name)) add('components.* in several files', path);
      components.add(name);
      if (data.components[name]!.tests !== undefined) add('components.*.tests', [...path, 'tests']);
    }
  }
  return found;
}

function addImages(data: RawFile, add: (key: keyof typeof known, path: TomlPath) => void): void {
  for (const [name, image] of Object.entries(data.images ?? {})) {
    for (const key of ['test-suites', 'tests'] as const) {
      if (image.tests?.[key] !== undefined) add(`images.*.tests.${key}`, ['images', name, 'tests', key]);
    }
    for (const key of ['architectures', 'properties'] as const) {
      if (image[key] !== undefined) add(`images.*.${key}`, ['images', name, key]);
    }
  }
}

/** A key that no version knows that knows the other keys of a project. */
export interface Contradiction {
  readonly old: Evidence;
  /** Places of newer keys. */
  readonly newer: readonly Evidence[];
}

/**
 * The keys that cannot be in one project: no version of azldev has both of them. In a project of Weir's, which knows all keys,
 * there are none.
 */
export function contradictions(evidence: readonly Evidence[]): Contradiction[] {
  const index = (version: FormatVersion | undefined, none: number): number =>
    version === undefined ? none : formatVersions.indexOf(version);
  return evidence.flatMap((old) => {
    const to = index(old.to, formatVersions.length);
    const newer = evidence.filter((one) => index(one.from, -1) > to);
    return newer.length === 0 ? [] : [{ old, newer }];
  });
}
