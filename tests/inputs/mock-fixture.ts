import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { type MockConfig, mockConfigOf } from '../../src/inputs/mock-config.ts';

/** Files in a folder of their own, by relative path. @returns the folder */
export function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'weir-mock-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** What a configuration in one file says; its dnf.conf is empty unless the text sets one. */
export function read(text: string, arch = 'x86_64'): MockConfig {
  const defaults = { path: 'defaults', content: "config_opts['dnf.conf'] = '[main]'\n" };
  const none = { include: () => undefined, includeFolders: () => ['here'] };
  return mockConfigOf('a.cfg', [defaults, { path: 'a.cfg', content: text }], none, arch);
}

/** The error of a configuration in one file, as `line:column message`. */
export function problem(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    if (error.exit !== 2 || error.hint === undefined)
      throw new Error('no hint, or a wrong exit code', { cause: error });
    return `${error.where?.line}:${error.where?.column} ${error.message}`;
  }
  throw new Error('the configuration was read');
}
