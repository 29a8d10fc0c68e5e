import { closeSync, openSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReader } from '../../src/archive/read-at.ts';
import { readMember, readTar } from '../../src/archive/tar.ts';
import { sha256 } from '../../src/base/digest.ts';
import type { RunResult } from '../../src/base/process.ts';
import { dnfOptions, placeOf, repositoryOptions } from '../../src/repo/resolve.ts';
import { runTool, type Toolbox, type ToolRun, tryTool } from '../../src/toolbox/tool.ts';
import { encodeCapabilities } from '../../src/tree/capabilities.ts';
import { type Owners, ownerOf } from '../../src/tree/owners.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Where both trees have their database. */
const database = '/usr/lib/sysimage/rpm';

/** What tells two files of a tree apart, one line per path: kind, mode, ids, content, capabilities. */
export type Lines = ReadonlyMap<string, string>;

/**
 * Installs packages with `dnf5 --installroot` as the tools' root, scriptlets and all.
 * @param folder an empty folder, which keeps the root
 * @param cache a folder in which dnf5 keeps metadata for the next run; by default it keeps none
 * @returns what dnf5 said; its exit code is not 0 where any scriptlet failed
 */
export async function dnfRoot(
  toolbox: Toolbox,
  sources: readonly { readonly id: string; readonly dir: string; readonly priority: number }[],
  names: readonly string[],
  folder: string,
  clock: number,
  cache?: string,
): Promise<RunResult> {
  if (cache !== undefined) await mkdir(cache, { recursive: true });
  const home = join(folder, 'home');
  for (const dir of [home, join(folder, 'root')]) await mkdir(dir, { recursive: true });
  // Fedora's settings, where Debian's differ; and the sandbox lets no plugin make namespaces.
  const macros = [
    `_dbpath ${database}`,
    '__systemd_sysusers /usr/bin/systemd-sysusers',
    '__transaction_unshare %{nil}',
  ];
  await writeFile(join(home, '.rpmmacros'), macros.map((macro) => `%${macro}\n`).join(''));
  const argv = ['dnf5', '-y', '--installroot=/tmp/made/root', '--releasever=4.0', ...dnfOptions];
  argv.push(
    '--setopt=install_weak_deps=0',
    '--setopt=best=1',
    ...sources.flatMap(repositoryOptions),
    'install',
    '--',
    ...names,
  );
  return tryTool(toolbox, {
    argv,
    env: { HOME: '/tmp/made/home', SOURCE_DATE_EPOCH: String(clock) },
    binds: [
      { from: folder, to: '/tmp/made', writable: true },
      ...(cache === undefined ? [] : [{ from: cache, to: '/tmp/cache', writable: true }]),
      ...sources.map((source) => ({ from: source.dir, to: placeOf(source) })),
    ],
  });
}

/** The lines of a root that dnf5 made. */
export async function rootLines(toolbox: Toolbox, folder: string): Promise<Lines> {
  await runTool(toolbox, {
    argv: [
      ...['tar', '--create', '--format=posix', '--numeric-owner', '--xattrs', '--xattrs-include=security.capability'],
      ...['--hard-dereference', '--directory=/tmp/made/root', '--file=/tmp/made/root.tar', '.'],
    ],
    binds: [{ from: folder, to: '/tmp/made', writable: true }],
  });
  const fd = openSync(join(folder, 'root.tar'), 'r');
  try {
    const source = fileReader(fd);
    const lines = new Map<string, string>();
    for (const member of readTar(source)) {
      const capabilities = member.xattrs?.get('security.capability')?.toString('hex') ?? '';
      const content =
        member.kind === 'symlink' ? member.target : member.kind === 'file' ? sha256(readMember(source, member)) : '';
      const mode = member.kind === 'symlink' ? 0o777 : member.mode;
      lines.set(`/${member.path}`, line(member.kind, mode, member.uid, member.gid, content, capabilities));
    }
    return lines;
  } finally {
    closeSync(fd);
  }
}

/** The lines of a tree of Weir's. */
export function treeLines(tree: Tree, owners: Owners): Lines {
  return new Map(
    tree.entries.map((entry) => {
      const { uid, gid } = ownerOf(owners, entry);
      const content = entry.kind === 'symlink' ? entry.target : entry.kind === 'file' ? entry.digest : '';
      const text = entry.kind === 'file' ? entry.capabilities : undefined;
      const capabilities = text === undefined ? '' : encodeCapabilities(text).toString('hex');
      return [
        entry.path,
        line(entry.kind, entry.kind === 'symlink' ? 0o777 : entry.mode, uid, gid, content, capabilities),
      ];
    }),
  );
}

function line(kind: string, mode: number, uid: number, gid: number, content: string, capabilities: string): string {
  return [kind, mode.toString(8), `${uid}:${gid}`, content, capabilities].join(' ').trim();
}

/** The packages in the database of a root, with what rpm knows of each and of its files, sorted. */
export async function databaseOf(toolbox: Toolbox, root: string): Promise<string[]> {
  const fields = ['NEVRA', 'SHA256HEADER', 'INSTALLTIME', 'INSTALLCOLOR', 'LONGSIZE', 'VENDOR', 'INSTPREFIXES'].map(
    (field) => `%{${field}}`,
  );
  const format = `${fields.join(' ')} [%{FILENAMES} %{FILESTATES:fstate} %{FILEUSERNAME}:%{FILEGROUPNAME} ][%{PROVIDENEVRS} ]\\n`;
  const run: ToolRun = {
    argv: ['rpm', '--root', '/tmp/made', '--dbpath', database, '-qa', '--qf', format],
    binds: [{ from: root, to: '/tmp/made', writable: true }],
  };
  return (await runTool(toolbox, run)).stdout.trim().split('\n').sort();
}
