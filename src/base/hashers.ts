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
  /** With `data`: parts outside of which the file system has nothing, so that they need not be read. */
  readonly extents?: readonly Extent[] | undefined;
}

export type FromHasher = { readonly id: number } & (
  | { readonly digest: Digest }
  | { readonly message: string; readonly code: string | undefined }
);

/**
 * SHA-256 of a file. `data` is that of its data alone, for disks that are zeros for the most part: over each block of `dataBlock` bytes
 * that holds anything but zeros, in order, its offset as 64 bits (big-endian) and its bytes. With the file's size it says as much, and
 * the hash passes over gigabytes of zeros.
 * @throws what reading it throws, with its `code`
 */
export type HashFile = (path: string, what?: 'all' | 'data', extents?: readonly Extent[]) => Promise<Digest>;

/** Bytes of a block of which `data` says whether it holds anything. */
export const dataBlock = 65_536;

/** Does something with each of many things, as many at a time as keep the threads busy. */
export type EachOf = <T>(items: readonly T[], work: (item: T) => Promise<void>) => Promise<void>;

/**
 * Hashes files on threads, one a processor, for who has gigabytes to read: the threads live as long as `work` takes.
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
