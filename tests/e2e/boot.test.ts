import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import type { BootReport } from '../../src/boot/check.ts';
import { imageRecord, newFolder, shared, weir } from './weir.ts';

test('vm-base starts, is well under enforcing SELinux, and installs a signed package', async () => {
  const result = await weir(['-C', shared.project, 'boot', 'vm-base', '--check', '--out', shared.out]);
  const report = JSON.parse(result.stdout) as BootReport;
  expect(report.failures, result.stderr).toEqual([]);
  expect(result.code).toBe(0);
  expect(report).toMatchObject({ ok: true, ssh: expect.stringMatching(/^SSH-2\.0-OpenSSH/) });
  expect(report.attempts).toBeLessThanOrEqual(2);
  expect(['kvm', 'tcg']).toContain(report.accelerator.accelerator);
  const said = JSON.stringify(report.machine);
  for (const word of ['running', 'Enforcing']) expect(said).toContain(word);
  // The image that was started is still the one that was built.
  for (const file of (await imageRecord('vm-base')).files) {
    if (/\.(raw|qcow2|vhd)$/.test(file.path)) {
      expect(await fileDigest(join(shared.out, 'images', 'vm-base', file.path)), file.path).toBe(file.sha256);
    }
  }
});

test('the same disk starts by BIOS, from SATA', async () => {
  const script = join(await newFolder('run'), 'run.sh');
  // A program of an SELinux domain of its own, which may not have the port open that the answers leave by.
  await writeFile(script, 'lsmod\n');
  const words = ['boot', 'vm-base', '--firmware', 'bios', '--disk-bus', 'sata', '--check', '--run', script];
  const result = await weir(['-C', shared.project, ...words, '--out', shared.out]);
  const report = JSON.parse(result.stdout) as BootReport;
  expect(report.failures, result.stderr).toEqual([]);
  expect(result.code).toBe(0);
  const console = await readFile(join(shared.out, 'boot/vm-base/console.log'), 'utf8');
  expect(console).toContain('BOOT_IMAGE=/weir/');
  expect(report.machine?.run?.output.join('\n')).toMatch(/^ahci /m);
});
