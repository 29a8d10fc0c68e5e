import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/digest.ts';
import { containerFacts } from '../../../src/image/lint/container-facts.ts';
import { containerRules } from '../../../src/image/lint/lint.ts';
import { withImages } from '../../../src/image/lint/open-layout.ts';
import { checkRules, passes, type Verdict } from '../../../src/image/lint/rule.ts';
import { type Content, symlink, tar } from './tar.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-lint-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface ContainerParts {
  name: string;
  labels: Record<string, string>;
  layers: Record<string, Content>[];
  packages: string[];
  compress: (tar: Buffer) => { readonly mediaType: string; readonly data: Buffer };
  /** Changes the descriptors before they are written down. */
  describe: (layers: Descriptor[], diffIds: string[]) => void;
  /** Changes the finished folder: blobs by their part. */
  after: (blob: (index: number) => string) => Promise<void>;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

const base = {
  '/bin': symlink('usr/bin'),
  '/usr/bin/bash': { content: 'elf', mode: 0o755 },
  '/usr/bin/su': { content: 'elf', mode: 0o4755 },
  '/usr/lib/os-release': 'ID=weir\nVERSION_ID=4.0\nNAME="Weir Linux"\nPRETTY_NAME="Weir Linux 4.0"\n',
  '/etc/os-release': symlink('../usr/lib/os-release'),
  '/usr/lib/sysimage/rpm/rpmdb.sqlite': 'database',
  '/etc/passwd':
    'root:x:0:0::/root:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n',
};

const goodParts = (): ContainerParts => ({
  name: 'base:4.0',
  labels: {},
  layers: [{ ...base }],
  packages: ['bash'],
  compress: (data) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', data: gzipSync(data) }),
  describe: () => {},
  after: async () => {},
});

const manifestLine = ['bash', '5.3-4', '1', '2', 'Weir', '(none)', '9', 'x86_64', '0', 'bash.src.rpm'].join('\t');

/** The same without shell, package manager, setuid programs and database. */
function distroless(parts: ContainerParts): void {
  parts.name = 'distroless-minimal:4.0';
  const { '/usr/bin/bash': _, '/usr/bin/su': __, '/usr/lib/sysimage/rpm/rpmdb.sqlite': ___, ...rest } = base;
  parts.layers = [{ ...rest, '/var/lib/rpmmanifest/container-manifest-2': `${manifestLine}\n` }];
}

/** Writes a layout as the specification has it, and checks it. */
async function lint(change: (parts: ContainerParts) => void): Promise<Verdict[]> {
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
  const archives = parts.layers.map(tar);
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

const notHolding = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ status }) => status !== 'holds').map(({ rule }) => rule);
const messages = (verdicts: readonly Verdict[]): string =>
  verdicts.flatMap(({ findings }) => findings.map(({ where, message }) => `${where}: ${message}`)).join('\n');

const file =
  (path: string, content: Content = 'x') =>
  (parts: ContainerParts) => {
    parts.layers[0]![path] = content;
  };
const describeWith = (change: ContainerParts['describe']) => (parts: ContainerParts) => {
  parts.describe = change;
};
const afterwards = (change: ContainerParts['after']) => (parts: ContainerParts) => {
  parts.after = change;
};
const both =
  (...changes: ((parts: ContainerParts) => void)[]) =>
  (parts: ContainerParts) => {
    for (const change of changes) change(parts);
  };

const fine: readonly [string, (parts: ContainerParts) => void][] = [
  ['a base', () => {}],
  ['a distroless', distroless],
  [
    'a layer with zstd',
    (parts) => {
      parts.compress = (data) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
        data: zstdCompressSync(data),
      });
    },
  ],
  [
    'a layer without compression',
    (parts) => {
      parts.compress = (data) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', data });
    },
  ],
  [
    'a later layer that takes a key away',
    both(file('/root/.ssh/authorized_keys'), (parts) => {
      parts.layers.push({ '/root/.ssh/.wh.authorized_keys': '' });
    }),
  ],
  [
    'a later layer that hides a folder',
    both(file('/var/log/a/b'), (parts) => {
      parts.layers.push({ '/var/log/.wh..wh..opq': '' });
    }),
  ],
  [
    'a later layer that puts a file in the place of a folder',
    both(file('/var/log/a'), (parts) => {
      parts.layers.push({ '/var/log': symlink('/dev/null') });
    }),
  ],
  [
    'busybox in a distroless for looking around',
    both(distroless, file('/usr/bin/busybox'), (parts) => {
      parts.name = 'distroless-debug:4.0';
    }),
  ],
];

test.each(fine)('every rule holds: %s', async (_, change) => {
  const verdicts = await lint(change);
  expect(messages(verdicts)).toBe('');
  expect(passes(verdicts)).toBe(true);
});

const damages: readonly { rule: string; how: string; change: (parts: ContainerParts) => void; says: RegExp }[] = [
  {
    rule: 'oci-blobs',
    how: 'size',
    change: describeWith(([layer]) => {
      layer!.size += 1;
    }),
    says: /bytes, not/,
  },
  {
    rule: 'oci-blobs',
    how: 'unpacked digest',
    change: describeWith((_, ids) => {
      ids[0] = `sha256:${sha256('other')}`;
    }),
    says: /unpacked it is not/,
  },
  {
    rule: 'oci-blobs',
    how: 'a layer more',
    change: describeWith((_, ids) => {
      ids.push('sha256:1');
    }),
    says: /has 2 layers, the manifest 1/,
  },
  {
    rule: 'oci-blobs',
    how: 'another content',
    change: afterwards((blob) => writeFile(blob(0), gzipSync(tar({ ...base, '/more': 'x' })))),
    says: /another digest/,
  },
  {
    rule: 'oci-blobs',
    how: 'missing',
    change: both(
      (parts) => {
        parts.layers.unshift({ '/x': '' });
      },
      afterwards((blob) => rm(blob(0))),
    ),
    says: /no such blob/,
  },
  {
    rule: 'oci-blobs',
    how: 'no gzip',
    change: both(
      (parts) => {
        parts.layers.unshift({ '/x': '' });
      },
      afterwards((blob) => writeFile(blob(0), 'hello')),
    ),
    says: /does not decompress/,
  },
  {
    rule: 'package-inventory',
    how: 'neither',
    change: both(distroless, (parts) => {
      delete parts.layers[0]!['/var/lib/rpmmanifest/container-manifest-2'];
    }),
    says: /neither an RPM database/,
  },
  {
    rule: 'package-inventory',
    how: 'a bad line',
    change: both(distroless, file('/var/lib/rpmmanifest/container-manifest-2', `${manifestLine}\nbash\t5\n`)),
    says: /line 2 has 2 fields/,
  },
  {
    rule: 'package-inventory',
    how: 'an empty list',
    change: both(distroless, file('/var/lib/rpmmanifest/container-manifest-2', '')),
    says: /lists no packages/,
  },
  {
    rule: 'package-inventory',
    how: 'an empty database',
    change: (parts) => {
      parts.packages = [];
    },
    says: /no packages/,
  },
  { rule: 'no-device-nodes', how: 'a device', change: file('/dev/null', { type: '3' }), says: /\/dev\/null/ },
  { rule: 'no-device-nodes', how: 'a pipe', change: file('/run/pipe', { type: '6' }), says: /pipe/ },
  {
    rule: 'no-setuid-surprises',
    how: 'a stranger',
    change: file('/usr/bin/helper', { mode: 0o4755 }),
    says: /setuid \(4755\)/,
  },
  {
    rule: 'no-setuid-surprises',
    how: 'a known name elsewhere',
    change: file('/opt/su', { mode: 0o4755 }),
    says: /\/opt\/su: it is setuid/,
  },
  {
    rule: 'no-setuid-surprises',
    how: 'its group',
    change: file('/usr/bin/helper', { mode: 0o2755 }),
    says: /setgid \(2755\)/,
  },
  {
    rule: 'no-setuid-surprises',
    how: 'any in distroless',
    change: both(distroless, file('/usr/bin/mount', { mode: 0o4755 })),
    says: /mount: it is setuid/,
  },
  {
    rule: 'oci-blobs',
    how: 'no tar',
    change: both(
      (parts) => {
        parts.layers.unshift({ '/x': '' });
      },
      afterwards((blob) => writeFile(blob(0), gzipSync('hello'))),
    ),
    says: /not a tar archive/,
  },
  {
    rule: 'no-selinux-labels',
    how: 'a label',
    change: file('/etc/a', { xattr: 'security.selinux' }),
    says: /\/etc\/a: 1 files/,
  },
  {
    rule: 'distroless-no-shell',
    how: 'bash',
    change: both(distroless, file('/usr/bin/bash')),
    says: /bash: there is a shell/,
  },
  {
    rule: 'distroless-no-shell',
    how: 'by its label',
    change: both(distroless, file('/usr/bin/sh', symlink('x')), (parts) => {
      parts.name = 'minimal:4.0';
      parts.labels = { 'org.opencontainers.image.title': 'Weir Linux distroless' };
    }),
    says: /shell/,
  },
  {
    rule: 'distroless-no-package-manager',
    how: 'rpm',
    change: both(distroless, file('/usr/bin/rpm')),
    says: /rpm: there is a package manager/,
  },
  {
    rule: 'distroless-users',
    how: 'no nonroot',
    change: both(distroless, file('/etc/passwd', base['/etc/passwd'].replace(/nonroot.*\n/, ''))),
    says: /no nonroot with the number 65532/,
  },
  {
    rule: 'distroless-users',
    how: 'a shell',
    change: both(distroless, file('/etc/passwd', base['/etc/passwd'].replace('/sbin/nologin', '/bin/sh'))),
    says: /root has the shell/,
  },
  {
    rule: 'os-release',
    how: 'gone',
    change: (parts) => {
      delete parts.layers[0]!['/usr/lib/os-release'];
    },
    says: /no such file/,
  },
  { rule: 'no-ssh-host-keys', how: 'a key', change: file('/etc/ssh/ssh_host_rsa_key'), says: /host key/ },
  { rule: 'no-authorized-keys', how: 'a key', change: file('/root/.ssh/authorized_keys'), says: /lets somebody in/ },
  { rule: 'no-passwords', how: 'empty', change: file('/etc/shadow', 'root::::::::\n'), says: /empty password/ },
  {
    rule: 'machine-id',
    how: 'made',
    change: file('/etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
    says: /already/,
  },
  { rule: 'no-shared-secrets', how: 'seed', change: file('/var/lib/systemd/random-seed'), says: /own/ },
  { rule: 'no-resolv-conf', how: 'servers', change: file('/etc/resolv.conf', 'nameserver 192.0.2.1\n'), says: /left/ },
  { rule: 'no-logs', how: 'a log', change: file('/var/log/dnf5.log'), says: /log is left/ },
  { rule: 'no-package-caches', how: 'a package', change: file('/var/cache/dnf/a.rpm'), says: /1 files/ },
  { rule: 'no-leftovers', how: 'temporary', change: file('/tmp/x'), says: /temporary/ },
];

describe('each damage is told by its rule and by no other', () => {
  test.each(damages)('$rule: $how', async ({ rule, change, says }) => {
    const verdicts = await lint(change);
    expect(messages(verdicts)).toMatch(says);
    expect(notHolding(verdicts)).toEqual([rule]);
    expect(passes(verdicts)).toBe(rule === 'no-setuid-surprises');
  });
  test('every rule is broken by one of them', () => {
    const ids = containerRules.filter(({ appliesTo }) => appliesTo.container !== undefined).map(({ id }) => id);
    expect(new Set(damages.map(({ rule }) => rule))).toEqual(new Set(ids));
  });
});

test('a folder without a layout is told as such', async () => {
  const work = withImages(folder, folder, async () => undefined);
  await expect(work).rejects.toMatchObject({ code: 'unknown-format', exit: 2 });
});
