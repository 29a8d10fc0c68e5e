import { describe, expect, it } from 'vitest';
import { weir } from './weir.ts';

describe('image lint', () => {
  it('lists each rule once with targets and reason', () => {
    const { code, stdout } = weir(['image', 'lint', '--rules']);
    expect(code).toBe(0);
    const [heading, ...lines] = stdout.trimEnd().split('\n');
    expect(heading).toMatch(/^RULE +FOR +WHY$/);
    const ids = lines.map((line) => line.split(' ')[0]!);
    expect(new Set(ids).size).toBe(ids.length);
    expect(lines.find((line) => line.startsWith('serial-console '))).toMatch(
      / generic \(warning\), azure-gen1, azure-gen2, kubernetes \(warning\) +A cloud/,
    );
    for (const { id, why } of JSON.parse(weir(['image', 'lint', '--rules', '--json']).stdout) as {
      id: string;
      why: string;
    }[]) {
      expect(id).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(why, id).toMatch(/^\S.{30,}\.$/);
    }
  });

  it('requires an existing image and a known target', () => {
    const nothing = weir(['image', 'lint']);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('missing argument: image')]);
    const unknown = weir(['image', 'lint', 'vm-bsae']);
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/vm-bsae is neither[\s\S]*did you mean vm-base/),
    ]);
    const target = weir(['image', 'lint', 'vm-base', '--for', 'azure']);
    expect([target.code, target.stderr]).toEqual([2, expect.stringContaining('azure-gen1')]);
  });
});
