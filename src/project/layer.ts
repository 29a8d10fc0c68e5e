import { attempt, type Document, problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { componentKeys, type Keys, keysAt, mergeRules } from './keys.ts';
import { defined, filled, merge } from './merge.ts';
import type { ComponentPublish, HashType, PackagePublish, SourceFile } from './model/component.ts';
import type { Overlay } from './model/overlay.ts';
import { overlaysOf } from './overlay.ts';
import { withAbsolutePaths } from './paths.ts';
import { placeholder, placeholderError } from './placeholder.ts';
import type { RawBuild, RawComponent, RawPackageConfig, RawSourceFile, RawSpec } from './schema/component.ts';
import type { RawTestReference } from './schema/test.ts';
import { isFileName } from './schema/words.ts';

/**
 * A pattern of `overlay-files`. An inherited one has no folder, because it starts in the component's folder, unless it contains
 * `{component}`.
 */
export interface OverlayFiles {
  readonly pattern: string;
  readonly dir?: string;
}

/** One table of component settings, with absolute paths and checked overlays: what merges into a component. */
export interface Layer {
  readonly spec: RawSpec;
  readonly overlays: readonly Overlay[];
  /** Undefined if not set, so inherited. */
  readonly overlayFiles: readonly OverlayFiles[] | undefined;
  readonly build: RawBuild;
  readonly calculation: string;
  readonly skipFileFilter: boolean;
  /** Undefined if not set. */
  readonly sourceFiles: readonly SourceFile[] | undefined;
  readonly packages: Readonly<Record<string, PackagePublish>>;
  readonly publish: ComponentPublish;
  /** Undefined if not set. */
  readonly tests: readonly LayerTest[] | undefined;
  /** Undefined if not set. */
  readonly upstreamNames: readonly string[] | undefined;
}

/** A reference to a test, with its place: the tests may be defined in a later file. */
export interface LayerTest {
  readonly document: Document;
  readonly path: TomlPath;
  readonly raw: RawTestReference;
}

export const emptyLayer: Layer = {
  spec: {},
  overlays: [],
  overlayFiles: undefined,
  build: {},
  calculation: '',
  skipFileFilter: false,
  sourceFiles: undefined,
  packages: {},
  publish: {},
  tests: undefined,
  upstreamNames: undefined,
};

/**
 * The settings of a table, with absolute paths.
 * @param path of the table in the document
 * @param component its name, if the table is that of one component
 * @throws WeirError (exit 2) `source-file`, `unknown-key`, those of overlays, and, unless several files may have the table, those of
 *   `checkLayer`
 */
export function layerOf(document: Document, path: TomlPath, raw: RawComponent, component: string | undefined): Layer {
  if (Object.keys(raw).length === 0) return emptyLayer;
  const build = buildOf(document, path, raw.build ?? {});
  // Those of a component, and the defaults of the project, are checked when all of their tables are merged.
  if (component === undefined && path.length > 1)
    checkLayer({ spec: raw.spec ?? {}, build }, () => ({ document, path }));
  const publish = raw.publish ?? {};
  return {
    spec: withAbsolutePaths(document, raw.spec ?? {}, componentKeys.at('spec')),
    overlays: overlaysOf(document, [...path, 'overlays'], raw.overlays ?? [], component),
    overlayFiles: raw['overlay-files']?.flatMap((pattern, index) => {
      const at = [...path, 'overlay-files', index];
      return attempt(document, () => overlayFilesOf(document, at, pattern, component)) ?? [];
    }),
    build,
    calculation: raw.release?.calculation ?? '',
    skipFileFilter: raw.render?.['skip-file-filter'] ?? false,
    sourceFiles:
      raw['source-files'] && sourceFilesOf(document, [...path, 'source-files'], raw['source-files'], component),
    packages: Object.fromEntries(
      Object.entries(raw.packages ?? {}).map(([name, config]) => [name, packagePublishOf(config)]),
    ),
    publish: defined({
      rpmChannel: filled(publish['rpm-channel']),
      srpmChannel: filled(publish['srpm-channel']),
      debuginfoChannel: filled(publish['debuginfo-channel']),
    }),
    tests: raw.tests?.tests?.map((each, index) => ({
      document,
      path: [...path, 'tests', 'tests', index],
      raw: each,
    })),
    upstreamNames: raw['upstream-names'],
  };
}

function overlayFilesOf(
  document: Document,
  path: TomlPath,
  pattern: string,
  component: string | undefined,
): OverlayFiles {
  if (!pattern.includes(placeholder)) return component === undefined ? { pattern } : { pattern, dir: document.dir };
  const isProject = path[0] === 'default-component-config';
  const where = `${placeholder} is only valid in the [default-component-config] of the project`;
  const wrong = isProject ? placeholderError(pattern) : where;
  if (wrong === undefined) return { pattern, dir: document.dir };
  throw problem(document, path, 'invalid-glob', `invalid overlay-files "${pattern}": ${wrong}`, {
    hint: `such as "comps/${placeholder}/overlays/*.overlay.toml"`,
  });
}

/** The key that each field of a layer comes from: the rule of that key says how it merges. */
const keysOfField = (rules: Keys): { readonly [F in keyof Layer]: Keys } => ({
  spec: rules.at('spec'),
  overlays: rules.at('overlays'),
  overlayFiles: rules.at('overlay-files'),
  build: rules.at('build'),
  // These two are never undefined, so an unset one must not override.
  calculation: keysAt(componentKeys, ['release', 'calculation']),
  skipFileFilter: keysAt(componentKeys, ['render', 'skip-file-filter']),
  sourceFiles: rules.at('source-files'),
  packages: rules.at('packages'),
  publish: rules.at('publish'),
  tests: keysAt(rules, ['tests', 'tests']),
  upstreamNames: rules.at('upstream-names'),
});

const byRules = { plain: keysOfField(mergeRules(false).component), specified: keysOfField(mergeRules(true).component) };

/**
 * Merges `next` over `base`, each key by its rule in `keys.ts`.
 * @param isSpecified whether the project follows the specification
 */
export function mergeLayers(base: Layer, next: Layer, isSpecified = false): Layer {
  if (next === emptyLayer) return base;
  if (base === emptyLayer) return next;
  const keys = isSpecified ? byRules.specified : byRules.plain;
  const merged: Partial<Record<keyof Layer, unknown>> = {};
  for (const field of Object.keys(keys) as (keyof Layer)[]) {
    merged[field] = merge<unknown>(base[field], next[field], keys[field]);
  }
  return merged as unknown as Layer;
}

/** Publish settings of packages; the old key `channel` counts as `rpm-channel`. */
export function packagePublishOf(raw: RawPackageConfig | undefined): PackagePublish {
  const publish = raw?.publish ?? {};
  return defined({
    rpmChannel: filled(publish['rpm-channel']) ?? filled(publish.channel),
    debuginfoChannel: filled(publish['debuginfo-channel']),
  });
}

function named(component: string | undefined): { component?: string } {
  return component === undefined ? {} : { component };
}

/** A table that sets something, for an error. */
export interface LayerPlace {
  readonly document: Document;
  /** Of the table of settings in the document. */
  readonly path: TomlPath;
}

/**
 * Checks what keys need each other: of a table of defaults, or of all tables of a component.
 * @param at the table that sets a key
 * @throws WeirError (exit 2) `invalid-spec-source`, `snapshot-on-component`, `reason-missing`
 */
export function checkLayer(
  { spec, build }: Pick<Layer, 'spec' | 'build'>,
  at: (key: readonly string[]) => LayerPlace,
  component?: string,
): void {
  attempt(at([]).document, () => checkSpec(at, spec, component));
  attempt(at([]).document, () => checkReasons(at, build, component));
}

function checkSpec(at: (key: readonly string[]) => LayerPlace, spec: RawSpec, component: string | undefined): void {
  const place = (key: string): [Document, TomlPath] => {
    const { document, path } = at(['spec', key]);
    return [document, [...path, 'spec', key]];
  };
  const fail = (key: string, message: string, hint: string): Error =>
    problem(...place(key), 'invalid-spec-source', message, { ...named(component), hint });
  const type = spec.type ?? '';
  if (filled(spec.path) !== undefined && type !== 'local') {
    throw fail('path', '"path" is only valid for local specs', 'add type = "local" to the same table');
  }
  if (type === 'local' && filled(spec.path) === undefined) {
    throw fail('type', 'a local spec needs "path"', 'add path = "NAME.spec", relative to this file');
  }
  // A commit may stand alone in a component's table, as in generated pins: inheritance decides whether there is an upstream.
  const keys =
    component !== undefined && type === ''
      ? (['upstream-name'] as const)
      : (['upstream-name', 'upstream-commit'] as const);
  for (const key of keys) {
    if (filled(spec[key]) !== undefined && type !== 'upstream') {
      throw fail(key, `"${key}" is only valid for upstream specs`, 'add type = "upstream" to the same table');
    }
  }
  if (component !== undefined && filled(spec['upstream-distro']?.snapshot) !== undefined) {
    const [document, path] = place('upstream-distro');
    throw problem(
      document,
      [...path, 'snapshot'],
      'snapshot-on-component',
      'a component cannot have a snapshot of its own',
      {
        component,
        hint: 'set the snapshot in the defaults of the distro or a group, or pin this component with upstream-commit',
      },
    );
  }
}

/** The table with the reason of a skipped check under its name of azldev's; the specification calls it `skip-reason`. */
function buildOf(document: Document, path: TomlPath, build: RawBuild): RawBuild {
  const { 'skip-reason': reason, ...rest } = build.check ?? {};
  if (reason === undefined) return build;
  if (document.specified !== true) {
    const at = [...path, 'build', 'check', 'skip-reason'];
    throw problem(document, at, 'unknown-key', 'unknown key "skip-reason" in a project without spec-version', {
      hint: 'did you mean skip_reason?',
    });
  }
  return { ...build, check: { ...rest, skip_reason: rest.skip_reason || reason } };
}

function checkReasons(
  at: (key: readonly string[]) => LayerPlace,
  build: RawBuild,
  component: string | undefined,
): void {
  const check = (
    set: boolean | undefined,
    reason: string | undefined,
    table: string,
    key: string,
    why: string,
  ): void => {
    if (set !== true || (reason ?? '').trim() !== '') return;
    const hint = `add ${why} = "…"`;
    const { document, path } = at(['build', table, key]);
    throw problem(document, [...path, 'build', table, key], 'reason-missing', `${table}.${key} needs a reason`, {
      ...named(component),
      hint,
    });
  };
  check(build.check?.skip, build.check?.skip_reason, 'check', 'skip', 'skip_reason');
  check(build.failure?.expected, build.failure?.['expected-reason'], 'failure', 'expected', 'expected-reason');
}

function sourceFilesOf(
  document: Document,
  path: TomlPath,
  raw: readonly RawSourceFile[],
  component: string | undefined,
): SourceFile[] {
  const seen = new Set<string>();
  return raw.flatMap((file, index) => {
    const fail = (at: TomlPath, message: string): Error =>
      problem(document, [...path, index, ...at], 'source-file', `${file.filename}: ${message}`, named(component));
    return attempt(document, () => sourceFileOf(file, seen, fail)) ?? [];
  });
}

function sourceFileOf(file: RawSourceFile, seen: Set<string>, fail: Fail): SourceFile {
  if (seen.has(file.filename)) throw fail(['filename'], 'duplicate source file');
  seen.add(file.filename);
  checkHash(file, fail);
  const replaceUpstream = file['replace-upstream'] ?? false;
  const replaceReason = filled(file['replace-reason']?.trim());
  if (replaceUpstream && replaceReason === undefined) {
    throw fail(['replace-upstream'], 'replacing an upstream file needs "replace-reason"');
  }
  if (!replaceUpstream && filled(file['replace-reason']) !== undefined) {
    throw fail(['replace-reason'], '"replace-reason" is only valid with replace-upstream = true');
  }
  return defined({
    filename: file.filename,
    hash: filled(file.hash?.toLowerCase()),
    hashType: filled(file['hash-type']) as HashType | undefined,
    origin: sourceOriginOf(file, fail),
    replaceUpstream,
    replaceReason,
  });
}

type Fail = (at: TomlPath, message: string) => Error;

function checkHash(file: RawSourceFile, fail: Fail): void {
  const hash = filled(file.hash);
  if (hash === undefined) return;
  const type = filled(file['hash-type']);
  if (type === undefined) throw fail(['hash'], '"hash" needs "hash-type"');
  const digits = type === 'SHA256' ? 64 : 128;
  if (!/^[0-9a-fA-F]+$/.test(hash) || hash.length !== digits) {
    throw fail(['hash'], `a ${type} hash has ${digits} hex digits`);
  }
}

function sourceOriginOf(file: RawSourceFile, fail: Fail): SourceFile['origin'] {
  const { type, uri, script, inputs = [], 'mock-packages': packages = [] } = file.origin;
  if (type !== 'download' && filled(uri) !== undefined) {
    throw fail(['origin', 'uri'], '"uri" is only valid for origins of type "download"');
  }
  if (type !== 'custom') {
    for (const key of ['script', 'mock-packages', 'inputs'] as const) {
      if ((file.origin[key] ?? '').length > 0)
        throw fail(['origin', key], `"${key}" is only valid for origins of type "custom"`);
    }
  }
  if (type === 'download') {
    if (filled(uri) === undefined) throw fail(['origin'], 'an origin of type "download" needs "uri"');
    if (!/^[a-z][a-z0-9+.-]*:/i.test(uri ?? '')) throw fail(['origin', 'uri'], `"${uri}" is not a URI`);
    return { type, uri: uri ?? '' };
  }
  if (type === 'overlay') {
    if (file['replace-upstream'] !== true) {
      throw fail(['origin', 'type'], 'an origin of type "overlay" needs replace-upstream = true');
    }
    return { type };
  }
  if (filled(script) === undefined) throw fail(['origin'], 'an origin of type "custom" needs "script"');
  if (!isFileName(script ?? '')) throw fail(['origin', 'script'], '"script" is a file name, not a path');
  const twice = inputs.findIndex((input, index) => inputs.indexOf(input) !== index || input === script);
  if (twice >= 0) throw fail(['origin', 'inputs', twice], `duplicate input "${inputs[twice]}"`);
  return { type, script: script ?? '', packages, inputs };
}
