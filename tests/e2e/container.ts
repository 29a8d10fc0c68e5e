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

/** The OCI layout of a container image of the shared build. */
export function layoutOf(name: string): string {
  return join(shared.out, 'images', name, 'oci');
}

export const layout = layoutOf('container-base');

export function blobFile(digest: string, of = layout): string {
  return join(of, 'blobs', ...digest.split(':'));
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

export function readIndex(of = layout): Promise<{ readonly manifests: readonly Descriptor[] }> {
  return readJson(join(of, 'index.json'));
}

export async function readManifest(of = layout): Promise<Manifest> {
  const [first] = (await readIndex(of)).manifests;
  return readJson(blobFile(first!.digest, of));
}

export async function readConfig(of = layout): Promise<{
  readonly architecture: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly config: {
    readonly Cmd?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly User?: string;
    readonly Env?: readonly string[];
  };
}> {
  return readJson(blobFile((await readManifest(of)).config.digest, of));
}

/** The container image's files in a folder, owned by who runs the tests. */
export async function unpackContainer(toolbox: Toolbox, of = layout): Promise<string> {
  const root = await newFolder('root');
  for (const layer of (await readManifest(of)).layers) {
    const file = blobFile(layer.digest, of);
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
  const spec = { code: 'tool' as const, root, overlay: { upper, work }, ...options };
  return { upper, run: (argv) => runSandboxed(toolbox.jail, { ...spec, argv }) };
}
