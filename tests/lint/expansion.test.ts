import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { atMost } from '../../src/lint/expansion.ts';

test('decompression stops at its limit', async () => {
  let made = 0;
  let written = 0;
  const endless = new Readable({
    read() {
      made += 1000;
      this.push(Buffer.alloc(1000));
    },
  });
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      done();
    },
  });
  await expect(pipeline(endless, atMost(50_000), sink)).rejects.toMatchObject({ code: 'too-large' });
  expect(written).toBeLessThanOrEqual(50_000);
  expect(made).toBeLessThan(1_000_000);
  await expect(pipeline(Readable.from([Buffer.alloc(50_000)]), atMost(50_000), sinkOf())).resolves.toBeUndefined();
});

function sinkOf(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
