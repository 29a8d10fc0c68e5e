import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { bytesReader } from '../../src/archive/read-at.ts';
import { sha256 } from '../../src/base/digest.ts';
import { containerFacts } from '../../src/lint/container-facts.ts';
import { readGpt } from '../../src/lint/gpt.ts';
import { containerRules, wslRules } from '../../src/lint/lint.ts';
import { withArchive } from '../../src/lint/open-archive.ts';
import { withImages } from '../../src/lint/open-layout.ts';
import { readPe, sectionText } from '../../src/lint/pe.ts';
import { checkRules } from '../../src/lint/rule.ts';
import { wslFacts } from '../../src/lint/wsl-facts.ts';
import { type Content, symlink, tar } from '../../tests/lint/tar.ts';
import { repairTar } from './archives.ts';
import type { Target } from './target.ts';

const root: Record<string, Content> = {
  '/bin': symlink('usr/bin'),
  '/sbin': symlink('usr/bin'),
  '/usr/bin/sh': symlink('bash'),
  '/usr/bin/bash': { content: 'elf', mode: 0o755 },
  '/usr/lib/os-release': 'ID=weir\nVERSION_ID=4.0\nNAME="Weir Linux"\nPRETTY_NAME="Weir Linux 4.0"\n',
  '/etc/os-release': symlink('../usr/lib/os-release'),
  '/etc/wsl-distribution.conf': '[oobe]\ncommand = /usr/bin/x\ndefaultUid = 1000\ndefaultName = Weir\n',
  '/etc/wsl.conf': '[boot]\nsystemd = true\n',
  '/etc/passwd': 'root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n',
  '/etc/shadow': { content: 'root:*:1::::::\n', mode: 0 },
  '/var/lib/rpmmanifest/container-manifest-2': 'bash\t5.3-4\t1\t2\tWeir\t(none)\t9\tx86_64\t0\tbash.src.rpm\n',
};
const packages = async (): Promise<string[]> => ['bash'];

/** Sometimes mutates the decompressed data; otherwise nothing gets past the checksum. */
function repairPacked(input: Buffer): Buffer {
  try {
    return gzipSync(repairTar(gunzipSync(input, { maxOutputLength: 1 << 22 })), { level: 1 });
  } catch {
    return repairTar(input);
  }
}

const wsl: Target = {
  name: 'lint-wsl',
  samples: async () => [tar(root), tar(root), gzipSync(tar(root))],
  repair: repairPacked,
  read: async (input, work) => {
    const path = join(work, 'input.wsl');
    // Some samples are not compressed so that mutations reach their content; the rules expect compressed ones.
    const packed = input[0] === 0x1f ? input : gzipSync(input, { level: 1 });
    writeFileSync(path, packed);
    await withArchive(path, packed.subarray(0, 512), work, (archive) =>
      checkRules(wslRules, wslFacts(archive, packages), 'wsl'),
    );
  },
};

interface Layout {
  readonly index: string;
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

/** An OCI layout as one text: its JSON files and the layer in hexadecimal, so mutations reach all of them. */
function layoutSample(): Buffer {
  const layer = tar(root);
  const config = JSON.stringify({
    ...{ architecture: 'amd64', os: 'linux', config: { Labels: { a: 'b' }, User: '' } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  });
  const described = (mediaType: string, data: string | Buffer) => ({
    ...{ mediaType, digest: `sha256:${sha256(data)}`, size: data.length },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: described('application/vnd.oci.image.config.v1+json', config),
    layers: [described('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      {
        ...described('application/vnd.oci.image.manifest.v1+json', manifest),
        platform: { os: 'linux', architecture: 'amd64' },
        annotations: { 'org.opencontainers.image.ref.name': 'base:4.0' },
      },
    ],
  });
  return Buffer.from([index, manifest, config, layer.toString('latin1')].join(separator), 'latin1');
}

const separator = '\n----\n';
const sample = layoutSample();
/** Digests of the sample's manifest, config and layer, which a mutated copy still refers to. */
const [manifest0, config0, layer0] = partsOf(sample)
  .slice(1)
  .map((part) => sha256(Buffer.from(part, 'latin1')));

function partsOf(input: Buffer): string[] {
  return input.toString('latin1').split(separator);
}

/** Recomputes the digests by which the files refer to each other, starting from the last one. */
function repairLayout(input: Buffer): Buffer {
  const [index = '', manifest = '', config = '', ...rest] = partsOf(input);
  const layer = repairTar(Buffer.from(rest.join(separator), 'latin1'));
  const parts: Layout = { index, manifest, config, layer: layer.toString('latin1') };
  const name = (text: string, before: string, after: string): string =>
    text.replaceAll(`sha256:${before}`, `sha256:${sha256(Buffer.from(after, 'latin1'))}`);
  const newConfig = name(parts.config, layer0!, parts.layer);
  const newManifest = name(name(parts.manifest, layer0!, parts.layer), config0!, newConfig);
  const newIndex = name(parts.index, manifest0!, newManifest);
  return Buffer.from([newIndex, newManifest, newConfig, parts.layer].join(separator), 'latin1');
}

const oci: Target = {
  name: 'lint-oci',
  samples: async () => [sample],
  repair: repairLayout,
  read: async (input, work) => {
    const layout = join(work, 'layout');
    if (!existsSync(layout)) mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
    const [index = '', ...blobs] = partsOf(input);
    writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(layout, 'index.json'), index, 'latin1');
    const files = blobs.map((blob) => {
      const data = Buffer.from(blob, 'latin1');
      const path = join(layout, 'blobs/sha256', sha256(data));
      writeFileSync(path, data);
      return path;
    });
    try {
      await withImages(layout, work, (image) =>
        checkRules(containerRules, containerFacts(image, packages), 'container'),
      );
    } finally {
      for (const path of files) rmSync(path, { force: true });
    }
  },
};

function pe(): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write('MZ', 0);
  bytes.writeUInt32LE(64, 0x3c);
  bytes.write('PE\0\0', 64, 'latin1');
  bytes.writeUInt16LE(0x8664, 68);
  bytes.writeUInt16LE(2, 70);
  for (const [index, name] of ['.cmdline', '.uname'].entries()) {
    const at = 64 + 24 + index * 40;
    bytes.write(name, at);
    for (const [field, value] of [
      [8, 20],
      [16, 64],
      [20, 512 + index * 64],
    ] as const)
      bytes.writeUInt32LE(value, at + field);
  }
  bytes.write('root=x quiet\0\0\0', 512);
  return bytes;
}

const disk: Target = {
  name: 'lint-disk',
  samples: async () => {
    const gpt = Buffer.alloc(64 * 512);
    gpt.write('EFI PART', 512);
    for (const [at, value] of [
      [8, 0x10000],
      [12, 92],
      [24, 1],
      [32, 63],
      [40, 34],
      [48, 62],
      [72, 2],
      [80, 8],
      [84, 128],
    ] as const) {
      gpt.writeUInt32LE(value, 512 + at);
    }
    gpt.fill(7, 1024, 1024 + 32);
    gpt.writeUInt32LE(34, 1024 + 32);
    gpt.writeUInt32LE(40, 1024 + 40);
    return [gpt, pe()];
  },
  read: (input) => {
    readGpt(bytesReader(input), input.length);
    const program = readPe(input);
    if (program !== undefined) for (const { name } of program.sections) sectionText(program, name);
  },
};

export const imageTargets: readonly Target[] = [wsl, oci, disk];
