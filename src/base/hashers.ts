import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Digest } from './digest.ts';
import { mapLimit } from './files.ts';

/** A part of a file, in bytes. */
export interface Extent {
  readonly start: number;
  readonly length: number;
}

export interface ToHasher {
  readonly id: number;
  readonly path: string;
  readonly what: 'all' | 'data';
  /** With `data`: ranges outside of which the file system stores nothing and reading can be skipped. */
  readonly extents?: readonly Extent[] | undefined;
}

export type FromHasher = { readonly id: number } & (
  | { readonly digest: Digest }
  | { readonly message: string; readonly code: string | undefined }
);

/**
 * SHA-256 of a file. With `data` only non-zero blocks count, for disk images that are mostly zeros: the hash covers, in
 * order, the offset (64 bits, big-endian) and bytes of every block of `dataBlock` bytes that is not all zeros. Together with
 * the file's size this identifies the content as well, and the hash skips gigabytes of zeros.
 * @throws the error of reading the file, with its `code`
 */
export type HashFile = (path: string, what?: 'all' | 'data', extents?: readonly Extent[]) => Promise<Digest>;

/** Block size in bytes for `data`. */
export const dataBlock = 65_536;

/** Runs `work` over many items, as many at a time as keep the threads busy. */
export type EachOf = <T>(items: readonly T[], work: (item: T) => Promise<void>) => Promise<void>;

/**
 * Hashes files on threads, one per processor, for callers that read gigabytes. The threads live as long as `work` takes.
 */
export async function withHashers<T>(work: (hash: HashFile, each: EachOf) => Promise<T>): Promise<T> {
  const count = Math.min(availableParallelism(), 8);
  const waiting = new Map<number, { done: (digest: Digest) => void; failed: (error: Error) => void }>();
  const threads = Array.from({ length: count }, () => {
    const worker = new Worker(new URL('./hash-worker.ts', import.meta.url));
    worker.on('message', (answer: FromHasher) => {
      const { done, failed } = waiting.get(answer.id)!;
      waiting.delete(answer.id);
      busy.set(worker, busy.get(worker)! - 1);
      if ('digest' in answer) done(answer.digest);
      else failed(Object.assign(new Error(answer.message), { code: answer.code }));
    });
    worker.on('error', (error) => {
      for (const { failed } of waiting.values()) failed(error as Error);
    });
    return worker;
  });
  const busy = new Map(threads.map((worker) => [worker, 0]));
  let last = 0;
  const hash: HashFile = (path, what = 'all', extents) =>
    new Promise((done, failed) => {
      const id = ++last;
      waiting.set(id, { done, failed });
      const worker = threads.reduce((a, b) => (busy.get(b)! < busy.get(a)! ? b : a));
      busy.set(worker, busy.get(worker)! + 1);
      worker.postMessage({ id, path, what, extents } satisfies ToHasher);
    });
  const each: EachOf = async (items, one) => {
    await mapLimit(items, 4 * count, one);
  };
  try {
    return await work(hash, each);
  } finally {
    await Promise.all(threads.map((worker) => worker.terminate()));
  }
}
