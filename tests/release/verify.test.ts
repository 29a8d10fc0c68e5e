import { generateKeyPairSync } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { temporaryName } from '../../src/base/files.ts';
import { withHashers } from '../../src/base/hashers.ts';
import { runOk } from '../../src/base/process.ts';
import type { Project } from '../../src/project/model/project.ts';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { imageFaults } from '../../src/release/verify-image.ts';
import { keyFaults } from '../../src/release/verify-keys.ts';
import { strays } from '../../src/release/verify-output.ts';
import type { Fault } from '../../src/repo/fault.ts';
import { signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { type ImageKey, openImageKey, signText } from '../../src/trust/image-key.ts';
import { unprivileged } from '../unprivileged.ts';

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

/** Written last, as the build does. */
async function record(changes: object = {}): Promise<void> {
  const packages = [{ ...pkg, ...from, nevra }];
  const own = { ...image, packages, snapshot: '20260101-01234567', osRelease: {}, log: [], ...changes };
  await writeFile(join(dir, 'image.json'), JSON.stringify(own));
}

function channels(): ReleaseRecord['channels'] {
  return [{ name: 'base', packages: [{ nevra, sha256: published, origin: 'seed' }] }];
}

async function found(): Promise<Fault[]> {
  return imageFaults(dir, image, { imageKey: key, channels: channels() }, { all: fileDigest });
}

async function faults(): Promise<string[]> {
  return (await found()).map(({ path, fault }) => `${fault} ${path}`);
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
  await mkdir(dir, { recursive: true });
  await put('vm.raw', 'the disk');
  await put('sbom.spdx.json', '{}');
  await attest('vm.raw', sha256('the disk'));
  await record();
});
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }));

describe('an image in its folder', () => {
  test('unchanged has no fault', async () => {
    expect(await faults()).toEqual([]);
  });

  test('reports the fault of each file', async () => {
    await writeFile(join(dir, 'vm.raw'), 'the Disk');
    await mkdir(join(dir, 'more'));
    await writeFile(join(dir, 'more', 'notes'), '');
    await rm(join(dir, 'sbom.spdx.json'));
    expect((await faults()).sort()).toEqual(['extra more/notes', 'missing sbom.spdx.json', 'wrong vm.raw']);
  });

  test('must have a record that matches the release record', async () => {
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

  test('must consist of published packages', async () => {
    published = sha256('another bash');
    expect(await faults()).toEqual(['wrong image.json']);
  });

  test('must have provenance of exactly its files, signed by the release’s key', async () => {
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

  test('rejects symlinks, pipes and folders in place of files', async () => {
    for (const path of ['image.json', 'sbom.spdx.json', 'provenance.dsse.json']) {
      const file = join(dir, path);
      const before = await readFile(file);
      const said = async (): Promise<string[]> => (await found()).map((each) => `${each.path}: ${each.message}`);
      await rm(file);
      await mkdir(file);
      expect(await said()).toEqual([`${path}: it is not a file`]);
      await rm(file, { recursive: true });
      await runOk(['mkfifo', file]);
      expect(await said()).toEqual([`${path}: it is not a file`]);
      await rm(file);
      await writeFile(join(dir, '..', 'elsewhere'), before);
      await symlink(join(dir, '..', 'elsewhere'), file);
      expect(await said()).toEqual([`${path}: it is a symbolic link`]);
      await rm(file);
      await writeFile(file, before);
    }
  });

  test('that is a file is reported once', async () => {
    await rm(dir, { recursive: true });
    await writeFile(dir, '');
    expect(await found()).toEqual([{ path: '', fault: 'wrong', message: 'it is not a folder' }]);
    await rm(dir);
    expect(await found()).toEqual([{ path: '', fault: 'missing', message: 'it is missing' }]);
    await mkdir(dir);
  });

  test('with a file instead of a folder lacks the folder’s files', async () => {
    await mkdir(join(dir, 'more'));
    await put('more/a', 'a');
    await record();
    await rm(join(dir, 'more'), { recursive: true });
    await writeFile(join(dir, 'more'), '');
    expect((await faults()).sort()).toEqual(['extra more', 'missing more/a']);
  });

  test('is checked to the end despite unreadable files and folders', async () => {
    await chmod(join(dir, '..'), 0o755);
    await writeFile(join(dir, 'vm.raw'), 'the Disk');
    await chmod(join(dir, 'sbom.spdx.json'), 0);
    await mkdir(join(dir, 'more'));
    await chmod(join(dir, 'more'), 0);
    await unprivileged(async () => {
      expect((await found()).map((each) => `${each.path}: ${each.message}`).sort()).toEqual([
        'more: it cannot be read',
        'sbom.spdx.json: it cannot be read',
        'vm.raw: its content does not match its recorded digest',
      ]);
    });
  });

  test('must have no empty folder, wrong mode or wrong owner', async () => {
    await mkdir(join(dir, 'more/empty'), { recursive: true });
    await chmod(join(dir, 'vm.raw'), 0o4755);
    expect((await found()).map(({ path, message }) => `${path}: ${message}`).sort()).toEqual([
      'more/empty: empty folder, which no build creates',
      'vm.raw: its mode is 4755, expected 0644',
    ]);
    await chmod(join(dir, 'vm.raw'), 0o644);
    await chmod(join(dir, 'more'), 0o777);
    expect(await faults()).toEqual(['wrong more', 'extra more/empty']);
    if (process.getuid?.() !== 0) return;
    await chown(join(dir, 'sbom.spdx.json'), 1, 2);
    expect((await found()).map(({ message }) => message)).toContain('its owner is 1:2, expected 0:0');
  });

  test('is checked by the digest of a disk’s data, if recorded', async () => {
    const disk = Buffer.alloc(300_000);
    disk.write('boot', 0);
    disk.write('end', 299_000);
    await put('vm.raw', disk.toString('latin1'));
    const at = (path: string): Promise<string> => withHashers((hash) => hash(path, 'data'));
    const data = await at(join(dir, 'vm.raw'));
    const extents = [
      { start: 100, length: 10 },
      { start: 290_000, length: 10_000 },
    ];
    expect(await withHashers((hash) => hash(join(dir, 'vm.raw'), 'data', extents))).toBe(data);
    const block = (start: number, end: number): Buffer => {
      const place = Buffer.alloc(8);
      place.writeBigUInt64BE(BigInt(start));
      return Buffer.concat([place, disk.subarray(start, end)]);
    };
    expect(data).toBe(sha256(Buffer.concat([block(0, 65_536), block(262_144, 300_000)])));
    image.files = image.files.map((file) => (file.path === 'vm.raw' ? { ...file, data } : file));
    await attest('vm.raw', sha256(disk));
    await record();
    const held = (): Promise<Fault[]> =>
      imageFaults(dir, image, { imageKey: key, channels: channels() }, { all: fileDigest, data: at });
    expect(await held()).toEqual([]);
    disk[150_000] = 1;
    await writeFile(join(dir, 'vm.raw'), disk);
    expect((await held()).map(({ path }) => path)).toEqual(['vm.raw']);
  });

  test('reports read errors', async () => {
    const failing = (): Promise<string> => Promise.reject(Object.assign(new Error('read'), { code: 'EIO' }));
    const all = await imageFaults(dir, image, { imageKey: key, channels: channels() }, { all: failing });
    expect(all.map(({ message }) => message)).toEqual(image.files.map(() => 'it cannot be read'));
  });

  test.each(['no JSON', 'null', '[]', '{}', '{"payloadType":"x","payload":"","signatures":[null]}'])(
    'has a fault if its provenance is %j',
    async (text) => {
      await put('provenance.dsse.json', text);
      await record();
      expect(await faults()).toEqual(['wrong provenance.dsse.json']);
    },
  );

  test.each(['no JSON', 'null', '{"subject":{}}', '{"subject":[{"name":"vm.raw"}]}'])(
    'has a fault if the signed statement is %j',
    async (statement) => {
      const envelope = signEnvelope(key, statementType, Buffer.from(statement));
      await put('provenance.dsse.json', JSON.stringify(envelope));
      await record();
      expect(await faults()).toEqual(['wrong provenance.dsse.json']);
    },
  );
});

describe('a release record', () => {
  const fingerprint = 'A'.repeat(40);
  let out: string;
  const found = async (signing: { key?: string; imageKey?: string } = {}): Promise<string[]> => {
    const release = { signingKey: { fingerprint, publicKey: '', development: true }, imageKey: key };
    const { project } = { project: { signing } as Project };
    return (await keyFaults({ out, project }, release)).map(({ path, message }) => `${path}: ${message}`);
  };
  const signed = async (text: string, signer = key): Promise<void> => {
    await writeFile(join(out, 'release.json'), text);
    await writeFile(join(out, 'release.json.sig'), signText(signer, text));
    await writeFile(join(out, 'image-key.pem'), key.publicKey);
  };
  beforeEach(async () => {
    out = join(dir, '..', 'signed');
    await mkdir(out);
    await signed('{"snapshot":"1"}');
  });

  test('with a valid signature has no fault', async () => {
    expect(await found()).toEqual([]);
    expect(await found({ key: fingerprint, imageKey: join(out, 'image-key.pem') })).toEqual([]);
  });

  test('is wrong if it or its signature was changed, or another key signed it', async () => {
    const wrong = ['release.json: release.json.sig is not a valid signature by its image key'];
    await writeFile(join(out, 'release.json'), '{"snapshot":"2"}');
    expect(await found()).toEqual(wrong);
    await signed('{"snapshot":"2"}');
    expect(await found()).toEqual([]);
    for (const text of [
      '',
      'no base64!',
      signText(key, '{"snapshot":"1"}'),
      `${signText(key, '{"snapshot":"2"}')}AAAA`,
    ]) {
      await writeFile(join(out, 'release.json.sig'), text);
      expect(await found()).toEqual(wrong);
    }
    const other = await openImageKey({ cache: join(out, 'cache'), publicKey: undefined, secret: undefined });
    await signed('{"snapshot":"2"}', other);
    expect(await found()).toEqual(wrong);
  });

  test('is wrong if the project names another key', async () => {
    const other = await openImageKey({ cache: join(out, 'cache'), publicKey: undefined, secret: undefined });
    await writeFile(join(out, 'other.pem'), other.publicKey);
    expect(await found({ key: 'B'.repeat(40), imageKey: join(out, 'other.pem') })).toEqual([
      'release.json: its signing key is not [signing] key',
      'release.json: its image key is not [signing] image-key',
    ]);
  });

  test('fails if the project’s key is missing or unreadable', async () => {
    await expect(found({ imageKey: join(out, 'none.pem') })).rejects.toMatchObject({ code: 'no-key', exit: 2 });
    const secret = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(out, 'secret.pem'), secret);
    await expect(found({ imageKey: join(out, 'secret.pem') })).rejects.toMatchObject({ code: 'no-key', exit: 2 });
  });

  test('without a signature, or with a symlink as one, has a fault', async () => {
    await rm(join(out, 'release.json.sig'));
    expect(await found()).toEqual(['release.json.sig: it is missing']);
    await symlink('release.json', join(out, 'release.json.sig'));
    expect(await found()).toEqual(['release.json.sig: it is a symbolic link']);
  });
});

describe('an output folder', () => {
  const snapshot = '20260101-01234567';
  let out: string;
  const release = { version: '4.0', snapshot, arch: 'x86_64', channels: [{ name: 'base', packages: [] }] };
  const found = async (): Promise<string[]> =>
    (await strays(out, { ...release, images: [image] })).map(({ path, fault }) => `${fault} ${path}`);
  beforeEach(async () => {
    out = join(dir, '..', 'out');
    for (const path of [
      'images/vm',
      'boot',
      'releases',
      `repo/4.0/${snapshot}/base/x86_64`,
      'repo/4.0/20251201-89abcdef/base',
    ])
      await mkdir(join(out, path), { recursive: true });
    await mkdir(join(out, 'repo/3.9/20250101-89abcdef/base'), { recursive: true });
    await symlink('20250101-89abcdef', join(out, 'repo/3.9/latest'));
    await symlink(snapshot, join(out, 'repo/4.0/latest'));
    for (const path of [
      'weir-output',
      '.lock',
      'release.json',
      'release.json.sig',
      'image-key.pem',
      `repo/4.0/${snapshot}/RPM-GPG-KEY`,
    ])
      await writeFile(join(out, path), '');
  });

  test('after builds has no fault, even with older snapshots and a running build', async () => {
    for (const path of ['x', 'images/x', 'repo/4.0/x']) await mkdir(temporaryName(join(out, path)));
    expect(await found()).toEqual([]);
  });

  test('may have the folders of the files beside the channels that the release names', async () => {
    await mkdir(join(out, `repo/4.0/${snapshot}/evidence`));
    expect(await found()).toEqual([`extra repo/4.0/${snapshot}/evidence`]);
    const extras = [{ path: 'evidence/bash-5.3-1.spdx.json', sha256: sha256('') }];
    expect(await strays(out, { ...release, extras, images: [image] })).toEqual([]);
  });

  test('with files that no build made has faults', async () => {
    // Temporary of a dead process: no process has this start time.
    const abandoned = basename(temporaryName('x')).replace(/-[0-9a-z]+-([0-9a-f]{8})/, '-1-$1');
    const extra = [
      'evil',
      '.evil',
      '.evil.tmp',
      abandoned,
      'images/evil',
      'images/.evil',
      `images/${abandoned}`,
      'repo/evil',
      'repo/4.0/evil',
      'repo/3.9/evil',
      `repo/4.0/${snapshot}/evil`,
      `repo/4.0/${snapshot}/base/evil`,
    ];
    for (const path of extra) await writeFile(join(out, path), '');
    await mkdir(join(out, 'repo/evil folder/evil'), { recursive: true });
    await rm(join(out, 'weir-output'));
    const faults = [...extra, 'repo/evil folder'].map((path) => `extra ${path}`);
    expect((await found()).sort()).toEqual([...faults, 'missing weir-output'].sort());
  });
});
