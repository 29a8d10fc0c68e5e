import { createHash } from 'node:crypto';
import { copyFile, link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, writeAtomic } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import type { BuildConfig, ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { RetryOptions } from '../sources/git-run.ts';
import { formatSourcesFile, type LookasideFile, parseSourcesFile } from '../sources/listing.ts';
import { decodeText } from '../spec/lines.ts';
import { type Spec, specBytes } from '../spec/parse.ts';
import { sectionsOf, sources } from '../spec/query.ts';
import { together } from '../toml/problems.ts';
import {
  type AppliedOverlay,
  applyArchiveOverlays,
  applyPlainOverlays,
  type ComponentSources,
  located,
  type OverlaidSources,
  type OverlayStep,
  readSources,
} from './apply.ts';
import type { ArchiveTools } from './compression.ts';
import { addFile, readEntry, type SourceTree } from './files.ts';
import { listedNames } from './listed-names.ts';
import { patchProblems } from './patch-checks.ts';
import { upstreamProvenance } from './provenance.ts';
import { applyRelease, type ReleaseHistory, releaseHistory } from './release-number.ts';
import type { AskVersions } from './spec-facts.ts';
import { insertTag } from './tag-edits.ts';
import { prependLines } from './text-edits.ts';

/** The first lines of every rendered spec. */
export const renderedHeader: readonly string[] = [
  "# This spec file has been rendered by Weir: upstream's spec with the component's overlays and build options.",
  '# Do not edit it: change the component and render again.',
  '',
];

/** A step of preparing: an overlay, or an effect of the component's other settings. */
export type PrepareStep =
  | ({ readonly kind: 'overlay' } & OverlayStep)
  | {
      readonly kind: 'macros' | 'check-skip' | 'release' | 'header';
      readonly before: ComponentSources;
      readonly after: ComponentSources;
    };

/** Programs for tasks that Weir does not do itself. */
export interface RenderTools extends ArchiveTools {
  readonly versions?: AskVersions;
}

export interface RenderOptions {
  /** The project's commits that changed the component. */
  readonly history?: Pick<ReleaseHistory, 'commits'>;
  /** Network settings for upstream's history, if the local copy is not enough. */
  readonly retry?: RetryOptions;
  readonly tools?: RenderTools;
  /** Called for each step that changed something, in order. */
  readonly observe?: (step: PrepareStep) => void;
}

/** A component ready to build: its final spec, all files, and the files still to fetch from the lookaside. */
export interface PreparedComponent extends OverlaidSources {
  readonly name: string;
  /** The merged `sources`, with the new hashes of archives that overlays changed. */
  readonly listed: readonly LookasideFile[];
  /** Settings that are valid but probably not intended. */
  readonly warnings: readonly string[];
}

/**
 * Turns upstream's sources into the component's: overlays into archives, macros file, the component's overlays,
 * check.skip, release number, header; in this order.
 * @throws WeirError as `applyOverlays` and `applyRelease`; `no-check`, `patch-not-applied`
 */
export async function prepareComponent(
  component: ResolvedComponent,
  fetched: FetchedSources,
  options: RenderOptions = {},
): Promise<PreparedComponent> {
  const read = await readSources(fetched.dir, fetched.specPath);
  const { tools, observe } = options;
  const overlays = {
    root: fetched.root,
    ...(tools === undefined ? {} : { tools }),
    ...(observe === undefined ? {} : { observe: (step: OverlayStep) => observe({ kind: 'overlay', ...step }) }),
  };
  const archives = await applyArchiveOverlays(read, component, overlays);
  const listed = await rehash(component, fetched.files, archives.files, archives.applied);
  const ask = tools?.versions === undefined ? {} : { askVersions: tools.versions };
  const provenance = await upstreamProvenance(read.spec, component, fetched, { ...options.retry, ...ask });
  const withMacros = addMacrosFile(archives, component, provenance.macros);
  if (withMacros.spec !== archives.spec) observe?.({ kind: 'macros', before: archives, after: withMacros });
  const overlaid = await applyPlainOverlays(withMacros, component, overlays);
  const { unapplied, left } = patchProblems(read.spec, overlaid.spec, overlaid.applied);
  const [first, ...others] = unapplied.map(({ error, overlay, number }) => located(error, component, overlay, number));
  if (first !== undefined) throw together(first, others);
  const { files } = overlaid;
  let spec = overlaid.spec;
  const changed = (kind: 'check-skip' | 'release' | 'header', after: Spec): void => {
    if (after !== spec) observe?.({ kind, before: { spec, files }, after: { spec: after, files } });
    spec = after;
  };
  if (component.build.check.skip) changed('check-skip', skipCheck(spec, component));
  const listing = overlaid.files.get('changelog');
  const isFile = listing !== undefined && listing.kind !== 'link';
  const changelog = isFile ? decodeText(await readEntry(listing)).text : undefined;
  const commits = options.history?.commits ?? [];
  const history = await releaseHistory(spec, component, fetched, commits, changelog, { ...options.retry, ...ask });
  changed('release', applyRelease(spec, component, history));
  changed('header', prependLines(spec, renderedHeader, {}));
  return {
    name: component.name,
    spec,
    files: overlaid.files,
    applied: [...archives.applied, ...overlaid.applied],
    warnings: [
      ...(provenance.warning === undefined ? [] : [provenance.warning]),
      ...left.map(
        ({ number, overlay, message }) => `${component.name}, overlay ${number} (${overlay.type}): ${message}`,
      ),
    ],
    listed,
  };
}

/**
 * The list with the hashes of archives after the overlays: computed ones must match those of the configuration; for an
 * archive that was not fetched, the configured hash is used.
 */
async function rehash(
  component: ResolvedComponent,
  listed: readonly LookasideFile[],
  files: SourceTree,
  applied: readonly AppliedOverlay[],
): Promise<LookasideFile[]> {
  const changed = new Set(applied.flatMap((one) => one.files));
  const result: LookasideFile[] = [];
  for (const file of listed) {
    const { filename } = file;
    const source = component.sourceFiles.find((one) => one.filename === filename && one.origin.type === 'overlay');
    const hashType = source?.hashType ?? 'SHA512';
    const expected = source?.hash === undefined ? undefined : { filename, hashType, hash: source.hash.toLowerCase() };
    const entry = changed.has(filename) ? files.get(filename) : undefined;
    if (entry === undefined) {
      result.push(expected !== undefined && !files.has(filename) ? expected : file);
      continue;
    }
    const hash = createHash(hashType.toLowerCase())
      .update(await readEntry(entry))
      .digest('hex');
    if (expected !== undefined && expected.hash !== hash) {
      throw new WeirError(
        'wrong-hash',
        `${filename} has a different ${hashType} hash after the overlays than configured`,
        {
          where: { component: component.name, file: component.origin.file, line: component.origin.line },
          details: [`expected ${expected.hash}`, `got      ${hash}`],
          hint: 'upstream or an overlay has changed, or another tool packed it with xz or zstd: find out which, then set the new hash',
          exit: 2,
        },
      );
    }
    result.push({ filename, hashType, hash });
  }
  return result;
}

/** The name of a component's macros file, beside its spec. */
export function macrosFileName(name: string): string {
  return `${name}.weir.macros`;
}

/**
 * The macros file of a component's build options, or undefined if it has none: `with` and `without` as
 * `%_with_x 1` and `%_without_x 1`, then `defines`; `undefines` drops names.
 * @param more further macros, which do not override those
 */
export function macrosFile(build: BuildConfig, more: Readonly<Record<string, string>> = {}): string | undefined {
  const macros = new Map<string, string>();
  for (const name of build.with) macros.set(`_with_${name}`, '1');
  for (const name of build.without) macros.set(`_without_${name}`, '1');
  for (const [name, value] of Object.entries(build.defines)) macros.set(name, value);
  for (const name of build.undefines) macros.delete(name);
  for (const [name, value] of Object.entries(more)) if (!macros.has(name)) macros.set(name, value);
  if (macros.size === 0) return undefined;
  const lines = [...macros].sort(byKey).map(([name, value]) => `%${name} ${value.replaceAll('\n', '\\\n')}\n`);
  return `# Written by Weir from the build options of the component.\n# Do not edit it: change the component and render again.\n${lines.join('')}`;
}

function addMacrosFile(
  from: ComponentSources,
  component: ResolvedComponent,
  more: Readonly<Record<string, string>>,
): ComponentSources {
  const text = macrosFile(component.build, more);
  if (text === undefined) return from;
  const name = macrosFileName(component.name);
  // 9999 is azldev's number; a spec that already has Source9999 gets the next free number.
  const number = Math.max(9998, ...sources(from.spec).map((source) => source.number)) + 1;
  const listed = insertTag(from.spec, `Source${number}`, name);
  return {
    spec: prependLines(listed, [`%{load:%{_sourcedir}/${name}}`], {}),
    files: addFile(from.files, name, Buffer.from(text)),
  };
}

function skipCheck(spec: Spec, component: ResolvedComponent): Spec {
  if (sectionsOf(spec, '%check', '').length === 0) {
    throw new WeirError('no-check', `check.skip is set, but the spec of ${component.name} has no %check`, {
      where: { component: component.name, file: component.origin.file, line: component.origin.line },
      hint: 'remove build.check.skip',
      exit: 2,
    });
  }
  const reason = (component.build.check.skipReason ?? '').replace(/\s+/g, ' ').replaceAll('%', '%%');
  return prependLines(spec, [`# Skipped: ${reason}`, 'exit 0'], { section: '%check' });
}

/**
 * Writes everything that a build needs into an empty folder: the spec and every file. Unchanged files are hard links if the
 * file system allows it, so callers must not write to them.
 */
export async function writePrepared(prepared: PreparedComponent, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeAtomic(join(dir, `${prepared.name}.spec`), specBytes(prepared.spec));
  for (const [name, entry] of prepared.files) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    if (entry.kind === 'bytes') await writeAtomic(path, entry.bytes, entry.executable ? 0o755 : 0o644);
    else if (entry.kind === 'disk') await linkOrCopy(entry.path, path);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw diskError(error, to);
    await copyFile(from, to);
  }
}

export interface RenderedFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** The committed folder: spec, `sources`, and the files that the spec lists and dist-git has. */
export interface RenderedComponent {
  readonly name: string;
  /** `<first letter>/<name>`, relative to the rendered specs' folder. */
  readonly dir: string;
  /** Sorted by name. */
  readonly files: ReadonlyMap<string, RenderedFile>;
  readonly applied: readonly AppliedOverlay[];
  readonly warnings: readonly string[];
}

/** Renders a component; nothing is written. The same sources and configuration give the same bytes. */
export async function renderComponent(
  component: ResolvedComponent,
  fetched: FetchedSources,
  options: RenderOptions = {},
): Promise<RenderedComponent> {
  return renderPrepared(component, await prepareComponent(component, fetched, options));
}

/** The rendered form of a component that is already prepared. */
export async function renderPrepared(
  component: ResolvedComponent,
  prepared: PreparedComponent,
): Promise<RenderedComponent> {
  const files = new Map<string, RenderedFile>();
  files.set(`${component.name}.spec`, { bytes: specBytes(prepared.spec), executable: false });
  const listing = await sourcesFile(prepared);
  if (listing !== undefined) files.set('sources', { bytes: listing, executable: false });
  const fromLookaside = new Set(prepared.listed.map((file) => file.filename));
  const textOf = async (name: string): Promise<string | undefined> => {
    const entry = prepared.files.get(name);
    return entry === undefined || entry.kind === 'link' ? undefined : decodeText(await readEntry(entry)).text;
  };
  const wanted = component.render.skipFileFilter ? undefined : await listedNames(prepared.spec, textOf);
  for (const [name, entry] of prepared.files) {
    if (name === 'sources' || fromLookaside.has(name) || entry.kind === 'link') continue;
    if (wanted !== undefined && !wanted.has(name)) continue;
    files.set(name, { bytes: await readEntry(entry), executable: entry.executable });
  }
  return {
    name: component.name,
    dir: renderedDir(component.name),
    files: new Map([...files].sort(byKey)),
    applied: prepared.applied,
    warnings: prepared.warnings,
  };
}

/** Upstream's own file, byte for byte, if it lists the same files; it may be empty. */
async function sourcesFile({ files, listed }: PreparedComponent): Promise<Uint8Array | undefined> {
  const entry = files.get('sources');
  if (entry !== undefined && entry.kind !== 'link') {
    const bytes = await readEntry(entry);
    const theirs = formatSourcesFile(parseSourcesFile(decodeText(bytes).text, 'sources'));
    if (theirs === formatSourcesFile(listed)) return bytes;
  }
  return listed.length === 0 ? undefined : Buffer.from(formatSourcesFile(listed));
}

/** The folder of a rendered component, relative to the rendered specs' folder. */
export function renderedDir(name: string): string {
  return `${name.slice(0, 1).toLowerCase()}/${name}`;
}
