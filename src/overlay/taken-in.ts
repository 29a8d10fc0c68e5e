import { readFile } from 'node:fs/promises';
import { isoDay } from '../base/time.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { decodeText } from '../spec/lines.ts';
import type { ComponentSources } from './apply.ts';
import { readEntry } from './files.ts';

/** A commit of the upstream history up to the pinned one. */
export interface UpstreamCommit {
  readonly id: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  /** The whole message. */
  readonly message: string;
}

/** Evidence that upstream has a change. */
export interface UpstreamEvidence {
  /** Newest first: the first is the pinned commit. */
  readonly history?: readonly UpstreamCommit[];
  /** The unpacked source archive that already contains a patch's change. */
  readonly patchedArchive?: (patch: Uint8Array) => Promise<string | undefined>;
}

/** Whether upstream has the change, and the evidence. */
export async function takenIn(
  overlay: Overlay,
  upstream: ComponentSources,
  evidence: UpstreamEvidence,
): Promise<string | undefined> {
  const patch = overlay.type === 'patch-add' ? await readPatch(overlay.source) : undefined;
  const commits = new Set((overlay.metadata?.commits ?? []).flatMap(commitOfUrl));
  for (const id of patch === undefined ? [] : commitsOfPatch(patch)) commits.add(id);
  for (const id of commits) {
    const found = evidence.history?.find((one) => one.id.startsWith(id) || mentions(one.message, id));
    if (found !== undefined) {
      const how = found.id.startsWith(id) ? 'is' : 'is named in';
      return `commit ${id.slice(0, 12)} ${how} ${found.id.slice(0, 12)} of the dist-git, from ${isoDay(found.time)}`;
    }
  }
  for (const [name, entry] of upstream.files) {
    if (entry.kind === 'link' || !/\.(patch|diff)$/.test(name)) continue;
    const bytes = await readEntry(entry);
    if (patch !== undefined && Buffer.from(bytes).equals(patch)) return `upstream's ${name} is the same patch`;
    const id = [...commits].find((wanted) => commitsOfPatch(bytes).some((one) => sameCommit(one, wanted)));
    if (id !== undefined) return `upstream's ${name} has commit ${id.slice(0, 12)}`;
  }
  if (patch === undefined || evidence.patchedArchive === undefined) return undefined;
  const archive = await evidence.patchedArchive(patch);
  return archive === undefined ? undefined : `${archive} already has the patch's changes`;
}

/** The source of an overlay; undefined if it can't be read. */
export function readPatch(path: string): Promise<Buffer | undefined> {
  // The overlay itself fails and reports that it is missing.
  return readFile(path).catch(() => undefined);
}

/** The commit in a forge's URL. */
export function commitOfUrl(url: string): string[] {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\.(patch|diff)$/, '');
  const words = path.match(/(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])/g) ?? [];
  // A number of seven digits is a bug or a merge request, not a commit.
  return words.filter((word) => word.length >= 12 || /[a-f]/.test(word)).slice(-1);
}

/** The commits in a patch's header: the patch's own commit, and commits that it was cherry-picked from. */
export function commitsOfPatch(patch: Uint8Array): string[] {
  const { text } = decodeText(patch);
  const found = [
    ...text.matchAll(/^From ([0-9a-f]{40}|[0-9a-f]{64}) |\(cherry picked from commit ([0-9a-f]{7,64})\)/gm),
  ];
  return [...new Set(found.map((match) => (match[1] ?? match[2])!))].filter((id) => !/^0+$/.test(id));
}

function sameCommit(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function mentions(message: string, id: string): boolean {
  const words = message.match(/(?<![0-9a-z])[0-9a-f]{8,64}(?![0-9a-z])/g) ?? [];
  return words.some((word) => sameCommit(word, id));
}
