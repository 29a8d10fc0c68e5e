import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunResult } from '../../src/base/process.ts';
import type { BootReport } from '../../src/boot/boot-check.ts';
import { newFolder, shared, weir } from './weir.ts';

/** What administrators do on the first day, each by a program of an SELinux domain of its own; the check says what was denied. */
const firstDay = `set -e
lsmod
setsebool -P httpd_can_network_connect on
systemd-run --wait --pipe echo by a pipe | cat
systemd-run --wait --pipe echo by a file >/root/said
cat /root/said
useradd --create-home alice
mkdir --parents /root/.ssh /home/alice/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id
cp /root/.ssh/id.pub /home/alice/.ssh/authorized_keys
chown -R alice: /home/alice/.ssh
restorecon -R /root /home/alice
ssh -tt -o StrictHostKeyChecking=no -i /root/.ssh/id alice@localhost 'systemd-run --user --wait --pipe echo logged in' </dev/null
while test -e /run/user/1000; do sleep 1; done
ls -Z /var/log/wtmp.db
`;

test('vm-base boots by BIOS from SATA, without denials for an administrator', async () => {
  const script = join(await newFolder('run'), 'run.sh');
  await writeFile(script, firstDay);
  const words = ['boot', 'vm-base', '--firmware', 'bios', '--disk-bus', 'sata', '--check', '--run', script];
  const boot = async (): Promise<RunResult> => weir(['-C', shared.project, ...words, '--out', shared.out]);
  let result = await boot();
  // Emulated, a machine was once seen to stop in the kernel's unpacker, before anything of the image had run.
  if (/last console line: Poking KASLR/.test(result.stdout)) result = await boot();
  const report = JSON.parse(result.stdout) as BootReport;
  expect(report.failures, result.stderr).toEqual([]);
  expect(result.code).toBe(0);
  const console = await readFile(join(shared.out, 'boot/vm-base/console.log'), 'utf8');
  expect(console).toContain('BOOT_IMAGE=/weir/');
  const said = report.machine?.run?.output.join('\n');
  expect(said).toMatch(/^ahci /m);
  for (const words of ['by a pipe', 'by a file', 'logged in', ':wtmp_t:']) expect(said).toContain(words);
});
