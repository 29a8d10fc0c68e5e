import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordText } from '../../src/release/record-schema.ts';
import { recordOf } from '../release/release-records.ts';
import { folder, weir } from './weir.ts';

const project = `
[project]
description = "x"
output-dir = "out"
[release]
version = "4.0"
snapshot = "2026-11-20"
channels = [{ name = "base" }, { name = "sdk" }]
[lifecycle]
id = "weir"
name = "Weir Linux"
version = "4.0"
release-date = "2026-11-20"
support-end = "2028-11-19"
[[lifecycle.exceptions]]
channel = "sdk"
support-end = "2027-11-19"
reason = "compilers follow upstream"
[[lifecycle.exceptions]]
package = "bash*"
support-end = "2029-11-19"
reason = "everybody needs it"
`;
const osRelease = { ID: 'weir', NAME: 'Weir Linux', VERSION_ID: '4.0', SUPPORT_END: '2028-11-20' };
const image = (name: string) =>
  ({
    name,
    kind: 'container',
    inputs: 'ab',
    installedSize: 7,
    files: [{ path: 'a', size: 1, sha256: 'ab' }],
    details: {},
  }) as const;

/** A project with a built release, of images with these os-release files. */
function built(images: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>, text = project): string {
  const dir = folder({ 'weir.toml': text });
  const record = recordOf(
    { id: 'ab', publicKey: '' },
    { images: Object.keys(images).map((name) => ({ ...image(name), packages: ['bash-5.3-4.x86_64'] })) },
  );
  mkdirSync(join(dir, 'out'));
  writeFileSync(join(dir, 'out/release.json'), recordText(record));
  for (const [name, settings] of Object.entries(images)) {
    if (settings === undefined) continue;
    mkdirSync(join(dir, 'out/images', name), { recursive: true });
    const own = { ...image(name), snapshot: record.snapshot, packages: [], osRelease: settings, log: [] };
    writeFileSync(join(dir, 'out/images', name, 'image.json'), recordText(own));
  }
  return dir;
}

const run = (dir: string, ...args: readonly string[]) => weir(['-C', dir, 'lifecycle', '--at', '2028-01-01', ...args]);

describe('weir lifecycle', () => {
  it('shows the release, channels, exceptions and images', async () => {
    const { code, stdout, stderr } = run(built({ base: osRelease, scratch: {}, gone: undefined }));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout).toMatchFileSnapshot(join('golden', 'lifecycle.txt'));
  });

  it('--json has the state of every package', () => {
    const { stdout } = run(built({ base: osRelease }), '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'supported',
      day: '2028-01-01',
      daysLeft: 323,
      channels: [
        { name: 'base', state: 'supported' },
        { name: 'sdk', state: 'ended', daysLeft: -43 },
      ],
      packages: [{ name: 'bash', channel: 'base', supportEnd: '2029-11-19', reason: 'everybody needs it' }],
      images: [{ name: 'base', status: 'same' }],
      unmatched: [],
      ok: true,
    });
  });

  it('the last day counts, and the moment of an option is taken in UTC', () => {
    const dir = folder({ 'weir.toml': project });
    const stateAt = (at: string): string =>
      (JSON.parse(weir(['-C', dir, 'lifecycle', '--at', at, '--json']).stdout) as { state: string }).state;
    expect(stateAt('2028-11-19')).toBe('supported');
    expect(stateAt('2028-11-19T23:59:59Z')).toBe('supported');
    expect(stateAt('2028-11-19T23:30:00-01:00')).toBe('ended');
    expect(stateAt('2026-11-19')).toBe('before-release');
  });

  it('an image whose os-release differs is a finding', () => {
    const { code, stdout, stderr } = run(built({ base: osRelease, vm: { ...osRelease, SUPPORT_END: '2028-11-19' } }));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^vm +1 difference$/m);
    expect(stderr).toBe('error: vm: os-release has SUPPORT_END "2028-11-19", [lifecycle] requires "2028-11-20"\n');
  });

  it('reports an exception that matches no published package', () => {
    const { code, stderr } = run(built({}, project.replace('bash*', 'nodejs22*')));
    expect(code).toBe(0);
    expect(stderr).toBe('warning: no published package matches the exception "nodejs22*"\n');
  });

  it('before the first build, no image is checked', () => {
    const { code, stdout, stderr } = run(folder({ 'weir.toml': project }));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/nothing was built yet/);
  });

  it.each([
    ['a project without [lifecycle]', '[project]\ndescription = "x"\n', [], /the project has no \[lifecycle\]/],
    ['a day that is none', project, ['--at', '2028-02-30'], /invalid date "2028-02-30"/],
    ['a damaged record', project, ['--out', folder({ 'release.json': '{' })], /release\.json: invalid build record/],
  ])('%s is one clear error', (_what, text, args, says) => {
    const { code, stdout, stderr } = run(folder({ 'weir.toml': text }), ...args);
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' });
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^hint: /m);
  });
});
