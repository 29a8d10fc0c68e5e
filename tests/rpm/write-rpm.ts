import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { temporaryName } from '../../src/base/files.ts';
import { payloadLevel } from '../../src/rpm/payload.ts';
import type { RpmSpec, WrittenRpm } from '../../src/rpm/types.ts';
import { packRpm } from '../../src/rpm/write.ts';
import type { Zstd } from '../../src/toolbox/zstd.ts';

/** Node's zstd, for tests without the toolbox. */
export const nodeZstd: Zstd = {
  digest: 'node',
  compress: async (files) => {
    const params = { [constants.ZSTD_c_compressionLevel]: payloadLevel };
    for (const file of files)
      await pipeline(createReadStream(file), createZstdCompress({ params }), createWriteStream(`${file}.zst`));
  },
};

/** Writes a package. @param scratch folder for scratch files */
export async function writeRpm(
  out: string,
  spec: RpmSpec,
  scratch: string = join(tmpdir(), 'rpm'),
  zstd: Zstd = nodeZstd,
): Promise<WrittenRpm> {
  const archive = temporaryName(scratch);
  try {
    const packed = await packRpm(spec, archive);
    await zstd.compress([archive]);
    return await packed.write(out, `${archive}.zst`);
  } finally {
    for (const path of [archive, `${archive}.zst`]) await rm(path, { force: true });
  }
}
