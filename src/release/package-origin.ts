import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type {
  AppliedOverlay,
  ComponentOrigin,
  Distribution,
  PackageOrigin,
  SourceFile,
  SpecOrigin,
} from '../audit/contents.ts';
import { publicUrl } from '../audit/identity.ts';
import { installRoot } from '../base/paths.ts';
import type { SpecFacts } from '../build/specquery.ts';
import type { BuiltComponents } from '../component/build.ts';
import type { ReadyComponent } from '../component/ready.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import type { Inputs } from '../workspace/inputs.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { lastDayOfSupport } from './lifecycle/os-release.ts';

/** What the origins of packages are found in. */
export interface OriginContext {
  readonly workspace: Pick<Workspace, 'project'>;
  readonly inputs: Pick<Inputs, 'seed' | 'sources'>;
  readonly built: Pick<BuiltComponents, 'components' | 'ready' | 'facts'>;
}

/** Where a package comes from, and what it was made of. */
export function originOf(pkg: Pick<RepoPackage, 'name' | 'origin'>, from: OriginContext): PackageOrigin {
  const { inputs, built } = from;
  if (inputs.seed === undefined && inputs.sources.some(({ id }) => id === pkg.origin)) {
    return { kind: 'repository', repository: pkg.origin };
  }
  if (pkg.origin === 'seed') {
    const seed = inputs.seed?.packages.get(pkg.name);
    if (seed === undefined || seed.source === '') return { kind: 'seed' };
    return { kind: 'seed', debian: { source: seed.source, version: seed.sourceVersion } };
  }
  const ready = built.ready.get(pkg.origin);
  const source = built.components.find((each) => each.component === pkg.origin)?.source;
  if (ready === undefined || source === undefined) throw new TypeError(`no component ${pkg.origin} was built`);
  return componentOrigin(ready, source, from.workspace.project.root, built.facts.get(pkg.origin));
}

/** What a component's packages were made of. @param root the project's folder @param facts for the addresses of sources */
export function componentOrigin(
  ready: ReadyComponent,
  source: Pick<RepoPackage, 'rpm'>,
  root: string,
  facts: Pick<SpecFacts, 'urls'> | undefined,
): ComponentOrigin {
  const { component, input, rendered } = ready;
  const upstream = specOrigin(ready, root);
  return {
    kind: 'component',
    name: component.name,
    ...(upstream === undefined ? {} : { upstream }),
    srpm: { digest: source.rpm },
    files: Object.entries(input.files).map(([name, digest]) => sourceFile(ready, name, digest, facts?.urls ?? {})),
    overlays: component.overlays.map(({ type, description, metadata }, index): AppliedOverlay => {
      const files = rendered.applied.flatMap((each) => (each.number === index + 1 ? each.files : []));
      return {
        type,
        description,
        ...(metadata === undefined
          ? {}
          : {
              category: metadata.category,
              upstreamStatus: metadata.upstreamStatus,
              bugs: metadata.bugs,
              commits: metadata.commits,
            }),
        ...(files.length === 0 ? {} : { files: [...new Set(files)].sort() }),
      };
    }),
  };
}

function sourceFile(
  { component, input, rendered, listed }: ReadyComponent,
  name: string,
  digest: string,
  urls: SpecFacts['urls'],
): SourceFile {
  const upstream = listed.find(({ filename }) => filename === name);
  const overlays = rendered.applied.flatMap(({ number, files, changedSpec }) =>
    (name === input.spec ? changedSpec : files.includes(name)) ? [number] : [],
  );
  const own = component.sourceFiles.find(({ filename }) => filename === name)?.origin;
  const url = publicUrl(own?.type === 'download' ? own.uri : Object.hasOwn(urls, name) ? urls[name] : undefined);
  const kind = (): SourceFile['kind'] => {
    if (name === input.spec) return 'spec';
    if (upstream !== undefined) return 'tarball';
    return /\.(patch|diff)$/.test(name) ? 'patch' : 'other';
  };
  return {
    name,
    sha256: digest,
    kind: kind(),
    ...(url === undefined ? {} : { url }),
    ...(upstream === undefined || overlays.length > 0
      ? {}
      : {
          listed: {
            algorithm: upstream.hashType.toLowerCase() as 'md5' | 'sha256' | 'sha512',
            hash: upstream.hash,
          },
        }),
    ...(overlays.length === 0 ? {} : { overlays: [...new Set(overlays)] }),
  };
}

// No path of this machine: it means nothing elsewhere, and would make the documents differ.
function specOrigin({ component, origin }: ReadyComponent, root: string): SpecOrigin | undefined {
  const { kind, from, commit } = origin;
  if (kind === 'git') {
    const uri = publicUrl(from);
    return uri === undefined || commit === undefined ? undefined : { uri, commit };
  }
  const { spec } = component;
  if (spec?.type === 'upstream') return { distro: spec.distro.name, name: spec.name };
  const path = relative(root, from);
  return path.startsWith('..') || isAbsolute(path) ? undefined : { path };
}

/** The distribution as os-release names it, or else the project. */
export function distributionOf(
  { project, release }: Pick<Workspace, 'project' | 'release'>,
  osRelease: Readonly<Record<string, string>> = {},
): Distribution {
  const { lifecycle } = project;
  const supportEnd = lastDayOfSupport(osRelease) ?? lifecycle?.supportEnd;
  return {
    id: osRelease.ID ?? lifecycle?.id ?? 'linux',
    name: osRelease.NAME ?? lifecycle?.name ?? 'Linux',
    version: osRelease.VERSION_ID ?? release.version,
    cpe: osRelease.CPE_NAME ?? `cpe:/o:unknown:linux:${release.version}`,
    ...(supportEnd === undefined ? {} : { supportEnd }),
    ...(osRelease.VENDOR_NAME === undefined ? {} : { vendor: osRelease.VENDOR_NAME }),
    ...(osRelease.HOME_URL === undefined ? {} : { url: osRelease.HOME_URL }),
  };
}

/** Weir's own version. */
export async function toolVersion(): Promise<string> {
  return (JSON.parse(await readFile(join(installRoot, 'package.json'), 'utf8')) as { version: string }).version;
}
