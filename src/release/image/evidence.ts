import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainedPackage, ImageContents, PackageOrigin, SourceFile } from '../../audit/contents.ts';
import { mapLimit } from '../../base/files.ts';
import { installRoot } from '../../base/paths.ts';
import type { BuiltComponents } from '../../component/build.ts';
import { blobFile, readBlobText } from '../../engine/store.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import { readRpm } from '../../rpm/read.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Inputs } from '../../workspace/inputs.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** The settings of the tree's os-release file; empty if it has none. */
export async function osReleaseOf(workspace: Workspace, tree: Tree): Promise<Readonly<Record<string, string>>> {
  const entry = tree.entries.find((each) => each.path === '/usr/lib/os-release');
  if (entry?.kind !== 'file') return {};
  const text = await readBlobText(workspace.engine.store, entry.digest);
  const settings = [...text.matchAll(/^([A-Z_]+)=(?:"(.*)"|(.*))$/gm)];
  return Object.fromEntries(settings.map(([, name, quoted, plain]) => [name!, quoted ?? plain ?? '']));
}

/** Contents and origins of an image, as input for its SBOMs. */
export async function imageContents(
  workspace: Workspace,
  image: { readonly name: string; readonly kind: NonNullable<ImageContents['kind']> },
  osRelease: Readonly<Record<string, string>>,
  packages: readonly RepoPackage[],
  from: { readonly inputs: Inputs; readonly built: BuiltComponents },
): Promise<ImageContents> {
  const { clock, engine, project, release } = workspace;
  const contained = await mapLimit(packages, 8, async (pkg): Promise<ContainedPackage> => {
    const header = await readRpm(await blobFile(engine.store, pkg.rpm));
    const digest = pkg.unsigned ?? pkg.rpm;
    const { size } = await stat(await blobFile(engine.store, digest));
    const signed = pkg.unsigned === undefined ? {} : { signedDigest: pkg.rpm };
    return { header, digest, size, ...signed, origin: originOf(pkg, from) };
  });
  const supportEnd = osRelease.SUPPORT_END ?? project.lifecycle?.supportEnd;
  return {
    name: image.name,
    kind: image.kind,
    version: release.version,
    clock,
    toolVersion: await toolVersion(),
    packages: contained,
    distribution: {
      id: osRelease.ID ?? project.lifecycle?.id ?? 'linux',
      name: osRelease.NAME ?? project.lifecycle?.name ?? 'Linux',
      version: osRelease.VERSION_ID ?? release.version,
      cpe: osRelease.CPE_NAME ?? `cpe:/o:unknown:linux:${release.version}`,
      ...(supportEnd === undefined ? {} : { supportEnd }),
      ...(osRelease.VENDOR_NAME === undefined ? {} : { vendor: osRelease.VENDOR_NAME }),
      ...(osRelease.HOME_URL === undefined ? {} : { url: osRelease.HOME_URL }),
    },
  };
}

/** Inputs of the evidence beyond the packages' content: their origins, their overlays, the version of Weir. */
export async function evidenceInputs(
  packages: readonly RepoPackage[],
  from: { readonly inputs: Inputs; readonly built: BuiltComponents },
): Promise<unknown> {
  return { tool: await toolVersion(), origins: packages.map((pkg) => originOf(pkg, from)) };
}

async function toolVersion(): Promise<string> {
  return (JSON.parse(await readFile(join(installRoot, 'package.json'), 'utf8')) as { version: string }).version;
}

function originOf(pkg: RepoPackage, from: { readonly inputs: Inputs; readonly built: BuiltComponents }): PackageOrigin {
  if (from.inputs.seed === undefined && from.inputs.sources.some(({ id }) => id === pkg.origin)) {
    return { kind: 'repository', repository: pkg.origin };
  }
  if (pkg.origin === 'seed') {
    const seed = from.inputs.seed?.packages.get(pkg.name);
    if (seed === undefined || seed.source === '') return { kind: 'seed' };
    return { kind: 'seed', debian: { source: seed.source, version: seed.sourceVersion } };
  }
  const ready = from.built.ready.get(pkg.origin);
  const source = from.built.components.find((each) => each.component === pkg.origin)?.source;
  if (ready === undefined || source === undefined) throw new TypeError(`no component ${pkg.origin} was built`);
  const tarballs = new Set(ready.listed.map((file) => file.filename));
  const kind = (name: string): SourceFile['kind'] =>
    tarballs.has(name) ? 'tarball' : /\.(patch|diff)$/.test(name) ? 'patch' : 'other';
  return {
    kind: 'component',
    name: pkg.origin,
    srpm: { digest: source.rpm },
    files: Object.entries(ready.input.files).map(([name, sha256]) => ({ name, sha256, kind: kind(name) })),
    overlays: ready.component.overlays.map(({ type, description, metadata }) => ({
      type,
      description,
      ...(metadata === undefined
        ? {}
        : { category: metadata.category, bugs: metadata.bugs, commits: metadata.commits }),
    })),
  };
}
