import { expect, test } from 'vitest';
import { sshGreeting } from '../../src/boot/ssh-greeting.ts';
import { startMachine } from './machine.ts';

// The other tests boot from NVMe, virtio, SCSI and SATA.
test.each([
  ['VMware', ['--disk-bus', 'pvscsi', '--network-card', 'vmxnet3', '--firmware', 'bios']],
  ['QEMU without a word about the machine', ['--disk-bus', 'ide', '--firmware', 'bios']],
])('vm-base finds its root and a network on %s', async (_name, words) => {
  const machine = await startMachine(['vm-base', ...words]);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 800_000);
  machine.process.once('exit', () => limit.abort());
  try {
    const greeting = await sshGreeting(machine.sshPort, limit.signal);
    expect(greeting, machine.said().slice(-4000)).toMatch(/^SSH-2\.0-OpenSSH/);
  } finally {
    clearTimeout(timer);
    machine.process.kill('SIGKILL');
  }
});
