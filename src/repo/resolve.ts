import { didYouMean, WeirError } from '../base/errors.ts';
import { byName } from '../base/order.ts';
import { lastLines } from '../base/process.ts';
import { type Engine, perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { type Toolbox, tryTool } from '../toolbox/tool.ts';
import { nevra, type RepoPackage } from './metadata.ts';

/** A repository folder to resolve from, with its packages. */
export interface RepoSource {
  readonly id: string;
  readonly dir: string;
  readonly packages: readonly RepoPackage[];
  /** Verifies the folder, repairing it if necessary; called before it is read. */
  readonly check?: () => Promise<void>;
  /** dnf's priority: a package in a repository with a lower number hides packages of the same name in others. */
  readonly priority: number;
}

/**
 * Packages that installing `wanted` on an empty system would install, resolved by dnf5 without weak dependencies.
 * @param wanted names, provides (`pkgconfig(zlib) >= 1`) or paths
 * @throws WeirError `not-found` if no repository has a wanted package, `unresolvable` if it cannot be installed
 */
export async function resolvePackages(
  toolbox: Toolbox,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  options: { readonly arch: string; readonly exclude?: readonly string[]; readonly purpose: string },
): Promise<RepoPackage[]> {
  for (const source of sources) await source.check?.();
  const argv = ['dnf5', '--assumeno', '--installroot=/tmp/root', '--releasever=4.0', `--forcearch=${options.arch}`];
  argv.push(
    '--setopt=reposdir=/nonexistent',
    '--setopt=cachedir=/tmp/cache',
    '--setopt=plugins=0',
    '--setopt=install_weak_deps=0',
  );
  argv.push('--setopt=optional_metadata_types=filelists', '--setopt=tsflags=test', '--setopt=best=1');
  // dnf5 turns a repository's folder into a URL and splits it at commas, so it must not see the host's path.
  const places = new Map(sources.map((source, index) => [source, `/tmp/repos/${index}`]));
  for (const [source, place] of places) {
    argv.push(`--repofrompath=${source.id},file://${place}`, `--setopt=${source.id}.gpgcheck=0`);
    argv.push(`--setopt=${source.id}.priority=${source.priority}`);
  }
  if (options.exclude !== undefined && options.exclude.length > 0) argv.push(`--exclude=${options.exclude.join(',')}`);
  argv.push('install', '--', ...wanted);
  const result = await tryTool(toolbox, {
    argv,
    // In a narrow terminal dnf5 truncates the columns of its table.
    env: { COLUMNS: '4000' },
    binds: [...places].map(([source, to]) => ({ from: source.dir, to })),
  });
  const rows = tableRows(result.stdout);
  const announced = /^ Installing: +(\d+) packages?$/m.exec(result.stdout);
  if (announced === null || Number(announced[1]) !== rows.length) throw resolveError(result, sources, options.purpose);
  const known = new Map<string, RepoPackage>();
  for (const source of sources) for (const pkg of source.packages) known.set(`${source.id} ${nevra(pkg)}`, pkg);
  return rows
    .map((row) => {
      const pkg = known.get(`${row.repo} ${row.nevra}`);
      if (pkg === undefined) throw new TypeError(`dnf5 chose ${row.nevra} from ${row.repo}, which does not have it`);
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
): Promise<RepoPackage[]> {
  const result = await perform(context.engine, {
    kind: 'resolve-packages',
    code: codeDigest(import.meta.url),
    inputs: {
      toolbox: context.toolbox.digest,
      arch: context.arch,
      wanted,
      exclude,
      sources: sources.map(({ id, priority, packages }) => ({
        id,
        priority,
        packages: packages.map((pkg) => pkg.rpm),
      })),
    },
    run: async () => {
      const packages = await resolvePackages(context.toolbox, sources, wanted, {
        arch: context.arch,
        exclude,
        purpose,
      });
      return { value: packages.map(nevra) };
    },
  });
  const chosen = new Set(result.value as string[]);
  const taken = new Map<string, RepoPackage>();
  for (const source of [...sources].sort((a, b) => a.priority - b.priority)) {
    for (const pkg of source.packages) {
      const id = nevra(pkg);
      if (chosen.has(id) && !taken.has(id)) taken.set(id, pkg);
    }
  }
  return [...taken.values()].sort(byName);
}

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
  purpose: string,
): WeirError {
  const missing = [...result.stderr.matchAll(/^No match for argument: (.+)$/gm)].map((match) => match[1]!);
  if (missing.length > 0) {
    const names = sources.flatMap((source) => source.packages.map((pkg) => pkg.name));
    return new WeirError('not-found', `no repository has ${missing.join(', ')} (needed for ${purpose})`, {
      where: { package: missing[0]! },
      hint: didYouMean(missing[0]!, names) ?? `searched repositories: ${sources.map((source) => source.id).join(', ')}`,
    });
  }
  const problems = lastLines(result.stderr, 60).filter(
    (line) => !/^(Updating and loading|Repositories loaded|You can try| {2}--)/.test(line),
  );
  return new WeirError('unresolvable', `dnf5 cannot resolve the packages for ${purpose}`, {
    details: problems.slice(0, 20),
  });
}
