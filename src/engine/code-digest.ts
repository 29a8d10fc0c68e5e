import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, type Digest, sha256, valueDigest } from '../base/digest.ts';
import { temporaryName } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import { installRoot } from '../base/paths.ts';
import { readSource } from './source-tokens.ts';

/** The code that can run when a module does its work. */
export interface ReachableCode {
  /** Path below the root → digest of the file's tokens; sorted. */
  readonly files: Readonly<Record<string, Digest>>;
  /** npm package by its path in `package-lock.json` → its version and integrity; sorted. */
  readonly packages: Readonly<Record<string, string>>;
}

const digests = new Map<string, Digest>();
let own: Checkout | undefined;

/**
 * Digest of the code that can run when a module does its work: the module, everything it imports, statically or lazily, and
 * the npm packages they reach, as locked by `package-lock.json`. Comments, formatting, type declarations and Node's version do
 * not count. It is part of an action's inputs, so a code change invalidates cached results without a version to bump by hand.
 * @param module `import.meta.url` of the module that does the work
 */
export function codeDigest(module: string): Digest {
  let digest = digests.get(module);
  if (digest === undefined) {
    own ??= openCheckout(installRoot);
    digest = valueDigest(reach(own, fileURLToPath(module)));
    digests.set(module, digest);
  }
  return digest;
}

/** The input of `codeDigest`. @param root the checkout of the module, with `package-lock.json` */
export function reachableCode(module: string, root: string): ReachableCode {
  return reach(openCheckout(root), module);
}

function reach(checkout: Checkout, module: string): ReachableCode {
  const files: Record<string, Digest> = {};
  const packages: Record<string, string> = {};
  const due = [relative(checkout.root, module)];
  const seen = new Set(due);
  for (let path = due.pop(); path !== undefined; path = due.pop()) {
    const { digest, imports, computed } = sourceOf(checkout, path);
    if (computed) throw new TypeError(`${path} imports by a computed name, so the code it reaches is unknown`);
    files[path] = digest;
    for (const name of imports) {
      if (name.startsWith('node:')) continue;
      if (!name.startsWith('.')) {
        addPackage(checkout, packageName(name), '', packages);
        continue;
      }
      const target = join(dirname(path), name);
      if (!seen.has(target)) due.push(target);
      seen.add(target);
    }
  }
  remember(checkout);
  return { files: sorted(files), packages: sorted(packages) };
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(byKey));
}

/** Cached facts about a file, valid while its stamp is unchanged. */
interface KnownFile {
  readonly stamp: string;
  readonly digest: Digest;
  readonly imports: readonly string[];
  readonly computed: boolean;
}

interface Checkout {
  readonly root: string;
  readonly known: Map<string, KnownFile>;
  /** Files already checked in this run. */
  readonly checked: Map<string, KnownFile>;
  /** Whether `known` has entries that the file on disk lacks. */
  changed: boolean;
  locked: Locked | undefined;
}

/** Digest of the code that produced the cached facts. */
function reader(): Digest {
  return sha256(
    ['code-digest.ts', 'source-tokens.ts'].map((name) => readFileSync(join(import.meta.dirname, name))).join('\0'),
  );
}

/** Next to Node's compile cache: anyone who can write there can change the code itself. */
function cacheFile(root: string): string {
  return join(root, 'node_modules', '.cache', 'weir', 'code.json');
}

function openCheckout(root: string): Checkout {
  return { root, known: knownFiles(root), checked: new Map(), changed: false, locked: undefined };
}

function knownFiles(root: string): Map<string, KnownFile> {
  try {
    const kept = JSON.parse(readFileSync(cacheFile(root), 'utf8')) as {
      reader: Digest;
      files: Record<string, KnownFile>;
    };
    if (kept.reader === reader()) return new Map(Object.entries(kept.files));
  } catch {
    // The cached facts are missing or truncated: read the sources.
  }
  return new Map();
}

function sourceOf(checkout: Checkout, path: string): KnownFile {
  const checked = checkout.checked.get(path);
  if (checked !== undefined) return checked;
  const file = join(checkout.root, path);
  // Stat before reading: a later write then changes the stamp.
  const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  const stamp = [ino, size, mtimeNs, ctimeNs].join(' ');
  let known = checkout.known.get(path);
  if (known?.stamp !== stamp) {
    known = { stamp, ...read(file, path) };
    // A file written twice within one clock tick keeps its stamp, so a very recent one is not cached.
    if (Date.now() - Number(ctimeNs / 1_000_000n) > 2000) {
      checkout.known.set(path, known);
      checkout.changed = true;
    }
  }
  checkout.checked.set(path, known);
  return known;
}

function read(file: string, path: string): Omit<KnownFile, 'stamp'> {
  const text = readFileSync(file, 'utf8');
  if (!path.endsWith('.ts')) return { digest: sha256(text), imports: [], computed: false };
  const source = readSource(text);
  if (source === undefined) throw new TypeError(`${path}: cannot tell code from comments (readSource)`);
  return { digest: sha256(source.code), imports: source.imports, computed: source.computed };
}

function remember(checkout: Checkout): void {
  if (!checkout.changed) return;
  checkout.changed = false;
  const file = cacheFile(checkout.root);
  const temporary = temporaryName(file);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(temporary, JSON.stringify({ reader: reader(), files: Object.fromEntries(checkout.known) }));
    renameSync(temporary, file);
  } catch {
    // A read-only checkout is read each time, in about 50 ms.
    rmSync(temporary, { force: true });
  }
}

interface Locked {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Adds a package and its dependencies, each as Node resolves it. @param from path of the importer in the lock file */
function addPackage(checkout: Checkout, name: string, from: string, packages: Record<string, string>): void {
  checkout.locked ??= JSON.parse(readFileSync(join(checkout.root, 'package-lock.json'), 'utf8')) as Locked;
  const place = placeOf(checkout.locked, name, from);
  // A missing peer or optional dependency.
  if (place === undefined) {
    if (from === '') throw new TypeError(`package-lock.json has no ${name}`);
    return;
  }
  if (packages[place] !== undefined) return;
  const { version, integrity, dependencies, optionalDependencies, peerDependencies } = checkout.locked.packages[place]!;
  packages[place] = canonicalJson([version, integrity]);
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    addPackage(checkout, each, place, packages);
}

function placeOf({ packages }: Locked, name: string, from: string): string | undefined {
  for (let folder = from; ; ) {
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (folder === '') return undefined;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
  }
}
