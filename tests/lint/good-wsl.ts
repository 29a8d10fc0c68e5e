import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { wslRules } from '../../src/lint/lint.ts';
import { isArchive, withArchive } from '../../src/lint/open-archive.ts';
import { checkRules, type Verdict } from '../../src/lint/rule.ts';
import { wslFacts } from '../../src/lint/wsl-facts.ts';
import { type Content, symlink, tar } from './tar.ts';

/** The parts of a test's archive; a test changes some of them. */
export interface WslParts {
  files: Record<string, Content>;
  packages: string[];
  pack: (archive: Buffer) => Buffer;
}

/** The head of a 64-bit program. */
export function elf(machine: number): Content {
  const bytes = Buffer.alloc(64);
  bytes.write('7f454c4602', 'hex');
  bytes.writeUInt16LE(machine, 18);
  return { content: bytes, mode: 0o755 };
}

export const distributionConf = [
  '[oobe]',
  'command = /usr/libexec/wsl/first-run.sh',
  'defaultUid = 1000',
  'defaultName = WeirLinux',
  '# what the start menu shows',
  '[shortcut]',
  'icon = /usr/share/wsl/weir.ico',
  '[windowsterminal]',
  'ProfileTemplate = /usr/lib/wsl/terminal.json',
  '',
].join('\n');

const goodParts = (): WslParts => ({
  files: {
    '/bin': symlink('usr/bin'),
    '/sbin': symlink('usr/bin'),
    '/usr/bin/sh': symlink('bash'),
    '/usr/bin/bash': elf(62),
    '/usr/bin/init': symlink('../lib/systemd/systemd'),
    '/usr/lib/systemd/systemd': elf(62),
    '/usr/lib/systemd/system/systemd-resolved.service': '[Service]',
    '/etc/systemd/system/systemd-resolved.service': symlink('/dev/null'),
    '/usr/lib/os-release': 'ID=weir\nVERSION_ID=4.0\nNAME="Weir Linux"\nPRETTY_NAME="Weir Linux 4.0"\n',
    '/etc/os-release': symlink('../usr/lib/os-release'),
    '/usr/lib/sysimage/rpm/rpmdb.sqlite': 'database',
    '/etc/passwd': 'root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n',
    '/etc/shadow': { content: 'root:*:1::::::\n', mode: 0 },
    '/etc/wsl-distribution.conf': distributionConf,
    '/etc/wsl.conf': '[boot]\nsystemd=true\n',
    '/usr/libexec/wsl/first-run.sh': { content: '#!/bin/sh', mode: 0o755 },
    '/usr/share/wsl/weir.ico': Buffer.from('000001000100', 'hex'),
    '/usr/lib/wsl/terminal.json': '{}',
  },
  packages: ['bash'],
  pack: (archive) => gzipSync(archive),
});

/** Writes the archive below `folder` and lints it. */
export async function lintWsl(folder: string, change: (parts: WslParts) => void): Promise<Verdict[]> {
  const parts = goodParts();
  change(parts);
  const scratch = await mkdtemp(join(folder, 'scratch-'));
  const path = join(scratch, 'weir.wsl');
  const data = parts.pack(tar(parts.files));
  await writeFile(path, data);
  expect(isArchive(path, data.subarray(0, 512))).toBe(true);
  return withArchive(path, data.subarray(0, 512), scratch, (archive) =>
    checkRules(
      wslRules,
      wslFacts(archive, async () => parts.packages),
      'wsl',
    ),
  );
}
