import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

describe('clean --out', () => {
  // Every folder here is a fresh one of the test's own: a guard that fails must have nothing else to remove.
  it('leaves a folder that has what Weir does not make, and all in it', () => {
    const dir = folder({ 'release.json': '{}', 'repo/x': '', passwd: 'root' });
    const { code, stdout, stderr } = weir(['clean', '--out', '--cache', '--out-dir', dir]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Weir does not make passwd');
    expect(readdirSync(dir).sort()).toEqual(['passwd', 'release.json', 'repo']);
  });

  it('removes what Weir made, and what a killed run left', () => {
    const full = folder({ 'release.json': '{}', 'repo/x': '', 'images/y': '', 'boot/z': '', '.1-ab.tmp': '' });
    expect(weir(['clean', '--out', '--out-dir', full]).code).toBe(0);
    expect(readdirSync(full)).toEqual([]);
  });
});
