import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunResult } from '../../src/base/process.ts';
import type { Bind } from '../../src/engine/jail.ts';
import { runSandboxed } from '../../src/engine/sandbox.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { newFolder, shared } from './weir.ts';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export const layout = join(shared.out, 'images', 'container-base', 'oci');

export function blobFile(digest: string): string {
  return join(layout, 'blobs', ...digest.split(':'));
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

export function readIndex(): Promise<{ readonly manifests: readonly Descriptor[] }> {
  return readJson(join(layout, 'index.json'));
}

export async function readManifest(): Promise<Manifest> {
  const [first] = (await readIndex()).manifests;
  return readJson(blobFile(first!.digest));
}

export async function readConfig(): Promise<{
  readonly architecture: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly config: { readonly Cmd?: readonly string[] };
}> {
  return readJson(blobFile((await readManifest()).config.digest));
}

/** The container image's files in a folder, owned by who runs the tests. */
export async function unpackContainer(toolbox: Toolbox): Promise<string> {
  const root = await newFolder('root');
  for (const layer of (await readManifest()).layers) {
    const file = blobFile(layer.digest);
    await runTool(toolbox, {
      argv: ['tar', '-xzf', file, '-C', root, '--no-same-owner', '--keep-directory-symlink'],
      binds: [{ from: file }, { from: root, writable: true }],
    });
  }
  return root;
}

/** A container: what is written in it stays in it, from one command to the next. */
export interface Container {
  /** Where writes are. */
  readonly upper: string;
  readonly run: (argv: readonly string[]) => Promise<RunResult>;
}

export async function startContainer(
  toolbox: Toolbox,
  root: string,
  options: { readonly binds?: readonly Bind[]; readonly network?: boolean } = {},
): Promise<Container> {
  const folder = await newFolder('container');
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  await mkdir(upper);
  await mkdir(work);
  const spec = { root, overlay: { upper, work }, ...options };
  return { upper, run: (argv) => runSandboxed(toolbox.jail, { ...spec, argv }) };
}
