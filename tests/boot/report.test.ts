import { describe, expect, test } from 'vitest';
import type { ProbeAnswer } from '../../src/boot/probe.ts';
import { judge, machineState } from '../../src/boot/report.ts';

const denial =
  'avc:  denied  { read } for  pid=NN comm="auditd" name="x" dev="tmpfs" ino=43 scontext=system_u:system_r:auditd_t:s0 tcontext=system_u:object_r:tmpfs_t:s0 tclass=dir permissive=0';

const well: Readonly<Record<string, string | ProbeAnswer>> = {
  state: 'running',
  memory: 'MemTotal:        2017280 kB\nMemFree: 1 kB\nMemAvailable:    1764352 kB',
  failed: '',
  jobs: '',
  time: 'Startup finished in 1.250s (firmware) + 820ms (loader) + 2.777s (kernel) + 1min 17.096s (userspace) = 1min 21.9s \nmulti-user.target reached after 17.085s in userspace.',
  'multi-user': '19874123',
  blame: '    10.590s dev-nvme0n1.device\n     4.894s sshd-keygen.service',
  services:
    'auditd.service loaded active running Security Audit Logging Service\nsshd.service loaded active running OpenSSH',
  kernel: '7.2.12',
  cmdline: 'root=LABEL=weir',
  'os-release': 'ID=weir\nNAME="Weir Linux"\nPRETTY_NAME=\'Weir Linux 4.0\'\n# no\n',
  mounts: '/dev/nvme0n1p2 / ext4 rw,seclabel,relatime 0 0\ntmpfs /tmp tmpfs rw 0 0',
  addresses: '2: enp0s2    inet 10.0.2.15/24 metric 1024 brd 10.0.2.255 scope global dynamic enp0s2',
  resolve: '10.0.2.2 STREAM _gateway',
  'secure-boot': { name: 'secure-boot', code: 1, text: 'od: no such file' },
  selinux: 'Enforcing',
  warnings: 'a\na\nb',
  packages: '211',
  verify: 'S.5....T.  c /etc/passwd',
  denials: '',
};

function answers(changes: Readonly<Record<string, string | ProbeAnswer | undefined>> = {}): ProbeAnswer[] {
  return Object.entries({ ...well, ...changes }).flatMap(([name, answer]) =>
    answer === undefined ? [] : typeof answer === 'string' ? [{ name, code: 0, text: answer }] : [answer],
  );
}

const wrong = (
  changes: Readonly<Record<string, string | ProbeAnswer | undefined>>,
  expected: Parameters<typeof judge>[1] = {},
  install = false,
): string[] => judge(machineState(answers(changes)), expected, { install });

test('a healthy machine has no failures', () => {
  const state = machineState(answers());
  expect(state).toMatchObject({
    state: 'running',
    failedUnits: [],
    times: { firmware: 1.25, loader: 0.82, kernel: 2.777, userspace: 77.096, multiUser: 19.874 },
    slowest: ['10.590s dev-nvme0n1.device', '4.894s sshd-keygen.service'],
    services: ['auditd.service', 'sshd.service'],
    memory: { totalMiB: 1970, usedMiB: 247 },
    osRelease: { ID: 'weir', NAME: 'Weir Linux', PRETTY_NAME: 'Weir Linux 4.0' },
    mounts: [{ at: '/', source: '/dev/nvme0n1p2', type: 'ext4', options: 'rw,seclabel,relatime' }],
    addresses: ['10.0.2.15/24'],
    secureBoot: false,
    warnings: ['a', 'b'],
    packages: 211,
    verify: ['S.5....T.  c /etc/passwd'],
  });
  expect(state.times).not.toHaveProperty('initrd');
  expect(judge(state, {}, { install: false })).toEqual([]);
});

describe('reports', () => {
  test('a silent machine', () => {
    expect(judge(machineState([]), {}, { install: true })).toEqual([
      'the system is silent, not running',
      'SELinux is absent, not Enforcing',
      'no network interface has an address',
      'name resolution does not work',
      'dnf could not install: not run',
    ]);
  });

  test('units and jobs', () => {
    expect(
      wrong({
        state: { name: 'state', code: 1, text: 'degraded' },
        failed: 'a.service loaded failed failed A\nb.mount loaded failed failed B',
        jobs: '123 c.service start running',
      }),
    ).toEqual([
      'the system is degraded, not running',
      'a.service failed',
      'b.mount failed',
      'c.service was still queued',
    ]);
  });

  test('a denial once, even if logged several times', () => {
    const kernel = `[   11.5] audit: type=1400 audit(1.1:61): ${denial.replace('NN', '15')}`;
    const log = `type=AVC msg=audit(1.2:62): ${denial.replace('NN', '16').replace('ino=43', 'ino=44')}`;
    expect(wrong({ denials: `${kernel}\n${log}` })).toEqual([`SELinux ${denial.replace('NN', '15')}`]);
    expect(wrong({ denials: log }, { denialsAllowed: [/auditd_t/] })).toEqual([]);
    expect(wrong({ denials: log, selinux: 'Permissive' }, { selinux: false })).toEqual([]);
    expect(wrong({ selinux: 'Permissive' })).toEqual(['SELinux is Permissive, not Enforcing']);
  });

  test('a changed installed file, unless it is configuration', () => {
    const verify = 'S.5....T.  c /etc/passwd\nS.5....T.    /usr/bin/jq\nmissing     /usr/bin/x\nmissing   c /etc/y';
    expect(wrong({ verify })).toEqual(['rpm -Va: S.5....T.    /usr/bin/jq', 'rpm -Va: missing     /usr/bin/x']);
    expect(wrong({ verify }, { verifyAllowed: [/\/usr\/bin\//] })).toEqual([]);
  });

  test('a script that failed or did not run', () => {
    const judged = (changes: Parameters<typeof answers>[0]) =>
      judge(machineState(answers(changes)), {}, { install: false, run: true });
    expect(judged({ run: 'a=1\nb=2' })).toEqual([]);
    expect(machineState(answers({ run: 'a=1\n\nb=2\n' })).run).toEqual({ code: 0, output: ['a=1', 'b=2'] });
    expect(judged({ run: { name: 'run', code: 3, text: 'no\nnot here' } })).toEqual([
      'the script exited with 3: not here',
    ]);
    expect(judged({ run: { name: 'run', code: 1, text: '' } })).toEqual(['the script exited with 1: no output']);
    expect(judged({})).toEqual(['the script was not run']);
  });

  test('an install that failed', () => {
    const failed = { name: 'install', code: 1, text: 'Loading\nSignature verification failed.' };
    expect(wrong({ install: failed }, {}, true)).toEqual(['dnf could not install: Signature verification failed.']);
    expect(wrong({ install: 'Complete!', installed: 'jq-1.8-1.x86_64 RSA/SHA512' }, {}, true)).toEqual([]);
    // dnf succeeded, but the package is missing
    const absent = { name: 'installed', code: 1, text: 'package jq is not installed' };
    expect(wrong({ install: 'Complete!', installed: absent }, {}, true)).toEqual(['dnf could not install: Complete!']);
  });

  test('further expectations', () => {
    expect(wrong({}, { secureBoot: true, activeServices: ['sshd.service', 'chronyd.service'] })).toEqual([
      'Secure Boot is off',
      'chronyd.service is not active',
    ]);
    expect(wrong({ 'secure-boot': '   1' }, { secureBoot: true })).toEqual([]);
    expect(wrong({ addresses: '', resolve: undefined }, { network: false })).toEqual([]);
  });
});
