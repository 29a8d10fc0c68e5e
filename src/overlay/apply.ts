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
import { checkCardinality } from './cardinality.ts';
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
import { addPatch, removePatches } from './patch-list-edits.ts';
import { removeSection, removeSubpackage } from './section-edits.ts';
import { addTag, insertTag, removeTag, setTag, updateTag } from './tag-edits.ts';
import { appendLines, prependLines, searchReplace } from './text-edits.ts';

/** A component's spec and its other files, in memory or as references to files that are not changed. */
export interface ComponentSources {
  readonly spec: Spec;
  /** Without the spec. */
  readonly files: SourceTree;
}

/** The result of an overlay. */
export interface AppliedOverlay {
  /** Its position in `component.overlays`, from 1. */
  readonly number: number;
  readonly overlay: Overlay;
  readonly changedSpec: boolean;
  /** Files that it changed, added, removed or renamed. */
  readonly files: readonly string[];
}

/** The sources before and after an overlay; for an overlay into an archive, the content of the archive. */
export interface OverlayStep {
  /** Its position in `component.overlays`, from 1. */
  readonly number: number;
  readonly overlay: Overlay;
  readonly before: ComponentSources;
  readonly after: ComponentSources;
  readonly inside?: { readonly archive: string; readonly before: SourceTree; readonly after: SourceTree };
}

export interface ApplyOptions {
  /** For overlays into `.tar.xz`. */
  readonly tools?: ArchiveTools;
  /** Called for each overlay that succeeded. */
  readonly observe?: (step: OverlayStep) => void;
  /** The project's folder, which links to sources of overlays must not leave; by default each source's own folder. */
  readonly root?: string;
  /** Called for each overlay that fails; the next one is then tried. Without it, the first failure is thrown. */
  readonly failed?: (number: number, overlay: Overlay, error: WeirError) => void;
}

export interface OverlaidSources extends ComponentSources {
  readonly applied: readonly AppliedOverlay[];
}

export interface OverlayInput {
  readonly component: ResolvedComponent;
  /** Folder with the upstream content: the spec and all files. Only read. */
  readonly filesDir: string;
  /** The spec, inside `filesDir`. */
  readonly specPath: string;
}

/** Reads a component's folder. */
export async function readSources(filesDir: string, specPath: string): Promise<ComponentSources> {
  const files = await readTree(filesDir);
  files.delete(relative(filesDir, specPath).split(sep).join('/'));
  return { spec: parseSpec(await readFile(specPath)), files };
}

/**
 * Applies a component's overlays, overlays into archives first. Nothing is written to disk: callers write or render the
 * result, so a failing overlay changes nothing.
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

/** The archive whose files an overlay changes, if any. */
export function archiveOf(overlay: Overlay): string | undefined {
  return overlay.type === 'file-remove' || overlay.type === 'file-search-replace' ? overlay.archive : undefined;
}

/** The overlays with `archive`, which come first. Each archive is unpacked and packed once, for all of its overlays. */
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

/** Whether an archive after its overlays has the hash that the project names, if it names one. */
function hasHash({ sourceFiles }: ResolvedComponent, name: string, bytes: Uint8Array): boolean {
  const source = sourceFiles.find((one) => one.filename === name && one.origin.type === 'overlay');
  if (source?.hash === undefined || source.hashType === undefined) return true;
  return createHash(source.hashType.toLowerCase()).update(bytes).digest('hex') === source.hash.toLowerCase();
}

/** A message if the project names a hash for an archive after its overlays and the actual one differs. */
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
  return `${name} has the ${source.hashType} ${hash} after its overlays, which differs from its source-files entry`;
}

/** The overlays without `archive`, in order. */
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
      if (component.specified === true) checkCardinality(current.spec, current.files, overlay);
      const outcome = await applyOne(current, overlay, options.root, component.specified === true);
      const twice = outcome.names?.find((name) => repacked.has(name));
      if (twice !== undefined) {
        throw new WeirError(
          'overlay-invalid',
          `${twice} has files that another overlay changes: this one would undo that`,
          {
            hint: 'change either the archive as a whole or files inside it',
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

/** Adds the overlay's number, type, reason and place in the TOML to an error. */
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

async function applyOne(
  sources: ComponentSources,
  overlay: Overlay,
  root: string | undefined,
  exactly: boolean,
): Promise<Outcome> {
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
          hint: 'remove the patch from the spec with spec-remove-tag or spec-search-replace',
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
      return { spec: applySpecOverlay(spec, overlay, exactly) };
  }
}

/** The overlays that only change the spec. @param exactly whether the values of tags compare with case */
export function applySpecOverlay(
  spec: Spec,
  overlay: Extract<Overlay, { readonly type: `spec-${string}` }>,
  exactly = false,
): Spec {
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
      return removeTag(spec, overlay.tag, overlay.value, overlay.package, exactly);
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
    throw new WeirError('overlay-source', `the overlay's source ${name} does not exist`, {
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
