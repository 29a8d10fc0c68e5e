import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Digest } from './digest.ts';
import { mapLimit } from './files.ts';

export interface ToHasher {
  readonly id: number;
  readonly path: string;
  /** Parts that hold data, in bytes, sorted; the rest of the file is zeros and not read. All of it where left out. */
  readonly data?: readonly { readonly start: number; readonly length: number }[] | undefined;
}

export type FromHasher = { readonly id: number } & (
  | { readonly digest: Digest }
  | { readonly message: string; readonly code: string | undefined }
);

/** SHA-256 of a file. @throws what reading it throws, with its `code` */
export type HashFile = (path: string, data?: ToHasher['data']) => Promise<Digest>;

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
  const hash: HashFile = (path, data) =>
    new Promise((done, failed) => {
      const id = ++last;
      waiting.set(id, { done, failed });
      const worker = threads.reduce((a, b) => (busy.get(b)! < busy.get(a)! ? b : a));
      busy.set(worker, busy.get(worker)! + 1);
      worker.postMessage({ id, path, data } satisfies ToHasher);
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
