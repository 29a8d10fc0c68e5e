import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest, valueDigest } from '../../base/digest.ts';
import { WeirError } from '../../base/errors.ts';
import { temporaryName } from '../../base/files.ts';
import { inStage } from '../../base/progress.ts';
import { withScratch } from '../../engine/scratch.ts';
import type { Target } from '../../image/disk.ts';
import type { VmFormat } from '../../image/disk-formats.ts';
import { checkExt4 } from '../../image/ext4.ts';
import { identifyFileSystem, type PartitionContent } from '../../image/filesystem-identity.ts';
import { type GptPartition, readGpt } from '../../lint/gpt.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from '../../workspace/workspace.ts';
import type { Injection } from './inject-config.ts';
import { writeExt4, writeFat } from './inject-files.ts';
import { checkImageFile, checkIsNoInput } from './output.ts';
import { checkSize, formatToWrite, rawCopy, within, writeFormat } from './raw-copy.ts';
import { problem } from './yaml.ts';

export interface InjectedImage {
  readonly path: string;
  readonly format: VmFormat;
  readonly files: readonly {
    readonly destination: string;
    readonly source: string;
    /** Number of the partition. */
    readonly partition: number;
    readonly fileSystem: string;
    readonly sha256: string;
  }[];
}

/** A partition with what is in it. */
interface Part extends GptPartition {
  readonly content: PartitionContent;
}

/**
 * Writes a disk with files put into its partitions, such as signed boot loaders. What the partitions have besides stays as it
 * is. No mount, no root: FAT is written by mtools, ext4 by debugfs.
 * @param epoch time of the new files, seconds since 1970
 * @throws WeirError `bad-image-config` (exit 2) with the line for a partition, file system or source that is none;
 *   `output-exists`, `not-a-file`, `not-a-folder` (exit 2) for an output that cannot be written; `no-file`, `unknown-format`,
 *   `bad-size`, `tool-failed`
 */
export async function injectFiles(
  workspace: ProjectWorkspace,
  disk: string,
  injections: readonly Injection[],
  output: { readonly path: string; readonly format: string | undefined },
  epoch: number,
): Promise<InjectedImage> {
  await checkIsNoInput(output.path, [disk, ...injections.map(({ source }) => source)]);
  await checkImageFile(output.path);
  const sources = await Promise.all(injections.map(digestOf));
  const toolbox = await toolboxStage(workspace, 'core');
  const { engine, progress } = workspace;
  return inStage(progress, 'inject', async (stage) =>
    withScratch(engine.scratch, async (scratch) => {
      stage.update(`copying ${disk}`);
      const raw = join(scratch, 'disk.raw');
      const format = formatToWrite(output.path, output.format, await rawCopy(toolbox, disk, raw, scratch));
      await checkSize(disk, raw, format);
      const { diskUuid, parts } = await tableOf(raw);
      const chosen = injections.map((injection) => partitionFor(injection, parts));
      const touched = new Set<Part>();
      for (const [index, injection] of injections.entries()) {
        stage.update(injection.destination);
        await put(toolbox, raw, chosen[index]!, injection, epoch);
        touched.add(chosen[index]!);
      }
      for (const part of touched) if (typeOf(part) === 'ext4') await checkExt4(toolbox, targetOf(raw, part));
      stage.update(`writing ${output.path}`);
      await mkdir(dirname(output.path), { recursive: true });
      const temporary = temporaryName(output.path);
      try {
        const seed = seedOf(diskUuid, injections, chosen, sources);
        await writeFormat(toolbox, raw, temporary, format, { epoch, seed });
        await rename(temporary, output.path);
      } finally {
        await rm(temporary, { force: true });
      }
      const files = injections.map(({ destination, source }, index) => ({
        destination,
        source,
        partition: chosen[index]!.number,
        fileSystem: typeOf(chosen[index]!),
        sha256: sources[index]!,
      }));
      const result = { path: output.path, format, files };
      return { result, summary: `${files.length} files into ${touched.size} partitions`, cached: false };
    }),
  );
}

async function digestOf({ source, place }: Injection): Promise<string> {
  const info = await stat(source).catch(() => undefined);
  if (info?.isFile() !== true) throw problem(place, `${source} is ${info === undefined ? 'not there' : 'not a file'}`);
  return fileDigest(source);
}

async function tableOf(raw: string): Promise<{ readonly diskUuid: string; readonly parts: Part[] }> {
  const { size } = await stat(raw);
  return within(raw, (read) => {
    const { primary, backup, partitions } = readGpt(read, size);
    const parts = partitions.map((part) => ({ ...part, content: identifyFileSystem(read, part.offset, part.size) }));
    return { diskUuid: (primary.sound ? primary : backup).diskUuid, parts };
  });
}

/** Seed of the result's own UUID: two disks with the same files, or one with them elsewhere, are not the same disk. */
export function seedOf(
  diskUuid: string,
  injections: readonly Pick<Injection, 'destination'>[],
  chosen: readonly Pick<GptPartition, 'uuid'>[],
  digests: readonly string[],
): string {
  return valueDigest([
    diskUuid,
    ...injections.map(({ destination }, index) => [chosen[index]!.uuid, destination, digests[index]]),
  ]);
}

function partitionFor({ idType, id, place }: Injection, parts: readonly Part[]): Part {
  const name = (part: Part): string | undefined => {
    if (idType === 'part-label') return part.name;
    if (idType === 'part-uuid') return part.uuid;
    return part.content.state === 'known' ? part.content.uuid : undefined;
  };
  const same = (a: string | undefined): boolean =>
    idType === 'part-label' ? a === id : a?.toLowerCase() === id.toLowerCase();
  const found = parts.filter((part) => same(name(part)));
  const [part] = found;
  if (part !== undefined && found.length === 1) return part;
  const all = parts.map((each) => `${each.number}: ${name(each) || 'none'}`).join(', ');
  const which = part === undefined ? 'no partition' : 'more than one partition';
  throw problem(place, `the disk has ${which} with ${idType} ${id}`, `its partitions: ${all || 'none'}`);
}

function typeOf({ content }: Part): string {
  return content.state === 'known' ? content.type : 'unknown';
}

function targetOf(file: string, { offset, size }: Part): Target {
  return { file, offset, size };
}

async function put(toolbox: Toolbox, raw: string, part: Part, injection: Injection, epoch: number): Promise<void> {
  const target = targetOf(raw, part);
  const { destination, source, place } = injection;
  const type = typeOf(part);
  if (type !== 'vfat' && type !== 'ext4') {
    throw problem(
      place,
      `partition ${part.number} has ${type === 'unknown' ? 'no known file system' : type}`,
      'Weir writes to FAT and ext4',
    );
  }
  try {
    if (type === 'vfat') await writeFat(toolbox, target, destination, source, epoch);
    else await writeExt4(toolbox, target, destination, source, epoch);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'bad-path')
      throw problem(place, `${destination} ${error.message}`);
    if (!(error instanceof WeirError) || error.code !== 'tool-failed') throw error;
    throw new WeirError('inject-failed', `${destination} cannot be written to partition ${part.number}`, {
      where: place,
      details: error.details,
      hint: 'see what the tool says: the partition may be full or damaged',
      cause: error,
    });
  }
}
