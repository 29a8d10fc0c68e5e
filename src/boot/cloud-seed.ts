import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { makeSparse } from '../image/disk.ts';
import { makeEsp } from '../image/esp.ts';
import type { Toolbox } from '../toolbox/tool.ts';

/** Kernel parameter that makes cloud-init use only this data source. */
export const cloudSeedCommandLine = 'ds=nocloud';

/**
 * Writes a configuration disk for cloud-init: a FAT file system named CIDATA, for the NoCloud data source.
 * @param from folder with `user-data` and `meta-data`, optionally `network-config` and `vendor-data`
 * @throws WeirError `no-cloud-seed` (exit 2)
 */
export async function writeCloudSeed(core: Toolbox, from: string, to: string): Promise<void> {
  const names = await readdir(from).catch((): string[] => []);
  for (const wanted of ['user-data', 'meta-data']) {
    if (names.includes(wanted)) continue;
    throw new WeirError('no-cloud-seed', `missing file: ${wanted}`, {
      where: { file: from },
      hint: 'add user-data and meta-data for cloud-init; meta-data may be empty',
      exit: 2,
    });
  }
  const files: Record<string, string> = {};
  for (const name of names) if ((await stat(join(from, name))).isFile()) files[name] = join(from, name);
  const size = 40 << 20;
  await makeSparse(to, size);
  await makeEsp(
    core,
    { file: to, offset: 0, size },
    { files, label: 'CIDATA', volumeId: 'C1DA7A00', epoch: 0x5e000000 },
  );
}
