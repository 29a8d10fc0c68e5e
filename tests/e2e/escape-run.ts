// Runs every escape in one kind of jail and prints what came of each as JSON. A program of its own, so that it can be
// started as an ordinary user. Words: KIND ROOT FOLDER; ROOT is a toolbox, FOLDER an empty folder of the caller's.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { WeirError } from '../../src/base/errors.ts';
import { freeIds } from '../../src/engine/builder.ts';
import type { Jail } from '../../src/engine/jail.ts';
import { openLauncher } from '../../src/engine/launcher.ts';
import type { Limits } from '../../src/engine/limits.ts';
import { runSandboxed } from '../../src/engine/sandbox.ts';
import { openSeal } from '../../src/engine/seal.ts';
import { checkToolbox, writeManifest } from '../../src/toolbox/integrity.ts';
import { type Escape, escapes } from './escapes.ts';

/** What came of one escape. */
export interface Attempt {
  readonly name: string;
  readonly escaped: boolean;
  /** Whether its script began at all: a sandbox that cannot be made stops everything, and shows nothing. */
  readonly began: boolean;
  /** What it printed, or the error that ended it. */
  readonly said: string;
  /** Code of the error that ended it. */
  readonly error?: string;
}

/** What all escapes together left. */
export interface Damage {
  /** Files of the root that are no longer what they were. */
  readonly root: readonly string[];
  readonly source: string;
  readonly corePattern: boolean;
  readonly late: boolean;
}

const limits: Limits = { processes: 200, memory: 256 << 20, disk: 64 << 20, seconds: 6, output: 1 << 20 };

async function main(kind: Jail['kind'], root: string, folder: string): Promise<void> {
  const manifest = join(folder, 'manifest');
  const seal = openSeal(join(folder, 'key'));
  await writeManifest(root, manifest, seal);
  const launcher = await openLauncher(folder, root, 'escapes-escapes-', seal);
  const jail: Jail = {
    kind,
    launcher,
    freeIds: freeIds(readFileSync('/proc/self/uid_map', 'utf8')),
    scratch: join(folder, 'scratch'),
  };
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'a secret of the host\n', { mode: 0o644 });
  const source = join(folder, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'tarball'), 'as it was\n', { mode: 0o444 });
  const socket = `weir-escape-${process.pid}`;
  const tcp = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  const abstract = createServer((socket) => socket.end()).listen(`\0${socket}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { port } = tcp.address() as { port: number };
  const corePattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
  const env = {
    HOST_PID: String(process.pid),
    HOST_PORT: String(port),
    HOST_CACHE: folder,
    HOST_LAUNCHER: launcher.dir,
    HOST_SECRET: secret,
    HOST_SOCKET: socket,
  };
  const attempts: Attempt[] = [];
  let works: string[] = [];
  for (const way of escapes) {
    const work = join(folder, `work-${attempts.length}`);
    mkdirSync(work);
    works = [...works, work];
    attempts.push(await attempt(jail, root, source, work, env, way));
  }
  // The one that leaves a process behind writes after three seconds.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  const late = works.some((work) => {
    try {
      readFileSync(join(work, 'late'));
      return true;
    } catch {
      return false;
    }
  });
  const damage: Damage = {
    root: (await checkToolbox(root, manifest, seal))!.changed,
    source: readFileSync(join(source, 'tarball'), 'utf8'),
    corePattern: readFileSync('/proc/sys/kernel/core_pattern', 'utf8') !== corePattern,
    late,
  };
  process.stdout.write(JSON.stringify({ attempts, damage }));
  tcp.close();
  abstract.close();
}

async function attempt(
  jail: Jail,
  root: string,
  source: string,
  work: string,
  env: Readonly<Record<string, string>>,
  { name, script }: Escape,
): Promise<Attempt> {
  const began = (): boolean => existsSync(join(work, 'began'));
  try {
    const { stdout, stderr } = await runSandboxed(jail, {
      code: 'untrusted',
      root,
      limits,
      binds: [
        { from: source, to: '/source' },
        { from: work, to: '/build', writable: true },
      ],
      argv: ['bash', '-c', `touch /build/began; ${script}`],
      env,
    });
    const escaped = stdout.includes('ESCAPED');
    return { name, escaped, began: began(), said: `${stdout}${stderr}`.slice(-400) };
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return { name, escaped: false, began: began(), said: error.message, error: error.code };
  }
}

const [kind, root, folder] = process.argv.slice(2);
await main(kind as Jail['kind'], root!, folder!);
