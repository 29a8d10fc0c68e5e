import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Place, WeirError } from '../../base/errors.ts';
import { parsedRecord } from '../image/image-record.ts';
import type { ImageRecord } from '../record-schema.ts';

/**
 * Refuses a folder that a customized image must not replace. It may replace an empty folder and that of a customized image.
 * @param path an absolute path @param where the line that names it, if it comes from a file
 * @throws WeirError `output-exists`, `not-a-folder` (exit 2)
 */
export async function checkImageFolder(path: string, where?: Place): Promise<void> {
  await checkParents(path, where);
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return;
  if (!info.isDirectory()) throw refused('not-a-folder', path, 'this is not a folder', 'name a folder', where);
  if ((await readdir(path)).length === 0) return;
  if ((await recordIn(path))?.derivedFrom !== undefined) return;
  const what = 'the folder exists and holds no customized image';
  throw refused('output-exists', path, what, 'the image would replace all of it: name a new or an empty folder', where);
}

/**
 * Refuses a file that cannot be written, or belongs to a built image.
 * @param path an absolute path @param where the line that names it, if it comes from a file
 * @throws WeirError `output-exists`, `not-a-file`, `not-a-folder` (exit 2)
 */
export async function checkImageFile(path: string, where?: Place): Promise<void> {
  await checkParents(path, where);
  const info = await stat(path).catch(() => undefined);
  if (info !== undefined && !info.isFile()) {
    throw refused('not-a-file', path, 'this is not a file', 'name a file', where);
  }
  const record = await recordIn(dirname(path));
  if (record?.files.some((file) => file.path === basename(path)) !== true) return;
  throw refused('output-exists', path, `this is a file of image ${record.name}`, 'name another file', where);
}

/** Refuses an output that is one of the files it is made from, also by another name. @throws WeirError `output-exists` (exit 2) */
export async function checkIsNoInput(path: string, inputs: readonly string[]): Promise<void> {
  const out = await stat(path).catch(() => undefined);
  if (out === undefined) return;
  for (const input of inputs) {
    const info = await stat(input).catch(() => undefined);
    if (info?.dev !== out.dev || info.ino !== out.ino) continue;
    throw refused(
      'output-exists',
      path,
      `this is the input ${input}, which stays as it is`,
      'name another file',
      undefined,
    );
  }
}

async function recordIn(folder: string): Promise<ImageRecord | undefined> {
  return parsedRecord(await readFile(join(folder, 'image.json'), 'utf8').catch(() => ''));
}

/** Folders that are missing are made; the first one that is there must be a folder. */
async function checkParents(path: string, where: Place | undefined): Promise<void> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => undefined);
    if (info?.isDirectory() === true || folder === dirname(folder)) return;
    if (info !== undefined) throw refused('not-a-folder', folder, 'this is not a folder', 'name another path', where);
  }
}

function refused(code: string, path: string, what: string, hint: string, where: Place | undefined): WeirError {
  return new WeirError(code, `${where === undefined ? '' : `${path}: `}${what}`, {
    where: where ?? { file: path },
    hint: `${hint} in --output-path`,
    exit: 2,
  });
}
