// The one table of what the keys of a project file mean beyond their schema: how values of two files merge, which values
// are paths, and which components a changed value can affect. Loading, explaining (`trace.ts`) and history all use it.

import type { TomlPath } from '../toml/place.ts';

/**
 * How a later value merges with an earlier one. By default it overrides, tables key by key, unless it counts as unset
 * (`isZero`).
 * - `append`: the elements of a list come after the earlier ones
 * - `even-empty`: like the default, but an empty value overrides too
 * - `replace`: the later value replaces the whole earlier one, tables too
 * - `once`: like `replace`, but a second file that has it is an error
 * - `keep`: like the default, but an empty table stays
 */
export type Merge = 'override' | 'append' | 'even-empty' | 'replace' | 'once' | 'keep';

/** What a text names, relative to the file that has it: a file or folder, one of these or a URI, or a glob of them. */
export type PathKind = 'path' | 'uri' | 'glob';

/** The rule of one key. A property that is missing is as for a key without a rule. */
export interface KeyRule {
  readonly merge?: Merge;
  readonly path?: PathKind;
  /**
   * Which components a changed value can affect: all of them (the default), only those that it is about, or none. The
   * configuration of a component is about that component only.
   */
  readonly affects?: 'all' | 'own' | 'none';
  /** What a path adds to a component's inputs: the file, or the folder that contains the file. */
  readonly takes?: 'file' | 'folder';
  /** The part of a component's inputs (`InputPart.name`) that holds the value. */
  readonly part?: string;
}

/** The rule of a key, and access to those of the keys below it. */
export interface Keys {
  readonly rule: KeyRule;
  /** Whether a key here or below is a path. */
  readonly hasPaths: boolean;
  /** The keys of a value in this table, or of an element of this list. */
  readonly at: (key: string | number) => Keys;
}

/** Rules by dotted keys. `*` is any name, or any element of a list. */
type Rules = Readonly<Record<string, KeyRule | { readonly keys: Keys }>>;

class KeyNode implements Keys {
  rule: KeyRule;
  hasPaths = false;
  /** The rule of every key without one. */
  readonly #fallback: Keys;
  readonly #named = new Map<string, Keys>();
  #any: Keys | undefined;

  constructor(rule: KeyRule, fallback?: Keys) {
    this.rule = rule;
    this.#fallback = fallback ?? this;
  }

  at(key: string | number): Keys {
    const named = typeof key === 'string' ? this.#named.get(key) : undefined;
    return named ?? this.#any ?? this.#fallback;
  }

  insert([key, ...rest]: readonly string[], rule: KeyRule | { readonly keys: Keys }): void {
    if ('keys' in rule ? rule.keys.hasPaths : rule.path !== undefined) this.hasPaths = true;
    if (rest.length === 0 && 'keys' in rule) {
      this.#put(key!, rule.keys);
      return;
    }
    const before = key === '*' ? this.#any : this.#named.get(key!);
    const node = before instanceof KeyNode ? before : new KeyNode(this.#fallback.rule, this.#fallback);
    this.#put(key!, node);
    if (rest.length > 0) node.insert(rest, rule);
    else if (!('keys' in rule)) {
      node.rule = rule;
      if (rule.path !== undefined) node.hasPaths = true;
    }
  }

  #put(key: string, keys: Keys): void {
    if (key === '*') this.#any = keys;
    else this.#named.set(key, keys);
  }
}

/** Makes a table of rules. @param others the rule of keys that have none */
function keyTable(rules: Rules, others: KeyRule = {}): Keys {
  const top = new KeyNode(others, new KeyNode(others));
  for (const [path, rule] of Object.entries(rules)) top.insert(path.split('.'), rule);
  return top;
}

/** The keys of one overlay. */
export const overlayRules = {
  source: { path: 'path', takes: 'file' },
} as const satisfies Rules;

/** The keys of a table of component settings: `[components.X]`, and every `default-component-config`. */
export const componentRules = {
  'spec.path': { path: 'path', takes: 'folder' },
  'spec.type': { part: 'spec source' },
  'spec.upstream-name': { part: 'upstream name' },
  'spec.upstream-commit': { part: 'upstream commit' },
  'spec.upstream-distro.snapshot': { part: 'upstream snapshot' },
  'spec.upstream-distro.version': { part: 'upstream distro' },
  'release.calculation': { part: 'release.calculation' },
  'render.skip-file-filter': { part: 'render.skip-file-filter' },
  overlays: { merge: 'append' },
  'overlays.*.source': overlayRules.source,
  // Not a path: an inherited pattern starts in the component's folder, not in that of the file that has it. An empty list
  // removes inherited ones.
  'overlay-files': { merge: 'even-empty' },
  'build.with': { merge: 'append' },
  'build.without': { merge: 'append' },
  'build.undefines': { merge: 'append' },
  // A macro may be empty.
  'build.defines.*': { merge: 'even-empty' },
  'build.check.skip': { part: 'check.skip' },
  'build.emit-upstream-provenance': { part: 'build.emit-upstream-provenance' },
  'source-files': { merge: 'append' },
  'packages.*': { merge: 'replace' },
  'tests.tests': { merge: 'append' },
  'upstream-names': { merge: 'even-empty', affects: 'none' },
} as const satisfies Rules;

export const componentKeys = keyTable(componentRules);
export const overlayKeys = keyTable(overlayRules);
const settings = { keys: componentKeys };

/**
 * The rules of a project that follows the draft Distro TOML specification: the last value wins, be it false or empty, and only
 * overlays append.
 */
function specified(rules: Rules): Rules {
  const entries = Object.entries(rules).map(([path, rule]): [string, Rules[string]] => {
    if ('keys' in rule) return [path, { keys: specifiedComponentKeys }];
    const appends = rule.merge === 'append' && path !== 'overlays';
    return [path, rule.merge === undefined || appends ? { ...rule, merge: 'even-empty' } : rule];
  });
  return Object.fromEntries(entries);
}

const specifiedComponentKeys = keyTable(specified(componentRules), { merge: 'even-empty' });

/** The keys of a project file, from its top. */
export const fileRules = {
  $schema: { affects: 'none' },
  'spec-version': { affects: 'none' },
  'includes.*': { path: 'glob' },
  'project.description': { affects: 'none' },
  'project.log-dir': { path: 'path', affects: 'none' },
  'project.work-dir': { path: 'path', affects: 'none' },
  'project.output-dir': { path: 'path', affects: 'none' },
  'project.rendered-specs-dir': { path: 'path' },
  'project.lock-dir': { path: 'path' },
  'distros.*': { merge: 'keep' },
  'distros.*.description': { affects: 'none' },
  'distros.*.dist-git-base-uri': { path: 'uri' },
  'distros.*.lookaside-base-uri': { path: 'uri' },
  'distros.*.versions': { merge: 'keep' },
  'distros.*.versions.*': { merge: 'replace' },
  'distros.*.versions.*.description': { affects: 'none' },
  'distros.*.versions.*.kiwi-config-override': { path: 'path', affects: 'none' },
  'distros.*.versions.*.mock-config': { path: 'path', affects: 'none' },
  'distros.*.versions.*.mock-config-x86_64': { path: 'path', affects: 'none' },
  'distros.*.versions.*.mock-config-aarch64': { path: 'path', affects: 'none' },
  'distros.*.versions.*.default-component-config': settings,
  resources: { affects: 'none' },
  'resources.rpm-repos.*': { merge: 'replace' },
  'resources.rpm-repos.*.gpg-key': { path: 'uri' },
  'resources.rpm-repo-set-templates.*': { merge: 'replace' },
  'resources.rpm-repo-sets.*': { merge: 'replace' },
  'resources.rpm-repo-sets.*.gpg-key': { path: 'uri' },
  'component-groups': { affects: 'own' },
  'component-groups.*': { merge: 'once' },
  'component-groups.*.description': { affects: 'none' },
  'component-groups.*.metadata': { affects: 'none' },
  'component-groups.*.components': { affects: 'own' },
  'component-groups.*.specs.*': { path: 'glob' },
  'component-groups.*.excluded-paths.*': { path: 'glob' },
  'component-groups.*.default-component-config': settings,
  components: { affects: 'own' },
  'components.*': settings,
  'default-component-config': settings,
  'default-package-config': { affects: 'none' },
  'package-groups': { affects: 'none' },
  'package-groups.*': { merge: 'once' },
  images: { affects: 'none' },
  'images.*': { merge: 'once' },
  'images.*.definition.path': { path: 'path' },
  'images.*.definition.setup.overlays.*': { path: 'path' },
  'images.*.definition.setup.files.*.from': { path: 'path' },
  'test-suites': { affects: 'none' },
  'test-suites.*': { merge: 'once' },
  'test-suites.*.pytest.working-dir': { path: 'path' },
  tests: { affects: 'none' },
  'tests.*': { merge: 'once' },
  'tests.*.pytest.working-dir': { path: 'path' },
  'test-groups': { affects: 'none' },
  'test-groups.*': { merge: 'once' },
  'sku-groups': { affects: 'none' },
  'sku-groups.*': { merge: 'once' },
  'vm-skus': { affects: 'none' },
  'vm-skus.*': { merge: 'once' },
  tools: { affects: 'none' },
  release: { affects: 'none' },
  lifecycle: { affects: 'none' },
  advisories: { affects: 'none' },
  'advisories.path': { path: 'path' },
  signing: { affects: 'none' },
  'signing.image-key': { path: 'path' },
  toolbox: { affects: 'none' },
  'toolbox.root': { path: 'path' },
  'seed.mappings.*': { path: 'glob' },
  'seed.dist-git': { path: 'path' },
} as const satisfies Rules;

export const fileKeys = keyTable(fileRules);
const specifiedFileKeys = keyTable(specified(fileRules), { merge: 'even-empty' });

/** The rules by which the tables of a project merge. @param isSpecified whether it follows the specification */
export function mergeRules(isSpecified: boolean): { readonly file: Keys; readonly component: Keys } {
  return isSpecified
    ? { file: specifiedFileKeys, component: specifiedComponentKeys }
    : { file: fileKeys, component: componentKeys };
}

/** The keys of an overlay file. */
export const overlayFileKeys = keyTable({
  metadata: { affects: 'none' },
  overlays: { affects: 'own' },
  'overlays.*.source': overlayRules.source,
});

/**
 * The keys of an image's definition that extends another: values and lists replace, an empty one removes the other's,
 * tables merge. The command line appends, because repeated words have a meaning: `console=` twice is two consoles.
 */
export const extendedImageKeys = keyTable({ 'kernel.command-line': { merge: 'append' } }, { merge: 'even-empty' });

/** The keys below a path. */
export function keysAt(keys: Keys, path: TomlPath): Keys {
  return path.reduce<Keys>((at, key) => at.at(key), keys);
}
