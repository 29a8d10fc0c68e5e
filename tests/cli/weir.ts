import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

export const launcher = join(import.meta.dirname, '..', '..', 'weir');

const made: string[] = [];

afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real launcher to its end, with a cache per test file. */
export function weir(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly program?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Answer {
  const { status, stdout, stderr } = spawnSync(options.program ?? launcher, argv, {
    encoding: 'utf8',
    cwd: options.cwd ?? import.meta.dirname,
    env: { PATH: process.env.PATH ?? '', HOME: folder({}), NO_COLOR: '1', ...options.env },
  });
  return { code: status, stdout, stderr };
}

/** A folder with these files, removed after the test file. */
export function folder(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'weir cli '));
  made.push(dir);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}
