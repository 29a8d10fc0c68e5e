import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { printedBy } from '../../src/spec/shell-filter.ts';

describe('a shell command in a version', () => {
  it.each([
    `c=98b0a46bce017382a6351a19577ec43a715b6835; echo \${c:0:7}`,
    'echo ee3f4d841d1ba7d5b1b57544c5068822ca92b1af | cut -c -7',
    'echo abcdef | cut -c 2-4',
    'echo abcdef | cut -c3-',
    "echo '2025-11-05' | tr -d -",
    'echo 1_2_3 | tr _ .',
    "echo 3.1-rc1-x | sed 's/-/~/g'",
    "echo 3.1-rc1-x | sed 's/-/~/'",
    "sed 's/-//g' <<< 2016-01-26",
  ])('%s is known without running it', (command) => {
    expect(printedBy(command)).toBe(execFileSync('bash', ['-c', command], { encoding: 'utf8' }).trimEnd());
  });

  it.each([
    'date +%Y',
    'cat meson.version',
    'echo $HOME | cut -c -7',
    'echo a; rm x',
    "echo a.b | sed 's/./x/g'",
    "echo ab | sed 's/b$/x/'",
    'echo $(id)',
    '',
  ])('%s is not', (command) => {
    expect(printedBy(command)).toBeUndefined();
  });
});
