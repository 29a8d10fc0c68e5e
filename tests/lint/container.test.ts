import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { containerRules } from '../../src/lint/lint.ts';
import { withImages } from '../../src/lint/open-layout.ts';
import { passes, type Verdict } from '../../src/lint/rule.ts';
import { base, type ContainerParts, distroless, lintContainer, manifestLine } from './good-container.ts';
import { type Content, symlink, tar } from './tar.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-lint-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const lint = (change: (parts: ContainerParts) => void): Promise<Verdict[]> => lintContainer(folder, change);

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

interface Damage {
  readonly rule: string;
  readonly how: string;
  readonly change: (parts: ContainerParts) => void;
  readonly says: RegExp;
  /** A layer is missing, so no rule can check the root. */
  readonly blinds?: boolean;
}

const damages: readonly Damage[] = [
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
    says: /decompressed content does not match/,
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
    says: /does not match its digest/,
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
    blinds: true,
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
    says: /cannot be decompressed/,
    blinds: true,
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
    how: 'a list beside a database',
    change: file('/var/lib/rpmmanifest/container-manifest-2', `${manifestLine}\n`),
    says: /it is beside \/usr\/lib\/sysimage\/rpm\/rpmdb\.sqlite: scanners read both/,
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
    says: /invalid tar archive/,
    blinds: true,
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
    says: /no nonroot with uid 65532/,
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
  { rule: 'no-authorized-keys', how: 'a key', change: file('/root/.ssh/authorized_keys'), says: /allows logins/ },
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

describe('each fault is reported by its rule and no other', () => {
  test.each(damages)('$rule: $how', async ({ rule, change, says, blinds = false }) => {
    const verdicts = await lint(change);
    expect(messages(verdicts)).toMatch(says);
    const others = verdicts.filter((verdict) => verdict.rule !== rule);
    expect(verdicts.find((verdict) => verdict.rule === rule)?.status).toBe('broken');
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([blinds ? 'unchecked' : 'holds']));
    expect(passes(verdicts)).toBe(rule === 'no-setuid-surprises');
  });
  test('every rule has such a fault', () => {
    const ids = containerRules.filter(({ appliesTo }) => appliesTo.container !== undefined).map(({ id }) => id);
    expect(new Set(damages.map(({ rule }) => rule))).toEqual(new Set(ids));
  });
});

test('a folder without a layout is an error', async () => {
  const work = withImages(folder, folder, async () => undefined);
  await expect(work).rejects.toMatchObject({ code: 'unknown-format', exit: 2 });
});
