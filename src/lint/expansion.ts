import { Transform } from 'node:stream';
import { WeirError } from '../base/errors.ts';

/** bytes; a few bytes can unpack to any size, and no root file system of a container or for WSL is as large */
export const mostUnpacked = 32 * 2 ** 30;

/** Passes on so many bytes and no more. @throws WeirError `too-large` as the stream's error */
export function atMost(most = mostUnpacked): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      if (passed <= most) done(null, chunk);
      else
        done(
          new WeirError('too-large', `unpacked it has more than ${most} bytes, which are the most that is read here`),
        );
    },
  });
}
