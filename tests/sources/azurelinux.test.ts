import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadProject } from '../../src/project/load.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import { formatLock, lockNames, lockPath, parseLock, resolutionInputHash } from '../../src/sources/component-lock.ts';
import { formatSourcesFile, parseSourcesFile } from '../../src/sources/listing.ts';

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

it.skipIf(checkout === undefined)('has the same resolution hash as azldev', async () => {
  const project = await loadProject(checkout!);
  const ant = project.components.get('ant')!;
  const moved = { ...ant.spec, distro: { name: 'fedora', version: '43', snapshot: '2026-02-24T00:00:00-08:00' } };
  // As the project's own lock of ant has it, from May 2026 on.
  expect(resolutionInputHash({ ...ant, spec: moved as ResolvedComponent['spec'] }, project)).toBe(
    'sha256:466421704711c4fd3c71f0b2ed715a0e61d49e3e26f3a2637fee755795849c8e',
  );
});
