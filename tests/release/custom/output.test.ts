import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCustomization } from '../../../src/release/custom/customization.ts';
import { customizeImage } from '../../../src/release/custom/customize.ts';
import { injectFiles } from '../../../src/release/custom/inject.ts';
import { checkImageFile, checkImageFolder } from '../../../src/release/custom/output.ts';
import { checkSize } from '../../../src/release/custom/raw-copy.ts';
import { type ImageRecord, recordText } from '../../../src/release/record-schema.ts';
import type { Workspace } from '../../../src/workspace/workspace.ts';
import { load } from '../../project/fixture.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-output-'));
});

afterEach(() => rm(dir, { recursive: true }));

const record: ImageRecord = {
  ...{ name: 'vm', kind: 'disk', inputs: '', snapshot: '', packages: [], installedSize: 0, osRelease: {} },
  ...{ files: [{ path: 'vm.raw', size: 0, sha256: '' }], details: {}, log: [] },
};

describe('a folder for a customized image', () => {
  it('may be missing, empty, or that of another customized image', async () => {
    await checkImageFolder(join(dir, 'a/b'));
    await checkImageFolder(dir);
    await writeFile(join(dir, 'image.json'), recordText({ ...record, derivedFrom: 'base' }));
    await checkImageFolder(dir);
  });

  it.each([
    ['work of others', 'notes.txt', 'x'],
    ["an image of the project's", 'image.json', recordText(record)],
    ['a record that is none', 'image.json', '{"derivedFrom": "x"}'],
  ])('that holds %s is not replaced', async (_what, name, text) => {
    await writeFile(join(dir, name), text);
    const error = { code: 'output-exists', exit: 2, hint: expect.stringContaining('--output-path') };
    await expect(checkImageFolder(dir)).rejects.toMatchObject({ ...error, where: { file: dir } });
    const where = { file: '/c.yaml', line: 3, column: 4 };
    await expect(checkImageFolder(dir, where)).rejects.toMatchObject({
      ...{ ...error, where },
      message: expect.stringContaining(dir),
    });
  });

  it('is neither a file nor below one', async () => {
    await writeFile(join(dir, 'f'), '');
    await expect(checkImageFolder(join(dir, 'f'))).rejects.toMatchObject({ code: 'not-a-folder', exit: 2 });
    await expect(checkImageFolder(join(dir, 'f/x/y'))).rejects.toMatchObject({ where: { file: join(dir, 'f') } });
  });

  it('is refused before anything is built', async () => {
    await mkdir(join(dir, 'work'));
    await writeFile(join(dir, 'work/notes.txt'), 'x');
    await writeFile(join(dir, 'c.yaml'), '');
    const project = await load('[images.box.definition]\ntype = "weir"\nkind = "container"\npackages = ["bash"]\n');
    // Nothing of the workspace but the project is there to be used.
    const made = customizeImage(
      { project } as Workspace,
      'box',
      await readCustomization(join(dir, 'c.yaml')),
      { path: join(dir, 'work'), format: undefined },
      { jobs: 1, keepGoing: false },
    );
    await expect(made).rejects.toMatchObject({ code: 'output-exists' });
    expect(await readFile(join(dir, 'work/notes.txt'), 'utf8')).toBe('x');
  });
});

describe('a file for an image', () => {
  it('may be new or an older result', async () => {
    await checkImageFile(join(dir, 'new/web.raw'));
    await writeFile(join(dir, 'web.raw'), '');
    await checkImageFile(join(dir, 'web.raw'));
  });

  it('is no folder, and no file of a built image', async () => {
    await mkdir(join(dir, 'web.raw'));
    await expect(checkImageFile(join(dir, 'web.raw'))).rejects.toMatchObject({ code: 'not-a-file', exit: 2 });
    await writeFile(join(dir, 'image.json'), recordText(record));
    await expect(checkImageFile(join(dir, 'vm.raw'))).rejects.toMatchObject({ code: 'output-exists', exit: 2 });
    await checkImageFile(join(dir, 'other.raw'));
  });
});

describe('the output of injected files', () => {
  const inject = (to: string): Promise<unknown> => {
    const files = [
      { idType: 'part-label', id: 'esp', destination: '/x', source: join(dir, 'x'), place: { file: 'c.yaml' } },
    ] as const;
    // Nothing of the workspace is there to be used.
    return injectFiles({} as Workspace, join(dir, 'vm.raw'), files, { path: join(dir, to), format: undefined }, 0);
  };

  beforeEach(async () => {
    await writeFile(join(dir, 'vm.raw'), 'disk');
    await writeFile(join(dir, 'x'), 'x');
    await symlink('vm.raw', join(dir, 'link.raw'));
    await link(join(dir, 'vm.raw'), join(dir, 'other.raw'));
    await mkdir(join(dir, 'folder.raw'));
  });

  it.each(['vm.raw', 'link.raw', 'other.raw', 'x'])('is not an input: %s', async (to) => {
    await expect(inject(to)).rejects.toMatchObject({ code: 'output-exists', exit: 2, where: { file: join(dir, to) } });
    expect(await readFile(join(dir, 'vm.raw'), 'utf8')).toBe('disk');
  });

  it.each([
    ['folder.raw', 'not-a-file'],
    ['x/new.raw', 'not-a-folder'],
  ])('can be written: %s is refused', async (to, code) => {
    await expect(inject(to)).rejects.toMatchObject({ code, exit: 2 });
  });

  it('has a size that its format can have', async () => {
    const raw = join(dir, 'raw');
    await writeFile(raw, Buffer.alloc(1024));
    await checkSize('/vm.raw', raw, 'raw');
    await expect(checkSize('/vm.raw', raw, 'vhd')).rejects.toMatchObject({
      code: 'bad-size',
      where: { file: '/vm.raw' },
    });
    await writeFile(raw, Buffer.alloc(1025));
    await expect(checkSize('/vm.raw', raw, 'raw')).rejects.toMatchObject({ code: 'bad-size', exit: 2 });
  });
});
