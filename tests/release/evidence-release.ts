import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageProvenance } from '../../src/audit/package-provenance.ts';
import { packageSpdx } from '../../src/audit/package-spdx.ts';
import { sha256 } from '../../src/base/digest.ts';
import { evidencePaths } from '../../src/release/evidence-paths.ts';
import { type ReleaseRecord, recordText } from '../../src/release/record-schema.ts';
import { packagePath, parseNevra } from '../../src/repo/metadata.ts';
import { envelopeText, signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { type ImageKey, openImageKey, signText } from '../../src/trust/image-key.ts';
import { oneBuild } from '../audit/fixture.ts';

const signedPackages = [
  ['sdk', 'gzip-1:1.14-2.wl4.src', 'gzip source, signed', 'gzip source', 'gzip'],
  ['base', 'gzip-1:1.14-2.wl4.x86_64', 'gzip, signed', 'gzip', 'gzip'],
  ['base', 'libstdc++-15.2.0-4.wl4.x86_64', 'libstdc++, signed', 'libstdc++', 'seed'],
  ['base', 'filesystem-4.0-1.x86_64', 'filesystem, signed', 'filesystem', 'seed'],
  ['base', 'bash-5.3-4.fc44.x86_64', 'bash, signed', 'bash', 'fedora'],
  ['base', 'bash-5.3-4.fc44.aarch64', 'bash for another, signed', 'bash for another', 'fedora'],
] as const;

/** The paths of the evidence of gzip in the snapshot. */
export const gzipEvidence = evidencePaths('gzip-1.14-2.wl4.src.rpm');

/** A release with one package of each origin, in an output folder. */
export interface EvidenceRelease {
  readonly out: string;
  readonly snapshot: string;
  readonly key: ImageKey;
  readonly record: ReleaseRecord;
  /** Signs and writes a record in place of the release's. */
  readonly write: (record: ReleaseRecord) => Promise<void>;
}

/** Writes the release that `twoPackages` could be made from. @param dir an empty folder */
export async function evidenceRelease(dir: string): Promise<EvidenceRelease> {
  const pair = generateKeyPairSync('ed25519');
  await writeFile(join(dir, 'key'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(dir, 'key.pub'), pair.publicKey.export({ type: 'spki', format: 'pem' }));
  const key = await openImageKey({ cache: dir, publicKey: join(dir, 'key.pub'), secret: join(dir, 'key') });
  const out = join(dir, 'out');
  const snapshot = join(out, 'repo/4.0/20260131-0a1b2c3d');
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  };
  const statement = JSON.stringify(packageProvenance(oneBuild));
  const spdx = `${JSON.stringify(packageSpdx(oneBuild), null, 1)}\n`;
  const envelope = envelopeText(signEnvelope(key, statementType, Buffer.from(statement)));
  await put(join(snapshot, gzipEvidence.provenance), envelope);
  await put(join(snapshot, gzipEvidence.spdx), spdx);
  for (const [channel, nevra, text] of signedPackages)
    await put(join(snapshot, channel, 'x86_64', packagePath(parseNevra(nevra)!)), text);
  const ofChannel = (wanted: string) =>
    signedPackages.flatMap(([channel, nevra, signed, unsigned, origin]) => {
      const debian = nevra.startsWith('libstdc++') ? { debian: 'gcc-15 15.2.0-4+dfsg~1' } : {};
      const pkg = { nevra, sha256: sha256(signed), unsigned: sha256(unsigned), origin, ...debian };
      return channel === wanted ? [pkg] : [];
    });
  const record: ReleaseRecord = {
    schema: 'https://weir.invalid/schema/release-1.json',
    name: 'Weir Linux',
    version: '4.0',
    snapshot: '20260131-0a1b2c3d',
    clock: oneBuild.clock,
    arch: 'x86_64',
    signingKey: { fingerprint: 'A'.repeat(40), publicKey: 'key', development: true },
    imageKey: { id: key.id, publicKey: key.publicKey, development: true },
    inputs: { toolbox: sha256('toolbox'), repositories: [{ id: 'fedora', digest: sha256('fedora') }] },
    components: [
      {
        name: 'gzip',
        version: '1.14-2.wl4',
        packages: ['gzip-1:1.14-2.wl4.x86_64'],
        srpm: { file: 'gzip-1.14-2.wl4.src.rpm', sha256: sha256('gzip source') },
        sources: {},
        overlays: [],
      },
    ],
    channels: ['base', 'sdk'].map((name) => ({ name, packages: ofChannel(name) })),
    extras: [
      { path: gzipEvidence.provenance, sha256: sha256(statement), signed: true },
      { path: gzipEvidence.spdx, sha256: sha256(spdx) },
    ],
    images: [],
  };
  const write = async (changed: ReleaseRecord): Promise<void> => {
    await put(join(out, 'release.json'), recordText(changed));
    await put(join(out, 'release.json.sig'), signText(key, recordText(changed)));
  };
  await put(join(out, 'image-key.pem'), key.publicKey);
  await write(record);
  return { out, snapshot, key, record, write };
}
