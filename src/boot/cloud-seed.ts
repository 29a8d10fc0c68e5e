import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { makeSparse } from '../image/disk.ts';
import { makeEsp } from '../image/esp.ts';
import type { Toolbox } from '../toolbox/tool.ts';

/** What tells cloud-init to look at that disk and nowhere else. */
export const cloudSeedCommandLine = 'ds=nocloud';

/**
 * Writes a disk from which cloud-init takes its configuration: a FAT named CIDATA, as the NoCloud data source wants it.
 * @param from folder with `user-data` and `meta-data`, and perhaps `network-config` and `vendor-data`
 * @throws WeirError `no-cloud-seed` (exit 2)
 */
export async function writeCloudSeed(core: Toolbox, from: string, to: string): Promise<void> {
  const names = await readdir(from).catch((): string[] => []);
  for (const wanted of ['user-data', 'meta-data']) {
    if (names.includes(wanted)) continue;
    throw new WeirError('no-cloud-seed', `the folder has no ${wanted}`, {
      where: { file: from },
      hint: 'cloud-init wants user-data and meta-data; meta-data may be empty',
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
