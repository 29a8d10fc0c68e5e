import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { didYouMean, WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import type { Project } from '../project/model/project.ts';
import type { Workspace } from '../workspace/workspace.ts';
import {
  type ImageRecord,
  imageRecordSchema,
  type ReleaseRecord,
  recordProblem,
  releaseRecordSchema,
} from './record-schema.ts';

/** The record of the last release built, or undefined. @throws WeirError `bad-record` */
export async function readRelease(workspace: Pick<Workspace, 'out'>): Promise<ReleaseRecord | undefined> {
  return readReleaseFile(join(workspace.out, 'release.json'));
}

/**
 * The record of any release, or undefined if the file does not exist. @param hint what to do about an invalid record
 * @throws WeirError `bad-record`
 */
export async function readReleaseFile(file: string, hint?: string): Promise<ReleaseRecord | undefined> {
  return readRecord<ReleaseRecord>(releaseRecordSchema, file, hint);
}

/** The record of the last release built. @throws WeirError `not-built`, `bad-record` */
export async function builtRelease(workspace: Pick<Workspace, 'out'>): Promise<ReleaseRecord> {
  const record = await readRelease(workspace);
  if (record !== undefined) return record;
  throw new WeirError('not-built', 'no release was built yet', {
    where: { file: join(workspace.out, 'release.json') },
    hint: 'run: weir build',
  });
}

/** The record of an image's last build, or undefined. @throws WeirError `bad-record` */
export async function readImage(workspace: Pick<Workspace, 'out'>, name: string): Promise<ImageRecord | undefined> {
  return readRecord<ImageRecord>(imageRecordSchema, join(imageFolder(workspace, name), 'image.json'));
}

async function readRecord<T>(schema: z.ZodType, file: string, hint?: string): Promise<T | undefined> {
  const info = await stat(file).catch(() => undefined);
  // Opening a named pipe would block.
  if (info !== undefined && !info.isFile()) throw badRecord(file, 'not a regular file', undefined, hint);
  const text = await readIfExists(file).catch((error: unknown) => {
    throw error instanceof WeirError && error.code === 'not-readable'
      ? badRecord(file, 'cannot read it', error, hint)
      : error;
  });
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badRecord(file, 'not JSON', cause, hint);
  }
  const problem = recordProblem(schema, value);
  if (problem !== undefined) throw badRecord(file, problem, undefined, hint);
  return value as T;
}

/** The error for an invalid record, or one of an older Weir. */
export function badRecord(
  file: string,
  what: string,
  cause?: unknown,
  hint = 'run weir build to recreate it',
): WeirError {
  return new WeirError('bad-record', `invalid build record: ${what}`, {
    where: { file },
    hint,
    cause,
  });
}

/** The record of an image's last build. @throws WeirError `no-image`, with the closest name if the project has no such image */
export async function builtImage(workspace: Pick<Workspace, 'out' | 'project'>, name: string): Promise<ImageRecord> {
  checkImageName(workspace.project, name);
  const record = await readImage(workspace, name);
  if (record !== undefined) return record;
  throw new WeirError('no-image', `image ${name} was not built yet`, {
    where: { file: imageFolder(workspace, name) },
    hint: `run: weir build --image ${name}`,
  });
}

/** @throws WeirError `no-image` with the closest name */
export function checkImageName(project: Pick<Project, 'images'>, name: string): void {
  if (project.images.has(name)) return;
  throw new WeirError('no-image', `the project has no image ${name}`, {
    hint: didYouMean(name, project.images.keys()) ?? 'run: weir image list',
    exit: 2,
  });
}

export function imageFolder(workspace: Pick<Workspace, 'out'>, name: string): string {
  return join(workspace.out, 'images', name);
}

/** Folder of a release's snapshot, relative to the output folder. */
export function snapshotPath({ version, snapshot }: Pick<ReleaseRecord, 'version' | 'snapshot'>): string {
  return join('repo', version, snapshot);
}

/** Folder of a channel's repository, in the layout of `publishSnapshot`. */
export function channelFolder(workspace: Pick<Workspace, 'out'>, release: ReleaseRecord, channel: string): string {
  return join(workspace.out, snapshotPath(release), channel, release.arch);
}
