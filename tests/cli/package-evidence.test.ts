import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type EvidenceRelease, evidenceRelease } from '../release/evidence-release.ts';
import { folder, weir } from './weir.ts';

const dir = folder({ 'project/weir.toml': '[project]\noutput-dir = "../release/out"\n' });
const project = join(dir, 'project');
let release: EvidenceRelease;
const evidence = (...words: string[]) => weir(['-C', project, 'package', 'evidence', ...words]);

beforeAll(async () => {
  mkdirSync(join(dir, 'release'));
  release = await evidenceRelease(join(dir, 'release'));
});

describe('weir package evidence', () => {
  it('prints what a package was built from', async () => {
    const { code, stdout, stderr } = evidence('gzip');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const text = stdout.replaceAll(release.key.id.slice(0, 16), 'KEY').replaceAll(release.snapshot, 'SNAPSHOT');
    await expect(text).toMatchFileSnapshot('golden/package-evidence.txt');
  });

  it('prints what is known of a package that Weir did not build', () => {
    const { code, stdout } = evidence('libstdc++');
    expect(code).toBe(0);
    expect(stdout).toContain(
      "not built   the seed made it from binary packages of Debian's source package gcc-15 15.2.0-4+dfsg~1; there is no provenance",
    );
  });

  it('prints the documents', () => {
    const envelope = JSON.parse(evidence('gzip', '--format', 'provenance').stdout) as { payload: string };
    expect(Buffer.from(envelope.payload, 'base64').toString()).toContain('"component":"gzip"');
    expect(JSON.parse(evidence('gzip', '--format=spdx').stdout)).toMatchObject({ spdxVersion: 'SPDX-2.3' });
    expect(JSON.parse(evidence('gzip', '--json').stdout)).toMatchObject({ origin: { kind: 'built' } });
  });

  it.each([
    [['gizp'], 2, 'did you mean gzip?'],
    [['bash'], 2, 'bash-5.3-4.fc44.aarch64'],
    [['filesystem', '--format', 'spdx'], 1, 'Weir did not build filesystem-4.0-1.x86_64'],
    [['gzip', '--format', 'xml'], 2, 'provenance'],
    [['gzip', '--out', '/nonexistent'], 1, 'no release was built yet'],
  ])('fails for %j', (words, code, said) => {
    expect(evidence(...words)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) });
  });

  it('completes the names of packages', () => {
    const { stdout } = weir(['completion', 'candidates', '--', '-C', project, 'package', 'evidence', 'g']);
    expect(stdout).toBe('gzip\tgzip\n');
  });
});
