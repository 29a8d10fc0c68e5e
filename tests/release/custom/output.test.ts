import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCustomization } from '../../../src/release/custom/customization.ts';
import { customizeImage } from '../../../src/release/custom/customize.ts';
import { checkImageFile, checkImageFolder } from '../../../src/release/custom/output.ts';
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
