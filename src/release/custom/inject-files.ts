import { dirname } from 'node:path';
import { WeirError } from '../../base/errors.ts';
import type { Target } from '../../image/disk.ts';
import { parentFolders } from '../../image/esp.ts';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';
import { type AskDebugfs, checkFatPath, ext4Path, factsOf } from './inject-paths.ts';
import { within } from './raw-copy.ts';

/**
 * Writes a file to a FAT file system, over one of that name; folders that are missing are made.
 * @throws WeirError `bad-path`, `tool-failed`
 */
export async function writeFat(
  toolbox: Toolbox,
  target: Target,
  path: string,
  source: string,
  epoch: number,
): Promise<void> {
  // mcopy would put the file into a folder of that name.
  await within(target.file, (read) => checkFatPath(read, target.offset, target.size, path));
  const image = `${target.file}@@${target.offset}`;
  const binds = [{ from: dirname(target.file), writable: true }];
  const env = { SOURCE_DATE_EPOCH: String(epoch), MTOOLS_SKIP_CHECK: '1' };
  // mmd has no exit code of its own for a folder that is there.
  for (const folder of parentFolders([path.slice(1)])) {
    const argv = ['sh', '-c', 'mdir -i "$1" "$2" >/dev/null 2>&1 || mmd -i "$1" "$2"', 'sh', image, `::/${folder}`];
    await runTool(toolbox, { argv, binds, env });
  }
  await runTool(toolbox, {
    argv: ['mcopy', '-o', '-i', image, source, `::${path}`],
    binds: [...binds, { from: source }],
    env,
  });
}

// Fixed paths: a question mark or a blank in the host's path would end the device name or the word.
const disk = '/tmp/disk';
const inside = '/tmp/source';

/**
 * Writes a file to an ext4 file system, over one of that path, which keeps its owner, mode and SELinux label; a new one is root's,
 * 0644, and has the label of its folder. Links among the folders are followed; folders that are missing are made.
 * @throws WeirError `bad-path`, `tool-failed`
 */
export async function writeExt4(
  toolbox: Toolbox,
  target: Target,
  destination: string,
  source: string,
  epoch: number,
): Promise<void> {
  const device = `${disk}?offset=${target.offset}`;
  const binds = [
    { from: target.file, to: disk, writable: true },
    { from: source, to: inside },
  ];
  const env = { SOURCE_DATE_EPOCH: String(epoch) };
  const ask: AskDebugfs = async (command) => {
    const { stdout } = await runTool(toolbox, { argv: ['debugfs', '-R', command, device], binds, env });
    return stdout;
  };
  const tell = async (commands: readonly string[]): Promise<void> => {
    const argv = ['debugfs', '-w', '-f', '-', device];
    const { stderr } = await runTool(toolbox, { argv, binds, env, input: `${commands.join('\n')}\n` });
    // debugfs exits with 0 even if a command fails.
    const said = stderr.split('\n').filter((line) => line !== '' && !/^debugfs \d/.test(line));
    if (said.length > 0) throw new WeirError('tool-failed', 'debugfs failed', { details: said.slice(0, 5) });
  };
  const { path, before } = await ext4Path(ask, destination);
  let folder = '/';
  for (const each of parentFolders([path.slice(1)])) {
    if (factsOf(await ask(`stat "/${each}"`)) === undefined) {
      await tell([`mkdir "/${each}"`, ...labelled(`/${each}`, await labelOf(ask, folder))]);
    }
    folder = `/${each}`;
  }
  const label = await labelOf(ask, before === undefined ? folder : path);
  const { mode, user, group } = before ?? { mode: '0644', user: '0', group: '0' };
  await tell([
    ...(before === undefined ? [] : [`rm "${path}"`]),
    `write ${inside} "${path}"`,
    `set_inode_field "${path}" mode 010${mode}`,
    `set_inode_field "${path}" uid ${user}`,
    `set_inode_field "${path}" gid ${group}`,
    ...labelled(path, label),
  ]);
}

async function labelOf(ask: AskDebugfs, path: string): Promise<string | undefined> {
  return /security\.selinux \(\d+\) = "([A-Za-z0-9_:.,-]+)\\000"/.exec(await ask(`ea_list "${path}"`))?.[1];
}

function labelled(path: string, label: string | undefined): string[] {
  return label === undefined ? [] : [`ea_set "${path}" security.selinux ${label}\\000`];
}
