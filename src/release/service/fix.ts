import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { readAdvisory, recordPath, recordsNamed } from '../../advisory/load.ts';
import type { Advisory, AdvisoryEvent, EventOf } from '../../advisory/record.ts';
import { evrOf, fixedSource, standingOf } from '../../advisory/state.ts';
import { appendEvents } from '../../advisory/write.ts';
import { WeirError } from '../../base/errors.ts';
import { readIfExists, writeAtomic } from '../../base/files.ts';
import type { BuiltComponents } from '../../component/build.ts';
import { queryComponents, renderedSpec } from '../../component/query.ts';
import { sourceContext } from '../../component/sources.ts';
import { type NewOverlay, withOverlays } from '../../project/add-overlay.ts';
import type { ResolvedComponent } from '../../project/model/component.ts';
import { findComponent } from '../../project/select.ts';
import { nevra } from '../../repo/metadata.ts';
import { compareEvr, type Evr, formatEvr, parseEvr } from '../../rpm/version.ts';
import { patches, tagValue } from '../../spec/query.ts';
import { updateFromUpstream } from '../../upstream/update.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { buildRelease } from '../build.ts';
import { readRelease } from '../published.ts';
import { imageDigest, imagesWith } from './holders.ts';
import { releasedPackages } from './released.ts';

/** What fixes the vulnerability: patches for the component, or upstream's newest commit. */
export type Fix =
  | {
      readonly patches: readonly string[];
      /** URLs of upstream's commits that the patches are from. */
      readonly commits: readonly string[];
    }
  | { readonly update: true };

export interface FixOptions {
  /** ID of the record, or an alias. */
  readonly id: string;
  readonly component: string;
  readonly fix: Fix;
  /** Who does it, for the events. */
  readonly by: string;
  /** Opens the project as it is on disk; called again after its files were changed. */
  readonly open: () => Promise<Workspace>;
  /** The present moment as RFC 3339. */
  readonly now: () => string;
  /** Whether to rebuild the images that contain the package; default true. */
  readonly images?: boolean;
}

export interface FixResult {
  readonly id: string;
  readonly component: string;
  /** Files of the project that were changed, absolute; without the record. */
  readonly changed: readonly string[];
  /** NEVRAs of the packages with the fix. */
  readonly packages: readonly string[];
  readonly snapshot: string;
  readonly images: readonly { readonly name: string; readonly digest: string; readonly cached: boolean }[];
  /** The record afterwards. */
  readonly record: Advisory;
}

/**
 * From a patch to patched images: writes the overlay, builds, publishes a snapshot with the advisory in it, rebuilds only the
 * images that contain a package of the component, and appends an event for each step to the record. Finished steps are skipped, so
 * the next run completes one that was killed.
 * @throws WeirError `no-record`, `no-component` (exit 2), `fix-exists`, `fix-not-newer`, and those of a build
 */
export async function fixVulnerability(asked: FixOptions): Promise<FixResult> {
  const before = await asked.open();
  const folder = before.project.advisories.path;
  const [named] = await recordsNamed(folder, [asked.id]);
  const options = { ...asked, id: named!.id };
  const { id, component: name, fix } = options;
  const path = recordPath(folder, id);
  const component = findComponent(before.project, name);
  const released = await releasedEvr(before, name);
  const changed = 'update' in fix ? await update(before, component) : await addPatches(before, component, fix, options);
  const workspace = changed.length === 0 ? before : await options.open();
  if ('patches' in fix) changed.push(...(await raiseRelease(workspace, name, released, options)));
  const ready = changed.length === 0 ? workspace : await options.open();
  const overlay = 'patches' in fix ? { overlay: relative(before.project.root, component.origin.file) } : {};
  await notePending(options, folder, overlay);
  const holders = await imagesWith(ready, ({ origin }) => origin === name);
  const images = options.images === false ? [] : holders.map((image) => image.name);
  const release = await buildRelease(ready, images, {
    onBuilt: (built) => noteFixed(options, folder, built, released),
  });
  const snapshot = release.repository.snapshot.name;
  await noteOnce(options, folder, { type: 'published', component: name, snapshot });
  for (const { record } of release.images) {
    await noteOnce(options, folder, { type: 'image', image: record.name, digest: imageDigest(record), snapshot });
  }
  return {
    id,
    component: name,
    changed: [...new Set(changed)],
    packages: packagesOf(release.built, name),
    snapshot,
    images: release.images.map(({ record, cached }) => ({ name: record.name, digest: imageDigest(record), cached })),
    record: readAdvisory(path),
  };
}

/** The version of a component's source package in the last release; undefined if none was built. */
async function releasedEvr(workspace: Workspace, component: string): Promise<Evr | undefined> {
  const release = await readRelease(workspace);
  if (release === undefined) return undefined;
  const own = releasedPackages(release, workspace.project).filter((pkg) => pkg.component === component);
  const source = own.find(({ arch }) => arch === 'src') ?? own[0];
  return source === undefined ? undefined : evrOf(source);
}

/** Moves the component's lock or pin to upstream's newest commit. @returns the changed files */
async function update(workspace: Workspace, component: ResolvedComponent): Promise<string[]> {
  const { moved, left, folder } = await updateFromUpstream(workspace, [component], await sourceContext(workspace));
  const [stays] = left;
  if (stays !== undefined) {
    throw new WeirError('not-updated', `${component.name} cannot be updated: ${stays.reason}`, {
      where: { ...component.origin, component: component.name },
      hint: `see: weir upstream status ${component.name} --details`,
    });
  }
  return moved.length === 0 ? [] : [folder];
}

/** Writes the patches beside the component's file, and their overlays into it. @returns the changed files */
async function addPatches(
  workspace: Workspace,
  component: ResolvedComponent,
  fix: Extract<Fix, { readonly patches: readonly string[] }>,
  { id }: FixOptions,
): Promise<string[]> {
  const { file } = component.origin;
  const record = readAdvisory(recordPath(workspace.project.advisories.path, id));
  const changed: string[] = [];
  const overlays: NewOverlay[] = [];
  const known = new Map(
    component.overlays.flatMap((one) => (one.type === 'patch-add' ? [[one.file, one.source] as const] : [])),
  );
  const spec = await renderedSpec(workspace, component);
  let number = patches(spec).reduce((most, patch) => Math.max(most, patch.number), -1);
  const byNumber = !appliesAll(spec.lines.map(({ text }) => text));
  for (const [index, source] of fix.patches.entries()) {
    const name = fix.patches.length === 1 ? `${id}.patch` : `${id}-${index + 1}.patch`;
    const bytes = await patchBytes(source);
    const there = known.get(name);
    if (there !== undefined) {
      if ((await readFile(there)).equals(bytes)) continue;
      throw new WeirError('fix-exists', `${component.name} already has a different ${name}`, {
        where: { file: there, component: component.name },
        hint: 'remove its overlay first, or pass the same patch',
        exit: 2,
      });
    }
    const to = join(dirname(file), name);
    const present = await readIfExists(to);
    if (present !== undefined && present !== bytes.toString()) throw occupied(to);
    if (present === undefined) await writeAtomic(to, bytes);
    changed.push(to);
    const description = `Fix ${id}: ${record.title}`;
    const metadata = metadataOf(fix, record);
    overlays.push({ type: 'patch-add', description, source: name, metadata });
    number++;
    if (byNumber) {
      const lines = [`%patch -P ${number} -p1`];
      const why = `Fix ${id}: the spec applies its patches by number, so this one too`;
      overlays.push({ type: 'spec-append-lines', description: why, section: '%prep', lines, metadata });
    }
  }
  if (overlays.length > 0) changed.push(await addOverlays(file, component.name, overlays));
  return changed;
}

async function addOverlays(file: string, component: string, overlays: readonly NewOverlay[]): Promise<string> {
  await writeAtomic(file, withOverlays(file, await readFile(file, 'utf8'), component, overlays));
  return file;
}

function occupied(file: string): WeirError {
  return new WeirError('fix-exists', 'a different file of this name exists', {
    where: { file },
    hint: 'move it away: the patch is written there',
    exit: 2,
  });
}

/** Whether a spec applies all patches that it lists, whatever their number. */
function appliesAll(lines: readonly string[]): boolean {
  return lines.some((line) => /^\s*%(autosetup(?!.*\s-N\b)|autopatch|\{autosetup|forgeautosetup)/.test(line));
}

/** @throws WeirError (exit 2) `no-file`, `bad-patch` */
async function patchBytes(path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new WeirError('no-file', 'cannot read the patch', { where: { file: path }, exit: 2, cause });
  });
  if (/^(---|\+\+\+|diff |@@ )/m.test(bytes.toString('latin1'))) return bytes;
  throw new WeirError('bad-patch', 'this is not a patch: it has no "---", "+++" or "@@" line', {
    where: { file: path },
    hint: 'give a unified diff, such as git format-patch writes',
    exit: 2,
  });
}

function metadataOf({ commits }: { readonly commits: readonly string[] }, record: Advisory): NewOverlay {
  const links = (urls: readonly string[]) => urls.map((url) => ({ url }));
  const bugs = record.references === undefined ? {} : { bugs: links(record.references.slice(0, 3)) };
  if (commits.length === 0) return { category: 'weir-security-compliance', 'upstream-status': 'unknown', ...bugs };
  return { category: 'upstream-backport', 'upstream-status': 'upstreamed', commits: links(commits), ...bugs };
}

/**
 * Raises the release if the package would have the version of the repository again: dnf5 installs only newer ones. A spec whose
 * release counts the project's commits does not need that. @returns the changed files
 */
async function raiseRelease(
  workspace: Workspace,
  name: string,
  released: Evr | undefined,
  { id }: FixOptions,
): Promise<string[]> {
  if (released === undefined) return [];
  const component = findComponent(workspace.project, name);
  const { components, failed } = await queryComponents(workspace, [component]);
  if (failed[0] !== undefined) throw failed[0].error;
  const [main] = components[0]?.packages ?? [];
  if (main === undefined) return [];
  if (compareEvr(parseEvr(main.nevra.slice(main.name.length + 1, -main.arch.length - 1)), released) > 0) return [];
  const { fixed } = standingOf(readAdvisory(recordPath(workspace.project.advisories.path, id)), name) ?? {};
  // An earlier run finished the fix.
  if (fixed !== undefined && compareEvr(fixedSource(fixed), released) <= 0) return [];
  const release = tagValue(await renderedSpec(workspace, component), 'Release') ?? '';
  const raised = raisedRelease(release);
  if (raised === undefined) {
    throw new WeirError(
      'fix-not-newer',
      `${name} would have the version of the repository again, ${formatEvr(released)}`,
      {
        where: { ...component.origin, component: name },
        hint: `raise its release, which is ${JSON.stringify(release)}, with a spec-set-tag overlay`,
        exit: 2,
      },
    );
  }
  const metadata = { category: 'weir-release-management', 'upstream-status': 'inapplicable' };
  const description = `Fix ${id}: a newer release than the one in the repository`;
  const overlay = { type: 'spec-set-tag', description, tag: 'Release', value: raised, metadata };
  return [await addOverlays(component.origin.file, name, [overlay])];
}

/** The next release after `2%{?dist}`: `2%{?dist}.1`, older than any of upstream's; undefined if a macro counts it. */
export function raisedRelease(release: string): string | undefined {
  if (/autorelease/.test(release) || release === '') return undefined;
  const [, before, number] = /^(.*%\{\??dist\}\.)([0-9]+)$/.exec(release) ?? [];
  return before === undefined ? `${release}.1` : `${before}${Number(number) + 1}`;
}

function packagesOf({ components }: BuiltComponents, name: string): string[] {
  const built = components.find(({ component }) => component === name);
  if (built === undefined) return [];
  return [...built.packages.filter((pkg) => !/-(debuginfo|debugsource)$/.test(pkg.name)), built.source]
    .map(nevra)
    .sort();
}

/** Writes the `fixed` event before the repository is made, whose advisories come from it. @throws WeirError `fix-not-newer` */
async function noteFixed(
  options: FixOptions,
  folder: string,
  built: BuiltComponents,
  released: Evr | undefined,
): Promise<void> {
  const { id, component } = options;
  const packages = packagesOf(built, component);
  const record = readAdvisory(recordPath(folder, id));
  const known = standingOf(record, component);
  const isKnown = known?.fixed !== undefined && known.fixed.in.join(' ') === packages.join(' ');
  if (isKnown && known.state === 'fixed') return;
  const source = built.components.find((one) => one.component === component)!.source;
  if (!isKnown && released !== undefined && compareEvr(evrOf(source), released) <= 0) {
    throw new WeirError(
      'fix-not-newer',
      `${component} was built as ${formatEvr(evrOf(source))}, but the repository has ${formatEvr(released)}`,
      {
        where: { component },
        hint: 'raise its release: nobody would get an update to the same version',
      },
    );
  }
  await append(options, folder, { type: 'fixed', component, in: packages });
}

type Timeless<T extends AdvisoryEvent> = T extends AdvisoryEvent ? Omit<T, 'at' | 'by'> : never;

async function append({ id, by, now }: FixOptions, folder: string, event: Timeless<AdvisoryEvent>): Promise<void> {
  const { type, ...fields } = event;
  await appendEvents(folder, id, [{ type, at: now(), by, ...fields } as AdvisoryEvent]);
}

/** Appends `fix-pending`, unless the component has a fix or one is pending. */
async function notePending(
  options: FixOptions,
  folder: string,
  fields: Pick<EventOf<'fix-pending'>, 'overlay'>,
): Promise<void> {
  const { id, component } = options;
  const state = standingOf(readAdvisory(recordPath(folder, id)), component)?.state;
  if (state === 'fix-pending' || state === 'fixed') return;
  await append(options, folder, { type: 'fix-pending', component, ...fields });
}

/** Appends an event unless the record has one with the same fields. */
async function noteOnce(
  options: FixOptions,
  folder: string,
  event: Timeless<EventOf<'published'> | EventOf<'image'>>,
): Promise<void> {
  const { events } = readAdvisory(recordPath(folder, options.id));
  const wanted = Object.entries(event);
  const isThere = events.some((one) =>
    wanted.every(([key, value]) => (one as Readonly<Record<string, unknown>>)[key] === value),
  );
  if (!isThere) await append(options, folder, event);
}
