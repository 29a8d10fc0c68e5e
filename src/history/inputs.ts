// The inputs of a component, as named parts with a digest each, so that a changed digest can be explained. Only what can
// change the rendered spec or the packages is a part. Every field of the model is decided on here: a new field does not
// compile until it is.

import { sha256 } from '../base/digest.ts';
import { compareText } from '../base/order.ts';
import type { BuildConfig, ResolvedComponent } from '../project/model/component.ts';
import {
  type ComponentInputs,
  digestOfText,
  type InputContext,
  type InputPart,
  overlayNumber,
  Parts,
} from './input-parts.ts';
import { overlayPart } from './overlay-inputs.ts';
import { sourceFilePart } from './source-inputs.ts';
import { specParts } from './spec-inputs.ts';

/** Incremented when the meaning of a part changes, so that old digests are not compared with new ones. */
export const inputsFormat = 1;

type Decision<T> = ((value: T, parts: Parts) => void) | { readonly not: string };

type Decisions<T> = { readonly [K in keyof Required<T>]: Decision<Required<T>[K]> };

function decide<T extends object>(decisions: Decisions<T>, value: T, parts: Parts): void {
  for (const key of Object.keys(decisions) as (keyof T)[]) {
    const decision = decisions[key] as Decision<T[keyof T]>;
    if (typeof decision === 'function') decision(value[key], parts);
  }
}

/** How each field of a component becomes part of its inputs. */
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
  tests: { not: 'how it is tested' },
  groups: { not: 'what a group sets is already in the other fields' },
  upstreamNames: { not: 'only feeds of vulnerabilities use it' },
  specified: (specified, parts) => {
    if (specified) parts.say('specification', '0.1');
  },
  origin: { not: 'where it is written' },
  alsoIn: { not: 'where it is written' },
};

/** How each field of a component's build options becomes part of its inputs. */
export const buildDecisions: Decisions<BuildConfig> = {
  // With, without, defines and undefines are one set of macros; a removed macro has no effect.
  with: (_, parts) => macroParts(parts),
  without: { not: 'in the macros above' },
  defines: { not: 'in the macros above' },
  undefines: { not: 'in the macros above' },
  emitUpstreamProvenance: (emit, parts) => {
    const { spec } = parts.component;
    const dist = spec?.type === 'upstream' ? spec.dist : undefined;
    if (emit) parts.say('build.emit-upstream-provenance', dist ?? 'true');
  },
  check: ({ skip, skipReason = '' }, parts) => {
    // The rendered spec contains the reason.
    if (skip) parts.say('check.skip', skipReason.replace(/\s+/g, ' '));
  },
  failure: { not: 'describes the build, and does not change it' },
  expensive: { not: 'a hint for scheduling' },
};

function macroParts(parts: Parts): void {
  const { build } = parts.component;
  const macros = new Map<string, { readonly name: string; readonly value: string }>();
  for (const name of build.with) macros.set(`_with_${name}`, { name: `with ${name}`, value: '1' });
  for (const name of build.without) macros.set(`_without_${name}`, { name: `without ${name}`, value: '1' });
  for (const [name, value] of Object.entries(build.defines)) macros.set(name, { name: `define ${name}`, value });
  for (const name of build.undefines) macros.delete(name);
  // `with x` and a define of `_with_x 1` write the same line, but are different settings to their author.
  for (const { name, value } of macros.values()) {
    if (name.startsWith('define ')) parts.say(name, value);
    else parts.add({ name, digest: digestOfText(value) });
  }
}

/** The distribution's own settings that affect every package. */
function distroParts(parts: Parts): void {
  const { project } = parts.context;
  const reference = project.project.defaultDistro;
  if (reference === undefined) return;
  const distro = project.distros.get(reference.name);
  const version = reference.version ?? distro?.defaultVersion;
  const releaseVer = version === undefined ? undefined : distro?.versions.get(version)?.releaseVer;
  // Its name is not a part: a second stage of the same release builds the same packages.
  if (releaseVer !== undefined) parts.say('distro version', releaseVer);
}

/**
 * The inputs of a component. Nothing is fetched: upstream is identified by its commit, else by the snapshot and the branch
 * that lead to one. Tools and their versions are not inputs.
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

function byName(a: InputPart, b: InputPart): number {
  const [first, second] = [overlayNumber(a.name), overlayNumber(b.name)];
  if (first !== undefined && second !== undefined) return first - second;
  return compareText(a.name, b.name);
}
