import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepositoryFile } from '../distgit.ts';

/** The rendered specs of a checkout: a work tree, or a git directory without one. */
export interface Checkout {
  /** Component → the names of its files. */
  readonly components: ReadonlyMap<string, readonly string[]>;
  /** The files with these names; one that the repository's copy lacks is left out. */
  readonly read: (wanted: readonly FilePath[]) => Promise<(RepositoryFile | undefined)[]>;
}

export interface FilePath {
  readonly component: string;
  readonly name: string;
}

/** The branch that is read of a git directory without a work tree. */
const branch = 'tomls/base/main';

/** Opens a checkout of microsoft/azurelinux; it is only read. @throws Error if there are no rendered specs */
export async function openCheckout(dir: string): Promise<Checkout> {
  return existsSync(join(dir, 'specs')) ? openWorkTree(join(dir, 'specs')) : openGitDirectory(dir);
}

async function openWorkTree(specs: string): Promise<Checkout> {
  const components = new Map<string, string[]>();
  for (const letter of await readdir(specs)) {
    for (const component of await readdir(join(specs, letter))) {
      const entries = await readdir(join(specs, letter, component), { withFileTypes: true });
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      components.set(component, names.sort());
    }
  }
  const readOne = async ({ component, name }: FilePath): Promise<RepositoryFile | undefined> => {
    const path = join(specs, letterOf(component), component, name);
    const bytes = await readFile(path).catch(() => undefined);
    return bytes === undefined ? undefined : { name, bytes, executable: ((await stat(path)).mode & 0o100) !== 0 };
  };
  const read = async (wanted: readonly FilePath[]): Promise<(RepositoryFile | undefined)[]> => {
    const files: (RepositoryFile | undefined)[] = [];
    for (const one of wanted) files.push(await readOne(one));
    return files;
  };
  return { components, read };
}

async function openGitDirectory(dir: string): Promise<Checkout> {
  const blobs = new Map<string, { readonly id: string; readonly executable: boolean }>();
  const components = new Map<string, string[]>();
  const listing = await git(dir, ['ls-tree', '-r', '-z', branch, 'specs/']);
  for (const line of listing.toString().split('\0')) {
    const [, mode, id, component, name] = /^(\d+) blob (\w+)\tspecs\/[^/]+\/([^/]+)\/([^/]+)$/.exec(line) ?? [];
    if (id === undefined || component === undefined || name === undefined) continue;
    blobs.set(`${component}/${name}`, { id, executable: mode === '100755' });
    const names = components.get(component) ?? [];
    names.push(name);
    components.set(component, names);
  }
  const read = async (wanted: readonly FilePath[]): Promise<(RepositoryFile | undefined)[]> => {
    const found = wanted.map(({ component, name }) => blobs.get(`${component}/${name}`));
    const asked = found.flatMap((blob) => (blob === undefined ? [] : [blob.id]));
    const contents = parseBatch(await git(dir, ['cat-file', '--batch'], asked.map((id) => `${id}\n`).join('')));
    return found.map((blob, index) => {
      const bytes = blob === undefined ? undefined : contents.get(blob.id);
      return bytes === undefined ? undefined : { name: wanted[index]!.name, bytes, executable: blob!.executable };
    });
  };
  return { components, read };
}

/** The contents by object name in the output of `git cat-file --batch`; missing objects are left out. */
export function parseBatch(output: Buffer): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(0x0a, at);
    const [id = '', type, size] = output.toString('latin1', at, end).split(' ');
    at = end + 1;
    if (type === 'missing') continue;
    contents.set(id, output.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
  return contents;
}

/** Runs git in a directory and returns its output. A partial clone must not fetch what it lacks. */
async function git(dir: string, args: readonly string[], input?: string): Promise<Buffer> {
  const child = spawn('git', ['-C', dir, ...args], {
    env: { ...process.env, GIT_NO_LAZY_FETCH: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // A command that reads nothing, or fails, may end before its input does: its exit code tells.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`git ${args[0]} failed in ${dir}: exit code ${code}`);
  return Buffer.concat(chunks);
}

/** The folder of `specs/` that a component is in. */
export function letterOf(component: string): string {
  return component.slice(0, 1).toLowerCase();
}
