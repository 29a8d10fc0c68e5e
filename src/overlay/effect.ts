import { basename } from 'node:path';
import type { WeirError } from '../base/errors.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { decodeText } from '../spec/lines.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { fileNameOf, patches, sectionsOf, tags } from '../spec/query.ts';
import { archiveOf, type ComponentSources, type OverlayStep } from './apply.ts';
import { changesBetween } from './explain.ts';
import { nameMatcher, readEntry } from './files.ts';
import { readPatch } from './taken-in.ts';

/** For a failed overlay: why the sources already have its intended change; undefined if they do not. */
export async function alreadyThere(
  overlay: Overlay,
  sources: ComponentSources,
  error: WeirError,
): Promise<string | undefined> {
  const { spec, files } = sources;
  if (error.code === 'overlay-exists' && (overlay.type === 'file-add' || overlay.type === 'patch-add')) {
    const entry = files.get(overlay.file);
    const own = await readPatch(overlay.source);
    if (entry === undefined || entry.kind === 'link' || own === undefined) return undefined;
    return own.equals(await readEntry(entry)) ? `upstream has the same ${overlay.file}` : undefined;
  }
  if (error.code !== 'overlay-no-match') return undefined;
  // Without the archive, its content is unknown.
  const archive = archiveOf(overlay);
  if (archive !== undefined && !files.has(archive)) return undefined;
  switch (overlay.type) {
    case 'spec-search-replace':
      if (overlay.replacement === '' && error.details.length === 0) return nothingToDelete;
      if (!tells(overlay.replacement)) return undefined;
      return scopeText(spec, overlay).includes(overlay.replacement) ? replacementThere : undefined;
    case 'file-search-replace': {
      if (overlay.replacement === '' && error.details.length === 0) return nothingToDelete;
      if (!tells(overlay.replacement) || archive !== undefined) return undefined;
      const matches = nameMatcher(overlay.file);
      for (const [name, entry] of files) {
        if (entry.kind === 'link' || !matches(name)) continue;
        const { text } = decodeText(await readEntry(entry));
        if (text.includes(overlay.replacement)) return `its replacement is already in ${name}`;
      }
      return undefined;
    }
    case 'file-rename': {
      const name = overlay.replacement;
      return [...files.keys()].some((one) => basename(one) === name) ? `${name} already exists` : undefined;
    }
    case 'patch-remove': {
      const matches = nameMatcher(overlay.file);
      const listed = patches(spec).some((patch) => matches(fileNameOf(patch.value)));
      return listed ? undefined : `no patch is named ${overlay.file} any more`;
    }
    case 'spec-remove-tag':
    case 'spec-remove-section':
    case 'spec-remove-subpackage':
    case 'file-remove':
      return `what it removes is already gone: ${[error.message, ...error.details].join('; ')}`;
    default:
      return undefined;
  }
}

/** Message if no text similar to the deleted one exists: if upstream had only changed the text, a similar one would still exist. */
const nothingToDelete = 'what it deletes is already gone';

function scopeText(spec: Spec, scope: { readonly section?: string; readonly package?: string }): string {
  return sectionsOf(spec, scope.section, scope.package)
    .map(({ start, end }) =>
      spec.lines
        .slice(start, end)
        .map((line) => line.text)
        .join('\n'),
    )
    .join('\n');
}

/** For an overlay that succeeded: why it was not needed; undefined if it was. */
export async function withoutEffect(step: OverlayStep, name: string): Promise<string | undefined> {
  const { overlay, before, after, inside } = step;
  if (inside === undefined && (await changesBetween(name, before, after)).length === 0) {
    return 'it changes nothing';
  }
  switch (overlay.type) {
    case 'spec-add-tag':
    case 'spec-insert-tag': {
      const same = tags(before.spec, { name: overlay.tag, package: overlay.package ?? '' }).find(
        (tag) => words(tag.value) === words(overlay.value) && isCertain(before.spec, tag.line),
      );
      return same === undefined
        ? undefined
        : `line ${same.line + 1} of the spec already has ${same.name}: ${same.value}`;
    }
    case 'spec-append-lines':
    case 'spec-prepend-lines': {
      const wanted = overlay.lines.flatMap((line) => line.split('\n')).map((line) => line.trim());
      const text = scopeText(before.spec, { ...overlay, package: overlay.package ?? '' });
      const there = overlay.section === undefined ? printSpec(before.spec) : text;
      return hasLines(there, wanted) ? 'its lines already exist' : undefined;
    }
    case 'spec-search-replace':
      return addsNone(overlay.replacement, printSpec(before.spec), printSpec(after.spec));
    case 'file-search-replace': {
      const [old, fresh] = inside === undefined ? [before.files, after.files] : [inside.before, inside.after];
      const changed = [...fresh].filter(([path, entry]) => old.get(path) !== entry);
      for (const [path, entry] of changed) {
        const was = old.get(path);
        if (was === undefined || was.kind === 'link' || entry.kind === 'link') return undefined;
        const texts = [decodeText(await readEntry(was)).text, decodeText(await readEntry(entry)).text] as const;
        if (addsNone(overlay.replacement, ...texts) === undefined) return undefined;
      }
      return replacementThere;
    }
    default:
      return undefined;
  }
}

/**
 * Whether the text had the replacement before, as often as now: a search for `x` that is replaced by `x and y` matches again in a text
 * that already has `x and y`. If the text got shorter, text around the replacement was removed, so the overlay had an effect.
 */
function addsNone(replacement: string, before: string, after: string): string | undefined {
  const count = (text: string): number => text.split(replacement).length - 1;
  if (!tells(replacement) || count(before) === 0 || count(after) > count(before)) return undefined;
  if (after.length < before.length) return undefined;
  return replacementThere;
}

const replacementThere = 'its replacement already exists';

/** Whether a text is long enough for its presence to mean something. */
function tells(text: string): boolean {
  return text.trim().length > 3;
}

function words(value: string): string {
  return value.replace(/\s+/g, ' ').trim();
}

/** Whether a line of a section is outside all conditionals within it. */
function isCertain(spec: Spec, line: number): boolean {
  const section = spec.sections.find(({ start, end }) => line >= start && line < end);
  const outside = section === undefined || section.header < 0 ? 0 : spec.depths[section.header]!;
  return spec.depths[line]! <= outside;
}

/** Whether the lines are in the text, consecutively; blank lines and comments alone do not count. */
function hasLines(text: string, wanted: readonly string[]): boolean {
  if (!wanted.some((line) => line.length > 3 && !line.startsWith('#'))) return false;
  const lines = text.split('\n').map((line) => line.trim());
  return lines.some((_, at) => wanted.every((line, index) => lines[at + index] === line));
}
