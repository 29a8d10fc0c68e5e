import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEngine } from '../../../src/engine/engine.ts';
import type { Store } from '../../../src/engine/store.ts';
import { addFiles } from '../../../src/release/custom/custom-files.ts';
import { readCustomization } from '../../../src/release/custom/customization.ts';
import { TreePaths } from '../../../src/release/custom/tree-paths.ts';
import type { Entry } from '../../../src/tree/tree.ts';

let dir: string;
let store: Store;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-files-'));
  ({ store } = await openEngine(join(dir, 'cache')));
  await mkdir(join(dir, 'src/sub'), { recursive: true });
  await writeFile(join(dir, 'src/sub/run'), 'x', { mode: 0o755 });
  await writeFile(join(dir, 'c.yaml'), 'os:\n  additionalDirs:\n  - { source: src, destination: /opt/app/ }\n');
});

afterEach(() => rm(dir, { recursive: true }));

async function added(): Promise<Map<string, Entry>> {
  const paths = new TreePaths({ entries: [], packages: [] }, 7);
  await addFiles(store, paths, await readCustomization(join(dir, 'c.yaml')), 7);
  return new Map(paths.added.map((entry) => [entry.path, entry]));
}

describe('a folder that is added', () => {
  it('keeps its links, wherever they lead', async () => {
    await symlink('/etc/hostname', join(dir, 'src/sub/host'));
    await symlink('.', join(dir, 'src/circle'));
    await symlink('self', join(dir, 'src/self'));
    await symlink('nowhere', join(dir, 'src/gone'));
    const entries = await added();
    expect(entries.get('/opt/app/sub/run')).toMatchObject({ kind: 'file', size: 1 });
    for (const [path, target] of [
      ['sub/host', '/etc/hostname'],
      ['circle', '.'],
      ['self', 'self'],
      ['gone', 'nowhere'],
    ]) {
      expect(entries.get(`/opt/app/${path}`)).toMatchObject({ kind: 'symlink', target, mode: 0o777 });
    }
    expect([...entries.keys()].filter((path) => path.startsWith('/opt/app/circle/'))).toEqual([]);
  });

  it('cannot be a link to itself', async () => {
    await rm(join(dir, 'src'), { recursive: true });
    await symlink('src', join(dir, 'src'));
    await expect(added()).rejects.toMatchObject({ code: 'bad-image-config', where: { line: 3 } });
  });

  it('has files, folders and links, nothing else', async () => {
    execFileSync('mkfifo', [join(dir, 'src/pipe')]);
    await expect(added()).rejects.toMatchObject({ code: 'bad-image-config', where: { line: 3 } });
  });
});
