import { chmodSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { exists, temporaryName } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { removeTree } from './scratch.ts';
import { type Seal, sealed, unsealed } from './seal.ts';
import { seccompFilter } from './seccomp.ts';

/**
 * The programs that create a sandbox, in their own folder that no sandbox shows; otherwise code inside could change what the
 * host runs next. They are copied from a toolbox and run by their own loader, so they need no libraries of the host.
 */
export interface Launcher {
  readonly dir: string;
  /** A second copy of loader, libraries and setpriv for use inside; the host never runs it. */
  readonly inside: string;
}

const programNames = ['bwrap', 'prlimit', 'setpriv', 'unshare'] as const;
type ProgramName = (typeof programNames)[number];

/** Files with the seccomp filters for tools and for untrusted code. */
type FilterName = 'tool.bpf' | 'untrusted.bpf';

/** Arguments that start one of the programs from within the launcher's folder: the loader would split a path at a colon. */
export function program(name: ProgramName): string[] {
  return ['./ld.so', '--library-path', 'lib', `./${name}`];
}

/**
 * A command line that runs `words` in the launcher's folder.
 * @param filter opened as file descriptor 9, from which bubblewrap reads it
 * @param info a file opened as file descriptor 8, to which bubblewrap writes the sandbox's PIDs
 */
export function launch({ dir }: Launcher, words: readonly string[], filter?: FilterName, info?: string): string[] {
  const files = `${filter === undefined ? '' : ` 9<${filter}`}${info === undefined ? '' : ' 8>"$info"'}`;
  return ['/bin/sh', '-c', `cd -- "$1" && info=$2 && shift 2 && exec "$@"${files}`, 'sh', dir, info ?? '', ...words];
}

/** The libraries that these programs load; one that a program does not need does no harm. */
const libraries = [
  'libc.so.6',
  'libcap.so.2',
  'libcap-ng.so.0',
  'libpcre2-8.so.0',
  'libselinux.so.1',
  'libsmartcols.so.1',
];
const insideLibraries = ['libc.so.6', 'libcap-ng.so.0'];

const arm = process.arch === 'arm64';
const libraryFolder = arm ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const loader = arm ? 'usr/lib/ld-linux-aarch64.so.1' : 'usr/lib64/ld-linux-x86-64.so.2';

/** The files of a toolbox's root that the launcher is made of, for `known` of `openLauncher`. */
export const launcherFiles: readonly string[] = [loader, ...programNames.map((name) => `usr/bin/${name}`)];

/** How the inner copy is started inside the sandbox. */
export const insideStart = ['/.weir/ld.so', '--library-path', '/.weir/lib', '/.weir/setpriv'] as const;

/** The folder of a toolbox's launcher. @param id identifies the toolbox */
export function launcherFolder(cache: string, id: string): string {
  return cachePath(cache, 'launcher', id.slice(0, 16));
}

/**
 * The launcher for a toolbox. Every call checks it against its digests and recreates it if they do not match.
 * @param root a toolbox folder that has just been verified; read only if the launcher must be created
 * @param id identifies the toolbox: each toolbox has its own launcher
 * @param seal of the cache, which signs the recorded digests
 * @param known digests of the toolbox's files by path, which the copies must match too
 * @throws WeirError `bad-toolbox` if the root lacks one of the programs
 */
export async function openLauncher(
  cache: string,
  root: string,
  id: string,
  seal: Seal,
  known?: ReadonlyMap<string, Digest>,
): Promise<Launcher> {
  const dir = launcherFolder(cache, id);
  if (!(await verified(dir, seal, known))) {
    await mkdir(dirname(dir), { recursive: true });
    await removeTree(dir);
    await layOut(dir, root, seal);
  }
  return { dir, inside: join(dir, 'inside') };
}

interface Part {
  readonly to: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

async function parts(root: string): Promise<Part[]> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(join(root, path));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      throw new WeirError('bad-toolbox', `the toolbox lacks ${path}, which is needed for sandboxes`, {
        where: { file: root },
        hint: 'the toolbox must contain bubblewrap and util-linux with their libraries',
      });
    }
  };
  const found: Part[] = [{ to: 'ld.so', bytes: await read(loader), mode: 0o755 }];
  for (const name of programNames) found.push({ to: name, bytes: await read(`usr/bin/${name}`), mode: 0o755 });
  for (const name of libraries) {
    found.push({ to: `lib/${name}`, bytes: await read(`usr/lib/${libraryFolder}/${name}`), mode: 0o644 });
  }
  for (const name of ['ld.so', 'setpriv', ...insideLibraries.map((library) => `lib/${library}`)]) {
    const part = found.find(({ to }) => to === name)!;
    found.push({ ...part, to: `inside/${name}` });
  }
  const machine = arm ? 'arm64' : 'x64';
  found.push({ to: 'tool.bpf', bytes: seccompFilter(machine, { chroot: true }), mode: 0o644 });
  found.push({ to: 'untrusted.bpf', bytes: seccompFilter(machine, { chroot: false }), mode: 0o644 });
  found.push({ to: 'inside/untrusted.bpf', bytes: seccompFilter(machine, { chroot: false }), mode: 0o644 });
  return found;
}

/** The subject under which the digests are signed. */
function subject(dir: string): string {
  return `launcher ${basename(dir)}`;
}

async function layOut(dir: string, root: string, seal: Seal): Promise<void> {
  const temporary = temporaryName(dir);
  try {
    const all = await parts(root);
    const digests: Record<string, string> = {};
    for (const { to, bytes, mode } of all) {
      await mkdir(dirname(join(temporary, to)), { recursive: true });
      await writeFile(join(temporary, to), bytes, { mode });
      digests[to] = sha256(bytes);
    }
    // If Weir runs as root, untrusted code has another UID and must be able to read its copy.
    for (const folder of ['.', 'lib', 'inside', 'inside/lib']) chmodSync(join(temporary, folder), 0o755);
    await writeFile(join(temporary, 'digests.json'), sealed(seal, subject(dir), JSON.stringify(digests)));
    await rename(temporary, dir);
  } catch (error) {
    await removeTree(temporary);
    // Another run created it first; its folder is just as good if it verifies.
    if (!(await verified(dir, seal))) throw error;
  }
}

/** Whether every file of the launcher matches its recorded digest and the seccomp filters are those of this version of Weir. */
async function verified(dir: string, seal: Seal, known?: ReadonlyMap<string, Digest>): Promise<boolean> {
  if (!(await exists(join(dir, 'digests.json')))) return false;
  try {
    const text = unsealed(seal, subject(dir), await readFile(join(dir, 'digests.json'), 'utf8'));
    if (text === undefined) return false;
    const digests = JSON.parse(text) as Record<string, string>;
    const machine = arm ? 'arm64' : 'x64';
    const filters = {
      'tool.bpf': sha256(seccompFilter(machine, { chroot: true })),
      'untrusted.bpf': sha256(seccompFilter(machine, { chroot: false })),
    };
    for (const [name, digest] of Object.entries(filters)) if (digests[name] !== digest) return false;
    const originals = { 'ld.so': loader, ...Object.fromEntries(programNames.map((name) => [name, `usr/bin/${name}`])) };
    for (const [name, original] of Object.entries(originals)) {
      if (digests[name] === undefined) return false;
      // Symbolic links in the toolbox have no digest.
      const expected = known?.get(original);
      if (expected !== undefined && expected !== digests[name]) return false;
    }
    return Object.entries(digests).every(([name, digest]) => sha256(readFileSync(join(dir, name))) === digest);
  } catch {
    return false;
  }
}
