import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { linkSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { diskError, makeFolder, temporaryName } from '../base/files.ts';
import { writeDurable } from './durable.ts';

/**
 * A cache's own key. The cache signs its records (results, indexes, stamps) with it, and rejects records that anything else
 * wrote. The key never leaves the cache, and no sandbox sees it.
 */
export interface Seal {
  /** HMAC-SHA-256 of a text as 64 hex digits. @param subject what the text is about: the mark is valid for nothing else */
  readonly mark: (subject: string, text: string | Uint8Array) => string;
}

/** Bytes of a key; a file of another length is not a key. */
const keyLength = 32;

/** Opens the key in a file, created on first use with mode 0600. A damaged key is replaced, which invalidates all old marks. */
export function openSeal(file: string): Seal {
  // Once: making a key object from bytes takes longer than the mark of a small record.
  const key = createSecretKey(readKey(file) ?? makeKey(file));
  return {
    mark: (subject, text) => createHmac('sha256', key).update(`${subject}\n`).update(text).digest('hex'),
  };
}

/** Whether a mark is valid for the text. */
export function isMarked(seal: Seal, subject: string, text: string | Uint8Array, mark: string): boolean {
  return mark.length === 64 && timingSafeEqual(Buffer.from(mark), Buffer.from(seal.mark(subject, text)));
}

/** A text preceded by a line with its mark, for a file. */
export function sealed(seal: Seal, subject: string, text: string): string {
  return `${seal.mark(subject, text)}\n${text}`;
}

/** The text of a file made by `sealed`; undefined if this cache did not write it or it has another subject. */
export function unsealed(seal: Seal, subject: string, file: string): string | undefined {
  const text = file.slice(65);
  return file[64] === '\n' && isMarked(seal, subject, text, file.slice(0, 64)) ? text : undefined;
}

/** `sealed` for bytes. A text's file is the same either way. */
export function sealedBytes(seal: Seal, subject: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${seal.mark(subject, bytes)}\n`), bytes]);
}

/** `unsealed` for bytes. */
export function unsealedBytes(seal: Seal, subject: string, file: Buffer): Buffer | undefined {
  const bytes = file.subarray(65);
  const mark = file.toString('latin1', 0, 64);
  return file[64] === 0x0a && isMarked(seal, subject, bytes, mark) ? bytes : undefined;
}

function readKey(file: string): Buffer | undefined {
  try {
    const key = readFileSync(file);
    return key.length === keyLength ? key : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw diskError(error, file);
  }
}

function makeKey(file: string): Buffer {
  const temporary = temporaryName(file);
  try {
    makeFolder(dirname(file));
    if (readKey(file) === undefined) rmSync(file, { force: true });
    // On the disk before anything is signed with it: losing the key in a power cut would invalidate all results.
    writeDurable(temporary, randomBytes(keyLength), 0o600);
    linkSync(temporary, file);
  } catch (error) {
    // Another run created the key first; use that one.
    if (systemCode(error) !== 'EEXIST') throw diskError(error, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  const key = readKey(file);
  if (key === undefined) throw new TypeError(`${file} is not a key although it was just written`);
  return key;
}
