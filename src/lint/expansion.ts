import { Transform } from 'node:stream';
import { WeirError } from '../base/errors.ts';

/** Limit in bytes, larger than any container or WSL root: a few bytes can decompress to any size. */
export const mostUnpacked = 32 * 2 ** 30;

/** Passes on at most this many bytes. @throws WeirError `too-large` as the stream's error */
export function atMost(most = mostUnpacked): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      if (passed <= most) done(null, chunk);
      else done(new WeirError('too-large', `it decompresses to more than ${most} bytes, the limit`));
    },
  });
}
