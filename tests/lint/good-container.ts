import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { containerFacts } from '../../src/lint/container-facts.ts';
import { containerRules } from '../../src/lint/lint.ts';
import { withImages } from '../../src/lint/open-layout.ts';
import { checkRules, type Verdict } from '../../src/lint/rule.ts';
import { type Content, symlink, tar } from './tar.ts';

/** The parts of a test's image; a test changes some of them. */
export interface ContainerParts {
  name: string;
  labels: Record<string, string>;
  layers: Record<string, Content>[];
  packages: string[];
  compress: (tar: Buffer) => { readonly mediaType: string; readonly data: Buffer };
  /** Changes the descriptors before they are written. */
  describe: (layers: Descriptor[], diffIds: string[]) => void;
  /** Changes the finished folder: blobs by their part. */
  after: (blob: (index: number) => string) => Promise<void>;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export const base = {
  '/bin': symlink('usr/bin'),
  '/usr/bin/bash': { content: 'elf', mode: 0o755 },
  '/usr/bin/su': { content: 'elf', mode: 0o4755 },
  '/usr/lib/os-release': 'ID=weir\nVERSION_ID=4.0\nNAME="Weir Linux"\nPRETTY_NAME="Weir Linux 4.0"\n',
  '/etc/os-release': symlink('../usr/lib/os-release'),
  '/usr/lib/sysimage/rpm/rpmdb.sqlite': 'database',
  '/etc/passwd':
    'root:x:0:0::/root:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n',
};

export const goodParts = (): ContainerParts => ({
  name: 'base:4.0',
  labels: {},
  layers: [{ ...base }],
  packages: ['bash'],
  compress: (data) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', data: gzipSync(data) }),
  describe: () => {},
  after: async () => {},
});

export const manifestLine = ['bash', '5.3-4', '1', '2', 'Weir', '(none)', '9', 'x86_64', '0', 'bash.src.rpm'].join(
  '\t',
);

/** The same image without shell, package manager, setuid programs and database. */
export function distroless(parts: ContainerParts): void {
  parts.name = 'distroless-minimal:4.0';
  const { '/usr/bin/bash': _, '/usr/bin/su': __, '/usr/lib/sysimage/rpm/rpmdb.sqlite': ___, ...rest } = base;
  parts.layers = [{ ...rest, '/var/lib/rpmmanifest/container-manifest-2': `${manifestLine}\n` }];
}

/** Writes a layout that conforms to the specification below `folder`, and lints it. */
export async function lintContainer(folder: string, change: (parts: ContainerParts) => void): Promise<Verdict[]> {
  const parts = goodParts();
  change(parts);
  const layout = await mkdtemp(join(folder, 'layout-'));
  const blobs = join(layout, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, data: Buffer): Promise<Descriptor> => {
    const digest = sha256(data);
    await writeFile(join(blobs, digest), data);
    return { mediaType, digest: `sha256:${digest}`, size: data.length };
  };
  const json = (type: string, value: unknown) =>
    put(`application/vnd.oci.image.${type}.v1+json`, Buffer.from(JSON.stringify(value)));
  const archives = parts.layers.map((files) => tar(files));
  const packed = archives.map(parts.compress);
  const layers = await Promise.all(packed.map(({ mediaType, data }) => put(mediaType, data)));
  const places = layers.map(({ digest }) => join(blobs, digest.slice(7)));
  const diffIds = archives.map((each) => `sha256:${sha256(each)}`);
  parts.describe(layers, diffIds);
  const config = await json('config', {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: parts.labels },
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const image = await json('manifest', { schemaVersion: 2, config, layers });
  const sbom = await json('manifest', {
    schemaVersion: 2,
    artifactType: 'application/spdx+json',
    config,
    layers: [],
    subject: image,
  });
  const annotations = { 'org.opencontainers.image.ref.name': parts.name };
  const platform = { os: 'linux', architecture: 'amd64' };
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...image, annotations, platform }, sbom] }),
  );
  await parts.after((index) => places[index]!);
  const scratch = await mkdtemp(join(folder, 'scratch-'));
  const all = await withImages(layout, scratch, (opened) => {
    const facts = containerFacts(opened, async () => parts.packages);
    return checkRules(containerRules, facts, 'container');
  });
  expect(all).toHaveLength(1);
  return all[0]!;
}
