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
    ['sort -o /etc/x /etc/y', 'sort'],
    ['sort -uo/etc/x /etc/y', 'sort'],
    ['sort --output=/etc/x /etc/y', 'sort'],
    ['sort $options /etc/y', 'sort'],
    ['uniq /etc/x /etc/y', 'uniq'],
    [`awk '{print > "/etc/x"}' f`, 'awk'],
    [`awk '{print | "cat > /etc/x"}' f`, 'awk'],
    [`awk 'BEGIN {system("touch /x")}'`, 'awk'],
    [`awk "{$action}" f`, 'awk'],
    ['gawk -i inplace 1 f', 'gawk'],
    ['awk -f program f', 'awk'],
    ["trap 'touch /x' EXIT", 'touch'],
    ['trap "$action" EXIT', 'trap'],
    ["sed -n 'w /etc/x' f", 'sed'],
    ["sed 's/a/b/w /etc/x' f", 'sed'],
    ["sed 's/a/b/e' f", 'sed'],
    ["sed -e p -e '/x/,$ { s,a,b,; w/etc/x' -e '}' f", 'sed'],
    ["sed '1e touch /x' f", 'sed'],
    ["sed 's/[/]/x;w /etc/x' f", 'sed'],
    ['sed "s/$a/b/" f', 'sed'],
    ['sed -f program f', 'sed'],
    ['sed -ni p f', 'sed'],
    ['find /x -fls /etc/y', 'find'],
    ['find / -name a | xargs rm', 'xargs'],
    ['echo x 1<>/etc/f', 'writes /etc/f'],
    ['exec 3<> /etc/f', 'writes /etc/f'],
    ['echo x >| /etc/f', 'writes /etc/f'],
    ['echo x &>> /etc/f', 'writes /etc/f'],
    ['echo x | tee /etc/f', 'tee'],
    ['echo x > >(tee /etc/f)', 'tee'],
    ['cat <(touch /x)', 'touch'],
    ['cat <<EOF\n$(touch /x)\nEOF', 'touch'],
    ['echo "a $(echo ")"; touch /x)"', 'touch'],
    ['echo $' + '{x:-$(touch /x)}', 'touch'],
    ['echo $((1 + $(touch /x)))', 'touch'],
    ['echo $((touch /x); true)', 'touch'],
    ['echo `echo \\`touch /x\\``', 'touch'],
    ["echo 'a\ntouch /x", 'an open quote'],
    ["eval echo '>' /etc/x", 'eval'],
    ['X=touch\nX=true\n$X /x', '$X'],
    ['X=true\n[ a ] && X=touch\n$X /x', '$X'],
    ['. /etc/x', '.'],
    ['dd of=/etc/x', 'dd'],
    ["alias true='touch /x'", 'alias'],
    ['file -C -m /etc/magic', 'file'],
    ["rpm -E '%(touch /x)'", 'rpm'],
    ['systemctl --root /x enable a', 'systemctl /x'],
    ['systemctl $verb a', 'systemctl $verb'],
    ['udevadm lock -d /dev/a touch /x', 'udevadm lock'],
    ["perl -e 'unlink x'", 'perl'],
  ])('%j may write', (script, reason) => {
    expect(sh(script)).toEqual({ class: 'run', reason });
  });

  it.each([
    'sort -t: -k3 -n /etc/passwd | uniq -c -f 1 /etc/x',
    `awk -F: '$3 >= 500 || /a b/ {print $1}' /etc/passwd`,
    "awk -v 'a=b' -- 1 f",
    `sed -n -e 's/^a\\(.*\\)/\\1/gp;y/abc/xyz/' -e '/x/,$!{/y/I d;};2q' f`,
    `sed "1,3s|a|b|; \\,x,d" f | sed '$a text w /x'`,
    'trap - EXIT; trap "" 1 2; trap \'echo a\' EXIT',
    'find /etc -name "a*" -newer /y -print0',
    'echo "$(case x in (a) echo b;; esac)" $((1 << 2))',
    "cat <<'EOF'\n$(touch /x)\nEOF",
    'date +%s; date -u -d now; hostname -f; file -b /x; hash -r',
    'echo a >/dev/stderr 2>&1 <&-',
  ])('%j certainly changes nothing', (script) => {
    expect(sh(script)).toEqual({ class: 'finaliser', reason: 'changes nothing' });
  });

  test("the clock and the name of a machine are its kernel's", () => {
    expect(sh('date -s now; hostname a')).toEqual({ class: 'refused', reason: 'needs the running kernel' });
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
    ['local f = io.open("/x", mode)', 'run', 'io.open for writing'],
    ['os.execute("echo " .. x)', 'run', 'echo with variables'],
    ['local p = posix\np.mkdir("/x")', 'run', 'posix as a value'],
    ['print(rpm.expand("%(touch /x)"))', 'run', 'rpm.expand'],
    ['local files = posix.dir("/x") for i, f in ipairs(files) do print(f) end', 'finaliser', 'changes nothing'],
    // rpm stops at a script that it cannot read
    ['if posix.stat("/x") the\nend', 'run', 'invalid Lua: unexpected "the" in line 1'],
    ['print("a)', 'run', 'invalid Lua: unexpected "\\"" in line 1'],
    ['if true then\nprint("a")', 'run', 'invalid Lua: unexpected end of the script in line 2'],
    ['a %1', 'run', 'invalid Lua: unexpected "%" in line 1'],
    ['-- x\n%own_macro a', 'run', '%own_macro'],
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
