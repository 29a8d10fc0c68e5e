import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The end of a run of azldev. */
export interface AzldevResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Azldev {
  /** Runs a command in a project. */
  readonly run: (project: string, args: readonly string[]) => Promise<AzldevResult>;
  /** Whether it reads what came with 0.4: components of several files, `[tests]`. */
  readonly isNew: boolean;
  /** Its words about its version. */
  readonly version: string;
}

/** Why a tool refuses an input. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: string;
  readonly message: string;
}

/** azldev's errors without its warnings, and without the path of the project. */
export function refusal({ code, stderr }: AzldevResult, project: string): Refusal {
  const said = stderr
    .replaceAll(/^[\d:]+ (WRN|INF) .*\n/gm, '')
    .replaceAll(`${project}/`, '')
    .trim();
  return { kind: 'refused', code: `exit ${code}`, message: said.slice(0, 2000) };
}

/** `nobody`: azldev refuses to run as root. */
const nobody = 65_534;

/** Makes a folder that azldev may write to. */
export async function openFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await chmod(dir, 0o777);
}

/** Writes a project's files into a new folder that azldev may write to. */
export async function writeProject(dir: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await openFolder(dir);
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/**
 * Finds out what a binary of azldev can do.
 * @param dir a folder for its files, which it may write to
 * @throws Error if it cannot be run
 */
export async function openAzldev(binary: string, dir: string): Promise<Azldev> {
  const home = join(dir, 'home');
  await openFolder(home);
  const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  if (asNobody.uid !== undefined) await chown(home, nobody, nobody);
  const run = async (project: string, args: readonly string[]): Promise<AzldevResult> => {
    const child = spawn(binary, ['-C', project, '-q', '--color', 'never', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: join(home, '.config') },
      ...asNobody,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => out.push(part));
    child.stderr.on('data', (part: Buffer) => err.push(part));
    const code = await new Promise<number>((done, failed) => {
      child.on('error', failed);
      child.on('close', (exit) => done(exit ?? 1));
    });
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  };
  const probe = join(dir, 'probe');
  await writeProject(probe, {
    'azldev.toml': 'includes = ["*.part"]\n',
    'a.part': '[components.c]\n',
    'b.part': '[components.c]\n',
  });
  const { code } = await run(probe, ['config', 'dump', '-f', 'json']);
  const version = (await run(probe, ['version'])).stdout.trim().split('\n')[0] ?? '';
  return { run, isNew: code === 0, version };
}
