import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runTool, type Toolbox, tryTool } from '../../src/toolbox/tool.ts';
import { startMachine } from './machine.ts';
import { exitOf, newFolder, tools } from './weir.ts';

/** A way to run commands in a machine as somebody who has a key. */
interface Login {
  readonly run: (
    command: string,
  ) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

async function makeKey(toolbox: Toolbox, dir: string): Promise<{ readonly secret: string; readonly open: string }> {
  const secret = join(dir, 'id_ed25519');
  const binds = [{ from: dir, writable: true }];
  const argv = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', secret];
  await runTool(toolbox, { argv, binds });
  const { stdout } = await runTool(toolbox, { argv: ['cat', `${secret}.pub`], binds });
  await chmod(secret, 0o600);
  return { secret, open: stdout.trim() };
}

function loginTo(toolbox: Toolbox, dir: string, port: number, user: string): Login {
  const options = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${dir}/hosts`, 'ConnectTimeout=20', 'BatchMode=yes'];
  const ssh = ['ssh', '-q', '-i', join(dir, 'id_ed25519'), ...options.flatMap((option) => ['-o', option])];
  const binds = [{ from: dir, writable: true }];
  return {
    run: (command) =>
      tryTool(toolbox, { argv: [...ssh, '-p', String(port), `${user}@127.0.0.1`, command], binds, network: true }),
  };
}

test('cloud-init installs the injected key under enforcing SELinux, and the root fills the disk', async () => {
  const toolbox = await tools('test');
  const dir = await newFolder('cloud');
  const key = await makeKey(toolbox, dir);
  const seed = join(dir, 'seed');
  await mkdir(seed);
  const data = `#cloud-config\nhostname: cloudy\nssh_authorized_keys:\n  - ${key.open}\nruncmd:\n  - [touch, /run/was-here]\n`;
  await writeFile(join(seed, 'user-data'), data);
  await writeFile(join(seed, 'meta-data'), 'instance-id: test-1\n');
  const words = ['vm-azure', '--cloud-init', seed, '--disk-size', '9GiB', '--disk-bus', 'scsi'];
  const { process: machine, sshPort: port, said } = await startMachine(words);
  try {
    const login = loginTo(toolbox, dir, port, 'weir');
    const began = Date.now();
    while ((await login.run('true')).code !== 0) {
      if (Date.now() - began > 800_000 || machine.exitCode !== null) throw new Error(said().slice(-4000));
      await new Promise((done) => setTimeout(done, 2000));
    }
    const asked = async (command: string): Promise<string> => (await login.run(command)).stdout.trim();
    // The first part of provisioning may still be at work when sshd answers.
    const status = await login.run('cloud-init status --wait');
    expect(status.stdout).toContain('status: done');
    expect(await asked('id -un; hostname; /usr/sbin/getenforce')).toBe('weir\ncloudy\nEnforcing');
    expect(await asked('sudo -n id -u; test -e /run/was-here && echo ran')).toBe('0\nran');
    const state = await asked('sudo -n systemctl is-system-running --wait');
    expect(state, await asked('sudo -n systemctl list-units --state=failed --no-legend')).toBe('running');
    const mebibytes = Number(await asked('df --output=size -BM / | tail -n 1 | tr -dc 0-9'));
    expect(mebibytes).toBeGreaterThan(8300);
    const denied = '{ sudo -n dmesg; sudo -n cat /var/log/audit/audit.log; } | grep "avc: *denied"';
    expect(await asked(denied)).toBe('');
    // Nobody gets in without the key.
    const other = await makeKey(toolbox, await newFolder('stranger'));
    expect(other.open).not.toBe(key.open);
    const stranger = loginTo(toolbox, join(other.secret, '..'), port, 'weir');
    expect((await stranger.run('true')).code).toBe(255);
    await login.run('sudo -n systemctl poweroff');
    expect(await exitOf(machine)).toBe(0);
  } finally {
    machine.kill('SIGKILL');
  }
});
