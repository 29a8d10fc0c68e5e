import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { readAdvisory } from '../../src/advisory/load.ts';
import { fileDigest } from '../../src/base/digest.ts';
import { readIfExists } from '../../src/base/files.ts';
import { run, runOk } from '../../src/base/process.ts';
import type { BootReport } from '../../src/boot/boot-check.ts';
import {
  exitOf,
  expectError,
  imageRecord,
  newFolder,
  projectWith,
  releaseRecord,
  shared,
  startWeir,
  weir,
} from './weir.ts';

const id = 'CVE-2026-77001';

/** A copy of the shared release with two of its images, one of which holds less. */
async function releaseWithTwoImages(): Promise<string> {
  const out = join(await newFolder('fix'), 'out');
  await mkdir(join(out, 'images'), { recursive: true });
  const parts = [
    'repo',
    'release.json',
    'release.json.sig',
    'image-key.pem',
    'weir-output',
    'images/container-base',
    'images/distroless-minimal',
  ];
  for (const part of parts) await runOk(['cp', '-al', join(shared.out, part), join(out, part)]);
  return out;
}

/** A patch for less that changes a comment of its main.c. */
async function patchForLess(): Promise<string> {
  const folder = await newFolder('patch');
  const prepared = await weir(['-C', shared.project, 'component', 'prepare', 'less', '-o', join(folder, 'less')]);
  expect(prepared.code, prepared.stderr).toBe(0);
  await runOk(['sh', '-c', `cd ${folder} && tar -xf less/less-*.tar.gz && mv less-[0-9]* a && mkdir b`]);
  await cp(join(folder, 'a/main.c'), join(folder, 'b/main.c'));
  const main = await readFile(join(folder, 'b/main.c'), 'utf8');
  await writeFile(join(folder, 'b/main.c'), main.replace('#include "less.h"', `#include "less.h" /* ${id} */`));
  const { stdout } = await run(['diff', '-u', 'a/main.c', 'b/main.c'], { cwd: folder });
  await writeFile(join(folder, 'less.patch'), stdout);
  return join(folder, 'less.patch');
}

let project: string;
let out: string;

beforeAll(async () => {
  project = await projectWith({});
  out = await releaseWithTwoImages();
});

test('a fix that is killed and run again patches the image that holds the package, and no other', async () => {
  const patch = await patchForLess();
  const by = ['--by', 'Jane Doe <jane@example.com>'];
  const fields = [
    '--title',
    'less: overflow',
    '--severity',
    'critical',
    '--published',
    '2026-11-01',
    '--component',
    'less',
  ];
  const made = await weir(['-C', project, 'advisory', 'new', id, ...fields, ...by]);
  expect(made.code, made.stderr).toBe(0);
  const record = join(project, 'advisories', `${id}.toml`);
  const other = await readFile(join(out, 'images/distroless-minimal/image.json'), 'utf8');
  const fix = ['-C', project, 'advisory', 'fix', id, '--component', 'less', '--patch', patch, '--out', out, ...by];

  const killed = startWeir(fix, {});
  while (killed.exitCode === null && !(await readIfExists(record))?.includes('"fix-pending"')) await sleep(100);
  killed.kill('SIGKILL');
  expect(await exitOf(killed)).toBe('SIGKILL');
  await rm(join(out, '.lock'), { force: true });

  const result = await weir([...fix, '--json']);
  expect(result.code, result.stderr).toBe(0);
  const release = await releaseRecord(out);
  const fixed = ['less-668-1.wl4.1.src', 'less-668-1.wl4.1.x86_64'];
  expect(JSON.parse(result.stdout)).toMatchObject({
    packages: fixed,
    snapshot: release.snapshot,
    images: [{ name: 'container-base' }],
  });
  const { events } = readAdvisory(record);
  expect(events.map(({ type }) => type)).toEqual(['detected', 'fix-pending', 'fixed', 'published', 'image']);
  expect(events[2]).toMatchObject({ in: fixed });
  expect(release.images.find(({ name }) => name === 'container-base')?.packages).toContain('less-668-1.wl4.1.x86_64');
  expect(await readFile(join(out, 'images/distroless-minimal/image.json'), 'utf8')).toBe(other);

  // All is done: nothing is done again.
  const before = await readFile(record, 'utf8');
  const again = await weir([...fix, '--json']);
  expect(again.code, again.stderr).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({
    changed: [],
    snapshot: release.snapshot,
    images: [{ cached: true }],
  });
  expect(await readFile(record, 'utf8')).toBe(before);

  const { images, packages } = JSON.parse((await weir(['-C', project, 'cve', id, '--out', out, '--json'])).stdout) as {
    readonly images: readonly { readonly name: string; readonly status: string; readonly latest: boolean }[];
    readonly packages: readonly { readonly nevra: string; readonly status: string }[];
  };
  expect(images[0]).toMatchObject({ name: 'container-base', status: 'fixed', latest: true });
  const old = images.slice(1).map(({ name, status, latest }) => [name, status, latest]);
  expect(old).toEqual(
    expect.arrayContaining([
      ['container-base', 'affected', false],
      ['vm-base', 'affected', false],
    ]),
  );
  expect(packages).toContainEqual(expect.objectContaining({ nevra: 'less-668-1.wl4.1.x86_64', status: 'fixed' }));

  await writeFile(patch, `${await readFile(patch, 'utf8')}\n`);
  expectError(await weir(fix), {
    exit: 2,
    says: /less already has a different CVE-2026-77001\.patch/,
    hint: /remove its overlay/,
  });
  expectError(await weir([...fix.slice(0, 4), 'CVE-2026-0001', ...fix.slice(5)]), {
    exit: 2,
    says: /there is no record of CVE-2026-0001$/,
  });
});

/** An administrator's commands; what they print is looked at below. */
const updates = `set -e
rpm -q less
dnf5 -q advisory list --available
dnf5 -q advisory info --available --with-cve
dnf5 -y upgrade --security
rpm -q less
dnf5 -y upgrade --cves=${id} | tail -n 1
`;

test('a machine of the release before boots under enforcing SELinux, and installs the fix and nothing else', async () => {
  await runOk(['cp', '-al', join(shared.out, 'images/vm-base'), join(out, 'images')]);
  const script = join(await newFolder('run'), 'run.sh');
  await writeFile(script, updates);
  const result = await weir(['-C', project, 'boot', 'vm-base', '--check', '--run', script, '--out', out]);
  expect(result.stdout, result.stderr).not.toBe('');
  const report = JSON.parse(result.stdout) as BootReport;
  const lines = report.machine.run?.output ?? [];
  expect(report.failures, `${result.stderr}\n${lines.join('\n')}`).toEqual([]);
  expect(result.code).toBe(0);
  expect(report).toMatchObject({ ok: true, ssh: expect.stringMatching(/^SSH-2\.0-OpenSSH/) });
  expect(report.attempts).toBeLessThanOrEqual(2);
  expect(['kvm', 'tcg']).toContain(report.accelerator.accelerator);
  for (const word of ['running', 'Enforcing']) expect(JSON.stringify(report.machine)).toContain(word);
  const said = lines.join('\n');
  expect(lines.filter((line) => line.startsWith('less-'))).toEqual([
    'less-668-1.wl4.x86_64',
    'less-668-1.wl4.1.x86_64',
  ]);
  expect(said).toMatch(/^WEIR-CVE-2026-77001 +security +Critical +less-668-1\.wl4\.1\.x86_64/m);
  expect(said).toMatch(/^ Upgrading: +1 package/m);
  expect(lines.at(-1)).toMatch(/nothing to do/i);
  // The image that was started is still the one that was built.
  for (const file of (await imageRecord('vm-base')).files) {
    if (/\.(raw|qcow2|vhd)$/.test(file.path)) {
      expect(await fileDigest(join(shared.out, 'images', 'vm-base', file.path)), file.path).toBe(file.sha256);
    }
  }
});
