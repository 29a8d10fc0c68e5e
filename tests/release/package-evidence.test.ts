import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageProvenance } from '../../src/audit/package-provenance.ts';
import { sha256 } from '../../src/base/digest.ts';
import { evidenceDocument, findEvidence } from '../../src/release/package-evidence-find.ts';
import { evidenceFaults } from '../../src/release/package-evidence-read.ts';
import { envelopeText, signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { openImageKey } from '../../src/trust/image-key.ts';
import type { ProjectWorkspace } from '../../src/workspace/workspace.ts';
import { oneBuild } from '../audit/fixture.ts';
import { type EvidenceRelease, evidenceRelease, gzipEvidence } from './evidence-release.ts';

let dir: string;
let release: EvidenceRelease;
let workspace: ProjectWorkspace;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-evidence-'));
  release = await evidenceRelease(dir);
  workspace = { out: release.out, project: { signing: {} } } as unknown as ProjectWorkspace;
});
afterEach(() => rm(dir, { recursive: true }));

const gzip = 'gzip-1:1.14-2.wl4.x86_64';

describe('the evidence of a package', () => {
  test('is an error where it is a named pipe', async () => {
    const file = join(release.snapshot, gzipEvidence.spdx);
    await rm(file);
    execFileSync('mkfifo', [file]);
    await expect(evidenceDocument(workspace, 'gzip', 'spdx')).rejects.toMatchObject({ code: 'bad-evidence' });
  });

  test.each([
    ['its NEVRA', gzip, gzip],
    ['its file name', 'gzip-1:1.14-2.wl4.x86_64.rpm', gzip],
    ['its name, which is rather a binary package’s', 'gzip', gzip],
    ['an epoch of 0', 'filesystem-0:4.0-1.x86_64', 'filesystem-4.0-1.x86_64'],
    ['the NEVRA of a source package', 'gzip-1:1.14-2.wl4.src', 'gzip-1:1.14-2.wl4.src'],
  ])('is found by %s', async (_, text, nevra) => {
    expect((await findEvidence(workspace, text)).nevra).toBe(nevra);
  });

  test('says what Weir built it from, and who signed that', async () => {
    const found = await findEvidence(workspace, 'gzip');
    expect(found).toMatchObject({
      channel: 'base',
      sha256: sha256('gzip, signed'),
      unsigned: sha256('gzip'),
      header: sha256('gzip header'),
      file: 'as recorded',
      origin: {
        kind: 'built',
        source: { file: 'gzip-1.14-2.wl4.src.rpm' },
        signature: { valid: true, keyId: release.key.id, development: true },
        files: { spdx: join(release.snapshot, gzipEvidence.spdx) },
      },
    });
    if (found.origin.kind !== 'built') throw new Error('not built');
    const { build } = found.origin;
    expect(build.sources.map(({ name, role }) => `${role} ${name}`)).toEqual([
      'spec gzip.spec',
      'source gzip-1.14.tar.xz',
      'patch gnulib-CVE-2025-1000.patch',
      'patch zgrep-escape.patch',
      'source colorzgrep.sh',
    ]);
    expect(build.overlays[0]).toMatchObject({ number: 1, cves: ['CVE-2026-9999', 'CVE-2026-12345'] });
    expect(build.buildroot).toHaveLength(2);
  });

  test('claims no provenance for a package that Weir did not build', async () => {
    const origin = async (name: string) => (await findEvidence(workspace, name)).origin;
    expect(await origin('libstdc++')).toEqual({ kind: 'seed', debian: 'gcc-15 15.2.0-4+dfsg~1' });
    expect(await origin('filesystem')).toEqual({ kind: 'seed' });
    expect(await origin('bash-5.3-4.fc44.x86_64')).toEqual({
      kind: 'repository',
      repository: 'fedora',
      digest: sha256('fedora'),
    });
    await expect(evidenceDocument(workspace, 'libstdc++', 'spdx')).rejects.toMatchObject({
      code: 'no-evidence',
      message: expect.stringContaining('gcc-15 15.2.0-4+dfsg~1'),
    });
  });

  test('is the published file, if a document is asked for', async () => {
    for (const format of ['provenance', 'spdx'] as const) {
      const published = await readFile(join(release.snapshot, gzipEvidence[format]), 'utf8');
      expect(await evidenceDocument(workspace, gzip, format)).toBe(published);
    }
  });

  test.each([
    ['an unknown name', 'gizp', 'unknown-package', 'did you mean gzip?'],
    ['a name that is not near any other', 'kernel-modules-extra', 'unknown-package', 'run: weir package list'],
    ['a name of several packages', 'bash', 'several-packages', 'give the NEVRA of one of them'],
  ])('is an error for %s', async (_, text, code, hint) => {
    await expect(findEvidence(workspace, text)).rejects.toMatchObject({ code, hint, exit: 2 });
  });

  test('says that the published file has changed, or is missing', async () => {
    const path = join(release.snapshot, 'base/x86_64/Packages/g/gzip-1.14-2.wl4.x86_64.rpm');
    await writeFile(path, 'changed');
    expect((await findEvidence(workspace, 'gzip')).file).toBe('changed');
    await rm(path);
    expect((await findEvidence(workspace, 'gzip')).file).toBe('missing');
  });

  test('is refused if it, or the record of the release, was changed', async () => {
    const bad = { code: 'bad-evidence' };
    const provenance = join(release.snapshot, gzipEvidence.provenance);
    const text = await readFile(provenance, 'utf8');
    await writeFile(provenance, text.replace('"payload":"e', '"payload":"f'));
    await expect(findEvidence(workspace, 'gzip')).rejects.toMatchObject(bad);
    await writeFile(provenance, text);
    await writeFile(join(release.snapshot, gzipEvidence.spdx), '{}');
    await expect(evidenceDocument(workspace, 'gzip', 'spdx')).rejects.toMatchObject(bad);
    await rm(provenance);
    await expect(findEvidence(workspace, 'gzip')).rejects.toMatchObject(bad);
    await writeFile(provenance, text);
    await rm(join(release.out, 'release.json.sig'));
    await expect(findEvidence(workspace, 'gzip')).rejects.toMatchObject(bad);
  });

  test('is missing in a release of an older Weir', async () => {
    const { extras: _, ...record } = release.record;
    await release.write(record);
    await expect(findEvidence(workspace, 'gzip')).rejects.toMatchObject({ code: 'no-evidence' });
    expect((await findEvidence(workspace, 'filesystem')).origin.kind).toBe('seed');
  });
});

describe('verification of a release', () => {
  const faults = async (record = release.record): Promise<string[]> =>
    (await evidenceFaults(release.snapshot, record)).map(({ path, fault, message }) => `${fault} ${path}: ${message}`);

  test('finds no fault in what was built', async () => {
    expect(await faults()).toEqual([]);
  });

  test('does not ask a release of an older Weir for evidence', async () => {
    const { extras: _, ...record } = release.record;
    expect(await faults(record)).toEqual([]);
  });

  test('finds a component without evidence', async () => {
    const [provenance] = release.record.extras!;
    expect(await faults({ ...release.record, extras: [provenance!] })).toEqual([
      `missing ${gzipEvidence.spdx}: the release lists no evidence for gzip`,
    ]);
  });

  test('finds a statement about other packages, and one by another key', async () => {
    const put = (text: string): Promise<void> => writeFile(join(release.snapshot, gzipEvidence.provenance), text);
    const other = { ...oneBuild, source: { ...oneBuild.source, signedDigest: sha256('other') } };
    const statement = Buffer.from(JSON.stringify(packageProvenance(other)));
    await put(envelopeText(signEnvelope(release.key, statementType, statement)));
    expect(await faults()).toEqual([
      `wrong ${gzipEvidence.provenance}: invalid evidence: its subjects do not match gzip-1:1.14-2.wl4.src`,
    ]);
    const stranger = await openImageKey({ cache: join(dir, 'other'), publicKey: undefined, secret: undefined });
    const good = Buffer.from(JSON.stringify(packageProvenance(oneBuild)));
    await put(envelopeText(signEnvelope(stranger, statementType, good)));
    expect(await faults()).toEqual([
      `wrong ${gzipEvidence.provenance}: invalid evidence: not signed by the image key of the release`,
    ]);
    await put(envelopeText(signEnvelope(release.key, statementType, Buffer.from('{"subject":[]}'))));
    expect(await faults()).toEqual([
      `wrong ${gzipEvidence.provenance}: invalid evidence: not a statement about packages`,
    ]);
  });
});
