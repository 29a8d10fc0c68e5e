import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import type { Engine } from '../../src/engine/action.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { putBytes } from '../../src/engine/store.ts';
import { blobExtra, type ExtraFile, extraFaults, textExtra, writeExtras } from '../../src/repo/extras.ts';
import { publishSnapshot } from '../../src/repo/publish.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';
import { envelopeText, signEnvelope, statementType } from '../../src/trust/dsse.ts';
import type { SigningKey } from '../../src/trust/gpg.ts';
import { type ImageKey, openImageKey } from '../../src/trust/image-key.ts';

let root: string;
let engine: Engine;
let imageKey: ImageKey;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-extras-'));
  engine = await openEngine(join(root, 'cache'));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(join(root, 'key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(root, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  imageKey = await openImageKey({ cache: root, publicKey: join(root, 'key.pub'), secret: join(root, 'key') });
});
afterEach(() => rm(root, { recursive: true }));

/** Publishes a snapshot without channels, for which no tool runs. */
async function publish(extras?: readonly ExtraFile[]): Promise<{ name: string; dir: string; files: string[] }> {
  const { snapshot } = await publishSnapshot(engine, {} as Toolbox, { publicKey: 'key' } as SigningKey, {
    root: join(root, 'repo'),
    arch: 'x86_64',
    clock: 1_790_000_000,
    channels: [],
    ...(extras === undefined ? {} : { extras }),
    isWhole: () => Promise.resolve(true),
  });
  const entries = await readdir(snapshot.dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return { ...snapshot, files: files.map((path) => path.slice(snapshot.dir.length + 1)).sort() };
}

function statement(path: string, payload: string): ExtraFile {
  const sign = (): string => envelopeText(signEnvelope(imageKey, statementType, Buffer.from(payload)));
  return { path, sha256: sha256(payload), signed: true, write: (to) => writeFile(to, sign()) };
}

test('extras are published beside the channels, and the name of the snapshot depends on what they say', async () => {
  const { digest } = await putBytes(engine.store, 'blob');
  const extras = [textExtra('notes/a/one', 'one'), blobExtra(engine.store, 'notes/two', digest)];
  const plain = await publish();
  const first = await publish(extras);
  expect(plain.files).toEqual(['RPM-GPG-KEY']);
  expect(first.files).toEqual(['RPM-GPG-KEY', 'notes/a/one', 'notes/two']);
  expect(await readFile(join(first.dir, 'notes/two'), 'utf8')).toBe('blob');
  expect((await publish([])).name).toBe(plain.name);
  expect((await publish(extras.toReversed())).name).toBe(first.name);
  expect((await publish([textExtra('notes/a/one', 'ONE'), extras[1]!])).name).not.toBe(first.name);
  expect((await publish([textExtra('notes/a/three', 'one'), extras[1]!])).name).not.toBe(first.name);
});

test('another signature of the same statement does not rename the snapshot', async () => {
  const { name } = await publish([statement('notes/one', '{"a":1}')]);
  expect((await publish([statement('notes/one', '{"a":1}')])).name).toBe(name);
  expect((await publish([statement('notes/one', '{"a":2}')])).name).not.toBe(name);
});

test('a channel cannot have the name of their folder', async () => {
  const extras = [textExtra('notes/one', 'one')];
  await expect(writeExtras(join(root, 'new'), extras, [{ name: 'base' }, { name: 'notes' }])).rejects.toMatchObject({
    code: 'reserved-channel',
    exit: 2,
  });
});

test('every change of an extra is a fault', async () => {
  const extras = [textExtra('notes/one', 'one'), textExtra('more/two', 'two'), statement('notes/three', '{"a":1}')];
  const { dir } = await publish(extras);
  const faults = async (): Promise<string[]> =>
    (await extraFaults(dir, extras, imageKey.publicKey)).faults.map(({ path, fault }) => `${fault} ${path}`);
  expect(await faults()).toEqual([]);
  expect((await extraFaults(dir, extras, imageKey.publicKey)).files).toBe(3);

  const three = await readFile(join(dir, 'notes/three'), 'utf8');
  const envelope = JSON.parse(three) as { payload: string; signatures: { keyid: string; sig: string }[] };
  const other = openImageKey({ cache: join(root, 'other'), publicKey: undefined, secret: undefined });
  const signature = { ...envelope.signatures[0]!, sig: Buffer.from('no signature').toString('base64') };
  for (const text of [
    '',
    '{}',
    ` ${three}`,
    three.trimEnd(),
    JSON.stringify({ ...envelope, more: 1 }),
    envelopeText({ ...envelope, signatures: [] } as never),
    envelopeText({ ...envelope, signatures: [signature] } as never),
    envelopeText({ ...envelope, signatures: [...envelope.signatures, signature] } as never),
    envelopeText({ ...envelope, payload: Buffer.from('{"a":2}').toString('base64') } as never),
    envelopeText(signEnvelope(imageKey, statementType, Buffer.from('{"a":2}'))),
    envelopeText(signEnvelope(await other, statementType, Buffer.from('{"a":1}'))),
  ]) {
    await writeFile(join(dir, 'notes/three'), text);
    expect(await faults(), text).toEqual(['wrong notes/three']);
  }
  // The same key signed the same statement again.
  await writeFile(
    join(dir, 'notes/three'),
    envelopeText(signEnvelope(imageKey, statementType, Buffer.from('{"a":1}'))),
  );
  expect(await faults()).toEqual([]);

  await writeFile(join(dir, 'notes/one'), 'One');
  await rm(join(dir, 'more/two'));
  await writeFile(join(dir, 'more/four'), '');
  await mkdir(join(dir, 'notes/empty'));
  await chmod(join(dir, 'notes/three'), 0o600);
  expect((await faults()).sort()).toEqual([
    'extra more/four',
    'extra notes/empty',
    'missing more/two',
    'wrong notes/one',
    'wrong notes/three',
  ]);
});
