import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import type { ReleaseRecord } from '../../src/release/published.ts';
import { imageFaults } from '../../src/release/verify.ts';
import { signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { type ImageKey, openImageKey } from '../../src/trust/image-key.ts';

type Image = ReleaseRecord['images'][number];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const pkg = { name: 'bash', epoch: 0, version: '5.3', release: '4', arch: 'x86_64', rpm: sha256('bash') };
const nevra = 'bash-5.3-4.x86_64';
const from = { sourceRpm: 'bash-5.3-4.src.rpm', origin: 'seed' };

let dir: string;
let key: ImageKey;
let image: Mutable<Image>;
let published: string;

async function put(path: string, text: string): Promise<void> {
  await writeFile(join(dir, path), text);
  const files = image.files.filter((file) => file.path !== path);
  image.files = [...files, { path, size: text.length, sha256: sha256(text) }];
}

async function attest(name: string, digest: string, signer = key): Promise<void> {
  const statement = Buffer.from(JSON.stringify({ subject: [{ name, digest: { sha256: digest } }] }));
  await put('provenance.dsse.json', JSON.stringify(signEnvelope(signer, statementType, statement)));
}

/** As the build writes it, last. */
async function record(changes: object = {}): Promise<void> {
  const packages = [{ ...pkg, ...from, nevra }];
  const own = { ...image, packages, snapshot: '20260101-01234567', osRelease: {}, log: [], ...changes };
  await writeFile(join(dir, 'image.json'), JSON.stringify(own));
}

async function faults(): Promise<string[]> {
  const channels = [{ name: 'base', packages: [{ nevra, sha256: published, origin: 'seed' }] }];
  const found = await imageFaults(dir, image, { imageKey: key, channels }, fileDigest);
  return found.map(({ path, fault }) => `${fault} ${path}`);
}

beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), 'weir-verify-'));
  dir = join(root, 'vm');
  key = await openImageKey({ cache: root, publicKey: undefined, secret: undefined });
  published = pkg.rpm;
  image = {
    name: 'vm',
    kind: 'disk',
    inputs: 'ab',
    installedSize: 7,
    files: [],
    details: { kernel: '7' },
    packages: [nevra],
  };
  await mkdir(join(dir, 'more'), { recursive: true });
  await put('vm.raw', 'the disk');
  await put('sbom.spdx.json', '{}');
  await attest('vm.raw', sha256('the disk'));
  await record();
});
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }));

describe('an image in its folder', () => {
  test('as it was made has no fault', async () => {
    expect(await faults()).toEqual([]);
  });

  test('says of each file what is wrong with it', async () => {
    await writeFile(join(dir, 'vm.raw'), 'the Disk');
    await writeFile(join(dir, 'more', 'notes'), '');
    await rm(join(dir, 'sbom.spdx.json'));
    expect((await faults()).sort()).toEqual(['extra more/notes', 'missing sbom.spdx.json', 'wrong vm.raw']);
  });

  test('must have a record that agrees with that of the release', async () => {
    await record({ inputs: 'cd' });
    expect(await faults()).toEqual(['wrong image.json']);
    await record({ packages: [{ ...pkg, ...from, nevra, rpm: sha256('another bash') }] });
    expect(await faults()).toEqual(['wrong image.json']);
    await writeFile(join(dir, 'image.json'), 'no record');
    expect(await faults()).toEqual(['wrong image.json']);
    for (const none of [null, { inputs: image.inputs }, []]) {
      await writeFile(join(dir, 'image.json'), JSON.stringify(none));
      expect(await faults()).toEqual(['wrong image.json']);
    }
    await rm(join(dir, 'image.json'));
    expect(await faults()).toEqual(['missing image.json']);
  });

  test('must be of packages that the release publishes', async () => {
    published = sha256('another bash');
    expect(await faults()).toEqual(['wrong image.json']);
  });

  test('must have provenance that the key of the release signed, of just these files', async () => {
    const cache = join(dir, '..', 'other');
    await attest('vm.raw', sha256('the disk'), await openImageKey({ cache, publicKey: undefined, secret: undefined }));
    await record();
    expect(await faults()).toEqual(['wrong provenance.dsse.json']);
    await attest('vm.raw', sha256('another disk'));
    await record();
    expect(await faults()).toEqual(['wrong provenance.dsse.json']);
    const before = await readFile(join(dir, 'provenance.dsse.json'), 'utf8');
    await writeFile(join(dir, 'provenance.dsse.json'), before.replace('}', ' '));
    expect(await faults()).toEqual(['wrong provenance.dsse.json']);
    await rm(join(dir, 'provenance.dsse.json'));
    image.files = image.files.filter(({ path }) => path !== 'provenance.dsse.json');
    await record();
    expect(await faults()).toEqual(['missing provenance.dsse.json']);
  });
});
