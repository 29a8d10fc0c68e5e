import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapLimit } from '../../src/base/files.ts';
import { run, runOk } from '../../src/base/process.ts';
import { inLots } from '../../src/component/update.ts';
import { formatLock } from '../../src/sources/component-lock.ts';
import { readTogether } from '../../src/sources/git-readers.ts';
import { resolveCommit } from '../../src/sources/git-revision.ts';
import { openGitStore, openRepository } from '../../src/sources/git-store.ts';
import type { ComponentStatus } from '../../src/upstream/status-model.ts';
import type { UpstreamUpdate } from '../../src/upstream/update.ts';
import { type Place, weir } from '../machine.ts';
import { checkWords, readDiff } from './check.ts';
import { followed, type Site } from './projects.ts';
import type { Collection } from './spec-history.ts';

export interface Followed {
  readonly commits: number;
  /** Specs that the commits change, counted once a commit. */
  readonly changes: number;
  readonly moved: number;
  /** Components that stay behind in the end, by the code of the error. */
  readonly left: ReadonlyMap<string, number>;
  readonly words: number;
  readonly wrong: readonly string[];
  readonly wallSeconds: number;
  readonly ownSeconds: number;
  readonly childSeconds: number;
}

/** Updates the project commit by commit, and holds each word of the reports against `git diff`. */
export async function follow(place: Place, site: Site, collection: Collection): Promise<Followed> {
  const { commits } = collection;
  const first = commits.length - followed;
  await writeProject(site, collection, first, place.cache);
  const total = { changes: 0, moved: 0, words: 0, wallSeconds: 0, ownSeconds: 0, childSeconds: 0 };
  const left = new Map<string, number>();
  const wrong: string[] = [];
  let stuck: readonly string[] = [];
  const update = async (to: string, names: readonly string[]): Promise<UpstreamUpdate> => {
    const selected = names.length === 0 ? ['-a'] : names;
    const run = await weir(place, ['-C', site.project, '--json', 'upstream', 'update', '--to', to, ...selected]);
    for (const key of ['wallSeconds', 'ownSeconds', 'childSeconds'] as const) total[key] += run[key];
    return JSON.parse(run.stdout) as UpstreamUpdate;
  };
  for (let at = first; at < commits.length; at++) {
    const to = new Date(commits[at]!.time * 1000).toISOString();
    const changed = site.names.filter((name) => collection.states.get(name)!.some((state) => state.at === at));
    if (changed.length === 0) continue;
    // Those that could not move are tried again.
    const report = await update(to, [...new Set([...changed, ...stuck])]);
    stuck = report.left.map(({ component }) => component);
    total.changes += changed.length;
    total.moved += report.moved.length;
    const news = [...report.moved, ...report.left.map(({ status }) => status)];
    const said = new Set(news.map(({ component }) => component));
    for (const name of changed) {
      if (!said.has(name)) wrong.push(`${name} changed in ${commits[at]!.id}, and nothing says so`);
    }
    for (const pair of groups(collection, news)) total.words += await checkPair(site, collection, pair, wrong);
    const counts = `${changed.length} changed, ${report.moved.length} moved, ${report.left.length} left`;
    process.stderr.write(`${to}: ${counts}, ${wrong.length} wrong words\n`);
  }
  // Now nothing else may have news.
  const last = await update(new Date(commits.at(-1)!.time * 1000).toISOString(), []);
  for (const { component } of last.moved) wrong.push(`${component} moves although no commit changed it since`);
  for (const { error, status } of last.left) {
    const code = error?.code ?? status.state;
    left.set(code, (left.get(code) ?? 0) + 1);
  }
  return { commits: followed, ...total, left, wrong };
}

async function writeProject(site: Site, collection: Collection, first: number, cache: string): Promise<void> {
  await rm(site.project, { recursive: true, force: true });
  await mkdir(join(site.project, 'locks'), { recursive: true });
  const config = [
    '[project]',
    'description = "specs that changed"',
    'default-distro = { name = "ours", version = "1" }',
    '[distros.ours.versions.1.default-component-config]',
    'spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }',
    '[distros.up]',
    `dist-git-base-uri = ${JSON.stringify(`${site.distGit}/$pkg`)}`,
    '[distros.up.versions.1]',
    ...site.names.map((name) => `[components.${JSON.stringify(name)}]`),
  ];
  await writeFile(join(site.project, 'weir.toml'), `${config.join('\n')}\n`);
  const before = new Date(collection.commits[first - 1]!.time * 1000).toISOString();
  await mapLimit(inLots(site.names, 32), 2, async (lot) => {
    const store = openGitStore(cache);
    const folders = lot.map((name) => join(site.distGit, name));
    const git = readTogether(store, folders);
    try {
      for (const [index, name] of lot.entries()) {
        const repository = await openRepository(store, folders[index]!);
        const upstreamCommit = await resolveCommit(repository, { snapshot: before });
        const lock = { manualBump: 0, importCommit: upstreamCommit, upstreamCommit };
        await writeFile(join(site.project, 'locks', `${name}.lock`), formatLock(lock));
      }
    } finally {
      git.done();
    }
  });
}

/** Statuses with the same commits of the collection on both sides. */
interface Pair {
  readonly from: number;
  readonly to: number;
  readonly statuses: readonly ComponentStatus[];
}

function groups(collection: Collection, statuses: readonly ComponentStatus[]): Pair[] {
  const index = new Map(collection.commits.map(({ time }, at) => [time, at]));
  const pairs = new Map<string, { from: number; to: number; statuses: ComponentStatus[] }>();
  for (const status of statuses) {
    const [from, to] = [index.get(status.pinned!.time)!, index.get(status.newest!.time)!];
    // The state before the first change since then is that of the commit before it.
    const states = collection.states.get(status.component)!;
    const start = states.find(({ at }) => at > from)!.at - 1;
    const pair = pairs.get(`${start} ${to}`) ?? { from: start, to, statuses: [] };
    pair.statuses.push(status);
    pairs.set(`${start} ${to}`, pair);
  }
  return [...pairs.values()];
}

async function checkPair(
  site: Site,
  collection: Collection,
  { from, to, statuses }: Pair,
  wrong: string[],
): Promise<number> {
  const { commits, gitDir, states } = collection;
  const ids = [commits[from]!.id, commits[to]!.id];
  const paths = statuses.map(({ component }) => `specs/${component}.spec`);
  const how = ['diff', '-U999999', '--no-renames', '--no-ext-diff', '--no-color', '--text', '--no-indent-heuristic'];
  const argv = ['git', '--literal-pathspecs', '--git-dir', gitDir, ...how, ...ids, '--', ...paths];
  const diffs = readDiff((await runOk(argv)).stdout);
  let words = 0;
  for (const { component, between } of statuses) {
    const say = (message: string): void => void wrong.push(`${component}, ${ids[0]}..${ids[1]}: ${message}`);
    const diff = diffs.get(`specs/${component}.spec`) ?? { removed: [], added: [], kept: [] };
    const own = states.get(component)!.filter(({ at }) => at > from && at <= to);
    const subjects = own.map(({ at }) => commits[at]!.subject);
    const checked = checkWords(between!, diff, subjects, await lookasideNames(site, component));
    words += checked.words + 2;
    for (const message of checked.wrong) say(message);
    if (between!.commits.length !== own.length) say(`${between!.commits.length} commits said, ${own.length} made`);
    const gone = own.at(-1)!.blob === undefined;
    const files = gone
      ? { added: ['dead.package'], removed: [`${component}.spec`], changed: [] }
      : { added: [], removed: [], changed: [`${component}.spec`] };
    if (JSON.stringify(between!.files) !== JSON.stringify(files)) say(`files ${JSON.stringify(between!.files)}`);
  }
  return words;
}

/** Names in the `sources` of a dist-git, which all of its commits have. */
export async function lookasideNames({ distGit }: Pick<Site, 'distGit'>, name: string): Promise<ReadonlySet<string>> {
  const { stdout } = await run(['git', '--git-dir', join(distGit, name), 'show', 'HEAD:sources']);
  return new Set([...stdout.matchAll(/^\S+ \((.*)\) = /gm)].map((match) => match[1]!));
}
