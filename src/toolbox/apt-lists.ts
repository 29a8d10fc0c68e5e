import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { isOffline } from '../base/network.ts';
import { stream } from '../base/process.ts';
import { type Apt, aptRun, listsFresh, updateApt } from './apt.ts';

/** Makes sure that apt has lists, not older than 6 hours unless Weir is offline. @throws WeirError the errors of `updateApt` */
export async function freshLists(apt: Apt): Promise<void> {
  if (!(await listsFresh(apt, isOffline() ? Number.POSITIVE_INFINITY : 6 * 3600))) await updateApt(apt);
}

/**
 * The lists of one kind that apt downloaded and verified: paths of files that `readList` reads.
 * @param identifier apt's name of the kind: `Packages`, or `Contents-deb` if the private apt was opened for it
 * @throws WeirError `no-lists` if apt has none
 */
export async function listFiles(apt: Apt, identifier: 'Packages' | 'Contents-deb'): Promise<string[]> {
  const result = await aptRun(apt, ['apt-get', 'indextargets', '--format', '$(FILENAME)', `Identifier: ${identifier}`]);
  const files: string[] = [];
  for (const file of new Set(result.stdout.split('\n').filter((line) => line !== ''))) {
    if (await exists(file)) files.push(file);
  }
  if (files.length === 0) {
    throw new WeirError('no-lists', `apt has no ${identifier} list of ${apt.options.suite}`, {
      where: { file: join(apt.dir, 'state/lists') },
      hint: 'delete this folder: the next run downloads the lists',
    });
  }
  return files.sort();
}

const helper = '/usr/lib/apt/apt-helper';

/** The lines of a list, whatever it is compressed with, in blocks of whole lines. @throws WeirError `bad-list` */
export async function readList(apt: Apt, path: string, onBlock: (lines: string) => void): Promise<void> {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', APT_CONFIG: apt.config };
  const reading = stream([helper, 'cat-file', path], { env });
  let rest = '';
  for await (const chunk of reading.stdout) {
    // latin1: names are ASCII, and every other byte of a path becomes a character of its own.
    const text = rest + (chunk as Buffer).toString('latin1');
    const end = text.lastIndexOf('\n') + 1;
    rest = text.slice(end);
    if (end > 0) onBlock(text.slice(0, end));
  }
  if (rest !== '') onBlock(`${rest}\n`);
  if ((await reading.done) !== 0) {
    throw new WeirError('bad-list', 'cannot read a list of the Debian mirror', {
      where: { file: path },
      details: [reading.stderr().trim()].filter((line) => line !== ''),
      hint: 'delete the file: the next run downloads it again',
    });
  }
}
