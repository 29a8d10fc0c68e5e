import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatOwner, thisProcess } from '../../src/base/alive.ts';
import { withLock } from '../../src/base/file-lock.ts';

const source = join(import.meta.dirname, '..', '..', 'src', 'base');
let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'weir-base-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Runs a script that imports src/base, in its own process. */
function start(name: string, script: string): ReturnType<typeof spawn> {
  const file = join(dir, `${name}.ts`);
  writeFileSync(file, script);
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The first line that a process writes. */
function firstLine(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.on('exit', (code) => reject(new Error(`ended with ${code} before it printed anything`)));
  });
}

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve) => child.on('exit', resolve));
}

/** Whether a process lives; an unreaped zombie does not. */
function alive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('stopping children', () => {
  it('stops the whole process group, rejects waiting callers, and lets no new child start', async () => {
    const pidFile = join(dir, 'grandchild');
    const child = start(
      'stop',
      `import { run, stopChildren } from '${source}/process.ts';
       process.on('SIGINT', () => stopChildren('SIGTERM'));
       const said = [];
       try {
         console.log('ready');
         await run(['sh', '-c', 'sleep 1000 & echo $! >${pidFile}; wait']);
       } catch (error) { said.push(error.code); }
       await run(['true']).catch((error) => said.push(error.code));
       process.exitCode = said.join() === 'interrupted,interrupted' ? 42 : 1;`,
    );
    await firstLine(child);
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
    const grandchild = Number(readFileSync(pidFile, 'utf8'));
    expect(alive(grandchild)).toBe(true);
    child.kill('SIGINT');
    expect(await ended(child)).toBe(42);
    await until(() => !alive(grandchild));
  });
});

describe('a lock between processes', () => {
  const holding = (path: string): string => `import { withLock } from '${source}/file-lock.ts';
    await withLock('${path}', async () => { console.log('held'); await new Promise((done) => setTimeout(done, 600_000)); });`;

  it('is refused while its holder lives, naming the process', async () => {
    const path = join(dir, 'a', '.lock');
    const child = start('hold', holding(path));
    await firstLine(child);
    await expect(withLock(path, async () => {})).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${child.pid}`),
    });
    child.kill('SIGKILL');
    await ended(child);
  });

  it('is replaced if its holder was killed, and removed afterwards', async () => {
    const path = join(dir, 'b', '.lock');
    const child = start('kill', holding(path));
    await firstLine(child);
    child.kill('SIGKILL');
    await ended(child);
    expect(existsSync(path)).toBe(true);
    expect(await withLock(path, async () => readFileSync(path, 'utf8'))).toBe(formatOwner(thisProcess));
    expect(readdirSync(join(dir, 'b'))).toEqual([]);
  });

  it('is removed if the process exits in the middle of the work', async () => {
    const path = join(dir, 'c', '.lock');
    const child = start('exit', `${holding(path).replace('await new Promise', 'process.exit(3); await new Promise')}`);
    expect(await ended(child)).toBe(3);
    expect(existsSync(path)).toBe(false);
  });

  it('has one holder at a time, however many want it', async () => {
    const path = join(dir, 'd', '.lock');
    let inside = 0;
    let most = 0;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        withLock(path, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 5));
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled').length).toBeGreaterThan(0);
  });
});
