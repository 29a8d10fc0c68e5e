import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keptPath } from '../../src/release/past-releases.ts';
import { type ReleaseRecord, recordText } from '../../src/release/record-schema.ts';
import { recordOf } from '../release/release-records.ts';
import { folder, weir } from './weir.ts';

const key = { id: 'ab', publicKey: '' };
const pkg = (nevra: string) => ({ nevra, sha256: nevra, origin: 'seed' });
const file = (path: string, size: number) => ({ path, size, sha256: `${path} ${size}` });
const image = (name: string, packages: string[], size: number, installedSize: number) =>
  ({
    name,
    kind: name === 'vm-base' ? 'disk' : 'container',
    inputs: `${name} ${size}`,
    installedSize,
    files: [file(`${name}.img`, size), file('sbom.spdx.json', 5000)],
    packages,
    details: {},
  }) as const;

const old = recordOf(key, {
  snapshot: '20261101-01234567',
  clock: Date.UTC(2026, 10, 1) / 1000,
  channels: [
    {
      name: 'base',
      packages: ['bash-5.3-4.x86_64', 'less-1-2.x86_64', 'setup-2.15-1.noarch', 'vim-9.2-1.x86_64'].map(pkg),
    },
    { name: 'sdk', packages: ['gcc-16-1.x86_64', 'bash-5.3-4.src'].map(pkg) },
  ],
  images: [
    image(
      'vm-base',
      ['bash-5.3-4.x86_64', 'less-1-2.x86_64', 'setup-2.15-1.noarch', 'vim-9.2-1.x86_64'],
      50_000_000,
      90_000_000,
    ),
    image('distroless', ['setup-2.15-1.noarch'], 1000, 2000),
    image('python', ['setup-2.15-1.noarch'], 3000, 4000),
  ],
});
const made = recordOf(key, {
  snapshot: '20261120-89abcdef',
  clock: Date.UTC(2026, 10, 20, 12) / 1000,
  channels: [
    {
      name: 'base',
      packages: ['bash-5.3-5.x86_64', 'curl-8.22-1.x86_64', 'less-1-1.x86_64', 'setup-2.15-1.noarch'].map(pkg),
    },
    { name: 'sdk', packages: ['gcc-16-1.x86_64', 'bash-5.3-5.src'].map(pkg) },
  ],
  images: [
    image(
      'vm-base',
      ['bash-5.3-5.x86_64', 'curl-8.22-1.x86_64', 'less-1-1.x86_64', 'setup-2.15-1.noarch'],
      50_000_000,
      91_500_000,
    ),
    image('distroless', ['setup-2.15-1.noarch'], 1000, 2000),
    image('nodejs', ['setup-2.15-1.noarch'], 7_000_000, 8_000_000),
  ],
});

const advisory = `
id = "CVE-2026-1234"
title = "bash: a <b>pipe</b> | overflows"
severity = "important"
published = "2026-11-01T00:00:00Z"

[[events]]
type = "affected"
at = "2026-11-02T12:00:00Z"
by = "Jane Doe <jane@example.com>"
component = "bash"

[[events]]
type = "fixed"
at = "2026-11-03T12:00:00Z"
by = "Jane Doe <jane@example.com>"
component = "bash"
in = ["bash-5.3-5.x86_64", "bash-5.3-5.src"]
`;

/** A project with the records of two releases in its output folder. */
function project(records: readonly ReleaseRecord[] = [old, made], advisories: Readonly<Record<string, string>> = {}) {
  const dir = folder({
    'weir.toml': '[project]\ndescription = "x"\noutput-dir = "out"\n',
    ...Object.fromEntries(Object.entries(advisories).map(([name, text]) => [`advisories/${name}`, text])),
  });
  for (const record of records) {
    const text = recordText(record);
    const path = join(dir, 'out', keptPath(record.snapshot, text));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    writeFileSync(join(dir, 'out/release.json'), text);
  }
  return dir;
}

const dir = project([old, made], { 'CVE-2026-1234.toml': advisory });

function diff(...args: readonly string[]): string {
  const { code, stdout, stderr } = weir(['-C', dir, 'release', 'diff', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // The records' names are digests.
  return stdout.replaceAll(dir, 'PROJECT').replace(/[0-9a-f]{16}\.json/g, 'DIGEST.json');
}

describe('weir release diff', () => {
  it('lists packages by channel, vulnerabilities, and images with sizes', async () => {
    await expect(diff('previous', 'latest')).toMatchFileSnapshot(join('golden', 'release-diff.txt'));
  });

  it('--markdown is fit for release notes: foreign text is no markup', async () => {
    const text = diff('20261101', '20261120', '--markdown');
    await expect(text).toMatchFileSnapshot(join('golden', 'release-diff-markdown.txt'));
    expect(text).toContain(': `bash: a <b>pipe</b> | overflows`, in `bash-5.3-5.src`');
  });

  it('--json has every number', () => {
    const { a, b, channels, advisories, images } = JSON.parse(diff('previous', 'latest', '--json'));
    expect([a.snapshot, a.date, b.snapshot]).toEqual([old.snapshot, '2026-11-01T00:00:00Z', made.snapshot]);
    expect(channels.map((one: { packages: unknown[] }) => one.packages.length)).toEqual([4, 1]);
    expect(advisories).toMatchObject({
      fixed: [{ id: 'CVE-2026-1234', packages: ['bash-5.3-5.src', 'bash-5.3-5.x86_64'] }],
      returned: [],
    });
    expect(images).toMatchObject({
      added: [{ name: 'nodejs', packages: 1, installedSize: 8_000_000, fileSize: 7_005_000 }],
      removed: [{ name: 'python' }],
      unchanged: ['distroless'],
      changed: [
        {
          name: 'vm-base',
          before: { installedSize: 90_000_000 },
          after: { installedSize: 91_500_000 },
          packages: [{ change: 'upgraded' }, { change: 'added' }, { change: 'downgraded' }, { change: 'removed' }],
          files: [],
        },
      ],
    });
  });

  it('a release does not differ from itself, and an old one may be named by its file', () => {
    const text = diff(join(dir, 'out'), '20261120-89abcdef');
    expect(text).toContain('channel base: no differences');
    expect(text).toContain('images: no differences');
    expect(diff('latest', 'latest', '--markdown')).toMatch(/\n\nNothing changed\.\n$/);
  });

  it('turned round it says what is vulnerable again', () => {
    expect(diff('latest', 'previous')).toMatch(/^vulnerable again: 1\n.*\nCVE-2026-1234 /m);
    expect(diff('latest', 'previous', '--markdown')).toContain('## Vulnerable again\n\n- **CVE-2026-1234**');
  });

  it.each([
    [['2026', 'latest'], /several snapshots begin with 2026/, /more of the name/],
    [['2025', 'latest'], /no release has the snapshot 2025/, /20261101-01234567, 20261120-89abcdef/],
    [['latst', 'latest'], /no release has the snapshot latst/, /latest/],
    [['nowhere/release.json', 'latest'], /nowhere\/release\.json: no such record/, /output folder/],
  ])('%j is one clear error', (args, says, hint) => {
    const { code, stdout, stderr } = weir(['-C', dir, 'release', 'diff', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).toMatch(says);
    expect(stderr.split('\n').find((line) => line.startsWith('hint:'))).toMatch(hint);
  });

  it('a malformed advisory is one clear error with its place', () => {
    const bad = project([old, made], { 'CVE-2026-1234.toml': advisory.replace('"important"', '"high"') });
    const { code, stderr } = weir(['-C', bad, 'release', 'diff', 'previous', 'latest']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*advisories\/CVE-2026-1234\.toml:4:\d+: /m);
  });

  it('one release alone has none before it', () => {
    const { code, stderr } = weir(['-C', project([made]), 'release', 'diff', 'previous', 'latest']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no release before 20261120-89abcdef has a record/);
  });

  it('completes releases', () => {
    const { stdout } = weir(['completion', 'candidates', '--', '-C', dir, 'release', 'diff', 'latest', '']);
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([
      'latest',
      'previous',
      '20261101-01234567',
      '20261120-89abcdef',
      '',
    ]);
  });
});
