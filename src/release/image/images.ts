import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { cyclonedxDocument } from '../../audit/cyclonedx.ts';
import { provenanceStatement } from '../../audit/provenance.ts';
import { spdxDocument } from '../../audit/spdx.ts';
import { type Digest, fileDigest, valueDigest } from '../../base/digest.ts';
import { retold, WeirError } from '../../base/errors.ts';
import { withHashers } from '../../base/hashers.ts';
import { inStage } from '../../base/progress.ts';
import type { BuiltComponents } from '../../component/build.ts';
import { codeDigest } from '../../engine/code.ts';
import { withScratch } from '../../engine/scratch.ts';
import { putBytes, readBlobText } from '../../engine/store.ts';
import { gzipBy } from '../../image/gzip.ts';
import { addOciImage, writeOciIndex } from '../../image/oci.ts';
import { makeVm, type VmFormat } from '../../image/vm.ts';
import { makeWsl } from '../../image/wsl.ts';
import type { Image, WeirImage } from '../../project/model.ts';
import { nevra, type RepoPackage, sourceName } from '../../repo/metadata.ts';
import { resolveCached } from '../../repo/resolve.ts';
import { debianArch } from '../../toolbox/apt.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { composeTree } from '../../tree/compose.ts';
import { finaliseTree } from '../../tree/finalise.ts';
import { printListing, treeBytes } from '../../tree/listing.ts';
import { withEntries } from '../../tree/overlay.ts';
import type { Entry, FileEntry, Tree } from '../../tree/tree.ts';
import { signEnvelope, statementType } from '../../trust/dsse.ts';
import type { ImageKey } from '../../trust/image-key.ts';
import type { SeedRepository } from '../../workspace/seed.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { PublishedRepository } from '../repository.ts';
import { checkBudget } from './budget.ts';
import { checkContainerUser } from './container-user.ts';
import { evidenceInputs, imageContents, osReleaseOf } from './evidence.ts';
import {
  dataDigest,
  type ImageFile,
  type ImageRecord,
  isDisk,
  provenanceFile,
  provenanceSubjects,
} from './image-record.ts';
import { knownImage } from './known-image.ts';
import { exchangeBy, replaceFolder } from './replace-folder.ts';
import { recordFile, rememberFiles } from './stamps.ts';

export interface BuiltImage {
  readonly record: ImageRecord;
  readonly dir: string;
  readonly cached: boolean;
}

/** The image's tree, an entry a line: what `weir image diff` compares. */
export const treeFile = 'tree.jsonl.gz';

/** Makes one image out of the published repository; left alone where it is there and nothing changed. */
export async function imageStage(
  workspace: Workspace,
  toolbox: Toolbox,
  repository: PublishedRepository,
  from: { readonly seed: SeedRepository; readonly built: BuiltComponents; readonly key: ImageKey },
  image: Image,
): Promise<BuiltImage> {
  const definition = image.definition;
  if (definition?.type !== 'weir') {
    throw new WeirError('image-kind', `image ${image.name} is not defined for Weir`, {
      where: image.origin,
      hint: 'give it definition = { type = "weir", … }',
      exit: 2,
    });
  }
  const { engine, clock, arch, out, progress } = workspace;
  const made = inStage<BuiltImage>(progress, image.name, async (stage) => {
    const packages = await resolveCached(
      { engine, toolbox, arch },
      repository.sources,
      definition.packages,
      `image ${image.name}`,
      definition.excludePackages,
    );
    const content = {
      packages: packages.map((pkg) => pkg.rpm),
      definition,
      toolbox: toolbox.digest,
      clock,
      arch,
      release: workspace.project.lifecycle,
      // It signs the image's provenance.
      key: from.key.id,
    };
    // What else its bytes come from, but not its UUIDs: a Weir whose code was changed makes the image again with the same.
    const inputs = valueDigest({
      ...content,
      code: codeDigest(import.meta.url),
      image: [image.name, image.description, workspace.release.version],
      evidence: await evidenceInputs(packages, from),
    });
    const dir = join(out, 'images', image.name);
    const known = await knownImage(workspace, toolbox, { dir, name: image.name, inputs, key: from.key }, stage);
    if (known !== undefined)
      return { result: { record: known, dir, cached: true }, summary: summarise(known), cached: true };

    stage.update(`composing ${packages.length} packages`);
    const composed = await composeTree(engine, packages);
    const added = await imageEntries(workspace, image.name, definition, composed);
    const { tree, log } = await finaliseTree(engine, toolbox, withEntries(composed, added), {
      cache: workspace.cache,
      clock,
      selinux: definition.kind === 'disk' && definition.selinux !== 'disabled',
      rpmdb: true,
      // Where no rpm is to be asked, scanners look for the lists.
      rpmManifest: !composed.entries.some((entry) => entry.path === '/usr/bin/rpm'),
      presets: definition.kind !== 'container',
      enable: definition.enabledServices,
      disable: definition.disabledServices,
    });
    if (definition.maxSize !== undefined) checkBudget(image, definition.maxSize, tree);
    if (definition.kind === 'container' && definition.container.user !== undefined) {
      const text = ({ digest }: FileEntry) => readBlobText(engine.store, digest);
      await checkContainerUser(image, definition.container.user, tree, text);
    }
    stage.update('writing the image');
    const record = await replaceFolder(dir, exchangeBy(toolbox), async (temporary) => {
      const osRelease = await osReleaseOf(workspace, tree);
      const contents = await imageContents(
        workspace,
        { name: image.name, kind: definition.kind },
        osRelease,
        packages,
        from,
      );
      await writeFile(join(temporary, 'sbom.spdx.json'), `${JSON.stringify(spdxDocument(contents), null, 1)}\n`);
      await writeFile(join(temporary, 'sbom.cdx.json'), `${JSON.stringify(cyclonedxDocument(contents), null, 1)}\n`);
      await gzipBy(toolbox)(Readable.from([Buffer.from(printListing(tree))]), join(temporary, treeFile));
      const source = { image, definition, packages, tree, osRelease };
      const { details, digests } = await render(workspace, toolbox, source, temporary, valueDigest(content));
      const described = await describeFiles(toolbox, temporary, digests);
      const statement = provenanceStatement(contents, {
        arch,
        snapshot: repository.snapshot.name,
        definition,
        inputs,
        toolbox: toolbox.digest,
        subjects: provenanceSubjects(image.name, details, described),
      });
      const envelope = signEnvelope(from.key, statementType, Buffer.from(JSON.stringify(statement)));
      await writeFile(join(temporary, provenanceFile), `${JSON.stringify(envelope)}\n`);
      const made: ImageRecord = {
        name: image.name,
        kind: definition.kind,
        inputs,
        snapshot: repository.snapshot.name,
        packages: packages.map((pkg) => ({ ...pkg, nevra: nevra(pkg) })),
        files: [...described, await describeFile(temporary, provenanceFile)].sort(byPath),
        installedSize: treeBytes(tree.entries),
        osRelease,
        details,
        log,
      };
      await writeFile(join(temporary, recordFile), recordText(made));
      return made;
    });
    await rememberFiles(workspace, dir, { text: recordText(record), files: record.files });
    return { result: { record, dir, cached: false }, summary: summarise(record), cached: false };
  });
  return made.catch((error: unknown) => {
    throw ofImage(error, image);
  });
}

/** What goes wrong while an image is made is said with the line that defines it, where nothing nearer is known. */
export function ofImage(error: unknown, { origin }: Pick<Image, 'origin'>): unknown {
  if (!(error instanceof WeirError) || error.code === 'interrupted' || error.where?.file !== undefined) return error;
  return retold(error, { where: { ...error.where, file: origin.file, line: origin.line } });
}

function recordText(record: ImageRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

function summarise(record: ImageRecord): string {
  const megabytes = Math.round(record.installedSize / 1e6);
  const formats =
    record.kind === 'container'
      ? 'OCI layout'
      : record.files
          .map((file) => /\.(raw|qcow2|vhd|wsl)$/.exec(file.path)?.[1])
          .filter(Boolean)
          .join(', ');
  return `${record.packages.length} packages, ${megabytes} MB installed: ${formats}`;
}

/** What no package can know: which image this is, and what its first boot needs. */
async function imageEntries(workspace: Workspace, name: string, definition: WeirImage, tree: Tree): Promise<Entry[]> {
  const { engine, clock, release } = workspace;
  const added: Entry[] = [];
  const owned = { user: 'root', group: 'root', mtime: clock, packages: [] } as const;
  const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
    const before = tree.entries.find((entry) => entry.path === path);
    const packages = before?.packages ?? [];
    added.push({ ...owned, packages, kind: 'file', path, mode, ...(await putBytes(engine.store, text)) });
  };
  const osRelease = tree.entries.find((entry) => entry.path === '/usr/lib/os-release');
  if (osRelease?.kind === 'file') {
    const text = (await readBlobText(engine.store, osRelease.digest)).trimEnd();
    await put(
      '/usr/lib/os-release',
      `${text}\nIMAGE_ID="${name}"\nIMAGE_VERSION="${release.version}.${dateOf(clock)}"\n`,
    );
  }
  const config = tree.entries.find((entry) => entry.path === '/etc/selinux/config');
  if (config?.kind === 'file' && definition.selinux !== 'enforcing') {
    const text = await readBlobText(engine.store, config.digest);
    await put('/etc/selinux/config', text.replace(/^SELINUX=.*$/m, `SELINUX=${definition.selinux}`));
  }
  if (definition.hostname !== undefined) await put('/etc/hostname', `${definition.hostname}\n`);
  // Empty, so that each installation makes its own, but no first boot: nobody would answer systemd-firstboot's questions.
  if (definition.kind === 'wsl') await put('/etc/machine-id', '', 0o444);
  if (definition.kind === 'disk') {
    // `uninitialized`, not empty: an empty one tells systemd that this is no first boot, and units that wait for one would not run.
    await put('/etc/machine-id', 'uninitialized\n', 0o444);
    const root = `LABEL=${definition.disk.rootLabel} / ${definition.disk.rootFs} defaults,x-systemd.growfs 0 1`;
    const esp = 'LABEL=ESP /boot vfat noauto,nofail,umask=0077 0 2';
    await put(
      '/etc/fstab',
      `# The root file system; the kernel command line names its partition. The ESP is mounted by whoever writes to it.\n${root}\n${esp}\n`,
    );
  }
  return added;
}

function dateOf(clock: number): string {
  return new Date(clock * 1000).toISOString().slice(0, 10).replaceAll('-', '');
}

interface Rendered {
  readonly details: Record<string, unknown>;
  /** Digests that are known already, by the file's path in the image's folder. */
  readonly digests: ReadonlyMap<string, Digest>;
}

/** What an image is rendered from. */
interface RenderSource {
  readonly image: Image;
  readonly definition: WeirImage;
  readonly packages: readonly RepoPackage[];
  readonly tree: Tree;
  readonly osRelease: Readonly<Record<string, string>>;
}

async function render(
  workspace: Workspace,
  toolbox: Toolbox,
  { image, definition, packages, tree, osRelease }: RenderSource,
  dir: string,
  seed: Digest,
): Promise<Rendered> {
  const { engine, clock, arch, project, release } = workspace;
  switch (definition.kind) {
    case 'container': {
      const lifecycle = project.lifecycle;
      const sources = new Map(packages.map((pkg) => [pkg.name, sourceName(pkg)]));
      const layout = join(dir, 'oci');
      await mkdir(layout);
      const made = await addOciImage(engine.store, layout, tree, {
        architecture: debianArch(arch),
        settings: definition.container,
        annotations: {
          'org.opencontainers.image.title': image.name,
          'org.opencontainers.image.version': release.version,
          ...(image.description === undefined ? {} : { 'org.opencontainers.image.description': image.description }),
          ...(lifecycle === undefined ? {} : { 'org.opencontainers.image.vendor': lifecycle.name }),
        },
        sourceOf: (name) => sources.get(name) ?? name,
        epoch: clock,
        gzip: gzipBy(toolbox),
      });
      await writeOciIndex(layout, `${image.name}:${release.version}`, [made.manifest]);
      const layers = made.layers.map(({ title, descriptor: { digest, size } }) => ({ title, digest, size }));
      return { details: { manifest: made.manifest.digest, layers }, digests: new Map() };
    }
    case 'disk': {
      // Packages ask for enforcing; of a word that is said twice the kernel takes the last.
      const modes = { enforcing: [], permissive: ['enforcing=0'], disabled: ['selinux=0'] } as const;
      const packaged = await packagedCommandLine(workspace, tree);
      const commandLine = [...packaged, ...modes[definition.selinux], ...definition.kernel.commandLine];
      const vm = await withScratch(engine.scratch, (work) =>
        makeVm(toolbox, engine.store, tree, dir, work, {
          name: image.name,
          arch,
          formats: definition.formats.filter((format): format is VmFormat => format !== 'oci' && format !== 'wsl'),
          commandLine,
          size: definition.disk.size,
          espSize: definition.disk.espSize,
          rootLabel: definition.disk.rootLabel,
          selinux: definition.selinux !== 'disabled',
          seed,
          epoch: clock,
        }),
      );
      const { files, digests, ...details } = vm;
      const known = Object.entries(digests).map(
        ([format, digest]) => [basename(files[format as VmFormat]!), digest] as const,
      );
      return { details, digests: new Map(known) };
    }
    case 'wsl': {
      const made = await makeWsl(engine.store, tree, dir, {
        name: image.name,
        arch,
        friendlyName: osRelease.PRETTY_NAME ?? image.name,
        ...definition.wsl,
        epoch: clock,
        gzip: gzipBy(toolbox),
      });
      return { details: { defaultName: made.defaultName }, digests: new Map([[made.file, made.digest]]) };
    }
  }
}

/** Words that packages put on every kernel command line, one file each. */
async function packagedCommandLine(workspace: Workspace, tree: Tree): Promise<string[]> {
  const words: string[] = [];
  for (const entry of tree.entries) {
    if (entry.kind !== 'file' || !/^\/usr\/lib\/kernel\/cmdline(\.d\/[^/]+\.conf)?$/.test(entry.path)) continue;
    const text = await readBlobText(workspace.engine.store, entry.digest);
    for (const line of text.split('\n'))
      if (!line.startsWith('#')) words.push(...line.split(/\s+/).filter((word) => word !== ''));
  }
  return words;
}

async function describeFiles(toolbox: Toolbox, dir: string, known: ReadonlyMap<string, Digest>): Promise<ImageFile[]> {
  const files: ImageFile[] = [];
  for (const path of await readdir(dir, { recursive: true })) {
    if ((await stat(join(dir, path))).isFile()) files.push(await describeFile(dir, path, known.get(path)));
  }
  const disks = files.filter(({ path }) => isDisk(path));
  if (disks.length === 0) return files.sort(byPath);
  const data = await withHashers((hash) =>
    Promise.all(disks.map(async ({ path }) => [path, await dataDigest(toolbox, hash, join(dir, path))] as const)),
  );
  const digests = new Map(data);
  return files
    .map((file) => ({ ...file, ...(digests.has(file.path) ? { data: digests.get(file.path)! } : {}) }))
    .sort(byPath);
}

async function describeFile(dir: string, path: string, known?: Digest): Promise<ImageFile> {
  const { size } = await stat(join(dir, path));
  return { path, size, sha256: known ?? (await fileDigest(join(dir, path))) };
}

function byPath(a: ImageFile, b: ImageFile): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
