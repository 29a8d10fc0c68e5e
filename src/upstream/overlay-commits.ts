import { presentTime } from '../history/overlay-age.ts';
import { applyPlainOverlays, archiveOf, type ComponentSources, type OverlayStep } from '../overlay/apply.ts';
import { readEntry } from '../overlay/files.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { CommitFile } from '../sources/git-files.ts';
import { specBytes } from '../spec/parse.ts';
import type { SeriesCommit } from './series.ts';

/** Applies the chosen overlays, without the others. */
export async function applyChosen(
  component: ResolvedComponent,
  chosen: ReadonlySet<number>,
  sources: ComponentSources,
  root: string,
): Promise<{
  readonly steps: readonly OverlayStep[];
  readonly failed: readonly { readonly number: number; readonly reason: string }[];
}> {
  const numbers = [...chosen].sort((a, b) => a - b);
  const steps: OverlayStep[] = [];
  const failed: { number: number; reason: string }[] = [];
  const plain = numbers.filter((number) => {
    const archive = archiveOf(component.overlays[number - 1]!);
    if (archive !== undefined) failed.push({ number, reason: `it changes ${archive}, which is not in the dist-git` });
    return archive === undefined;
  });
  const overlays = plain.map((number) => component.overlays[number - 1]!);
  await applyPlainOverlays(
    sources,
    { ...component, overlays },
    {
      root,
      observe: (step) => steps.push({ ...step, number: plain[step.number - 1]! }),
      failed: (index, _overlay, error) => {
        const number = plain[index - 1]!;
        const others = number > 1 && plain.length < component.overlays.length;
        const hint = others ? '; it may need an overlay that is not in the series' : '';
        failed.push({ number, reason: [error.message, ...error.details].join('; ') + hint });
      },
    },
  );
  return { steps, failed: failed.sort((a, b) => a.number - b.number) };
}

/**
 * The commit of an overlay in a series.
 * @param spec the spec's name in the dist-git @param time of the overlay, seconds since 1970; the present one if it is not known
 */
export async function overlayCommit(
  step: OverlayStep,
  component: ResolvedComponent,
  spec: string,
  time: number | 'uncommitted' | undefined,
): Promise<SeriesCommit> {
  return {
    message: messageOf(step.overlay, component),
    time: typeof time === 'number' ? time : presentTime(),
    changes: await changesOf(step, spec),
  };
}

/** The files that an overlay changes, by their names in the dist-git. */
async function changesOf({ before, after }: OverlayStep, spec: string): Promise<Map<string, CommitFile | undefined>> {
  const changes = new Map<string, CommitFile | undefined>();
  if (after.spec !== before.spec) changes.set(spec, { bytes: Buffer.from(specBytes(after.spec)), executable: false });
  for (const name of before.files.keys()) if (!after.files.has(name)) changes.set(name, undefined);
  for (const [name, entry] of after.files) {
    if (entry === before.files.get(name) || entry.kind === 'link') continue;
    changes.set(name, { bytes: Buffer.from(await readEntry(entry)), executable: entry.executable });
  }
  return changes;
}

const longestSubject = 72;

/** The first line of the commit of an overlay. */
export function subjectOf(overlay: Overlay, component: ResolvedComponent): string {
  // `git am` drops words in brackets at the beginning of a subject.
  const first = overlay.description
    .split('\n', 1)[0]!
    .replace(/\s+/g, ' ')
    .replace(/^(?:\[[^\]]*\]\s*)+/, '')
    .trim();
  if (first === '') return `${component.name}: ${overlay.type}`;
  if (first.length <= longestSubject) return first;
  const cut = first.slice(0, longestSubject - 1);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), 40))}…`;
}

function messageOf(overlay: Overlay, component: ResolvedComponent): string {
  const subject = subjectOf(overlay, component);
  const { description, metadata } = overlay;
  // A line of dashes, or the beginning of a difference, would end the message for `git am`.
  const safe = description.replace(/^(?=---|diff |Index: |From )/gm, ' ').trim();
  const [first, ...rest] = safe.split('\n');
  // A subject that had to be changed or cut does not say all of the first line.
  const body = first!.trim() === subject ? rest.join('\n').trim() : safe;
  const links = [
    ...(metadata?.bugs ?? []).map((url) => `Bug: ${url}`),
    ...(metadata?.commits ?? []).map((url) => `Commit: ${url}`),
  ].join('\n');
  return `${[subject, body, links].filter((part) => part !== '').join('\n\n')}\n`;
}
