import { describe, expect, it, test } from 'vitest';
import { classifyScript, isRunByRpm, runsAtInstall } from '../../src/tree/scriptlets.ts';

const sh = (script: string) => classifyScript({ interpreter: ['/bin/sh'], script });
const lua = (script: string) => classifyScript({ interpreter: ['<lua>'], script });

describe('the class of a scriptlet', () => {
  it.each([
    // covered by finalisers
    ['/sbin/ldconfig', 'finaliser', 'library cache'],
    ['systemctl --no-reload preset a.service || :', 'finaliser', 'presets'],
    [
      'if [ $1 -eq 1 ] && [ -x /usr/lib/systemd/systemd-update-helper ]; then\n  /usr/lib/systemd/systemd-update-helper install-system-units a.service || :\nfi',
      'finaliser',
      'presets',
    ],
    [
      'systemd-sysusers a.conf; systemd-tmpfiles --create a.conf',
      'finaliser',
      'system users, temporary files (at boot)',
    ],
    ['/sbin/depmod -a 6.1', 'finaliser', 'kernel modules'],
    ['restorecon -R /usr &> /dev/null', 'finaliser', 'SELinux labels'],
    ['systemctl try-restart a >/dev/null 2>&1 || :', 'finaliser', 'no running system'],
    ['exit 0', 'finaliser', 'changes nothing'],
    ['', 'finaliser', 'changes nothing'],
    ['run() {\n  echo x\n}\nrun', 'finaliser', 'changes nothing'],
    // run
    ['getent passwd a >/dev/null || useradd -r a', 'run', 'useradd'],
    ['echo x >> /etc/shells', 'run', 'writes /etc/shells'],
    ['/sbin/ldconfig\nln -sf a /usr/bin/b', 'run', 'ln'],
    ['LD=/sbin/ldconfig\n$LD', 'finaliser', 'library cache'],
    ['"$program" --all', 'run', '$program'],
    ['sed -i s/a/b/ /etc/x; find /x -delete', 'run', 'sed, find'],
    ['sed -n p /etc/x; find /x -name y', 'finaliser', 'changes nothing'],
    ['x=$(mktemp)', 'run', 'mktemp'],
    ['systemctl enable a', 'run', 'systemctl enable'],
    ['[ -e /x ] || exit 1', 'run', 'exit 1'],
    ['%{_own_macro} a', 'run', '%{_own_macro}'],
    ['update-ca-trust', 'run', 'update-ca-trust'],
    // refused
    ['curl -O https://example.org/x; ln -s a b', 'refused', 'needs the network: curl'],
    ['modprobe a || :', 'refused', 'needs the running kernel'],
    ['rpm -e other', 'refused', 'needs an rpm database that no transaction uses'],
    ['rpm -q other', 'finaliser', 'changes nothing'],
    ['setsebool -P x=1', 'refused', 'needs a finished SELinux policy store'],
    // a part that cannot work does not stop the rest, as on a machine
    ['modprobe a || :\ntouch /etc/a', 'run', 'touch'],
  ])('%j: %s', (script, expected, reason) => {
    expect(sh(script)).toEqual({ class: expected, reason });
  });

  it.each([
    ['rpm.spawn({"/usr/sbin/ldconfig"})', 'finaliser', 'library cache'],
    [
      "if posix.stat('/a') then rpm.spawn({'/usr/bin/systemd-tmpfiles', '--create'}) end",
      'finaliser',
      'temporary files (at boot)',
    ],
    ['os.execute("/sbin/ldconfig; touch /x")', 'run', 'touch'],
    ['-- posix.mkdir("/x")\nprint("--[[")', 'finaliser', 'changes nothing'],
    ['posix.mkdir("/x")', 'run', 'posix.mkdir'],
    ['local f = io.open("/x", "w")', 'run', 'io.open for writing'],
    ['local f = io.open("/x", "r")', 'finaliser', 'changes nothing'],
    ['rpm.execute(program)', 'run', 'a program named by a variable'],
  ])('Lua %j: %s', (script, expected, reason) => {
    expect(lua(script)).toEqual({ class: expected, reason });
  });

  test('of a program and of other languages', () => {
    expect(classifyScript({ interpreter: ['/sbin/ldconfig'], script: '' })).toEqual({
      class: 'finaliser',
      reason: 'library cache',
    });
    expect(classifyScript({ interpreter: ['/usr/bin/python3'], script: 'pass' })).toEqual({
      class: 'run',
      reason: 'a python3 script',
    });
  });

  test('rpm runs what is run, and a %pre that makes the owners of files', () => {
    const users = sh('systemd-sysusers a.conf');
    expect(isRunByRpm({ name: 'pre', ...users })).toBe(true);
    expect(isRunByRpm({ name: 'post', ...users })).toBe(false);
    expect(isRunByRpm({ name: 'pre', ...sh('/sbin/ldconfig') })).toBe(false);
    expect(isRunByRpm({ name: 'post', ...sh('ln a b') })).toBe(true);
    expect(isRunByRpm({ name: 'postun', ...sh('ln a b') })).toBe(false);
  });

  test('runs at installation: neither removals nor verification', () => {
    const names = [
      'pre',
      'post',
      'preun',
      'postun',
      'verifyscript',
      'triggerun',
      'filetriggerin',
      'transfiletriggerin',
    ] as const;
    expect(names.filter(runsAtInstall)).toEqual(['pre', 'post', 'filetriggerin', 'transfiletriggerin']);
  });
});
