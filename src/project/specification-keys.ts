import { basename } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type Document, isTable, problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { RawComponent, RawOverlay, RawPackageConfig } from './schema/component.ts';
import type { RawFile } from './schema/file.ts';

// What the draft Distro TOML specification, revision 0.1, says about the keys and values of one file.

/** Tables and keys that the specification does not have, with what to do about each. `*` is any name. */
const foreignKeys: Readonly<Record<string, string>> = {
  $schema: "name the schema in the editor's own settings",
  tools: 'remove it',
  'test-suites': 'use [tests]',
  'project.log-dir': 'remove it: where a tool writes is no property of the distribution',
  'project.work-dir': 'remove it: where a tool writes is no property of the distribution',
  'project.output-dir': 'remove it: where a tool writes is no property of the distribution',
  'project.rendered-specs-dir': 'remove it: where a tool writes is no property of the distribution',
  'project.lock-dir': 'pin components with spec.upstream-commit instead of locks',
  'images.*.tests.test-suites': 'use tests.tests',
  release: "it is Weir's own: keep it in a file beside the project",
  lifecycle: "it is Weir's own: keep it in a file beside the project",
  advisories: "it is Weir's own: keep it in a file beside the project",
  signing: "it is Weir's own: keep it in a file beside the project",
  toolbox: "it is Weir's own: keep it in a file beside the project",
  seed: "it is Weir's own: keep it in a file beside the project",
};

/** The same, in every table of component settings. */
const foreignSettings: Readonly<Record<string, string>> = {
  render: 'remove it',
  'upstream-names': "it is Weir's own: keep it in a file beside the project",
  'build.failure': 'remove it',
  'build.hints': 'remove it',
  'build.check.skip_reason': 'call it skip-reason',
};

/** Collects differences at paths of one document. */
type Add = (path: TomlPath, code: string, message: string, hint?: string) => void;

/** The differences in one file, in no particular order. @param isRoot whether it is the project's root file */
export function differencesOfKeys(document: Document<RawFile>, isRoot: boolean): WeirError[] {
  const found: WeirError[] = [];
  const add = adder(document, found);
  const { data } = document;
  if (isRoot && data['spec-version'] === undefined) {
    const where = { file: document.path, line: 1, column: 1 };
    const hint = 'add spec-version = "0.1"';
    found.push(new WeirError('spec-version', '"spec-version" is missing in the root file', { where, hint, exit: 2 }));
  }
  for (const [index, pattern] of (data.includes ?? []).entries()) {
    if (!pattern.split('/').includes('**')) continue;
    add(['includes', index], 'includes', '"**" is not allowed in includes', 'name every level of folders');
  }
  for (const [key, hint] of Object.entries(foreignKeys)) {
    for (const path of pathsTo(data, key.split('.'))) add(path, 'foreign-key', foreign(path), hint);
  }
  addDistros(data, add);
  addImages(data, add);
  addPublish(data['default-package-config'], ['default-package-config'], add);
  for (const [name, group] of Object.entries(data['package-groups'] ?? {})) {
    const key = 'default-package-config';
    addPublish(group[key], ['package-groups', name, key], add);
  }
  for (const { path, raw } of settingsOf(data)) addSettings(raw, path, add);
  return found;
}

/** The differences in an overlay file, which the specification wants to be nothing but a list. */
export function differencesOfOverlayFile(
  document: Document<{ readonly metadata?: unknown; readonly overlays: readonly RawOverlay[] }>,
): WeirError[] {
  const found: WeirError[] = [];
  const add = adder(document, found);
  const { metadata, overlays } = document.data;
  if (metadata !== undefined) {
    const hint = 'give each overlay the metadata of its own';
    add(['metadata'], 'overlay-file', 'an overlay file has no key but "overlays"', hint);
  }
  addOverlays(overlays, ['overlays'], add);
  return found;
}

function adder(document: Document, found: WeirError[]): Add {
  return (path, code, message, hint) => {
    found.push(problem(document, path, code, message, hint === undefined ? {} : { hint }));
  };
}

function foreign(path: TomlPath): string {
  return `the specification has no ${path.length === 1 && path[0] !== '$schema' ? `[${path[0]}]` : `"${path.at(-1)}"`}${path.length > 1 ? ` in ${path.slice(0, -1).join('.')}` : ''}`;
}

/** Every table of component settings in a file. */
export function settingsOf(data: RawFile): { readonly path: TomlPath; readonly raw: RawComponent }[] {
  const key = 'default-component-config';
  const found: { path: TomlPath; raw: RawComponent }[] = [];
  const add = (path: TomlPath, raw: RawComponent | undefined): void => {
    if (raw !== undefined && Object.keys(raw).length > 0) found.push({ path, raw });
  };
  add([key], data[key]);
  for (const [name, { versions = {} }] of Object.entries(data.distros ?? {})) {
    for (const [version, raw] of Object.entries(versions)) add(['distros', name, 'versions', version, key], raw[key]);
  }
  for (const [name, group] of Object.entries(data['component-groups'] ?? {})) {
    add(['component-groups', name, key], group[key]);
  }
  for (const [name, raw] of Object.entries(data.components ?? {})) add(['components', name], raw);
  return found;
}

/** The paths of what a dotted key names, with `*` for any name. */
function pathsTo(value: unknown, [key, ...rest]: readonly string[], at: TomlPath = []): TomlPath[] {
  if (key === undefined) return [at];
  if (!isTable(value)) return [];
  const names = key === '*' ? Object.keys(value) : Object.hasOwn(value, key) ? [key] : [];
  return names.flatMap((name) => (value[name] === undefined ? [] : pathsTo(value[name], rest, [...at, name])));
}

function addDistros(data: RawFile, add: Add): void {
  for (const [name, distro] of Object.entries(data.distros ?? {})) {
    const path = ['distros', name];
    for (const key of ['dist-git-base-uri', 'lookaside-base-uri'] as const) {
      const uri = distro[key];
      if (uri === undefined || uri === '') continue;
      if (/\$pkg\b/.test(uri)) {
        add([...path, key], 'template', `the name of a component in "${key}" is $name, not $pkg`, 'write $name');
      }
      if (!uri.startsWith('https://')) add([...path, key], 'template', `"${key}" must be an https URL`);
    }
    for (const [version, raw] of Object.entries(distro.versions ?? {})) {
      if (raw['mock-config'] === undefined) continue;
      for (const key of ['mock-config-x86_64', 'mock-config-aarch64'] as const) {
        if (raw[key] === undefined) continue;
        const message = `both "mock-config" and "${key}" are set`;
        add([...path, 'versions', version, key], 'mock-config', message, 'set one of them for each architecture');
      }
    }
  }
}

function addImages(data: RawFile, add: Add): void {
  for (const [name, image] of Object.entries(data.images ?? {})) {
    const path = ['images', name];
    if (image.architectures?.length === 0) {
      add([...path, 'architectures'], 'architectures', '"architectures" is empty', 'leave it out to build for all');
    }
    if (image.definition?.type === 'weir') {
      add([...path, 'definition', 'type'], 'foreign-key', 'images of type "weir" are Weir\'s own');
    }
  }
}

function addPublish(config: RawPackageConfig | undefined, path: TomlPath, add: Add): void {
  const publish = config?.publish;
  if (publish?.channel === undefined || publish['rpm-channel'] === undefined) return;
  const message = '"channel" is the old name of "rpm-channel", and both are set';
  add([...path, 'publish', 'channel'], 'publish', message, 'remove channel');
}

function addSettings(raw: RawComponent, path: TomlPath, add: Add): void {
  for (const [key, hint] of Object.entries(foreignSettings)) {
    for (const inner of pathsTo(raw, key.split('.'))) {
      const at = [...path, ...inner];
      add(at, 'foreign-key', foreign(at), hint);
    }
  }
  const commit = raw.spec?.['upstream-commit'];
  if (commit !== undefined && commit !== '' && !/^[0-9a-f]{40}$/.test(commit)) {
    const at = [...path, 'spec', 'upstream-commit'];
    add(at, 'commit', `"${commit}" is not a whole commit`, 'a pin is 40 lower-case hex digits');
  }
  for (const [name, config] of Object.entries(raw.packages ?? {})) addPublish(config, [...path, 'packages', name], add);
  for (const [index, file] of (raw['source-files'] ?? []).entries()) {
    if (file.origin.type !== 'overlay' || (file.hash ?? '') !== '') continue;
    const message = `${file.filename} is changed by overlays and has no hash`;
    add([...path, 'source-files', index], 'archive', message, 'add the hash of the result');
  }
  addOverlays(raw.overlays ?? [], [...path, 'overlays'], add);
}

function addOverlays(overlays: readonly RawOverlay[], path: TomlPath, add: Add): void {
  for (const [index, { type, file, source, metadata }] of overlays.entries()) {
    const at = [...path, index];
    if (type === 'patch-add') {
      const key = file === undefined || file === '' ? 'source' : 'file';
      const name = basename((key === 'file' ? file : source) ?? '');
      if (!name.endsWith('.patch')) add([...at, key], 'patch', `the name of a patch ends in .patch: "${name}"`);
    }
    if (metadata?.category.startsWith('weir-') === true) {
      add([...at, 'metadata', 'category'], 'foreign-key', `the category "${metadata.category}" is Weir's own`);
    }
  }
}
