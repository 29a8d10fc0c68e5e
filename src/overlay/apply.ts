import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { basename, dirname, relative, sep } from 'node:path';
import { closest, systemCode, WeirError, withContext } from '../base/errors.ts';
import { behindLinks } from '../base/links.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { lfsContent, lfsPointer } from '../sources/lfs.ts';
import { parseSpec, type Spec } from '../spec/parse.ts';
import { editArchive, type OpenArchive, openArchive, packArchive } from './archive.ts';
import type { ArchiveTools } from './compression.ts';
import {
  addFile,
  nameMatcher,
  prependToFiles,
  readEntry,
  readTree,
  removeFiles,
  renameFile,
  type SourceTree,
  searchReplaceFiles,
} from './files.ts';
import {
  addPatch,
  addTag,
  appendLines,
  insertTag,
  prependLines,
  removePatches,
  removeSection,
  removeSubpackage,
  removeTag,
  searchReplace,
  setTag,
  updateTag,
} from './spec-edits.ts';

/** A component's spec and its other files, in memory or as references to files that are not changed. */
export interface ComponentSources {
  readonly spec: Spec;
  /** Without the spec. */
  readonly files: SourceTree;
}

/** What an overlay did. */
export interface AppliedOverlay {
  /** Its place in `component.overlays`, from 1. */
  readonly number: number;
  readonly overlay: Overlay;
  readonly changedSpec: boolean;
  /** Files that it changed, added, removed or renamed. */
  readonly files: readonly string[];
}

/** The sources before an overlay and after it; for one into an archive, what is inside of that. */
export interface OverlayStep {
  /** Its place in `component.overlays`, from 1. */
  readonly number: number;
  readonly overlay: Overlay;
  readonly before: ComponentSources;
  readonly after: ComponentSources;
  readonly inside?: { readonly archive: string; readonly before: SourceTree; readonly after: SourceTree };
}

export interface ApplyOptions {
  /** For overlays into `.tar.xz`. */
  readonly tools?: ArchiveTools;
  /** Told of each overlay that did its work. */
  readonly observe?: (step: OverlayStep) => void;
  /** The project's folder, which links to sources of overlays must not lead out of; by default each source's own. */
  readonly root?: string;
  /** Told of each overlay that fails, and then the next one is tried; without it, the first failure is thrown. */
  readonly failed?: (number: number, overlay: Overlay, error: WeirError) => void;
}

export interface OverlaidSources extends ComponentSources {
  readonly applied: readonly AppliedOverlay[];
}

export interface OverlayInput {
  readonly component: ResolvedComponent;
  /** Folder with the upstream content: the spec and all files; only read. */
  readonly filesDir: string;
  /** The spec, inside of `filesDir`. */
  readonly specPath: string;
}

/** Reads a component's folder. */
export async function readSources(filesDir: string, specPath: string): Promise<ComponentSources> {
  const files = await readTree(filesDir);
  files.delete(relative(filesDir, specPath).split(sep).join('/'));
  return { spec: parseSpec(await readFile(specPath)), files };
}

/**
 * Applies a component's overlays, those into archives first. Nothing on disk changes: the result is written or rendered
 * by others, so an overlay that fails leaves everything as it was.
 * @throws WeirError (exit 2) with the overlay's number, reason and place: `overlay-no-match`, `overlay-exists`,
 * `overlay-ambiguous`, `overlay-interleaved`, `overlay-invalid`, `overlay-source`, `bad-regex`, `invalid-glob`, `bad-archive`,
 * `not-supported-yet`
 */
export async function applyOverlays(input: OverlayInput, options: ApplyOptions = {}): Promise<OverlaidSources> {
  const read = await readSources(input.filesDir, input.specPath);
  const archives = await applyArchiveOverlays(read, input.component, options);
  const rest = await applyPlainOverlays(archives, input.component, options);
  return {
    ...rest,
    applied: [...archives.applied, ...rest.applied],
  };
}

/** The archive that an overlay changes inside of, if it is such a one. */
export function archiveOf(overlay: Overlay): string | undefined {
  return overlay.type === 'file-remove' || overlay.type === 'file-search-replace' ? overlay.archive : undefined;
}

/** The overlays with `archive`, which come before all else. An archive is unpacked and packed once, however many there are. */
export async function applyArchiveOverlays(
  sources: ComponentSources,
  component: ResolvedComponent,
  options: ApplyOptions = {},
): Promise<OverlaidSources> {
  const open = new Map<string, OpenArchive>();
  const applied: AppliedOverlay[] = [];
  for (const [index, overlay] of component.overlays.entries()) {
    if (overlay.type !== 'file-remove' && overlay.type !== 'file-search-replace') continue;
    const name = overlay.archive;
    if (name === undefined) continue;
    const number = index + 1;
    await attempt(component, overlay, number, options, async () => {
      const before = open.get(name) ?? (await openArchive(sources.files, name, options.tools ?? {}));
      const { archive } = await editArchive(before, overlay);
      open.set(name, archive);
      applied.push({ number, overlay, changedSpec: false, files: [name] });
      const inside = { archive: name, before: before.tree, after: archive.tree };
      options.observe?.({ number, overlay, before: sources, after: sources, inside });
    });
  }
  if (open.size === 0) return { ...sources, applied };
  const files = new Map(sources.files);
  for (const [name, archive] of open) {
    const entry = files.get(name);
    const executable = entry?.kind !== 'link' && entry?.executable === true;
    files.set(name, {
      kind: 'bytes',
      bytes: packArchive(archive, (bytes) => hasHash(component, name, bytes)),
      executable,
    });
  }
  return { spec: sources.spec, files, applied };
}

/** Whether an archive after its overlays is what the project says of it, if it says anything. */
function hasHash({ sourceFiles }: ResolvedComponent, name: string, bytes: Uint8Array): boolean {
  const source = sourceFiles.find((one) => one.filename === name && one.origin.type === 'overlay');
  if (source?.hash === undefined || source.hashType === undefined) return true;
  return createHash(source.hashType.toLowerCase()).update(bytes).digest('hex') === source.hash.toLowerCase();
}

/** What is to say where the project names a hash for an archive after its overlays, and that is not the hash it has. */
export async function archiveDrift(
  component: ResolvedComponent,
  name: string,
  files: SourceTree,
): Promise<string | undefined> {
  const entry = files.get(name);
  const source = component.sourceFiles.find((one) => one.filename === name && one.origin.type === 'overlay');
  if (source?.hash === undefined || source.hashType === undefined) return undefined;
  if (entry === undefined || entry.kind === 'link') return undefined;
  const hash = createHash(source.hashType.toLowerCase())
    .update(await readEntry(entry))
    .digest('hex');
  if (hash === source.hash.toLowerCase()) return undefined;
  return `${name} has the ${source.hashType} ${hash} after its overlays, not the one that its source-files entry names`;
}

/** The overlays without `archive`, in their order. */
export async function applyPlainOverlays(
  sources: ComponentSources,
  component: ResolvedComponent,
  options: ApplyOptions = {},
): Promise<OverlaidSources> {
  const repacked = new Set(component.overlays.map(archiveOf));
  let current: ComponentSources = sources;
  const applied: AppliedOverlay[] = [];
  for (const [index, overlay] of component.overlays.entries()) {
    if (archiveOf(overlay) !== undefined) continue;
    const number = index + 1;
    await attempt(component, overlay, number, options, async () => {
      const outcome = await applyOne(current, overlay, options.root);
      const twice = outcome.names?.find((name) => repacked.has(name));
      if (twice !== undefined) {
        throw new WeirError(
          'overlay-invalid',
          `${twice} is changed inside by another overlay: this one would undo that`,
          {
            hint: 'change the archive either as a whole or inside',
            exit: 2,
          },
        );
      }
      applied.push({ number, overlay, changedSpec: outcome.spec !== undefined, files: outcome.names ?? [] });
      const after = { spec: outcome.spec ?? current.spec, files: outcome.tree ?? current.files };
      options.observe?.({ number, overlay, before: current, after });
      current = after;
    });
  }
  return { ...current, applied };
}

async function attempt(
  component: ResolvedComponent,
  overlay: Overlay,
  number: number,
  options: ApplyOptions,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    const told = located(error, component, overlay, number);
    if (options.failed === undefined) throw told;
    options.failed(number, overlay, told);
  }
}

/** The error with the overlay's number, type, reason, and the place in the TOML. */
export function located(error: WeirError, component: ResolvedComponent, overlay: Overlay, number: number): WeirError {
  const reason = overlay.description === '' ? '' : `: ${overlay.description}`;
  return withContext(error, {
    where: {
      file: overlay.origin.file,
      line: overlay.origin.line,
      component: component.name,
      overlay: `${number} (${overlay.type}${reason})`,
    },
    exit: 2,
  });
}

interface Outcome {
  readonly spec?: Spec;
  readonly tree?: SourceTree;
  readonly names?: readonly string[];
}

async function applyOne(sources: ComponentSources, overlay: Overlay, root?: string): Promise<Outcome> {
  const { spec, files } = sources;
  switch (overlay.type) {
    case 'patch-add': {
      const { bytes } = await readSource(overlay.source, root);
      const tree = addFile(files, overlay.file, bytes);
      return { spec: addPatch(spec, overlay.file), tree, names: [overlay.file] };
    }
    case 'patch-remove': {
      const removed = removePatches(spec, overlay.file, nameMatcher(overlay.file));
      const tree = new Map(files);
      const names = removed.names.filter((name) => tree.delete(name));
      if (names.length === 0) {
        const near = removed.names.flatMap((name) => closest(name, files.keys()))[0];
        const listed = removed.names.join(', ');
        throw new WeirError('overlay-no-match', `the spec lists ${listed}, but the sources have no such file`, {
          details: near === undefined ? [] : [`closest: ${near}`],
          hint: 'take the patch out of the spec with spec-remove-tag or spec-search-replace',
          exit: 2,
        });
      }
      return { spec: removed.spec, tree, names };
    }
    case 'file-add': {
      const { bytes, executable } = await readSource(overlay.source, root);
      return { tree: addFile(files, overlay.file, bytes, executable), names: [overlay.file] };
    }
    case 'file-remove':
      return removeFiles(files, overlay.file);
    case 'file-search-replace':
      return searchReplaceFiles(files, overlay.file, overlay.regex, overlay.replacement);
    case 'file-prepend-lines':
      return prependToFiles(files, overlay.file, overlay.lines);
    case 'file-rename':
      return renameFile(files, overlay.file, overlay.replacement);
    default:
      return { spec: applySpecOverlay(spec, overlay) };
  }
}

/** The overlays that change the spec alone. */
export function applySpecOverlay(spec: Spec, overlay: Extract<Overlay, { readonly type: `spec-${string}` }>): Spec {
  switch (overlay.type) {
    case 'spec-add-tag':
      return addTag(spec, overlay.tag, overlay.value, overlay.package);
    case 'spec-insert-tag':
      return insertTag(spec, overlay.tag, overlay.value, overlay.package);
    case 'spec-set-tag':
      return setTag(spec, overlay.tag, overlay.value, overlay.package);
    case 'spec-update-tag':
      return updateTag(spec, overlay.tag, overlay.value, overlay.package);
    case 'spec-remove-tag':
      return removeTag(spec, overlay.tag, overlay.value, overlay.package);
    case 'spec-prepend-lines':
      return prependLines(spec, overlay.lines, overlay);
    case 'spec-append-lines':
      return appendLines(spec, overlay.lines, overlay);
    case 'spec-search-replace':
      return searchReplace(spec, overlay.regex, overlay.replacement, overlay);
    case 'spec-remove-section':
      return removeSection(spec, overlay.section, overlay.package);
    case 'spec-remove-subpackage':
      return removeSubpackage(spec, overlay.package);
  }
}

/** The content of an overlay's source. @throws WeirError `overlay-source`, `link-out`, `lfs-pointer` */
async function readSource(
  path: string,
  root = dirname(path),
): Promise<{ readonly bytes: Uint8Array; readonly executable: boolean }> {
  const name = basename(path);
  try {
    const real = await behindLinks(path, root);
    const info = await lstat(real);
    if (info.isFile()) {
      const executable = (info.mode & 0o100) !== 0;
      const bytes = await readFile(real);
      const pointer = lfsPointer(bytes);
      if (pointer === undefined) return { bytes, executable };
      return { bytes: await readFile(await lfsContent(pointer, name, { folder: dirname(real) })), executable };
    }
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    throw new WeirError('overlay-source', `the overlay's source ${name} is not there`, {
      details: [path],
      exit: 2,
      cause: error,
    });
  }
  throw new WeirError('overlay-source', `the overlay's source ${name} is not a file`, {
    details: [path],
    exit: 2,
  });
}
