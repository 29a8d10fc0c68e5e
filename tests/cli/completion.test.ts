import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, launcher, weir } from './weir.ts';

const distro = join(import.meta.dirname, '../../distro');

function words(...line: string[]): string[] {
  const { code, stdout, stderr } = weir(['completion', 'candidates', '--', ...line]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => row.split('\t')[0]!);
}

describe('candidates', () => {
  it.each<[string[], string[]]>([
    [['comp'], ['component', 'completion']],
    [['component', 'sh'], ['show']],
    [['component', 'show', 'ch'], ['chrony']],
    [['component', 'render', 'less', 'gz'], ['gzip']],
    [['component', 'render', '--cl'], ['--clean']],
    [
      ['--color', ''],
      ['auto', 'always', 'never'],
    ],
    [['boot', 'vm-b'], ['vm-base']],
    [['component', 'list', '-p', 'bz'], ['bzip2']],
    [['completion', 'f'], ['fish']],
    [['build', '--out', '/'], []],
    [['nothing', 'here'], []],
  ])('%j', (line, expected) => {
    expect(words('-C', distro, ...line).sort()).toEqual([...expected].sort());
  });

  it('are empty without an error in an invalid project', () => {
    const dir = folder({ 'weir.toml': 'componets = 1\n' });
    expect(words('-C', dir, 'component', 'show', '')).toEqual([]);
  });
});

describe('the script', () => {
  it('completes in bash', () => {
    const line = `source <("${launcher}" completion bash); COMP_WORDS=("${launcher}" -C "${distro}" component show le); COMP_CWORD=5; _weir; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'less\n', stderr: '' });
  });

  // Not installed on every host; without it the test is skipped.
  const installed = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;
  it.for(['zsh', 'fish'])('works in %s', (shell, { skip }) => {
    if (!installed(shell)) skip(`${shell} is not installed`);
    const { stdout } = weir(['completion', shell]);
    const read = spawnSync(shell, ['-n', join(folder({ script: stdout }), 'script')], { encoding: 'utf8' });
    expect({ code: read.status, stderr: read.stderr }).toEqual({ code: 0, stderr: '' });
  });
});
