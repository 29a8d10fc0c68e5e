import { basename } from 'node:path';
import { RE2JS } from 're2js';
import type { WeirError } from '../base/errors.ts';
import { compileGlob, globError } from '../base/glob.ts';
import {
  attempt,
  check,
  type Document,
  originOf,
  type ProblemOptions,
  problem,
  type Reading,
  readDocument,
  suggestion,
} from '../toml/document.ts';
import type { Origin, TomlPath } from '../toml/place.ts';
import { overlayKeys } from './keys.ts';
import type { SourceFile } from './model/component.ts';
import type { Overlay, OverlayMetadata, OverlayType } from './model/overlay.ts';
import { withAbsolutePaths } from './paths.ts';
import { overlayFileSchema, overlayListSchema, type RawMetadata, type RawOverlay } from './schema/component.ts';

type Field = Exclude<keyof RawOverlay, 'type' | 'description' | 'metadata'>;

interface Fields {
  readonly needs: readonly Field[];
  readonly may: readonly Field[];
}

const tagFields: Fields = { needs: ['tag', 'value'], may: ['package'] };
const lineFields: Fields = { needs: ['lines'], may: ['section', 'package'] };

/** The fields of each overlay type. Any other field is an error, because it would do nothing. */
export const overlayFields: Readonly<Record<OverlayType, Fields>> = {
  'spec-add-tag': tagFields,
  'spec-insert-tag': tagFields,
  'spec-set-tag': tagFields,
  'spec-update-tag': tagFields,
  'spec-remove-tag': { needs: ['tag'], may: ['value', 'package'] },
  'spec-prepend-lines': lineFields,
  'spec-append-lines': lineFields,
  'spec-search-replace': { needs: ['regex'], may: ['replacement', 'section', 'package'] },
  'spec-remove-section': { needs: ['section'], may: ['package'] },
  'spec-remove-subpackage': { needs: ['package'], may: [] },
  'patch-add': { needs: ['source'], may: ['file'] },
  'patch-remove': { needs: ['file'], may: [] },
  'file-prepend-lines': { needs: ['file', 'lines'], may: [] },
  'file-search-replace': { needs: ['file', 'regex'], may: ['replacement', 'archive'] },
  'file-add': { needs: ['file', 'source'], may: [] },
  'file-remove': { needs: ['file'], may: ['archive'] },
  'file-rename': { needs: ['file', 'replacement'], may: [] },
};

/** Those whose `file` is a glob. */
const globTypes: ReadonlySet<OverlayType> = new Set([
  'patch-remove',
  'file-prepend-lines',
  'file-search-replace',
  'file-remove',
  'file-rename',
]);

const archiveName = /^[^/\\]+\.(tar|tar\.gz|tgz|tar\.xz|txz|tar\.zst|tzst)$/;

/** The place of an overlay, for error messages. */
interface Stand {
  readonly document: Document;
  readonly path: TomlPath;
  readonly component: string | undefined;
}

/**
 * The overlays of one table, checked.
 * @param path of the array in the document
 * @param component for messages: the component, or the table that components inherit from
 * @throws WeirError (exit 2) `overlay-without-description`, `overlay-field`, `overlay-path`, `overlay-regex`,
 *   `overlay-metadata`
 */
export function overlaysOf(
  document: Document,
  path: TomlPath,
  raw: readonly RawOverlay[],
  component: string | undefined,
): Overlay[] {
  return raw.flatMap(
    (overlay, index) =>
      attempt(document, () => overlayOf({ document, path: [...path, index], component }, overlay)) ?? [],
  );
}

function overlayOf(stand: Stand, raw: RawOverlay): Overlay {
  const { document, path } = stand;
  const description = raw.description?.trim() ?? '';
  if (description === '' && document.reasons === 'required') {
    throw failed(stand, raw, [], 'overlay-without-description', `this ${raw.type} overlay has no description`, {
      hint: 'add description = "…": why the distribution differs from upstream here',
    });
  }
  checkFields(stand, raw);
  checkValues(stand, raw);
  const metadata = raw.metadata === undefined ? undefined : metadataOf(document, [...path, 'metadata'], raw.metadata);
  return build(raw, {
    description,
    origin: originOf(document, path),
    ...(metadata === undefined ? {} : { metadata }),
    source: withAbsolutePaths(document, raw.source ?? '', overlayKeys.at('source')),
  });
}

interface Common {
  readonly description: string;
  readonly origin: Origin;
  readonly metadata?: OverlayMetadata;
  readonly source: string;
}

// The fields of the type, checked above. `value` may be missing from spec-remove-tag, and `replacement` from the searches,
// where it defaults to the empty text.
function build(raw: RawOverlay, { source, ...common }: Common): Overlay {
  const scope = { ...text('section', raw.section), ...text('package', raw.package) };
  const { tag = '', value = '', regex = '', replacement = '', lines = [], file = '' } = raw;
  switch (raw.type) {
    case 'spec-add-tag':
    case 'spec-insert-tag':
    case 'spec-set-tag':
    case 'spec-update-tag':
      return { ...common, type: raw.type, tag, value, ...text('package', raw.package) };
    case 'spec-remove-tag':
      return { ...common, type: raw.type, tag, ...text('value', raw.value), ...text('package', raw.package) };
    case 'spec-prepend-lines':
    case 'spec-append-lines':
      return { ...common, type: raw.type, lines, ...scope };
    case 'spec-search-replace':
      return { ...common, type: raw.type, regex, replacement, ...scope };
    case 'spec-remove-section':
      return { ...common, type: raw.type, section: raw.section ?? '', ...text('package', raw.package) };
    case 'spec-remove-subpackage':
      return { ...common, type: raw.type, package: raw.package ?? '' };
    case 'patch-add':
      return { ...common, type: raw.type, source, file: file === '' ? basename(source) : file };
    case 'patch-remove':
      return { ...common, type: raw.type, file };
    case 'file-prepend-lines':
      return { ...common, type: raw.type, file, lines };
    case 'file-search-replace':
      return { ...common, type: raw.type, file, regex, replacement, ...text('archive', raw.archive) };
    case 'file-add':
      return { ...common, type: raw.type, file, source };
    case 'file-remove':
      return { ...common, type: raw.type, file, ...text('archive', raw.archive) };
    case 'file-rename':
      return { ...common, type: raw.type, file, replacement };
  }
}

function text<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined || value === '' ? {} : ({ [key]: value } as { [P in K]?: string });
}

function isSet(raw: RawOverlay, field: Field): boolean {
  const value = raw[field];
  return value !== undefined && value.length > 0;
}

function checkFields(stand: Stand, raw: RawOverlay): void {
  const { needs, may } = overlayFields[raw.type];
  for (const field of needs) {
    if (!isSet(raw, field)) throw failed(stand, raw, [], 'overlay-field', `a ${raw.type} overlay needs "${field}"`);
  }
  for (const key of Object.keys(raw) as (keyof RawOverlay)[]) {
    if (key === 'type' || key === 'description' || key === 'metadata' || !isSet(raw, key)) continue;
    if (needs.includes(key) || may.includes(key)) continue;
    const hint = `its fields are ${[...needs, ...may].join(', ')}`;
    const error = failed(stand, raw, [key], 'overlay-field', `"${key}" has no effect on a ${raw.type} overlay`, {
      hint,
    });
    // azldev accepts most such fields and ignores them, so its projects must load with them.
    const refused = key === 'archive' || (key === 'section' && raw.type === 'spec-remove-subpackage');
    if (stand.document.reasons === 'required' || refused) throw error;
    stand.document.problems?.warn(error);
  }
  const scoped = may.includes('section') && may.includes('package');
  if (scoped && isSet(raw, 'package') && !isSet(raw, 'section')) {
    throw failed(stand, raw, ['package'], 'overlay-field', '"package" needs a "section"', {
      hint: 'add section, such as section = "%files"',
    });
  }
}

function checkValues(stand: Stand, raw: RawOverlay): void {
  const outside = (path: string): boolean => path.startsWith('/') || path.split('/').includes('..');
  const wrong = globTypes.has(raw.type) && raw.file !== undefined ? globError(raw.file) : undefined;
  if (wrong !== undefined) throw failed(stand, raw, ['file'], 'invalid-glob', wrong);
  if (raw.file !== undefined && outside(raw.file)) {
    throw failed(stand, raw, ['file'], 'overlay-path', `"${raw.file}" is outside the component's sources`, {
      hint: '"file" is relative to the sources',
    });
  }
  if (raw.type === 'file-rename' && raw.replacement?.includes('/')) {
    throw failed(
      stand,
      raw,
      ['replacement'],
      'overlay-path',
      '"replacement" is a file name in the same folder, without a slash',
    );
  }
  if (raw.archive !== undefined && raw.archive !== '' && !archiveName.test(raw.archive)) {
    throw failed(stand, raw, ['archive'], 'overlay-path', `"${raw.archive}" is not the name of a tar archive`, {
      hint: 'supported are .tar, .tar.gz, .tar.xz and .tar.zst',
    });
  }
  if (raw.regex !== undefined) {
    try {
      RE2JS.compile(raw.regex);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      throw failed(stand, raw, ['regex'], 'overlay-regex', `invalid RE2 regular expression: ${said}`, {
        hint: 'RE2 has no lookaround and no backreferences',
      });
    }
  }
}

function failed(
  stand: Stand,
  raw: RawOverlay,
  at: TomlPath,
  code: string,
  message: string,
  options: ProblemOptions = {},
): WeirError {
  const name = raw.description?.trim();
  return problem(stand.document, [...stand.path, ...at], code, message, {
    ...options,
    ...(stand.component === undefined ? {} : { component: stand.component }),
    overlay: name === undefined || name === '' ? `${Number(stand.path.at(-1)) + 1} (${raw.type})` : `"${name}"`,
  });
}

/** Metadata of an overlay, an overlay file or a group. @throws WeirError `overlay-metadata` */
export function metadataOf(document: Document, path: TomlPath, raw: RawMetadata): OverlayMetadata {
  if (raw.category === 'upstream-backport') {
    if ((raw.commits ?? []).length === 0) {
      throw problem(document, path, 'overlay-metadata', 'a backport needs the upstream commits that it takes', {
        hint: 'add commits = [{ url = "https://…" }]',
      });
    }
    if (raw['upstream-status'] !== 'upstreamed' && raw['upstream-status'] !== 'upstreamable') {
      const status = raw['upstream-status'];
      throw problem(
        document,
        [...path, 'upstream-status'],
        'overlay-metadata',
        `a backport has status "upstreamed" or "upstreamable", not "${status}"`,
      );
    }
  }
  return {
    category: raw.category,
    upstreamStatus: raw['upstream-status'],
    commits: (raw.commits ?? []).map((commit) => commit.url),
    bugs: (raw.bugs ?? []).map((bug) => bug.url),
  };
}

/**
 * The overlays of an overlay file: its one `[metadata]` applies to each of its `[[overlays]]`; in a project that follows the
 * specification, each overlay has its own. `source` is relative to the overlay file.
 */
export function readOverlayFile(path: string, component: string, reading: Reading): Overlay[] {
  const document = readDocument(path, reading.specified === true ? overlayListSchema : overlayFileSchema, reading);
  const { metadata, overlays } = document.data;
  const own = metadata === undefined ? -1 : overlays.findIndex((overlay) => overlay.metadata !== undefined);
  if (own >= 0) {
    const at = ['overlays', own, 'metadata'];
    throw problem(document, at, 'overlay-metadata', 'an overlay file has a single [metadata] for all of its overlays', {
      component,
      hint: 'put overlays with another reason into their own file',
    });
  }
  const shared = metadata && check(reading, () => metadataOf(document, ['metadata'], metadata));
  const read = overlaysOf(document, ['overlays'], overlays, component);
  return shared === undefined ? read : read.map((overlay) => ({ ...overlay, metadata: shared }));
}

/**
 * The first conflict between overlays that change files inside an archive and the source files: such an archive must be
 * a source file with origin "overlay", such a source file needs an overlay, and no other overlay may change the archive
 * itself.
 */
export function archiveConflict(
  overlays: readonly Overlay[],
  sourceFiles: readonly SourceFile[],
): { readonly overlay?: Overlay; readonly message: string; readonly hint: string } | undefined {
  const replaced = sourceFiles.filter((file) => file.origin.type === 'overlay').map((file) => file.filename);
  const changed = new Set<string>();
  for (const overlay of overlays) {
    const archive = archiveOf(overlay);
    if (archive === undefined) continue;
    changed.add(archive);
    if (replaced.includes(archive)) continue;
    const near = suggestion(archive, replaced);
    const message = `an overlay changes ${archive}, which is not a source file with origin "overlay"`;
    const hint = `add a source-files entry with filename = "${archive}" and origin = { type = "overlay" }`;
    return { overlay, message, hint: near ?? hint };
  }
  const idle = replaced.find((name) => !changed.has(name));
  if (idle !== undefined) {
    return {
      message: `the source file ${idle} has origin "overlay", but no overlay changes a file inside it`,
      hint: 'add an overlay with this archive, or remove the source file',
    };
  }
  for (const archive of changed) {
    const overlay = overlays.find((one) => touches(one, archive));
    if (overlay !== undefined) {
      return {
        overlay,
        message: `a ${overlay.type} overlay changes ${archive} itself, and another one a file inside it`,
        hint: 'use only one of the two',
      };
    }
  }
  return undefined;
}

function archiveOf(overlay: Overlay): string | undefined {
  return 'archive' in overlay ? overlay.archive : undefined;
}

/** Whether an overlay can change, create or remove the source file of this name. */
function touches(overlay: Overlay, name: string): boolean {
  if (archiveOf(overlay) !== undefined || !('file' in overlay)) return false;
  if (overlay.type === 'file-add' || overlay.type === 'patch-add') return overlay.file === name;
  if (overlay.type === 'file-rename' && overlay.replacement === name) return true;
  return compileGlob(overlay.file.replace(/^(\.\/)+/, ''))(name);
}
