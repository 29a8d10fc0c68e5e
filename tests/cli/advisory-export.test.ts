import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, expect, test } from 'vitest';
import type { BoltBucket } from '../../src/advisory/export/bolt.ts';
import { readBolt } from '../advisory/export/read-bolt.ts';
import { folder, weir } from './weir.ts';

const image = {
  ...{ name: 'base', kind: 'container', inputs: 'x', installedSize: 0, details: {} },
  files: [{ path: 'oci/index.json', size: 1, sha256: 'x' }],
};

function release(packages: readonly object[]): string {
  return JSON.stringify({
    ...{ schema: '1', name: 'weir', version: '4.0', snapshot: '20261120-1a2b3c4d', clock: 0, arch: 'x86_64' },
    signingKey: { fingerprint: 'x', publicKey: 'x', development: true },
    imageKey: { id: 'x', publicKey: 'x', development: true },
    inputs: { toolbox: 'x' },
    components: [],
    channels: [{ name: 'base', packages }],
    images: [{ ...image, packages: [] }],
  });
}

const bash = { nevra: 'bash-5.3-4.x86_64', sha256: 'x', origin: 'seed', source: 'bash-5.3-4.src.rpm' };

const recordOf = (id: string, events: string): string => `id = "${id}"
title = "bash: a fault"
severity = "important"
published = "2026-11-01T00:00:00Z"
${events}`;

const affected = `
[[events]]
type = "affected"
at = "2026-11-02T00:00:00Z"
by = "Jane Doe <jane@example.com>"
component = "bash"
`;

const lifecycle = '[lifecycle]\nid = "weir"\nname = "Weir Linux"\nversion = "4.0"\n';

let project: string;
beforeAll(() => {
  project = folder({
    'weir.toml': `[project]\noutput-dir = "out"\n\n${lifecycle}`,
    'advisories/CVE-2026-1234.toml': recordOf('CVE-2026-1234', affected),
    'advisories/CVE-2026-1235.toml': recordOf('CVE-2026-1235', `${affected}first = "5.3-4"\n`),
    'out/release.json': release([bash]),
    'out/images/base/image.json': JSON.stringify({
      ...{ ...image, snapshot: '20261120-1a2b3c4d', packages: [], log: [] },
      osRelease: { ID: 'weir', ID_LIKE: 'fedora' },
    }),
  });
});

const run = (...words: readonly string[]) => weir(['advisory', 'export', ...words], { cwd: project });

test('both databases are written, and the words say how scanners read them', () => {
  expect(run('--grype-db', 'new/vulnerability.db', '--trivy-db', 'trivy', '--at', '2026-11-28T12:00:00Z')).toEqual({
    code: 0,
    stdout:
      'new/vulnerability.db: 2 records of 20261120-1a2b3c4d, for grype db import\n' +
      'trivy: 2 records of 20261120-1a2b3c4d, for trivy --cache-dir with --distro azurelinux/4.0\n' +
      '  CVE-2026-1235: Trivy reports bash in more versions than are affected\n',
    stderr: '',
  });
  const db = new DatabaseSync(join(project, 'new/vulnerability.db'), { readOnly: true });
  const row = (query: string): unknown => ({ ...db.prepare(query).get() });
  expect(row('SELECT build_timestamp FROM db_metadata')).toEqual({ build_timestamp: '2026-11-28 12:00:00+00:00' });
  expect(row('SELECT alias, replacement FROM operating_system_specifier_overrides')).toEqual({
    alias: 'fedora',
    replacement: 'weir',
  });
  db.close();
  const bolt = readBolt(readFileSync(join(project, 'trivy/db/trivy.db')));
  expect([...(bolt.get('Azure Linux 4.0') as BoltBucket).keys()]).toEqual(['bash']);
  expect(JSON.parse(readFileSync(join(project, 'trivy/db/metadata.json'), 'utf8')).Version).toBe(2);
  expect(readdirSync(join(project, 'new'))).toEqual(['vulnerability.db']);
});

test('the same moment gives the same bytes, over an older file too', () => {
  const words = ['--grype-db', 'a.db', '--at', '2026-11-28', '--json'];
  expect(JSON.parse(run(...words).stdout)).toEqual({
    snapshot: '20261120-1a2b3c4d',
    advisories: 2,
    grype: { file: expect.stringMatching(/\/a\.db$/) },
  });
  const first = readFileSync(join(project, 'a.db'));
  run(...words);
  expect(readFileSync(join(project, 'a.db')).equals(first)).toBe(true);
});

test('without a format, or with a name that Grype does not take for a database, it is an error', () => {
  expect(run()).toMatchObject({
    code: 2,
    stderr: 'error: nothing to export\nhint: add --grype-db FILE or --trivy-db FOLDER\n',
  });
  const { code, stderr } = run('--grype-db', 'vulnerabilities');
  expect([code, stderr]).toEqual([
    2,
    'error: Grype would read "vulnerabilities" as an archive\nhint: give the file a name that ends in .db\n',
  ]);
});

test('a distribution without a name, an old record of the release and a fix that it does not have are errors', () => {
  const inProject = (files: Readonly<Record<string, string>>) => {
    const all = { 'weir.toml': lifecycle, 'out/release.json': release([bash]), ...files };
    const cwd = folder(all);
    const answer = weir(['advisory', 'export', '--grype-db', 'x.db', '--out', 'out'], { cwd });
    expect(readdirSync(cwd)).not.toContain('x.db');
    rmSync(cwd, { recursive: true });
    return answer;
  };
  expect(inProject({ 'weir.toml': '' })).toMatchObject({ code: 2, stderr: expect.stringContaining('[lifecycle]') });
  const { source: _, ...old } = bash;
  expect(inProject({ 'out/release.json': release([old]) })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/release\.json: invalid build record: .*source packages/),
  });
  const fixed = affected.replace('"affected"', '"fixed"');
  expect(inProject({ 'advisories/CVE-2026-0001.toml': '' }).code).toBe(2);
  const ahead = recordOf('CVE-2026-1234', `${fixed}in = ["bash-5.3-5.x86_64"]\n`);
  expect(inProject({ 'advisories/CVE-2026-1234.toml': ahead })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /CVE-2026-1234\.toml:\d+:\d+.* is fixed in bash, but the repository has the older bash-5\.3-4\.x86_64/,
    ),
  });
});
