// The difference between the inputs of a component in two states of the project.

import { type ComponentInputs, type InputPart, overlayNumber } from './input-parts.ts';

/** One part that differs between two states of a component. */
export interface InputChange {
  readonly name: string;
  readonly before: InputPart;
  readonly after: InputPart;
}

export interface InputDifference {
  readonly added: readonly InputPart[];
  readonly removed: readonly InputPart[];
  readonly changed: readonly InputChange[];
  /** Whether overlays changed only their order. New numbers after an addition or removal are not a change. */
  readonly reordered: boolean;
}

/**
 * Compares the parts. Overlays are matched by content and not by number: one inserted before others is one new overlay,
 * and the others are unchanged.
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
  // The same overlay at another position.
  let reordered = false;
  for (const part of [...gone]) {
    const moved = come.findIndex(({ digest }) => digest === part.digest);
    if (moved < 0) continue;
    reordered = true;
    come.splice(moved, 1);
    gone.splice(gone.indexOf(part), 1);
  }
  // Between the same neighbours and of the same type: the overlay was changed.
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

/** The longest sequence of overlays that both lists have in the same order. */
function commonOrder(
  old: readonly InputPart[],
  now: readonly InputPart[],
): {
  readonly old: ReadonlySet<InputPart>;
  readonly now: ReadonlySet<InputPart>;
  /** Number of common overlays before it. */
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
