import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BootReport } from '../../src/boot/boot-check.ts';
import { runTool } from '../../src/toolbox/tool.ts';
import { layout } from './container.ts';
import { layoutForNode } from './cri.ts';
import { baseImage, nodeScript, pauseImage } from './kubernetes-node.ts';
import { newFolder, shared, tools, weir } from './weir.ts';

/** Lines of `key=value`, those of one key together. */
function answers(lines: readonly string[]): (key: string) => string {
  return (key) =>
    lines
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => line.slice(key.length + 1))
      .join('\n');
}

test('a node runs our container in a confined pod without denials', async () => {
  const folder = await newFolder('node');
  const images = join(folder, 'layout');
  await layoutForNode(layout, images, { image: baseImage, pause: pauseImage });
  const disk = join(folder, 'images.tar');
  await runTool(await tools(), {
    argv: ['tar', '-cf', disk, '-C', images, '.'],
    binds: [{ from: folder, writable: true }],
  });
  const script = join(folder, 'node.sh');
  await writeFile(script, nodeScript);
  const words = ['boot', 'vm-kubernetes', '--check', '--run', script, '--disk', disk, '--disk-bus', 'virtio'];
  const result = await weir(['-C', shared.project, ...words, '--out', shared.out]);
  expect(result.stdout, result.stderr).not.toBe('');
  const report = JSON.parse(result.stdout) as BootReport;
  const said = report.machine.run?.output ?? [];
  // Among failures would be everything that SELinux denied, and a script that did not end well.
  expect(report.failures, `${result.stderr}\n${said.join('\n')}`).toEqual([]);
  expect({ code: result.code, selinux: report.machine.selinux }).toEqual({ code: 0, selinux: 'Enforcing' });

  const answer = answers(said);
  expect(answer('containerd')).toBe('active enabled');
  const container = /^system_u:system_r:container_t:s0:c\d+,c\d+$/m.exec(answer('inside'))?.[0];
  expect(container, said.join('\n')).toBeDefined();
  expect(answer('inside')).toMatch(/^ID=weir$/m);
  // By the bridge of the pods' network to the node.
  expect(answer('inside')).toMatch(/^SSH-2\.0-OpenSSH/m);
  // A pod's containers have its categories, and systemd's slice.
  expect(answer('pause')).toMatch(new RegExp(`^${container} /kubepods\\.slice/cri-containerd-[0-9a-f]{64}\\.scope$`));
  for (const engine of ['engine', 'shim']) expect(answer(engine)).toMatch(/^system_u:system_r:dockerd_t:s0/);
  expect(answer('files')).toBe('system_u:object_r:container_var_lib_t:s0');
  expect(answer('left')).toBe('0');

  expect({ cgroup: answer('cgroup'), swap: answer('swap') }).toEqual({ cgroup: 'cgroup2fs', swap: '0' });
  expect(answer('modules').trim()).toBe('br_netfilter overlay');
  const settings = {
    'net.bridge.bridge-nf-call-iptables': '1',
    'net.bridge.bridge-nf-call-ip6tables': '1',
    'net.ipv4.ip_forward': '1',
    'vm.overcommit_memory': '1',
    'kernel.panic': '10',
    'kernel.panic_on_oops': '1',
    'fs.inotify.max_user_instances': '8192',
    'fs.inotify.max_user_watches': '524288',
    // The hardening's, which stays.
    'net.ipv4.conf.all.rp_filter': '1',
  };
  for (const [name, value] of Object.entries(settings)) expect(answer(name), name).toBe(value);
  // Volumes: daemons start when somebody asks, iSCSI's with a name that was made on this machine.
  expect(answer('iscsi')).toBe('active inactive \n600 1');
  expect(Number(answer('nfs'))).toBeGreaterThan(0);
});
