import { WeirError } from '../base/errors.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { Spec } from '../spec/parse.ts';
import {
  isApplied,
  linesNaming,
  type NamedPatch,
  namedPatches,
  type PatchUses,
  patchUses,
} from '../spec/patch-uses.ts';
import { nameMatcher } from './files.ts';

/** A problem with how a patch is applied, after all overlays. */
export interface PatchProblem {
  /** The overlay's position in the component's list, from 1. */
  readonly number: number;
  readonly overlay: Overlay;
}

/** An overlay whose patch is never applied. */
export interface UnappliedPatch extends PatchProblem {
  readonly error: WeirError;
}

/** A place that still applies a patch which an overlay removed. */
export interface LeftCall extends PatchProblem {
  readonly message: string;
}

/**
 * Checks how the spec applies the patches that overlays added, and whether it still applies patches that they removed.
 * Reports only problems that are certain from the text.
 * @param before the spec without the overlays @param after the spec with all of them
 * @param applied the overlays that succeeded
 */
export function patchProblems(
  before: Spec,
  after: Spec,
  applied: readonly PatchProblem[],
): { readonly unapplied: readonly UnappliedPatch[]; readonly left: readonly LeftCall[] } {
  const about = applied.filter(({ overlay }) => overlay.type === 'patch-add' || overlay.type === 'patch-remove');
  if (about.length === 0) return { unapplied: [], left: [] };
  const uses = patchUses(after);
  const [were, listed] = [namedPatches(before), namedPatches(after)];
  const unapplied: UnappliedPatch[] = [];
  const left: LeftCall[] = [];
  for (const { number, overlay } of about) {
    if (overlay.type === 'patch-add') {
      const patch = listed.find(({ name }) => name === overlay.file);
      // `.nopatch` marks a CVE that needs no patch.
      if (patch === undefined || patch.name.endsWith('.nopatch')) continue;
      if (isApplied(uses, after, patch) !== false) continue;
      unapplied.push({ number, overlay, error: unappliedError(patch, uses) });
    } else if (overlay.type === 'patch-remove') {
      const matches = nameMatcher(overlay.file);
      for (const patch of were) {
        if (!matches(patch.name) && !matches(patch.value)) continue;
        for (const message of leftCalls(patch, uses, after, listed)) left.push({ number, overlay, message });
      }
    }
  }
  return { unapplied, left };
}

function unappliedError({ number, name }: NamedPatch, { uses }: PatchUses): WeirError {
  const known = [...new Set(uses.map(({ call }) => `it has ${call}`))];
  return new WeirError(
    'patch-not-applied',
    `the patch is listed as Patch${number} (${name}), but the spec never applies it`,
    {
      details: known.slice(0, 8),
      hint: `add a second overlay: spec-append-lines to %prep with "%patch -P ${number} -p1"${
        uses.some(({ call }) => call.startsWith('%autopatch')) ? ', or include its number in %autopatch' : ''
      }`,
      exit: 2,
    },
  );
}

function leftCalls(gone: NamedPatch, { uses }: PatchUses, spec: Spec, listed: readonly NamedPatch[]): string[] {
  if (listed.some(({ name }) => name === gone.name)) return [];
  const taken = listed.some(({ number }) => number === gone.number);
  const lines = new Set(linesNaming(spec, gone.name, false));
  for (const { line, from, to } of uses) if (!taken && from === to && from === gone.number) lines.add(line);
  return [...lines]
    .sort((a, b) => a - b)
    .map((line) => `line ${line + 1} of the spec still applies patch ${gone.number} (${gone.name}), which was removed`);
}
