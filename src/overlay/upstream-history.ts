// Release numbers and changelogs from upstream's history: counted and written as rpmautospec does
// (https://fedora-infra.github.io/rpmautospec-docs/), with the project's own commits merged in.

import { readBlobs } from '../sources/git-checkout.ts';
import { parseTree } from '../sources/git-objects.ts';
import { readCommit, readObject } from '../sources/git-readers.ts';
import type { GitRepository, RetryOptions } from '../sources/git-run.ts';
import { decodeText } from '../spec/lines.ts';
import {
  type ChangelogEntry,
  changelogItems,
  entryTime,
  formatEntry,
  magicComments,
  withoutMacros,
} from './changelog.ts';
import { type AskVersions, factsOf, type SpecFacts } from './spec-facts.ts';

/** A commit of the project that changed a component. */
export interface ProjectChange {
  /** Empty if not committed yet. */
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly email: string;
  /** Subject and body. */
  readonly message: string;
  /** The upstream revision at that time: the commit, else the snapshot. */
  readonly upstream?: { readonly commit?: string; readonly snapshot?: string };
}

/** A history's result for its newest state. */
export interface UpstreamRelease {
  /** rpmautospec's release number, before `-b` is added. */
  readonly number: number;
  /** Epoch and version of the spec at the newest commit; undefined if it has none. */
  readonly version: string | undefined;
  /** Entries and pieces of a `changelog` file, newest first, each without a trailing line feed. */
  readonly changelog: readonly string[];
}

export interface UpstreamOptions extends RetryOptions {
  /** Finds versions that cannot be read from the text of a spec. */
  readonly askVersions?: AskVersions;
  /** The project's commits, newest first. */
  readonly changes: readonly ProjectChange[];
  /** Whether the changelog is needed; it needs more of the history. */
  readonly changelog: boolean;
  /** The spec after overlays, which can have another version than upstream's. */
  readonly final?: SpecFacts;
  /** The `changelog` file after overlays, or null where they removed it. */
  readonly finalChangelog?: string | null;
}

/** A commit of dist-git with the facts needed for counting. */
interface Node {
  readonly id: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly time: number;
  readonly author: string;
  readonly message: string;
  readonly facts: SpecFacts | undefined;
  readonly hasSpec: boolean;
  /** Id of the `changelog` file. */
  readonly changelog: string | undefined;
}

/** Thrown internally if a commit is needed that has not been read yet. */
class MissingNode extends Error {}

/**
 * The release number and changelog at a dist-git commit. Reads only as much history as needed, in batches.
 * @param spec its name in the repository
 * @throws WeirError `git-failed`, `offline`
 */
export async function upstreamRelease(
  repository: GitRepository,
  commit: string,
  spec: string,
  options: UpstreamOptions,
): Promise<UpstreamRelease> {
  const reader = new HistoryReader(repository, commit, spec, options);
  for (;;) {
    await reader.more();
    try {
      const wanted = new Counting(reader.nodes, commit, options).release();
      const texts = await reader.texts(wanted.changelog.flatMap((part) => (part.kind === 'file' ? [part.id] : [])));
      return { ...wanted, changelog: written(wanted.changelog, texts) };
    } catch (error) {
      if (!(error instanceof MissingNode)) throw error;
    }
  }
}

/** Reads commits from the given one back to the first, all parents, newest first. */
class HistoryReader {
  readonly nodes = new Map<string, Node>();
  readonly #repository: GitRepository;
  readonly #spec: string;
  readonly #retry: RetryOptions;
  readonly #ask: AskVersions | undefined;
  #waiting: { readonly id: string; readonly time: number }[];
  readonly #seen: Set<string>;
  readonly #facts = new Map<string, SpecFacts | undefined>();
  #batch = 8;

  constructor(repository: GitRepository, commit: string, spec: string, options: UpstreamOptions) {
    this.#repository = repository;
    this.#spec = spec;
    this.#retry = options;
    this.#ask = options.askVersions;
    this.#waiting = [{ id: commit, time: 0 }];
    this.#seen = new Set([commit]);
  }

  async more(): Promise<void> {
    const read: (Omit<Node, 'facts'> & { readonly spec: string | undefined })[] = [];
    while (read.length < this.#batch && this.#waiting.length > 0) {
      this.#waiting.sort((a, b) => a.time - b.time);
      const { id } = this.#waiting.pop()!;
      const data = await readCommit(this.#repository, id);
      // The end of a shallow clone: treated as the beginning of the history.
      if (data === undefined) {
        read.push({
          id,
          tree: '',
          parents: [],
          time: 0,
          author: '',
          message: '',
          hasSpec: false,
          changelog: undefined,
          spec: undefined,
        });
        continue;
      }
      const tree = await readObject(this.#repository, data.tree);
      const files = new Map(
        tree === undefined ? [] : parseTree(tree).map((entry) => [entry.name.toString(), entry.id]),
      );
      const { tree: treeId, parents, time, author, email, message } = data;
      const blob = files.get(this.#spec);
      read.push({
        ...{ id, tree: treeId, parents, time, message, spec: blob, changelog: files.get('changelog') },
        author: `${author} <${email}>`,
        hasSpec: blob !== undefined,
      });
      for (const parent of parents) {
        if (this.#seen.has(parent)) continue;
        this.#seen.add(parent);
        // A parent comes after its children, even if its clock was wrong.
        this.#waiting.push({ id: parent, time });
      }
    }
    this.#batch *= 2;
    const wanted = [
      ...new Set(read.flatMap(({ spec }) => (spec === undefined || this.#facts.has(spec) ? [] : [spec]))),
    ];
    const blobs = await readBlobs(this.#repository, wanted, this.#retry);
    const facts = await factsOf(
      blobs.map((blob) => decodeText(blob).text),
      this.#ask,
    );
    for (const [index, id] of wanted.entries()) this.#facts.set(id, facts[index]);
    for (const { spec, ...node } of read) {
      this.nodes.set(node.id, { ...node, facts: spec === undefined ? undefined : this.#facts.get(spec) });
    }
  }

  async texts(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const blobs = await readBlobs(this.#repository, ids, this.#retry);
    return new Map(ids.map((id, index) => [id, decodeText(blobs[index]!).text]));
  }
}

type Part =
  | { readonly kind: 'entry'; readonly entry: ChangelogEntry }
  | { readonly kind: 'file'; readonly id: string }
  | { readonly kind: 'text'; readonly text: string };

/** Entries, oldest first. */
type Parts = readonly Part[];

/** The results for one commit. */
interface Counted {
  readonly number: number;
  readonly version: string | undefined;
}

class Counting {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #head: string;
  readonly #options: UpstreamOptions;
  readonly #numbers = new Map<string, number>();

  constructor(nodes: ReadonlyMap<string, Node>, head: string, options: UpstreamOptions) {
    this.#nodes = nodes;
    this.#head = head;
    this.#options = options;
  }

  release(): { readonly number: number; readonly version: string | undefined; readonly changelog: Parts } {
    const { changes, changelog, final } = this.#options;
    const head = this.#node(this.#head);
    const version = head.facts?.version;
    const { line, at } = this.#line();
    const [base, ...above] = line.toReversed();
    let counted: Counted = { number: this.#number(base!.id), version: base!.facts?.version };
    const removedAt = this.#removals(line);
    let parts: Parts = changelog ? this.#changelogOf(base!, removedAt.get(base!.id) ?? false) : [];
    const own = final !== undefined && final.version !== version;
    let nth = changes.length - [...at.values()].flat().length;
    const putIn = (node: Node): void => {
      for (const change of at.get(node.id) ?? []) {
        const { bumpRelease, skipChangelog } = magicComments(change.message);
        nth++;
        const atHead = node.id === this.#head;
        const facts = atHead && final !== undefined ? final : node.facts;
        // A version that the project itself sets has no upstream count.
        const number = own && atHead ? nth : Math.max(counted.number + 1, bumpRelease);
        counted = { number, version: facts?.version };
        if (skipChangelog || !changelog) continue;
        const author = `${change.author} <${change.email}>`;
        parts = [...parts, { kind: 'entry', entry: entryOf({ ...change, author }, facts, number) }];
      }
    };
    putIn(base!);
    for (const node of above) {
      counted = this.#next(node, counted);
      if (changelog) parts = this.#append(node, counted.number, parts, removedAt.get(node.id) ?? false);
      putIn(node);
    }
    return { ...counted, version: own ? final.version : version, changelog: this.#withFinal(parts, head) };
  }

  /** The first-parent line from the head to the oldest commit that a project change is based on, newest first. */
  #line(): { readonly line: readonly Node[]; readonly at: ReadonlyMap<string, readonly ProjectChange[]> } {
    const at = new Map<string, ProjectChange[]>();
    const waiting = new Set(this.#options.changes);
    const seen: Node[] = [];
    let length = 1;
    for (
      let node: Node | undefined = this.#node(this.#head);
      node !== undefined && (waiting.size > 0 || seen.length === 0);
    ) {
      seen.push(node);
      for (const change of waiting) {
        if (!standsAt(change, node, seen.length === 1)) continue;
        waiting.delete(change);
        at.set(node.id, [change, ...(at.get(node.id) ?? [])]);
        length = seen.length;
      }
      const parent: string | undefined = node.parents[0];
      const next: Node | undefined = parent === undefined ? undefined : this.#node(parent);
      // After a version change the project's earlier commits no longer count; only the changelog lists them.
      if (!this.#options.changelog && next !== undefined && !sameVersion(node.facts?.version, next.facts?.version))
        break;
      node = next;
    }
    return { line: seen.slice(0, length), at };
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new MissingNode();
    return node;
  }

  /** The number after another commit on a line. */
  #next(node: Node, before: Counted): Counted {
    const version = node.facts?.version;
    const number = (sameVersion(version, before.version) ? before.number : 0) + (node.hasSpec ? 1 : 0);
    return { number: Math.max(number, magicComments(node.message).bumpRelease), version };
  }

  /** rpmautospec's number of a commit: one more than the highest of its parents with the same version. */
  #number(id: string): number {
    const stack = [id];
    while (stack.length > 0) {
      const node = this.#node(stack.at(-1)!);
      const same = node.parents.filter((parent) => sameVersion(node.facts?.version, this.#node(parent).facts?.version));
      const unknown = same.filter((parent) => !this.#numbers.has(parent));
      if (unknown.length > 0) {
        stack.push(...unknown);
        continue;
      }
      const highest = Math.max(0, ...same.map((parent) => this.#numbers.get(parent)!));
      const number = highest + (node.hasSpec ? 1 : 0);
      this.#numbers.set(node.id, Math.max(number, magicComments(node.message).bumpRelease));
      stack.pop();
    }
    return this.#numbers.get(id)!;
  }

  /** For each commit of a line, whether the `changelog` file was removed later. */
  #removals(line: readonly Node[]): ReadonlyMap<string, boolean> {
    const found = new Map<string, boolean>();
    let removed = false;
    for (const node of line) {
      found.set(node.id, removed);
      removed = this.#removedAfter(node, removed);
    }
    return found;
  }

  #parentsOf(node: Node): Node[] {
    return node.parents.map((parent) => this.#node(parent));
  }

  #changes(node: Node): boolean {
    const parents = this.#parentsOf(node);
    if (parents.length === 0) return node.changelog !== undefined;
    return parents.every((parent) => parent.changelog !== node.changelog);
  }

  #removedAfter(node: Node, removed: boolean): boolean {
    if (!this.#options.changelog || (node.changelog !== undefined && this.#changes(node))) return false;
    const gone = node.changelog === undefined && this.#parentsOf(node).some((parent) => parent.changelog !== undefined);
    return removed || gone;
  }

  /** The entries up to a commit, by rpmautospec's rules for merges. */
  #changelogOf(start: Node, removedBefore: boolean): Parts {
    const parts: Part[] = [];
    let removed = removedBefore;
    for (let node: Node | undefined = start; node !== undefined; ) {
      const parents: Node[] = this.#parentsOf(node);
      const changed = this.#changes(node);
      if (changed && node.changelog !== undefined) {
        if (!removed) parts.push({ kind: 'file', id: node.changelog });
        break;
      }
      // A merge is followed if one parent has all of its content.
      const follow: Node | undefined = parents.length < 2 ? parents[0] : sameTree(node, parents);
      const number = this.#number(node.id);
      if (parents.length > 1 && follow === undefined) {
        if (changed) {
          parts.push(...this.#entry(node, number));
        } else {
          const entry = { ...entryOf(node, node.facts, number), items: ['RPMAUTOSPEC: unresolvable merge'] };
          parts.push({ kind: 'entry', entry });
        }
        break;
      }
      if (parents.length < 2) parts.push(...this.#entry(node, number));
      removed = this.#removedAfter(node, removed);
      node = follow;
    }
    return parts.reverse();
  }

  #entry(node: Node, number: number): Part[] {
    if (!node.hasSpec || magicComments(node.message).skipChangelog) return [];
    return [{ kind: 'entry', entry: entryOf(node, node.facts, number) }];
  }

  #append(node: Node, number: number, before: Parts, removed: boolean): Parts {
    if (node.changelog === undefined || !this.#changes(node)) return [...before, ...this.#entry(node, number)];
    return removed ? [] : [{ kind: 'file', id: node.changelog }];
  }

  /** The `changelog` file left by overlays replaces all earlier entries, as if a commit had changed it. */
  #withFinal(parts: Parts, head: Node): Parts {
    const { finalChangelog, changes } = this.#options;
    if (finalChangelog === undefined || changes.length === 0) return parts;
    if (finalChangelog === null) return head.changelog === undefined ? parts : [];
    const last = parts.findLast((part) => part.kind === 'file');
    return head.changelog === undefined || last === undefined ? [{ kind: 'text', text: finalChangelog }] : parts;
  }
}

function sameTree({ tree }: Node, parents: readonly Node[]): Node | undefined {
  return parents.find((parent) => parent.tree === tree);
}

function sameVersion(a: string | undefined, b: string | undefined): boolean {
  // An unknown version is a mistake in a spec, or a package that was retired for a while, and not a new version.
  return a === undefined || b === undefined || a === b;
}

function standsAt({ upstream }: ProjectChange, node: Node, isHead: boolean): boolean {
  if (upstream?.commit !== undefined) return node.id.startsWith(upstream.commit);
  if (upstream?.snapshot !== undefined) return node.time <= Date.parse(upstream.snapshot) / 1000;
  return isHead;
}

function entryOf(
  commit: { readonly time: number; readonly author: string; readonly message: string },
  facts: SpecFacts | undefined,
  number: number,
): ChangelogEntry {
  const evr = facts === undefined ? undefined : evrOf(facts, number);
  return {
    time: commit.time,
    author: withoutMacros(commit.author),
    items: changelogItems(commit.message),
    ...(evr === undefined ? {} : { evr }),
  };
}

/** `[epoch:]version-release` for an entry's header; undefined if macros of the version are unknown. */
export function evrOf(facts: SpecFacts, number: number): string | undefined {
  if (facts.version === undefined || facts.version.includes('%')) return undefined;
  return `${facts.version}-${releaseOf(facts, number)}`;
}

/** The release of `%autorelease` with its options, without the dist tag. */
export function releaseOf({ autorelease: { prerelease, base, tags } }: SpecFacts, number: number): string {
  return `${prerelease ? '0.' : ''}${number + base - 1}${tags.map((tag) => `.${tag}`).join('')}`;
}

/**
 * The parts as text, newest first. rpm rejects a changelog whose dates increase, so no entry is older than those below it:
 * upstream's next commit can be older than the project's changes.
 */
function written(parts: Parts, texts: ReadonlyMap<string, string>): string[] {
  let newest = Number.NEGATIVE_INFINITY;
  const lines: string[] = [];
  for (const part of parts) {
    if (part.kind === 'entry') {
      const time = Math.max(part.entry.time, newest);
      newest = time;
      lines.push(formatEntry({ ...part.entry, time }));
      continue;
    }
    const text = (part.kind === 'text' ? part.text : (texts.get(part.id) ?? '')).trimEnd();
    newest = Math.max(newest, entryTime(text.trimStart()) ?? newest);
    if (text !== '') lines.push(text);
  }
  return lines.reverse();
}
