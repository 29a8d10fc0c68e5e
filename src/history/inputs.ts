// What goes into a component, as named parts with a digest each: so that a changed digest can be explained. Only what
// can change the rendered spec or the packages is a part; every field of the model is decided on here, and a new one
// does not compile until it is.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import type {
  BuildConfig,
  ResolvedComponent,
  SourceFile,
  SourceOrigin,
  SpecSource,
} from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { Project } from '../project/model/project.ts';
import { renderedSpecsDir } from '../project/paths.ts';

/** Raised when a part's meaning changes, so that old digests are not compared with new ones. */
export const inputsFormat = 1;

/** One thing that goes into a component, as a person would name it. */
export interface InputPart {
  /** `upstream commit`, `overlay 3 (spec-add-tag)`, `define NAME`, `spec file NAME` …; unique in a component. */
  readonly name: string;
  readonly digest: Digest;
  /** What it is, in one short line; where the digest is of more than that, it says which by its first digits. */
  readonly value?: string;
  /** file:line relative to the project, where an overlay is written; not a part of the digest. See `placed` for others. */
  readonly where?: string;
}

export interface ComponentInputs {
  readonly component: string;
  /** Of all parts; independent of the project's place on the disk and of the order of parts that have none. */
  readonly digest: Digest;
  /** Sorted by name, overlays by their number. */
  readonly parts: readonly InputPart[];
}

/** What a lock file or a pin says of a component. */
export interface LockedInputs {
  readonly upstreamCommit?: string;
  /** Raised by hand to have a component built again. */
  readonly manualBump?: number;
}

/** What the inputs of several components have in common; files that they share are read once. */
export interface InputContext {
  readonly project: Project;
  /** What locks say; wins over the configuration. */
  readonly locks?: ReadonlyMap<string, LockedInputs>;
  readonly files: FileDigests;
}

/** Gives digests of files, each read once; a file that is not there has the digest `missing`. */
export interface FileDigests {
  /** The content, and whether it is executable. */
  readonly file: (path: string) => Promise<Digest>;
  /** Paths relative to the folder → digests, of what rendering takes from a local component's folder. */
  readonly folder: (dir: string, spec: string) => Promise<ReadonlyMap<string, Digest>>;
  /** Whether a file or folder is there. */
  readonly has: (path: string) => Promise<boolean>;
}

/** File digests that hold for one run: a file that changes while it runs is seen as it was first. */
export function fileDigests(): FileDigests {
  const files = new Map<string, Promise<Digest>>();
  const folders = new Map<string, Promise<ReadonlyMap<string, Digest>>>();
  const once = <T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> => {
    let found = known.get(key);
    if (found === undefined) {
      found = make();
      known.set(key, found);
    }
    return found;
  };
  const file = (path: string): Promise<Digest> => once(files, path, () => digestOf(path));
  return {
    file,
    folder: (dir, spec) => once(folders, `${dir}\0${spec}`, () => digestFolder(dir, spec, file)),
    has: exists,
  };
}

async function digestOf(path: string): Promise<Digest> {
  try {
    const info = await stat(path);
    // A device, which may have no end.
    if (!info.isFile()) return 'missing';
    const { size, mode } = info;
    // Small ones in one read, which costs less.
    const digest = size < 65_536 ? sha256(await readFile(path)) : await fileDigest(path);
    return inputDigest(digest, (mode & 0o100) !== 0);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return 'missing';
    throw error;
  }
}

/** The digest of a file as an input. @param content SHA-256 */
export function inputDigest(content: Digest, executable: boolean): Digest {
  return executable ? sha256(`executable ${content}`) : content;
}

/** Whether rendering takes a file of a local component's folder: not git's own, not the project's TOML, no other spec. */
export function isTaken(path: string, spec: string): boolean {
  if (path.split('/').some((part) => part === '.git' || part.endsWith('.toml'))) return false;
  return !path.endsWith('.spec') || path === spec;
}

async function digestFolder(
  dir: string,
  spec: string,
  file: (path: string) => Promise<Digest>,
): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  const visit = async (below: string): Promise<void> => {
    const entries = await readdir(join(dir, below), { withFileTypes: true }).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries.sort((a, b) => compareText(a.name, b.name))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (!isTaken(path, spec)) continue;
      if (entry.isDirectory()) await visit(path);
      else found.set(path, await file(join(dir, path)));
    }
  };
  await visit('');
  return found;
}

/** Parts while they are collected; digests that need a file come later. */
class Parts {
  readonly component: ResolvedComponent;
  readonly context: InputContext;
  readonly #parts: (InputPart | Promise<readonly InputPart[]>)[] = [];

  constructor(component: ResolvedComponent, context: InputContext) {
    this.component = component;
    this.context = context;
  }

  /** A part that is its value. */
  say(name: string, value: string, where?: string): void {
    this.#parts.push({ name, digest: digestOfText(value), value, ...(where === undefined ? {} : { where }) });
  }

  add(...parts: readonly InputPart[]): void {
    this.#parts.push(...parts);
  }

  later(parts: Promise<readonly InputPart[]>): void {
    this.#parts.push(parts);
  }

  async all(): Promise<readonly InputPart[]> {
    return (await Promise.all(this.#parts)).flat();
  }
}

// The same few values stand in thousands of components.
const knownTexts = new Map<string, Digest>();

function digestOfText(text: string): Digest {
  if (text.length > 100) return sha256(text);
  let digest = knownTexts.get(text);
  if (digest === undefined) {
    digest = sha256(text);
    knownTexts.set(text, digest);
  }
  return digest;
}

type Decision<T> = ((value: T, parts: Parts) => void) | { readonly not: string };
type Decisions<T> = { readonly [K in keyof Required<T>]: Decision<Required<T>[K]> };

function decide<T extends object>(decisions: Decisions<T>, value: T, parts: Parts): void {
  for (const key of Object.keys(decisions) as (keyof T)[]) {
    const decision = decisions[key] as Decision<T[keyof T]>;
    if (typeof decision === 'function') decision(value[key], parts);
  }
}

/** What becomes of each field of a component. */
export const componentDecisions: Decisions<ResolvedComponent> = {
  name: (name, parts) => parts.say('name', name),
  spec: (spec, parts) => specParts(spec, parts),
  overlays: (overlays, parts) => {
    for (const [index, overlay] of overlays.entries()) overlayPart(overlay, index + 1, parts);
  },
  build: (build, parts) => decide(buildDecisions, build, parts),
  release: ({ calculation }, parts) => parts.say('release.calculation', calculation),
  render: ({ skipFileFilter }, parts) => {
    if (skipFileFilter) parts.say('render.skip-file-filter', 'true');
  },
  sourceFiles: (files, parts) => {
    for (const file of files) sourceFilePart(file, parts);
  },
  packages: { not: 'where packages are published' },
  publish: { not: 'where packages are published' },
  groups: { not: 'what a group gives is in the fields already' },
  origin: { not: 'where it is written' },
  alsoIn: { not: 'where it is written' },
};

/** What becomes of each field of a component's build options. */
export const buildDecisions: Decisions<BuildConfig> = {
  // With, without, defines and undefines are one set of macros; what is dropped again has no effect.
  with: (_, parts) => macroParts(parts),
  without: { not: 'in the macros above' },
  defines: { not: 'in the macros above' },
  undefines: { not: 'in the macros above' },
  emitUpstreamProvenance: (emit, parts) => {
    if (emit) parts.say('build.emit-upstream-provenance', 'true');
  },
  check: ({ skip, skipReason = '' }, parts) => {
    // The reason stands in the rendered spec.
    if (skip) parts.say('check.skip', skipReason.replace(/\s+/g, ' '));
  },
  failure: { not: 'says what is known of the build, and does not change it' },
  expensive: { not: 'a hint for scheduling' },
};

function macroParts(parts: Parts): void {
  const { build } = parts.component;
  const macros = new Map<string, { readonly name: string; readonly value: string }>();
  for (const name of build.with) macros.set(`_with_${name}`, { name: `with ${name}`, value: '1' });
  for (const name of build.without) macros.set(`_without_${name}`, { name: `without ${name}`, value: '1' });
  for (const [name, value] of Object.entries(build.defines)) macros.set(name, { name: `define ${name}`, value });
  for (const name of build.undefines) macros.delete(name);
  // `with x` and a define of `_with_x 1` write the same line, but are two things to the one who wrote them.
  for (const { name, value } of macros.values()) {
    if (name.startsWith('define ')) parts.say(name, value);
    else parts.add({ name, digest: digestOfText(value) });
  }
}

type Upstream = Extract<SpecSource, { type: 'upstream' }>;

function specParts(spec: SpecSource | undefined, parts: Parts): void {
  if (spec === undefined) {
    parts.say('spec source', 'none');
  } else if (spec.type === 'local') {
    parts.say('spec source', 'local');
    parts.later(folderParts(dirname(spec.path), basename(spec.path), parts));
  } else {
    parts.say('spec source', 'upstream');
    if (spec.name !== parts.component.name) parts.say('upstream name', spec.name);
    const { project } = parts.context;
    const distro = project.distros.get(spec.distro.name);
    const base = distro?.distGitBaseUri ?? (project.seed?.distGit === undefined ? '' : `${project.seed.distGit}/$pkg`);
    const local = localFolder(base, spec.name);
    if (local === undefined) upstreamParts(spec, base, parts);
    else parts.later(localUpstream(spec, base, local, parts));
  }
}

/** The folder that a dist-git is, where it is on this machine. */
function localFolder(base: string, name: string): string | undefined {
  const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(base);
  if (base === '' || (isUrl && !base.startsWith('file:'))) return undefined;
  const path = base.replaceAll('$pkg', () => (isUrl ? encodeURIComponent(name) : name));
  return isUrl ? fileURLToPath(path) : path;
}

async function localUpstream(spec: Upstream, base: string, dir: string, parts: Parts): Promise<readonly InputPart[]> {
  const name = `${spec.name}.spec`;
  for (const folder of [dir, join(dir, spec.name)]) {
    const { has } = parts.context.files;
    if ((await has(join(folder, '.git'))) || !(await has(join(folder, name)))) continue;
    return folderParts(folder, name, parts);
  }
  const git = new Parts(parts.component, parts.context);
  upstreamParts(spec, base, git);
  return git.all();
}

async function folderParts(dir: string, spec: string, parts: Parts): Promise<readonly InputPart[]> {
  const { files, project } = parts.context;
  // What is made of the inputs is none of them, wherever it lies.
  const rendered = `${renderedSpecsDir(project)}/`;
  const taken = [...(await files.folder(dir, spec))].filter(([path]) => !join(dir, path).startsWith(rendered));
  return taken.map(([path, digest]) => ({
    // A component's spec is called after it, whatever the file is called.
    name: path === spec ? 'spec file' : `spec folder ${path}`,
    digest,
    value: short(digest),
  }));
}

function upstreamParts(spec: Upstream, base: string, parts: Parts): void {
  const { project, locks } = parts.context;
  const commit = locks?.get(parts.component.name)?.upstreamCommit ?? spec.commit;
  if (commit !== undefined) {
    // A commit is its content: which branch it was found on, and on which server, changes nothing.
    parts.say('upstream commit', commit.toLowerCase());
    return;
  }
  const { name, version, snapshot } = spec.distro;
  const distro = project.distros.get(name);
  const wanted = version ?? distro?.defaultVersion;
  const branch = wanted === undefined ? undefined : distro?.versions.get(wanted)?.distGitBranch;
  parts.say('upstream distro', wanted === undefined ? name : `${name} ${wanted}`);
  parts.say('upstream snapshot', snapshot ?? 'the newest');
  if (branch !== undefined) parts.say('dist-git branch', branch);
  // Where a repository lies on this machine is no name that others share.
  parts.say('dist-git', localFolder(base, spec.name) === undefined ? base : 'local');
}

type OverlayKey = Overlay extends infer O ? (O extends O ? keyof O : never) : never;

/** What becomes of each field of an overlay: into the digest, by the content of the file it names, or not at all. */
export const overlayDecisions: { readonly [K in OverlayKey]: 'value' | 'content' | { readonly not: string } } = {
  type: 'value',
  tag: 'value',
  value: 'value',
  package: 'value',
  section: 'value',
  lines: 'value',
  regex: 'value',
  replacement: 'value',
  file: 'value',
  archive: 'value',
  source: 'content',
  description: { not: 'the reason, not the change' },
  metadata: { not: 'the reason, not the change' },
  origin: { not: 'where it is written' },
};

function overlayPart(overlay: Overlay, number: number, parts: Parts): void {
  const { project, files } = parts.context;
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(overlay)) {
    if (overlayDecisions[key as OverlayKey] === 'value') fields[key] = value;
  }
  const name = `overlay ${number} (${overlay.type})`;
  const where = `${relative(project.root, overlay.origin.file)}:${overlay.origin.line}`;
  const said = summary(overlay);
  if (!('source' in overlay)) {
    parts.add({ name, digest: sha256(canonicalJson(fields)), value: said, where });
    return;
  }
  const withContent = async (): Promise<readonly InputPart[]> => {
    const content = await files.file(overlay.source);
    const digest = sha256(canonicalJson({ ...fields, source: content }));
    return [{ name, digest, value: `${said} (${short(content)})`, where }];
  };
  parts.later(withContent());
}

/** An overlay in a few words. */
function summary(overlay: Overlay): string {
  const scope = [
    'section' in overlay ? overlay.section : undefined,
    'package' in overlay ? overlay.package : undefined,
    'archive' in overlay ? overlay.archive : undefined,
  ];
  const of = scope.filter((part) => part !== undefined && part !== '').join(' ');
  return oneLine(`${of === '' ? '' : `${of}: `}${change(overlay)}`);
}

function change(overlay: Overlay): string {
  switch (overlay.type) {
    case 'spec-add-tag':
    case 'spec-insert-tag':
    case 'spec-set-tag':
    case 'spec-update-tag':
      return `${overlay.tag}: ${overlay.value}`;
    case 'spec-remove-tag':
      return overlay.value === undefined ? overlay.tag : `${overlay.tag}: ${overlay.value}`;
    case 'spec-prepend-lines':
    case 'spec-append-lines':
      return overlay.lines.join(' ⏎ ');
    case 'file-prepend-lines':
      return `${overlay.file}: ${overlay.lines.join(' ⏎ ')}`;
    case 'spec-search-replace':
      return `/${overlay.regex}/ → ${overlay.replacement}`;
    case 'file-search-replace':
      return `${overlay.file}: /${overlay.regex}/ → ${overlay.replacement}`;
    case 'spec-remove-section':
    case 'spec-remove-subpackage':
      return '';
    case 'file-rename':
      return `${overlay.file} → ${overlay.replacement}`;
    case 'patch-add':
    case 'patch-remove':
    case 'file-add':
    case 'file-remove':
      return overlay.file;
  }
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/: $/, '').trim();
  return line.length <= 100 ? line : `${line.slice(0, 99)}…`;
}

function short(digest: Digest): string {
  return digest.slice(0, 12);
}

type SourceKey = keyof SourceFile;
type OriginKey = SourceOrigin extends infer O ? (O extends O ? keyof O : never) : never;

/** What becomes of each field of a source file; `unless-hashed`: the hash says what the file is, however it is made. */
export const sourceFileDecisions: {
  readonly [K in SourceKey]: 'value' | 'origin' | { readonly not: string };
} = {
  filename: 'value',
  hash: 'value',
  hashType: 'value',
  replaceUpstream: 'value',
  origin: 'origin',
  replaceReason: { not: 'the reason, not the change' },
};

/** What becomes of each field of a source file's origin. */
export const sourceOriginDecisions: { readonly [K in OriginKey]: 'value' | 'unless-hashed' } = {
  type: 'value',
  uri: 'unless-hashed',
  script: 'unless-hashed',
  packages: 'unless-hashed',
  inputs: 'unless-hashed',
};

function sourceFilePart(file: SourceFile, parts: Parts): void {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(file)) {
    if (sourceFileDecisions[key as SourceKey] === 'value') fields[key] = value;
  }
  for (const [key, value] of Object.entries(file.origin)) {
    const decision = sourceOriginDecisions[key as OriginKey];
    if (decision === 'value' || (decision === 'unless-hashed' && file.hash === undefined)) {
      fields[`origin.${key}`] = value;
    }
  }
  const hash = file.hash === undefined ? '' : ` ${file.hashType} ${short(file.hash)}`;
  parts.add({
    name: `source file ${file.filename}`,
    digest: sha256(canonicalJson(fields)),
    value: `${file.origin.type}${hash}`,
  });
}

/** What the distribution itself puts into every package. */
function distroParts(parts: Parts): void {
  const { project } = parts.context;
  const reference = project.project.defaultDistro;
  if (reference === undefined) return;
  const distro = project.distros.get(reference.name);
  const version = reference.version ?? distro?.defaultVersion;
  const releaseVer = version === undefined ? undefined : distro?.versions.get(version)?.releaseVer;
  // Its name is no part: a second stage of the same release builds the same packages.
  if (releaseVer !== undefined) parts.say('distro version', releaseVer);
}

/**
 * The inputs of a component. Nothing is fetched: upstream is named by its commit, else by the snapshot and the branch
 * that lead to one. Tools and their versions are no input.
 */
export async function componentInputs(component: ResolvedComponent, context: InputContext): Promise<ComponentInputs> {
  const collected = new Parts(component, context);
  decide(componentDecisions, component, collected);
  distroParts(collected);
  const bump = context.locks?.get(component.name)?.manualBump ?? 0;
  if (bump > 0) collected.say('manual bump', String(bump));
  const parts = [...(await collected.all())].sort(byName);
  const text = parts.map(({ name, digest }) => `${name.length}:${name}=${digest}\n`).join('');
  return { component: component.name, digest: sha256(`weir inputs ${inputsFormat}\n${text}`), parts };
}

/** The inputs of many components, by name. */
export async function projectInputs(
  context: InputContext,
  components: Iterable<ResolvedComponent> = context.project.components.values(),
): Promise<Map<string, ComponentInputs>> {
  const all = await Promise.all([...components].map((component) => componentInputs(component, context)));
  return new Map(all.map((inputs) => [inputs.component, inputs]));
}

function overlayNumber(name: string): number | undefined {
  const number = /^overlay (\d+) \(/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

function byName(a: InputPart, b: InputPart): number {
  const [first, second] = [overlayNumber(a.name), overlayNumber(b.name)];
  if (first !== undefined && second !== undefined) return first - second;
  return compareText(a.name, b.name);
}

/** One part that is not the same in two states of a component. */
export interface InputChange {
  readonly name: string;
  readonly before: InputPart;
  readonly after: InputPart;
}

export interface InputDifference {
  readonly added: readonly InputPart[];
  readonly removed: readonly InputPart[];
  readonly changed: readonly InputChange[];
  /** Overlays that only apply in another order; they have new numbers, which is no change where others came or went. */
  readonly reordered: boolean;
}

/**
 * Which parts differ. Overlays are told apart by what they do and not by their number: one put in front of others is
 * one new overlay, and not all of them changed.
 */
export function compareInputs(before: ComponentInputs, after: ComponentInputs): InputDifference {
  if (before.digest === after.digest) return { added: [], removed: [], changed: [], reordered: false };
  const plain = (parts: readonly InputPart[]): Map<string, InputPart> =>
    new Map(parts.filter(({ name }) => overlayNumber(name) === undefined).map((part) => [part.name, part]));
  const [old, now] = [plain(before.parts), plain(after.parts)];
  const added = [...now.values()].filter(({ name }) => !old.has(name));
  const removed = [...old.values()].filter(({ name }) => !now.has(name));
  const changed: InputChange[] = [];
  for (const [name, part] of old) {
    const next = now.get(name);
    if (next !== undefined && next.digest !== part.digest) changed.push({ name, before: part, after: next });
  }
  const overlays = compareOverlays(before.parts, after.parts);
  return {
    added: [...added, ...overlays.added],
    removed: [...removed, ...overlays.removed],
    changed: [...changed, ...overlays.changed],
    reordered: overlays.reordered,
  };
}

function compareOverlays(before: readonly InputPart[], after: readonly InputPart[]): InputDifference {
  const isOverlay = ({ name }: InputPart): boolean => overlayNumber(name) !== undefined;
  const [old, now] = [before.filter(isOverlay), after.filter(isOverlay)];
  const same = commonOrder(old, now);
  const gone = old.filter((part) => !same.old.has(part));
  const come = now.filter((part) => !same.now.has(part));
  // The same overlay at another place in the order.
  let reordered = false;
  for (const part of [...gone]) {
    const moved = come.findIndex(({ digest }) => digest === part.digest);
    if (moved < 0) continue;
    reordered = true;
    come.splice(moved, 1);
    gone.splice(gone.indexOf(part), 1);
  }
  // Between the same neighbours and of the same type: one that was changed.
  const changed: InputChange[] = [];
  for (const part of [...gone]) {
    const type = part.name.replace(/^overlay \d+/, '');
    const gap = same.gapOfOld(part);
    const next = come.findIndex((other) => other.name.endsWith(type) && same.gapOfNow(other) === gap);
    if (next < 0) continue;
    const [match] = come.splice(next, 1);
    gone.splice(gone.indexOf(part), 1);
    changed.push({ name: match!.name, before: part, after: match! });
  }
  return { added: come, removed: gone, changed, reordered };
}

/** The longest run of overlays that both lists have in the same order. */
function commonOrder(
  old: readonly InputPart[],
  now: readonly InputPart[],
): {
  readonly old: ReadonlySet<InputPart>;
  readonly now: ReadonlySet<InputPart>;
  /** How many common overlays stand before it. */
  readonly gapOfOld: (part: InputPart) => number;
  readonly gapOfNow: (part: InputPart) => number;
} {
  const lengths = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      lengths[i]![j] =
        old[i]!.digest === now[j]!.digest
          ? lengths[i + 1]![j + 1]! + 1
          : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const kept: [Set<InputPart>, Set<InputPart>] = [new Set(), new Set()];
  const gaps = new Map<InputPart, number>();
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const both = i < old.length && j < now.length;
    if (both && old[i]!.digest === now[j]!.digest) {
      kept[0].add(old[i++]!);
      kept[1].add(now[j++]!);
    } else if (j >= now.length || (both && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) {
      gaps.set(old[i++]!, kept[0].size);
    } else {
      gaps.set(now[j++]!, kept[0].size);
    }
  }
  const gap = (part: InputPart): number => gaps.get(part) ?? -1;
  return { old: kept[0], now: kept[1], gapOfOld: gap, gapOfNow: gap };
}
