import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { probeAccelerator } from '../../src/boot/accelerator.ts';
import { bootCheck } from '../../src/boot/boot-check.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';

/** Shows QEMU machines that are no Linux: the KVM probe's guest, and a disk that nothing starts from. */
export function bootAcceptance(toolboxOf: () => Promise<Toolbox>): void {
  describe('QEMU', () => {
    let folder: string;
    let toolbox: Toolbox;
    beforeAll(async () => {
      toolbox = await toolboxOf();
      folder = await mkdtemp(join(tmpdir(), 'weir-boot-'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('the KVM probe’s guest runs to its end without faults', async () => {
      expect(await probeAccelerator(toolbox, 'tcg')).toBeUndefined();
    });

    test('a disk without a boot loader gives a report and is not written', async () => {
      const path = join(folder, 'empty.raw');
      await writeFile(path, '');
      await truncate(path, 1 << 20);
      const before = await fileDigest(path);
      const report = await bootCheck(
        toolbox,
        { path, format: 'raw', arch: 'x86_64' },
        {
          folder: join(folder, 'check'),
          memoryMiB: 64,
          firmware: 'bios',
          accelerator: { accelerator: 'tcg', why: 'emulated: the test says so' },
          timeoutSeconds: 8,
        },
      );
      expect(report).toMatchObject({ ok: false, attempts: 1, accelerator: { accelerator: 'tcg' } });
      expect(report).not.toHaveProperty('ssh');
      expect(report.failures).toEqual([expect.stringMatching(/^the machine did not complete the check/)]);
      expect(JSON.parse(await readFile(join(folder, 'check', 'report.json'), 'utf8'))).toMatchObject({ ok: false });
      expect(await fileDigest(path)).toBe(before);
    });

    test('an error of QEMU is reported with its message', async () => {
      const path = join(folder, 'one.raw');
      await writeFile(path, Buffer.alloc(1 << 20));
      const start = bootCheck(
        toolbox,
        { path, format: 'raw', arch: 'x86_64' },
        {
          folder: join(folder, 'refused'),
          cpus: 100_000,
          firmware: 'bios',
          accelerator: { accelerator: 'tcg', why: 'emulated: the test says so' },
          timeoutSeconds: 60,
        },
      );
      await expect(start).rejects.toMatchObject({ code: 'qemu-failed', details: [expect.stringContaining('qemu')] });
    });
  });
}
