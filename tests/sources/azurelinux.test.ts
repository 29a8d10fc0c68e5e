import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadProject } from '../../src/project/load.ts';
import { formatSourcesFile, parseSourcesFile } from '../../src/sources/listing.ts';
import { formatLock, lockNames, lockPath, parseLock } from '../../src/sources/lock.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Needs a checkout of microsoft/azurelinux with its rendered specs; nothing of it is kept here.
it.skipIf(checkout === undefined)(
  'reads every sources file in $WEIR_AZURELINUX, and what it writes of it',
  { timeout: 600_000 },
  async () => {
    let count = 0;
    let entries = 0;
    for await (const name of glob('specs/*/*/sources', { cwd: checkout! })) {
      const files = parseSourcesFile(await readFile(join(checkout!, name), 'utf8'), name);
      expect(parseSourcesFile(formatSourcesFile(files), name)).toEqual(files);
      count++;
      entries += files.length;
    }
    console.info(`${count} sources files with ${entries} entries`);
    expect(count).toBeGreaterThan(7000);
    expect(entries).toBeGreaterThan(count);
  },
);

// The branch of 2026-04 has none yet; later ones have thousands.
it.skipIf(checkout === undefined)('writes every lock in $WEIR_AZURELINUX byte for byte as it is', async () => {
  const project = await loadProject(checkout!);
  const names = await lockNames(project);
  for (const name of names) {
    const text = await readFile(lockPath(project, name), 'utf8');
    expect(formatLock(parseLock(text, name))).toBe(text);
  }
  console.info(`${names.length} locks`);
});
