import { WeirError } from '../base/errors.ts';
import { specAmong } from '../sources/fetch.ts';
import { readBlobs } from '../sources/git-checkout.ts';
import type { CommitData } from '../sources/git-objects.ts';
import { commitsBetween } from '../sources/git-range.ts';
import type { GitRepository, RetryOptions } from '../sources/git-run.ts';
import { parseSourcesFile } from '../sources/listing.ts';
import { listTree, type TreeChange, type TreeFileEntry, treeChanges } from '../sources/tree-changes.ts';
import { decodeText } from '../spec/lines.ts';
import { parseSpec, type Spec } from '../spec/parse.ts';
import { patches, sources } from '../spec/query.ts';
import { type CveMention, cveMentions } from './cve.ts';
import {
  addedLines,
  changelogOf,
  compareNames,
  compareSpecs,
  fileNames,
  type ListChanges,
  type SpecChanges,
} from './spec-changes.ts';

/** What a commit between two others says. */
export interface BetweenCommit {
  readonly id: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  /** The first line of its message. */
  readonly subject: string;
}

/** What lies between two commits of a dist-git. */
export interface Between {
  readonly relation: 'newer' | 'older' | 'apart';
  /** In the newer commit's history and not in the older's, newest first. */
  readonly commits: readonly BetweenCommit[];
  /** Undefined if one side has no spec. */
  readonly spec?: Omit<SpecChanges, 'changelog'>;
  /** The newer commit has no spec: why, as its `dead.package` says; an empty text without one. */
  readonly retired?: string;
  /** All files of the repository, the spec among them. */
  readonly files: ListChanges;
  /** Named by messages, changelogs and patches that are new, sorted. */
  readonly cves: readonly CveMention[];
}

/**
 * Compares two commits of a dist-git.
 * @param specName the spec's name upstream
 * @throws WeirError `git-failed`, `offline`
 */
export async function between(
  repository: GitRepository,
  from: CommitData,
  to: CommitData,
  specName: string,
  retry: RetryOptions = {},
): Promise<Between> {
  const range = await commitsBetween(repository, from.id, to.id);
  const relation = range.relation === 'same' ? 'newer' : range.relation;
  const changes = await treeChanges(repository, from.tree, to.tree);
  const before = await folderOf(repository, from.tree, specName);
  const after = await folderOf(repository, to.tree, specName);
  const wanted = [...before.wanted, ...after.wanted];
  const texts = await readTexts(repository, wanted, retry);
  const [old, fresh] = [specOf(before, texts), specOf(after, texts)];
  const compared = old === undefined || fresh === undefined ? undefined : compareSpecs(old, fresh);
  const files = compareFiles(changes);
  const changelog = [...(compared?.changelog ?? []), ...newLines(changes, 'changelog', texts)];
  const oldChangelog = [...(old === undefined ? [] : changelogOf(old)), textIn(before, 'changelog', texts) ?? ''];
  let spec: Between['spec'];
  if (compared !== undefined) {
    const { changelog: _, ...rest } = compared;
    const names = (state: Spec, own: FolderState): Names => namesOf(state, listedIn(own, texts));
    spec = { ...rest, ...compareLists(names(old!, before), names(fresh!, after), before, after) };
  }
  return {
    relation,
    commits: range.commits.map(({ id, time, message }) => ({ id, time, subject: message.split('\n', 1)[0]!.trim() })),
    ...(spec === undefined ? {} : { spec }),
    ...(after.specs === 0 ? { retired: textIn(after, 'dead.package', texts)?.trim() ?? '' } : {}),
    files,
    cves: cveMentions(
      {
        message: range.commits.map(({ message }) => message),
        changelog,
        patch: spec?.patches.added ?? [],
      },
      oldChangelog,
    ),
  };
}

/** A folder of a commit, with the files whose content is needed. */
interface FolderState {
  readonly entries: ReadonlyMap<string, TreeFileEntry>;
  readonly spec: string | undefined;
  /** How many specs there are: of several, none may be the component's. */
  readonly specs: number;
  /** Ids. */
  readonly wanted: readonly string[];
}

async function folderOf(repository: GitRepository, tree: string, specName: string): Promise<FolderState> {
  const entries = await listTree(repository, tree);
  const files = [...entries].filter(([, { mode }]) => mode === 'file' || mode === 'executable');
  const names = files.map(([name]) => name);
  const spec = specAmong(names, specName);
  // In the file `changelog` rpmautospec keeps older entries.
  const read = new Set([spec, 'sources', 'changelog', ...(spec === undefined ? ['dead.package'] : [])]);
  // A link cannot be read as a spec, but the component is not retired.
  const specs = [...entries].filter(([name, { mode }]) => name.endsWith('.spec') && mode !== 'folder').length;
  return { entries, spec, specs, wanted: files.flatMap(([name, { id }]) => (read.has(name) ? [id] : [])) };
}

type Texts = ReadonlyMap<string, string>;

async function readTexts(repository: GitRepository, ids: readonly string[], retry: RetryOptions): Promise<Texts> {
  const unique = [...new Set(ids)];
  const blobs = await readBlobs(repository, unique, retry);
  return new Map(unique.map((id, index) => [id, decodeText(blobs[index]!).text]));
}

function textIn({ entries }: FolderState, name: string, texts: Texts): string | undefined {
  const entry = entries.get(name);
  return entry === undefined ? undefined : texts.get(entry.id);
}

function specOf(state: FolderState, texts: Texts): Spec | undefined {
  const text = state.spec === undefined ? undefined : textIn(state, state.spec, texts);
  return text === undefined ? undefined : parseSpec(text);
}

/** Files that lie in the lookaside, with their hashes; none if the list cannot be read: rendering reports that. */
function listedIn(state: FolderState, texts: Texts): ReadonlyMap<string, string> {
  try {
    const files = parseSourcesFile(textIn(state, 'sources', texts) ?? '', 'sources');
    return new Map(files.map(({ filename, hashType, hash }) => [filename, `${hashType} ${hash}`]));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'bad-sources') return new Map();
    throw error;
  }
}

interface Names {
  readonly patches: ReadonlySet<string>;
  readonly sources: ReadonlySet<string>;
  readonly hashes: ReadonlyMap<string, string>;
}

/** What is only in the lookaside's list is a source: its name in the spec may depend on macros. */
function namesOf(spec: Spec, hashes: ReadonlyMap<string, string>): Names {
  const listed = new Set(fileNames(spec, patches));
  const rest = [...hashes.keys()].filter((name) => !listed.has(name));
  return { patches: listed, sources: new Set([...fileNames(spec, sources), ...rest]), hashes };
}

function compareLists(
  before: Names,
  after: Names,
  old: FolderState,
  fresh: FolderState,
): Pick<SpecChanges, 'patches' | 'sources'> {
  const contentOf = ({ entries }: FolderState, { hashes }: Names, name: string): string | undefined =>
    entries.get(name)?.id ?? hashes.get(name);
  const list = (was: ReadonlySet<string>, is: ReadonlySet<string>): ListChanges => ({
    ...compareNames(was, is),
    changed: [...is].filter((name) => was.has(name) && contentOf(old, before, name) !== contentOf(fresh, after, name)),
  });
  return { patches: list(before.patches, after.patches), sources: list(before.sources, after.sources) };
}

function compareFiles(changes: readonly TreeChange[]): ListChanges {
  const paths = (test: (change: TreeChange) => boolean): string[] => changes.filter(test).map(({ path }) => path);
  return {
    added: paths(({ before }) => before === undefined),
    removed: paths(({ after }) => after === undefined),
    changed: paths(({ before, after }) => before !== undefined && after !== undefined),
  };
}

function newLines(changes: readonly TreeChange[], name: string, texts: Texts): string[] {
  const change = changes.find(({ path }) => path === name);
  const lines = (entry: TreeFileEntry | undefined): string[] =>
    entry === undefined ? [] : (texts.get(entry.id)?.split('\n') ?? []);
  return change === undefined ? [] : addedLines(lines(change.before), lines(change.after));
}
