import { dirname, join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { cachePath } from '../base/paths.ts';
import { inStage } from '../base/progress.ts';
import { uncheckedBlobPath } from '../engine/store.ts';
import { cachedRepository } from '../repo/cached-repository.ts';
import { type ListedSource, listedSource } from '../repo/source.ts';
import { convertSeed } from '../seed/convert.ts';
import type { SeedPackage } from '../seed/convert-package.ts';
import { loadMapping, rootPackages } from '../seed/mapping.ts';
import { debianArch } from '../toolbox/apt.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { lockedDebs } from '../toolbox/toolbox-lock.ts';
import { zstdOf } from '../toolbox/zstd.ts';
import { type LazySeed, openLazySeed } from './lazy-seed.ts';
import { repoPackageOf } from './seed-package.ts';
import { seedApt, type Workspace } from './workspace.ts';

/** The seed for the rest of the pipeline: an RPM repository and the origin of each package. */
export interface SeedRepository {
  readonly source: ListedSource;
  /** By name; grows with packages that builds request. */
  readonly packages: ReadonlyMap<string, SeedPackage>;
  /** Number of requirements that became recommendations. */
  readonly demotions: number;
  /** Roots of the base channel, as names that the seed's packages provide. */
  readonly baseRoots: readonly string[];
  /** The part of the seed that is made on demand. */
  readonly lazy: LazySeed;
}

/** Downloads the seed's Debian packages, converts them and creates a repository from them in the cache. */
export async function seedStage(workspace: Workspace, toolbox: Toolbox): Promise<SeedRepository> {
  const { project, engine, cache, progress, clock, arch } = workspace;
  const seed = project.seed;
  if (seed === undefined) {
    throw new WeirError('no-inputs', 'the project has no [seed] table, and upstream mirrors are not supported yet', {
      where: { file: project.file },
      hint: 'add a [seed] table',
      exit: 2,
    });
  }
  const dir = seed.mappings[0] === undefined ? join(project.root, '..', 'seed') : dirname(seed.mappings[0]);
  const mapping = loadMapping(dir);
  const rootsOf = (set: string): string[] => rootPackages(mapping, set, debianArch(arch));
  const roots = [...new Set([...mapping.roots.keys()].flatMap(rootsOf))].sort();
  return inStage(progress, 'seed', async (stage) => {
    const locked = await lockedDebs(engine, {
      lock: join(dir, 'seed.lock'),
      set: `${seed.suite}-${debianArch(arch)}`,
      roots,
      openApt: () => seedApt(workspace, seed),
      onProgress: (count, total) => stage.update(`downloaded ${count} of ${total} Debian packages`),
    });
    if (locked.relocked !== undefined) stage.note(`seed.lock rewritten: ${locked.relocked}`);
    stage.update(`converting ${locked.packages.length} Debian packages`);
    const ran = engine.counts.ran;
    const debs = locked.packages.map((deb) => ({ ...deb, path: uncheckedBlobPath(engine.store, deb.sha256) }));
    const converted = await convertSeed(engine, mapping, debs, clock, zstdOf(toolbox));
    const packages = converted.packages.map(repoPackageOf);
    const repository = cachePath(cache, 'repos', `seed-${valueDigest(packages.map((pkg) => pkg.rpm)).slice(0, 16)}`);
    const check = await cachedRepository(workspace, toolbox, repository, packages);
    const fresh = engine.counts.ran - ran;
    const note = (text: string): void => progress.note('seed', text);
    const all = new Map<string, SeedPackage>(converted.packages.map((pkg) => [pkg.name, pkg]));
    const onMade = (made: readonly SeedPackage[]): void => {
      for (const pkg of made) all.set(pkg.name, pkg);
    };
    const lazy = openLazySeed({ workspace, toolbox, seed, mapping, debs, rpms: converted.packages, onMade, note });
    const ignored = new Set(converted.ignored);
    return {
      result: {
        source: listedSource({ id: 'seed', dir: repository, packages, priority: 90, check }),
        packages: all,
        demotions: converted.demotions.length,
        baseRoots: rootsOf('base').filter((name) => !ignored.has(name)),
        lazy,
      },
      summary: `${packages.length} RPMs from ${locked.packages.length} Debian packages, ${locked.downloaded} downloaded`,
      cached: fresh === 0 && locked.downloaded === 0,
    };
  });
}
