import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { isOffline } from '../base/network.ts';
import { byName } from '../base/order.ts';
import { cachePath } from '../base/paths.ts';
import { perform, recall, recordBlobs } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { blobFile, uncheckedBlobPath } from '../engine/store.ts';
import type { Seed } from '../project/model/release.ts';
import { cachedRepository } from '../repo/cached-repository.ts';
import { type ListedSource, listedSource } from '../repo/source.ts';
import { written } from '../rpm/dependencies.ts';
import { readRpm } from '../rpm/read.ts';
import { parseRequirement } from '../rpm/requirement.ts';
import type { Dependency } from '../rpm/types.ts';
import { parseEvr } from '../rpm/version.ts';
import { parseRelations, rpmVersion } from '../seed/control.ts';
import { convertPlans, readControls } from '../seed/convert.ts';
import type { SeedPackage } from '../seed/convert-package.ts';
import type { DebFile } from '../seed/deb.ts';
import { type Links, readAlternatives } from '../seed/lazy/alternatives.ts';
import { type Asked, nothingAsked, readAsked, writeAsked } from '../seed/lazy/asked-lock.ts';
import { Capabilities } from '../seed/lazy/capabilities.ts';
import { grow, takenBy } from '../seed/lazy/grow.ts';
import { makeMoreNaming } from '../seed/lazy/more-naming.ts';
import { leavesOf, toObtain, wantedText } from '../seed/lazy/obtain.ts';
import { type Alias, planMore } from '../seed/lazy/plan-more.ts';
import type { Mapping } from '../seed/mapping.ts';
import { planSeed, type SeedDeb, type SeedPlan } from '../seed/plan.ts';
import { type DebPackage, debianArch, downloadDebs, missingDebs } from '../toolbox/apt.ts';
import { freshLists } from '../toolbox/apt-lists.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { zstdOf } from '../toolbox/zstd.ts';
import { debianLists } from './debian-lists.ts';
import { repoPackageOf } from './seed-package.ts';
import { seedApt, type Workspace } from './workspace.ts';

/** The part of the seed that is made on demand, for the requirements of builds. */
export interface LazySeed {
  /**
   * Looks up the requirements that the seed does not meet, and locks the packages that are found.
   * @returns for each requirement that cannot be met, what was looked up
   */
  readonly grow: (requirements: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /**
   * Makes RPMs that provide these names if the converted packages turn out not to provide them, for example because a `.pc` file is a
   * symlink. Only for names without a version, because the version in the file is unknown.
   * @returns the names that are provided now
   */
  readonly provide: (requirements: readonly string[]) => Promise<readonly string[]>;
  /** A repository with the packages for these requirements; undefined if none are needed. Downloads and converts missing packages. */
  readonly sourceFor: (requirements: readonly string[]) => Promise<ListedSource | undefined>;
  /** A repository with all packages made in this run and the packages for these requirements; undefined if there are none. */
  readonly allWith: (requirements: readonly string[]) => Promise<ListedSource | undefined>;
}

export interface LazySeedOptions {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly seed: Seed;
  readonly mapping: Mapping;
  /** The fixed seed's Debian packages, and the RPMs made from them. */
  readonly debs: readonly DebFile[];
  readonly rpms: readonly SeedPackage[];
  /** Called with packages that were made in addition to the fixed seed. */
  readonly onMade: (packages: readonly SeedPackage[]) => void;
  readonly note: (text: string) => void;
}

/** Path of the lock of the packages that a project's builds requested. */
export function askedLock({ project }: Pick<Workspace, 'project'>): string {
  return join(project.root, 'seed-asked.lock');
}

/** Opens the lazy part of the seed. Nothing is read or downloaded until a requirement is not met by the fixed seed. */
export function openLazySeed(options: LazySeedOptions): LazySeed {
  const { workspace, mapping, seed, debs, rpms } = options;
  const set = `${seed.suite}-${debianArch(workspace.arch)}`;
  const lock = askedLock(workspace);
  const state = valueDigest(debs.map(({ name, version }) => `${name} ${version}`)).slice(0, 16);
  const packages = new Map<string, SeedPackage>();
  const keep = (made: readonly SeedPackage[]): void => {
    for (const pkg of made) packages.set(pkg.name, pkg);
    options.onMade(made);
  };
  const sources = new Map<string, Promise<ListedSource>>();
  const has = lackingTest(options);
  const open = once(() => debianLists(workspace, seed));
  let asked: Asked | undefined;
  const known = async (): Promise<Asked> => {
    if (asked !== undefined) return asked;
    const read = await readAsked(lock, set);
    if (read !== undefined && read.seed !== state) options.note('seed-asked.lock is rewritten: the seed changed');
    asked = read?.seed === state ? read : nothingAsked(state);
    return asked;
  };
  const lookUpAll = async (from: Asked, requirements: readonly string[], provided: Has) => {
    const lists = await open();
    const base = new Set(debs.map(({ name }) => name));
    const naming = makeMoreNaming(mapping, { rpms: new Set(rpms.map(({ name }) => name)), debs: base });
    const fixed = await fixedNames(options);
    const result = await grow({ ...lists, mapping, naming, base, fixed }, from, requirements, provided);
    if (result.asked.answers.size > from.answers.size) {
      asked = result.asked;
      await writeAsked(lock, set, asked);
    }
    return result.missing;
  };
  /** Looks up all requirements in the lock again, because the mirror has other versions by now. */
  const renew = async (): Promise<void> => {
    const before = await known();
    options.note('seed-asked.lock is rewritten: the mirror no longer has the locked versions');
    const all = [...before.answers.keys()];
    await lookUpAll(nothingAsked(state), all, await has(all));
  };
  const locked = serial();
  const source = async (requirements: readonly string[]): Promise<ListedSource | undefined> => {
    const now = await known();
    if (now.answers.size === 0) return undefined;
    const taken = await takenBy(now, requirements, await has(requirements));
    if (taken.debs.length === 0 && taken.aliases.length === 0) return undefined;
    const aliases = taken.aliases.map(({ wanted, debs: own }) => aliasOf(wanted, own, now, debs));
    const key = valueDigest([taken.debs.map(({ sha256 }) => sha256), aliases]);
    const made =
      sources.get(key) ??
      convertMore(options, taken.debs, aliases, has).then((all) => {
        keep(all);
        return repositoryOf(options, all);
      });
    sources.set(key, made);
    return made;
  };
  const sourceFor = (requirements: readonly string[]): Promise<ListedSource | undefined> =>
    locked(async () => {
      try {
        return await source(requirements);
      } catch (error) {
        if (!(error instanceof WeirError) || error.code !== 'gone') throw error;
        sources.clear();
        await renew();
        return source(requirements);
      }
    });
  return {
    sourceFor,
    provide: (requirements) =>
      locked(async () => {
        const now = await known();
        const answers = new Map(now.answers);
        const fresh: string[] = [];
        for (const text of requirements) {
          const answer = answers.get(text);
          if (answer === undefined || answer.alias || /[\s/]/.test(text)) continue;
          answers.set(text, { ...answer, alias: true });
          fresh.push(text);
        }
        if (fresh.length > 0) {
          asked = { ...now, answers };
          await writeAsked(lock, set, asked);
        }
        return fresh;
      }),
    allWith: async (requirements) => {
      await sourceFor(requirements);
      if (packages.size === 0) return undefined;
      return repositoryOf(options, [...packages.values()].sort(byName));
    },
    grow: (requirements) =>
      locked(async () => {
        const provided = await has(requirements);
        const now = await known();
        const open = await unanswered(requirements, provided, now);
        if (open.length === 0) return new Map();
        try {
          return await lookUpAll(now, open, provided);
        } catch (error) {
          if (!(error instanceof WeirError)) throw error;
          const why = isOffline() ? 'offline, and the lists of Debian are not in the cache' : error.message;
          return new Map(open.map((each) => [each, `not looked up: ${why}`]));
        }
      }),
  };
}

type Has = (dependency: Dependency) => boolean;

/** Requirements that neither the fixed seed nor the lock meets. */
async function unanswered(requirements: readonly string[], provided: Has, asked: Asked): Promise<string[]> {
  const open: string[] = [];
  for (const text of requirements) {
    const requirement = parseRequirement(text);
    const needed =
      requirement === undefined
        ? undefined
        : await toObtain(requirement, provided, async (leaf) => asked.answers.has(wantedText(leaf)));
    if (needed === undefined) open.push(text);
  }
  return open;
}

/** Runs one at a time, in order. */
function serial(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Tests names against what the fixed seed's packages provide. Results are cached; only names that were not tested before need the packages' headers. */
function lackingTest({ workspace, rpms }: LazySeedOptions): (requirements: readonly string[]) => Promise<Has> {
  const { engine } = workspace;
  const read = once(async () => {
    const all = new Capabilities();
    await mapLimit(rpms, 8, async ({ digest }) => {
      const { provides, files } = await readRpm(await blobFile(engine.store, digest));
      all.add(
        provides,
        files.map(({ path }) => path),
      );
    });
    return all;
  });
  const digest = valueDigest(rpms.map((rpm) => rpm.digest));
  return async (requirements) => {
    const leaves = new Map<string, Dependency>();
    for (const text of requirements) {
      const requirement = parseRequirement(text);
      for (const leaf of requirement === undefined ? [] : leavesOf(requirement)) leaves.set(written(leaf), leaf);
    }
    const result = await perform(engine, {
      kind: 'seed-lacking',
      code: codeDigest(import.meta.url),
      inputs: { rpms: digest, wanted: [...leaves.keys()].sort() },
      run: async () => {
        const all = await read();
        return { value: [...leaves].flatMap(([key, leaf]) => (all.has(leaf) ? [] : [key])) };
      },
    });
    const lacking = new Set(result.value as string[]);
    return (dependency) => !lacking.has(written(dependency));
  };
}

/** Names of the fixed seed's Debian packages, and the virtual names that they provide. */
async function fixedNames({ workspace, debs }: LazySeedOptions): Promise<Set<string>> {
  const controls = await readControls(workspace.engine, debs);
  return new Set(
    controls.flatMap(({ name, fields }) => [
      name,
      ...parseRelations(fields.provides).flatMap((clause) => clause.map((relation) => relation.name)),
    ]),
  );
}

function aliasOf(wanted: Dependency, names: readonly string[], asked: Asked, debs: readonly DebFile[]): Alias {
  const first = asked.packages.get(names[0]!) ?? debs.find(({ name }) => name === names[0]);
  const needed = wanted.evr === undefined || wanted.flags.startsWith('<') ? 0 : parseEvr(wanted.evr).epoch;
  const isLacking = first !== undefined && needed > rpmVersion(first.version).epoch;
  return { capability: wanted.name, debs: names, ...(isLacking ? { epoch: needed } : {}) };
}

/** Downloads and converts packages outside the fixed seed. */
async function convertMore(
  { workspace, toolbox, seed, mapping, debs }: LazySeedOptions,
  wanted: readonly DebPackage[],
  aliases: readonly Alias[],
  has: (requirements: readonly string[]) => Promise<Has>,
): Promise<readonly SeedPackage[]> {
  const { engine, clock } = workspace;
  const zstd = zstdOf(toolbox);
  if ((await missingDebs(engine, wanted)).length > 0) {
    const apt = await seedApt(workspace, seed);
    await freshLists(apt);
    await downloadDebs(engine, apt, wanted);
  }
  const all = {
    kind: 'seed-more',
    code: codeDigest(import.meta.url),
    inputs: {
      ...{ defaults: mapping.defaults, rules: [...mapping.packages], clock, zstd: zstd.digest },
      ...{ fixed: debs.map(({ sha256 }) => sha256), debs: wanted.map(({ sha256 }) => sha256), aliases },
    },
  };
  const known = await recall(engine, all);
  if (known !== undefined) return known.value as readonly SeedPackage[];
  const more = wanted.map((deb): DebFile => ({ ...deb, path: uncheckedBlobPath(engine.store, deb.sha256) }));
  const own = await withControls(workspace, more);
  const fixedDebs = await withControls(workspace, debs);
  const fixed: { debs: readonly SeedDeb[]; plan: SeedPlan } = { debs: fixedDebs, plan: planSeed(mapping, fixedDebs) };
  const links = await freeLinks(await readAlternatives(engine, more), has);
  const { packages: plans } = planMore({ mapping, fixed, debs: own, aliases, links });
  const { packages, files } = await convertPlans(engine, plans, clock, zstd);
  await recordBlobs(engine, all, files, packages);
  return packages;
}

/** The links that are in no package of the fixed seed. */
async function freeLinks(
  all: ReadonlyMap<string, Links>,
  has: (requirements: readonly string[]) => Promise<Has>,
): Promise<Map<string, Links>> {
  const paths = [...all.values()].flatMap((links) => Object.keys(links));
  if (paths.length === 0) return new Map(all);
  const isTaken = await has(paths);
  const free = (links: Links): Links =>
    Object.fromEntries(Object.entries(links).filter(([name]) => !isTaken({ name, flags: '' })));
  return new Map([...all].map(([deb, links]) => [deb, free(links)]));
}

async function repositoryOf(
  { workspace, toolbox }: LazySeedOptions,
  made: readonly SeedPackage[],
): Promise<ListedSource> {
  const packages = made.map(repoPackageOf);
  const digest = valueDigest(packages.map((pkg) => pkg.rpm)).slice(0, 16);
  const dir = cachePath(workspace.cache, 'repos', `seed-more-${digest}`);
  const check = await cachedRepository(workspace, toolbox, dir, packages);
  return listedSource({ id: 'seed-more', dir, packages, priority: 90, check });
}

async function withControls({ engine }: Workspace, debs: readonly DebFile[]): Promise<SeedDeb[]> {
  const controls = await readControls(engine, debs);
  return debs.map((file, i) => ({ file, control: controls[i]! }));
}
