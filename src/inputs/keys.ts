import { basename } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import type { Engine } from '../engine/action.ts';
import { hasBlob, putBytes, readBlobText } from '../engine/store.ts';
import { fetchUnhashed, fetchVerified } from '../sources/download.ts';
import { inputError } from './input-error.ts';
import { type InputRepository, readLocalKey } from './input-repository.ts';

/** The text of a key file and its SHA-256. */
export interface KeyText {
  readonly text: string;
  readonly digest: string;
}

/**
 * The keys of a repository. One that is fetched over the network is trusted on first use: from then on, the lock file holds its
 * digest.
 * @param locked digests of the lock file, in the order of the keys; undefined if the repository is not locked yet
 * @throws WeirError `key-changed`, `no-key`, `offline`
 */
export async function keyTexts(
  { engine, cache }: { readonly engine: Engine; readonly cache: string },
  repository: Pick<InputRepository, 'id' | 'keys'>,
  locked: readonly string[] | undefined,
): Promise<KeyText[]> {
  const keys: KeyText[] = [];
  for (const [index, url] of repository.keys.entries()) {
    const expected = locked?.[index];
    const key = await (url.startsWith('file://') ? readLocalKey(url) : remoteKey(engine, cache, url, expected)).catch(
      (error: unknown) => {
        throw inputError(repository.id, error);
      },
    );
    if (!key.text.includes('BEGIN PGP PUBLIC KEY')) {
      throw new WeirError('no-key', `repository ${repository.id}: ${url} is not an armored OpenPGP key`, {
        hint: 'such a key begins with "-----BEGIN PGP PUBLIC KEY BLOCK-----"',
        exit: 2,
      });
    }
    if (locked !== undefined && key.digest !== expected) {
      throw new WeirError(
        'key-changed',
        `the key ${url} of repository ${repository.id} is not the one in inputs.lock`,
        {
          details: [`locked ${expected ?? 'no key'}`, `now    ${key.digest}`],
          hint: `if the new key is right, run: weir inputs update ${repository.id}`,
        },
      );
    }
    await putBytes(engine.store, key.text);
    keys.push(key);
  }
  return keys;
}

async function remoteKey(engine: Engine, cache: string, url: string, expected: string | undefined): Promise<KeyText> {
  const context = { store: engine.store, cache };
  if (expected !== undefined && (await hasBlob(engine.store, expected))) {
    return { text: await readBlobText(engine.store, expected), digest: expected };
  }
  const filename = basename(url);
  const digest =
    expected === undefined
      ? (await fetchUnhashed(filename, 'SHA256', [url], context)).hash
      : await fetchVerified({ filename, hashType: 'SHA256', hash: expected }, [url], context);
  const text = await readBlobText(engine.store, digest);
  return { text, digest: sha256(text) };
}
