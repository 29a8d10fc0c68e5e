import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const project = folder({
  'weir.toml': `[components.a]
spec = { type = "local", path = "a.spec" }
[[components.a.overlays]]
type = "spec-remove-tag"
description = "Not ours"
tag = "URL"
metadata = { category = "weir-pruning", upstream-status = "inapplicable" }
[[components.a.overlays]]
type = "spec-remove-tag"
description = "Nor this"
tag = "Vendor"

[components.b]
spec = { type = "local", path = "b.spec" }
build.without = ["gui"]
`,
  'a.spec': '',
  'b.spec': '',
});

describe('weir divergence', () => {
  it('has help with examples', async () => {
    const { code, stdout, stderr } = weir(['divergence', '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout).toMatchFileSnapshot(join('golden', 'help-divergence.txt'));
  });

  it('lists by component, with totals', () => {
    const { code, stdout, stderr } = weir(['divergence'], { cwd: project });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'COMPONENT  OVERLAYS  CATEGORY            UPSTREAM            OLDEST   ALSO',
        'a          2         weir-pruning, none  inapplicable, none  unknown  local',
        'b          0         -                   -                   -        local, build-option',
        '',
        '2 of 2 components differ from upstream: 2 overlays, 1 build option, 2 local components',
        'category         none 1, weir-pruning 1',
        'upstream status  inapplicable 1, none 1',
        'age              unknown 2',
        '',
      ].join('\n'),
    );
  });

  it.each<[argv: readonly string[], line: RegExp]>([
    [['--by', 'category'], /^weir-pruning +1 +1$/m],
    [['--by', 'age'], /^unknown +2 +1$/m],
    [['--by', 'upstream-status', '--category', 'none'], /^none +1 +1$/m],
    [['--markdown', 'b'], /^\| build-option \| without gui \|/m],
    [['-p', 'c*', '-p', 'b'], /^$/m],
  ])('%j', (argv, line) => {
    const { stdout, code } = weir(['divergence', ...argv], { cwd: project });
    if (argv.includes('c*')) expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    else expect(stdout).toMatch(line);
  });

  it('fails if a condition matches, and lists the matches', () => {
    const { code, stderr, stdout } = weir(['divergence', '--fail-on', 'no-metadata,kind=source', '--json'], {
      cwd: project,
    });
    expect(code).toBe(1);
    expect(stderr).toBe('error: 1 difference matches no-metadata\n  weir.toml:8: a, overlay 2: Nor this\n');
    const report = JSON.parse(stdout) as { entries: unknown[]; failed: { condition: string; entries: unknown[] }[] };
    expect(report.entries).toHaveLength(5);
    expect(report.failed.map(({ condition, entries }) => [condition, entries.length])).toEqual([['no-metadata', 1]]);
    expect(weir(['divergence', '--fail-on', 'older-than=1d'], { cwd: project })).toMatchObject({
      code: 0,
      stderr:
        'warning: the age of 2 overlays is unknown: the project is not in a git repository, or in a shallow clone\n',
    });
    expect(weir(['divergence', '--fail-on', 'older=1d'], { cwd: project })).toMatchObject({ code: 2, stdout: '' });
  });
});
