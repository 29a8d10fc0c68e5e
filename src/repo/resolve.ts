import { didYouMean, WeirError, type WeirErrorOptions } from '../base/errors.ts';
import { byName } from '../base/order.ts';
import { lastLines } from '../base/process.ts';
import { type Engine, perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { type Toolbox, tryTool } from '../toolbox/tool.ts';
import type { RepoPackage } from './metadata.ts';
import type { RepoSource } from './source.ts';

/** A failed resolution, with the requirements that no repository meets: wanted ones, or requirements of packages. */
export class UnmetError extends WeirError {
  /** The unmet requirements in dnf's syntax; empty if dnf5 failed for another reason, such as a conflict. */
  readonly unmet: readonly string[];

  constructor(code: string, unmet: readonly string[], message: string, options: WeirErrorOptions) {
    super(code, message, options);
    this.unmet = unmet;
  }

  /** The same error with more lines of details. */
  with(lines: readonly string[]): UnmetError {
    const { code, unmet, message, where, hint, details, others, exit, cause } = this;
    return new UnmetError(code, unmet, message, {
      ...{ details: [...details, ...lines], others, exit, cause },
      ...(where === undefined ? {} : { where }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/**
 * Packages that installing `wanted` on an empty system would install, resolved by dnf5, without weak dependencies by default.
 * @param wanted names, provides (`pkgconfig(zlib) >= 1`) or paths
 * @throws WeirError `not-found` if no repository has a wanted package, `unresolvable` if it cannot be installed
 */
export async function resolvePackages(
  toolbox: Toolbox,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  options: ResolveOptions,
): Promise<RepoPackage[]> {
  const chosen = await choosePackages(toolbox, sources, wanted, options);
  return packagesOf(sources, chosen);
}

interface ResolveOptions {
  readonly arch: string;
  readonly exclude?: readonly string[];
  /** Whether packages that others recommend or supplement are installed too. */
  readonly weak?: boolean;
  readonly purpose: string;
}

/** A package as dnf5's table lists it, with its repository: packages with one NEVRA in two repositories may differ in content. */
type Chosen = readonly [repository: string, nevra: string];

async function choosePackages(
  toolbox: Toolbox,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  options: ResolveOptions,
): Promise<Chosen[]> {
  for (const source of sources) await source.check?.();
  const argv = ['dnf5', '--assumeno', '--installroot=/tmp/root', '--releasever=4.0', `--forcearch=${options.arch}`];
  argv.push(...dnfOptions);
  argv.push(`--setopt=install_weak_deps=${options.weak === true ? 1 : 0}`);
  argv.push('--setopt=tsflags=test', '--setopt=best=1');
  for (const source of sources) argv.push(...repositoryOptions(source));
  if (options.exclude !== undefined && options.exclude.length > 0) argv.push(`--exclude=${options.exclude.join(',')}`);
  argv.push('install', '--', ...wanted);
  const prepared = sources.flatMap(({ dnfCache }) => (dnfCache === undefined ? [] : [dnfCache]));
  const result = await tryTool(toolbox, {
    argv: ['sh', '-c', withPreparedCaches, 'sh', ...argv],
    // In a narrow terminal dnf5 truncates the columns of its table.
    env: { COLUMNS: '4000' },
    binds: [
      ...sources.map((source) => ({ from: source.dir, to: placeOf(source) })),
      ...prepared.map((from, index) => ({ from, to: `${preparedCaches}/${index}` })),
    ],
  });
  const rows = tableRows(result.stdout);
  const announced = /^ Installing: +(\d+) packages?$/m.exec(result.stdout);
  if (announced === null || Number(announced[1]) !== rows.length) {
    throw resolveError(result, sources, wanted, options.purpose);
  }
  return rows.map(({ repo, nevra: id }) => [repo, id]);
}

function packagesOf(sources: readonly RepoSource[], chosen: readonly Chosen[]): RepoPackage[] {
  const byId = new Map(sources.map((source) => [source.id, source]));
  return chosen
    .map(([repository, id]) => {
      const pkg = byId.get(repository)?.find(id);
      if (pkg === undefined) throw new TypeError(`dnf5 chose ${id} from ${repository}, which does not have it`);
      return pkg;
    })
    .sort(byName);
}

/** The result depends only on the available and the wanted packages, so it is cached as an action. */
export async function resolveCached(
  context: { readonly engine: Engine; readonly toolbox: Toolbox; readonly arch: string },
  sources: readonly RepoSource[],
  wanted: readonly string[],
  purpose: string,
  exclude: readonly string[] = [],
  weak = false,
): Promise<RepoPackage[]> {
  const result = await perform(context.engine, {
    kind: 'resolve-packages',
    code: codeDigest(import.meta.url),
    inputs: {
      toolbox: context.toolbox.digest,
      arch: context.arch,
      wanted,
      exclude,
      ...(weak ? { weak } : {}),
      sources: sources.map(({ id, priority, digest, filter }) => ({
        ...{ id, priority, digest },
        ...(filter === undefined ? {} : { filter: { ...filter } }),
      })),
    },
    run: async () => ({
      value: await choosePackages(context.toolbox, sources, wanted, {
        arch: context.arch,
        exclude,
        weak,
        purpose,
      }),
    }),
  });
  return packagesOf(sources, result.value as Chosen[]);
}

/** Options of every run of dnf5: only the repositories that are named, only metadata that resolving needs. */
export const dnfOptions: readonly string[] = [
  '--setopt=reposdir=/nonexistent',
  '--setopt=cachedir=/tmp/cache',
  '--setopt=plugins=0',
  '--setopt=optional_metadata_types=comps,filelists',
];

/**
 * Options that define a source's repository. dnf5 turns its folder into a URL and splits it at commas, so it must not see the
 * host's path; and the name of its cache folder comes from that URL, so it must be the same in every run.
 */
export function repositoryOptions({ id, priority, filter }: Pick<RepoSource, 'id' | 'priority' | 'filter'>): string[] {
  const { excludes = [], includes = [], moduleHotfixes = false } = filter ?? {};
  return [
    `--repofrompath=${id},file://${placeOf({ id })}`,
    `--setopt=${id}.gpgcheck=0`,
    `--setopt=${id}.priority=${priority}`,
    `--setopt=${id}.metadata_expire=never`,
    ...(excludes.length === 0 ? [] : [`--setopt=${id}.excludepkgs=${excludes.join(',')}`]),
    ...(includes.length === 0 ? [] : [`--setopt=${id}.includepkgs=${includes.join(',')}`]),
    ...(moduleHotfixes ? [`--setopt=${id}.module_hotfixes=1`] : []),
  ];
}

/** Path of a source's folder in dnf5's sandbox. */
export function placeOf({ id }: Pick<RepoSource, 'id'>): string {
  return `/tmp/repos/${id}`;
}

const preparedCaches = '/tmp/prepared';

/** dnf5 writes into its cache also with --cacheonly, so it gets a copy in memory. */
const withPreparedCaches = `mkdir -p /tmp/cache && for each in ${preparedCaches}/*; do
  test ! -d "$each" || cp -r "$each/." /tmp/cache/
done && exec "$@"`;

/** The rows of dnf5's transaction table: ` name arch epoch:version-release repository size unit`. */
function tableRows(output: string): { readonly nevra: string; readonly repo: string }[] {
  const rows: { nevra: string; repo: string }[] = [];
  let installing = false;
  for (const line of output.split('\n')) {
    if (/^\S/.test(line)) installing = line.startsWith('Installing');
    if (!installing || !line.startsWith(' ')) continue;
    const [name, arch, evr, repo] = line.trim().split(/\s+/);
    if (name === undefined || arch === undefined || evr === undefined || repo === undefined) continue;
    rows.push({ nevra: `${name}-${evr.replace(/^0:/, '')}.${arch}`, repo });
  }
  return rows;
}

function resolveError(
  result: { readonly stdout: string; readonly stderr: string },
  sources: readonly RepoSource[],
  wanted: readonly string[],
  purpose: string,
): UnmetError {
  const missing = [...result.stderr.matchAll(/^No match for argument: (.+)$/gm)].map(([, name]) =>
    // dnf5 names a group without its sign.
    wanted.includes(`@${name}`) ? `@${name}` : name!,
  );
  const group = missing.find((name) => name.startsWith('@'));
  if (group !== undefined) {
    return new UnmetError(
      'not-found',
      missing,
      `no repository has the group ${group.slice(1)} (needed for ${purpose})`,
      {
        where: { package: group },
        hint: `groups are in a repository's comps.xml; set [release] build-root to packages instead. Searched repositories: ${sources.map((source) => source.id).join(', ')}`,
      },
    );
  }
  if (missing.length > 0) {
    const names = sources.flatMap((source) => [...source.names]);
    return new UnmetError('not-found', missing, `no repository has ${missing.join(', ')} (needed for ${purpose})`, {
      where: { package: missing[0]! },
      hint: didYouMean(missing[0]!, names) ?? `searched repositories: ${sources.map((source) => source.id).join(', ')}`,
    });
  }
  const problems = lastLines(result.stderr, 60).filter(
    (line) => !/^(Updating and loading|Repositories loaded|You can try| {2}--)/.test(line),
  );
  const unmet = problems.flatMap((line) => /nothing provides (.+?) needed by /.exec(line)?.[1] ?? []);
  return new UnmetError('unresolvable', [...new Set(unmet)], `dnf5 cannot resolve the packages for ${purpose}`, {
    details: problems.slice(0, 20),
  });
}
