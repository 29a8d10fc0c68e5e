import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { writeDurable } from './durable.ts';

/**
 * A cache's own key. What the cache wrote about its content (results, indexes, stamps) has a mark by this key, so that what
 * anybody else put there is not believed. The key never leaves the cache, and no sandbox sees it.
 */
export interface Seal {
  /** HMAC-SHA-256 of a text as 64 hex digits. @param subject what the text is about: a mark does not hold for anything else */
  readonly mark: (subject: string, text: string) => string;
}

/** Bytes of a key; a file of another length is none. */
const keyLength = 32;

/** Opens the key in a file, which is made at first use with mode 0600. A damaged one is made anew: then no old mark holds. */
export function openSeal(file: string): Seal {
  const key = readKey(file) ?? makeKey(file);
  return {
    mark: (subject, text) => createHmac('sha256', key).update(`${subject}\n`).update(text).digest('hex'),
  };
}

/** Whether a mark is that of the text. */
export function isMarked(seal: Seal, subject: string, text: string, mark: string): boolean {
  return mark.length === 64 && timingSafeEqual(Buffer.from(mark), Buffer.from(seal.mark(subject, text)));
}

/** A text with its mark in a line before it, for a file. */
export function sealed(seal: Seal, subject: string, text: string): string {
  return `${seal.mark(subject, text)}\n${text}`;
}

/** What `sealed` made a file of; undefined where the file is not this cache's, or is about something else. */
export function unsealed(seal: Seal, subject: string, file: string): string | undefined {
  const text = file.slice(65);
  return file[64] === '\n' && isMarked(seal, subject, text, file.slice(0, 64)) ? text : undefined;
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
    mkdirSync(dirname(file), { recursive: true });
    if (readKey(file) === undefined) rmSync(file, { force: true });
    // On the disk before anything is marked by it: a key that a power cut takes away takes all results with it.
    writeDurable(temporary, randomBytes(keyLength), 0o600);
    linkSync(temporary, file);
  } catch (error) {
    // Another run was faster: its key is the one.
    if (systemCode(error) !== 'EEXIST') throw diskError(error, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  const key = readKey(file);
  if (key === undefined) throw new TypeError(`${file} is no key although it was just made`);
  return key;
}
