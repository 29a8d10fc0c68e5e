import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { run } from '../base/process.ts';
import { gitEnvironment } from '../sources/git-run.ts';

/** When a line was added, in seconds since 1970; undefined if unknown. */
export type LineTime = number | 'uncommitted' | undefined;

/**
 * When each line of some files was added in the project's git history, along the first parents, by one run of `git log` for
 * all of them. Without git, or for a file that git does not have, there are no times.
 * @param root the project's folder
 * @param files absolute
 */
export async function lineTimes(
  root: string,
  files: readonly string[],
): Promise<ReadonlyMap<string, readonly LineTime[]>> {
  // User settings must not change the output.
  const settings = ['core.quotePath=false', 'log.follow=false', 'log.showSignature=false'];
  const fixed = settings.flatMap((setting) => ['-c', setting]);
  const git = (args: readonly string[]) =>
    run(['git', '-C', root, ...fixed, ...args], { env: gitEnvironment() }).catch(() => undefined);
  const asked = await git(['rev-parse', '--show-toplevel', '--is-shallow-repository']);
  const [top, shallow] = asked?.code === 0 ? asked.stdout.split('\n') : [];
  const times = new Map<string, LineTime[]>();
  if (top === undefined || top === '' || files.length === 0) return times;
  const here = await realpath(root);
  const names = new Map(files.map((file) => [relative(top, join(here, relative(root, file))), file]));
  const inside = [...names.keys()].filter((name) => !name.startsWith('..'));
  const format = [
    '-U0',
    '--inter-hunk-context=0',
    '--no-renames',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
    '--no-prefix',
  ];
  const paths = inside.map((name) => `:(top,literal)${name}`);
  const log = ['log', '--first-parent', '-m', '--reverse', '-p', ...format, '--format=%x01%ct %P', 'HEAD'];
  for (let at = 0; at < paths.length; at += 1000) {
    const some = paths.slice(at, at + 1000);
    const history = await git([...log, '--', ...some]);
    if (history?.code !== 0) continue;
    replay(history.stdout, times, shallow === 'true');
    const open = await git(['diff', ...format, 'HEAD', '--', ...some]);
    if (open?.code === 0) replay(open.stdout, times, false);
  }
  return new Map([...times].flatMap(([name, lines]) => (names.has(name) ? [[names.get(name)!, lines]] : [])));
}

/** Replays diffs without context, oldest first, on the times of a file's lines. */
function replay(text: string, times: Map<string, LineTime[]>, shallow: boolean): void {
  let time: LineTime = 'uncommitted';
  let name: string | undefined;
  let old = '';
  let before: readonly LineTime[] = [];
  let after: LineTime[] = [];
  let taken = 0;
  let content = 0;
  const close = (): void => {
    if (name !== undefined) times.set(name, [...after, ...before.slice(taken)]);
    name = undefined;
  };
  for (const line of text.split('\n')) {
    if (content > 0 || line.startsWith('\\')) {
      if (!line.startsWith('\\')) content--;
      continue;
    }
    if (line.startsWith('\x01')) {
      close();
      const [seconds, parent] = line.slice(1).split(' ');
      // The diff of a shallow clone's first commit also contains all earlier changes.
      time = shallow && (parent ?? '') === '' ? undefined : Number(seconds);
    } else if (line.startsWith('diff --git ')) {
      close();
    } else if (line.startsWith('+++ ')) {
      const path = line.slice(4).replace(/\t$/, '');
      // A file that is deleted and added again is a new one.
      if (path === '/dev/null') times.delete(old);
      else [name, before, after, taken] = [path, times.get(old) ?? [], [], 0];
    } else if (line.startsWith('--- ')) {
      old = line.slice(4).replace(/\t$/, '');
    } else {
      const hunk = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
      if (hunk === null) continue;
      const [gone, come] = [Number(hunk[2] ?? 1), Number(hunk[3] ?? 1)];
      content = gone + come;
      if (name === undefined) continue;
      const start = Number(hunk[1]) - (gone === 0 ? 0 : 1);
      after.push(...before.slice(taken, start), ...new Array<LineTime>(come).fill(time));
      taken = start + gone;
    }
  }
  close();
}
