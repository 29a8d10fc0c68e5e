import { readFile } from 'node:fs/promises';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { type LineTime, lineTimes } from './line-times.ts';

/**
 * When overlays were added to the project: for each the time of its oldest line, without lines that all overlays have.
 * Overlays without a known time are left out.
 * @param root the project's folder
 */
export async function overlayTimes(
  root: string,
  components: Iterable<ResolvedComponent>,
): Promise<ReadonlyMap<Overlay, number | 'uncommitted'>> {
  const byFile = new Map<string, Set<Overlay>>();
  for (const { overlays } of components) {
    for (const overlay of overlays) {
      const { file } = overlay.origin;
      byFile.set(file, (byFile.get(file) ?? new Set()).add(overlay));
    }
  }
  const times = await lineTimes(root, [...byFile.keys()]);
  const found = new Map<Overlay, number | 'uncommitted'>();
  await Promise.all(
    [...byFile].map(async ([file, overlays]) => {
      const ofLines = times.get(file);
      if (ofLines === undefined) return;
      const lines = (await readFile(file, 'utf8')).split('\n');
      const starts = [...overlays].map((overlay) => overlay.origin.line - 1).sort((a, b) => a - b);
      for (const overlay of overlays) {
        const start = overlay.origin.line - 1;
        const next = starts.find((other) => other > start) ?? lines.length;
        const time = oldest(lines, ofLines, start, next);
        if (time !== undefined) found.set(overlay, time);
      }
    }),
  );
  return found;
}

/** Lines that look the same in many overlays: diffs confuse the lines of one overlay with the lines of another. */
const common = /^\s*(?:#.*|\[\[.*\]\]|[\][{},]*|type\s*=.*|metadata\s*=\s*\{?)\s*$/;

function oldest(lines: readonly string[], times: readonly LineTime[], start: number, next: number): LineTime {
  let end = start + 1;
  // Up to the next table that is not part of the overlay, such as its metadata.
  while (end < next && !/^\s*\[(?!.*\.metadata(\.\w+)?\]).*\]\s*$/.test(lines[end] ?? '')) end++;
  const all = Array.from({ length: end - start }, (_, offset) => start + offset);
  const telling = all.filter((line) => !common.test(lines[line] ?? ''));
  const known = (telling.length > 0 ? telling : all).map((line) => times[line]).filter((time) => time !== undefined);
  const committed = known.filter((time) => time !== 'uncommitted');
  return committed.length > 0 ? Math.min(...committed) : known[0];
}

/** The time that ages are counted from, in seconds since 1970: SOURCE_DATE_EPOCH if set, for reproducible reports. */
export function presentTime(): number {
  const epoch = process.env.SOURCE_DATE_EPOCH ?? '';
  return /^\d+$/.test(epoch) ? Number(epoch) : Math.floor(Date.now() / 1000);
}

/** A warning if ages are limited and some are unknown: those overlays are not checked. */
export function unknownAges(overlays: number): string[] {
  if (overlays === 0) return [];
  const these = overlays === 1 ? 'one overlay' : `${overlays} overlays`;
  return [`the age of ${these} is unknown: the project is not in a git repository, or in a shallow clone`];
}
