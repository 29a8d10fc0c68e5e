import { lstat, readFile } from 'node:fs/promises';
import { basename, relative, sep } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import type { Overlay, ResolvedComponent } from '../project/model.ts';
import { parseSpec, type Spec } from '../spec/parse.ts';
import { type ArchiveTools, editArchive } from './archive.ts';
import {
  addFile,
  nameMatcher,
  prependToFiles,
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

export interface OverlaidSources extends ComponentSources {
  readonly applied: readonly AppliedOverlay[];
  /** Things that are allowed but probably not meant. */
  readonly warnings: readonly string[];
}

export interface OverlayInput {
  readonly component: ResolvedComponent;
  /** Folder with the upstream content: the spec and all files; only read. */
  readonly filesDir: string;
  /** The spec, inside of `filesDir`. */
  readonly specPath: string;
  /** For overlays into `.tar.xz`. */
  readonly tools?: ArchiveTools;
}

/** Reads a component's folder. */
export async function readSources(filesDir: string, specPath: string): Promise<ComponentSources> {
  const files = await readTree(filesDir);
  files.delete(relative(filesDir, specPath).split(sep).join('/'));
  return { spec: parseSpec(await readFile(specPath)), files };
}

/**
 * Applies a component's overlays, those into archives first. Nothing on disk changes: the result is written by
 * `writeSources` or rendered, so an overlay that fails leaves everything as it was.
 * @throws WeirError (exit 2) with the overlay's number, reason and place: `overlay-no-match`, `overlay-exists`,
 * `overlay-ambiguous`, `overlay-interleaved`, `overlay-invalid`, `bad-regex`, `not-supported-yet`
 */
export async function applyOverlays(input: OverlayInput): Promise<OverlaidSources> {
  const read = await readSources(input.filesDir, input.specPath);
  const archives = await applyArchiveOverlays(read, input.component, input.tools);
  const rest = await applyPlainOverlays(archives, input.component);
  return {
    ...rest,
    applied: [...archives.applied, ...rest.applied],
    warnings: [...archives.warnings, ...rest.warnings],
  };
}

function isArchiveOverlay(overlay: Overlay): boolean {
  return 'archive' in overlay && overlay.archive !== undefined;
}

/** The overlays with `archive`, which come before all else. */
export function applyArchiveOverlays(
  sources: ComponentSources,
  component: ResolvedComponent,
  tools: ArchiveTools = {},
): Promise<OverlaidSources> {
  return applySelected(sources, component, isArchiveOverlay, tools);
}

/** The overlays without `archive`, in their order. */
export function applyPlainOverlays(sources: ComponentSources, component: ResolvedComponent): Promise<OverlaidSources> {
  return applySelected(sources, component, (overlay) => !isArchiveOverlay(overlay), {});
}

async function applySelected(
  sources: ComponentSources,
  component: ResolvedComponent,
  selected: (overlay: Overlay) => boolean,
  tools: ArchiveTools,
): Promise<OverlaidSources> {
  let current: ComponentSources = sources;
  const applied: AppliedOverlay[] = [];
  const warnings: string[] = [];
  for (const [index, overlay] of component.overlays.entries()) {
    if (!selected(overlay)) continue;
    const number = index + 1;
    let outcome: Outcome;
    try {
      outcome = await applyOne(current, overlay, tools);
    } catch (error) {
      throw located(error, component, overlay, number);
    }
    for (const warning of outcome.warnings ?? []) {
      warnings.push(`${component.name}, overlay ${number} (${overlay.type}): ${warning}`);
    }
    applied.push({ number, overlay, changedSpec: outcome.spec !== undefined, files: outcome.names ?? [] });
    current = { spec: outcome.spec ?? current.spec, files: outcome.tree ?? current.files };
  }
  return { ...current, applied, warnings };
}

/** The error with the overlay's number, type, reason, and the place in the TOML. */
function located(error: unknown, component: ResolvedComponent, overlay: Overlay, number: number): unknown {
  if (!(error instanceof WeirError)) return error;
  return new WeirError(error.code, error.message, {
    where: {
      file: overlay.origin.file,
      line: overlay.origin.line,
      component: component.name,
      overlay: `${number} (${overlay.type}: ${overlay.description})`,
    },
    details: error.details,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    exit: 2,
    cause: error,
  });
}

interface Outcome {
  readonly spec?: Spec;
  readonly tree?: SourceTree;
  readonly names?: readonly string[];
  readonly warnings?: readonly string[];
}

async function applyOne(sources: ComponentSources, overlay: Overlay, tools: ArchiveTools): Promise<Outcome> {
  const { spec, files } = sources;
  switch (overlay.type) {
    case 'patch-add': {
      const { bytes } = await readSource(overlay.source);
      const tree = addFile(files, overlay.file, bytes);
      return { spec: addPatch(spec, overlay.file), tree, names: [overlay.file] };
    }
    case 'patch-remove': {
      const removed = removePatches(spec, overlay.file, nameMatcher(overlay.file));
      const tree = new Map(files);
      const names = removed.names.filter((name) => tree.delete(name));
      if (names.length === 0) {
        throw new WeirError('overlay-no-match', `no file of the sources is one of ${removed.names.join(', ')}`, {
          exit: 2,
        });
      }
      return { spec: removed.spec, tree, names, warnings: leftPatchCalls(removed.spec, removed.numbers) };
    }
    case 'file-add': {
      const { bytes, executable } = await readSource(overlay.source);
      return { tree: addFile(files, overlay.file, bytes, executable), names: [overlay.file] };
    }
    case 'file-remove':
    case 'file-search-replace': {
      if (overlay.archive !== undefined) {
        return { tree: await editArchive(files, overlay.archive, overlay, tools), names: [overlay.archive] };
      }
      return overlay.type === 'file-remove'
        ? removeFiles(files, overlay.file)
        : searchReplaceFiles(files, overlay.file, overlay.regex, overlay.replacement);
    }
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

/** Calls of `%patch` for patches that are gone: rpmbuild would fail on them. */
function leftPatchCalls(spec: Spec, numbers: readonly number[]): string[] {
  const warnings: string[] = [];
  for (const [index, { text }] of spec.lines.entries()) {
    for (const match of text.matchAll(/%\{?patch(?:\s+(?:-P\s*)?|-P\s*|)(\d+)\b/g)) {
      if (spec.roles[index] === 'comment' || !numbers.includes(Number(match[1]))) continue;
      warnings.push(`line ${index + 1} of the spec still applies patch ${match[1]}, which is gone`);
    }
  }
  return warnings;
}

async function readSource(path: string): Promise<{ readonly bytes: Uint8Array; readonly executable: boolean }> {
  try {
    const info = await lstat(path);
    if (info.isFile()) return { bytes: await readFile(path), executable: (info.mode & 0o100) !== 0 };
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new WeirError('overlay-source', `the overlay's source ${basename(path)} is not there`, {
      details: [path],
      exit: 2,
      cause: error,
    });
  }
  throw new WeirError('overlay-source', `the overlay's source ${basename(path)} is not a file`, {
    details: [path],
    exit: 2,
  });
}
