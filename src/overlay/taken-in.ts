import { readFile } from 'node:fs/promises';
import type { Overlay } from '../project/model/overlay.ts';
import { decodeText } from '../spec/lines.ts';
import type { ComponentSources } from './apply.ts';
import { readEntry } from './files.ts';

/** A commit of the upstream history that the pinned one ends. */
export interface UpstreamCommit {
  readonly id: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  /** The whole message. */
  readonly message: string;
}

/** What tells of upstream that it has a change. */
export interface UpstreamEvidence {
  /** Newest first: the first is the pinned commit. */
  readonly history?: readonly UpstreamCommit[];
  /** The archive among the unpacked sources that has the change of a patch already. */
  readonly patchedArchive?: (patch: Uint8Array) => Promise<string | undefined>;
}

/** Whether upstream has the change, and by what that is known. */
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
      return `commit ${id.slice(0, 12)} ${how} ${found.id.slice(0, 12)} of the dist-git, from ${dateOf(found.time)}`;
    }
  }
  for (const [name, entry] of upstream.files) {
    if (entry.kind === 'link' || !/\.(patch|diff)$/.test(name)) continue;
    const bytes = await readEntry(entry);
    if (patch !== undefined && Buffer.from(bytes).equals(patch)) return `upstream's ${name} is the same patch`;
    const id = [...commits].find((wanted) => commitsOfPatch(bytes).some((one) => sameCommit(one, wanted)));
    if (id !== undefined) return `upstream's ${name} brings commit ${id.slice(0, 12)}`;
  }
  if (patch === undefined || evidence.patchedArchive === undefined) return undefined;
  const archive = await evidence.patchedArchive(patch);
  return archive === undefined ? undefined : `${archive} has what the patch changes already`;
}

/** The source of an overlay; undefined where it can't be read. */
export function readPatch(path: string): Promise<Buffer | undefined> {
  // That it is missing is told by the overlay, which fails.
  return readFile(path).catch(() => undefined);
}

/** The commit that a URL of a forge is about. */
export function commitOfUrl(url: string): string[] {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\.(patch|diff)$/, '');
  const words = path.match(/(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])/g) ?? [];
  // A number of seven digits is one of a bug or a merge request.
  return words.filter((word) => word.length >= 12 || /[a-f]/.test(word)).slice(-1);
}

/** The commits that a patch says it is, or was picked from. */
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

/** The day of a moment, in UTC. */
export function dateOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
