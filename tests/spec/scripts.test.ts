import { expect, test } from 'vitest';
import { parseSpec } from '../../src/spec/parse.ts';
import { plainMacros } from '../../src/spec/query.ts';
import { expandScriptMacros } from '../../src/spec/script-macros.ts';
import { specScripts } from '../../src/spec/scripts.ts';

test('finds the scripts of a spec with their packages, options and conditions', () => {
  const spec = parseSpec(`Name: a
%global sub tools

%post -p /sbin/ldconfig

%post %{sub}
%if 0
one
%else
two
%endif
%dnl three

%posttrans -n whole -p "/bin/bash -e"
x

%pretrans -p <lua> tools
y()

%triggerin -e -- bash >= 5, zsh
z

%transfiletriggerin -P 7 -- /usr/lib /lib
cat

%ldconfig_scriptlets libs

%files
`);
  expect(specScripts(spec).map(({ line, ...script }) => [line, script])).toEqual([
    [3, { name: 'post', package: '', wholeName: false, interpreter: ['/sbin/ldconfig'], script: '' }],
    [5, { name: 'post', package: 'tools', wholeName: false, interpreter: ['/bin/sh'], script: 'one\ntwo' }],
    [13, { name: 'posttrans', package: 'whole', wholeName: true, interpreter: ['/bin/bash', '-e'], script: 'x' }],
    [16, { name: 'pretrans', package: 'tools', wholeName: false, interpreter: ['<lua>'], script: 'y()' }],
    [
      19,
      {
        name: 'triggerin',
        package: '',
        wholeName: false,
        interpreter: ['/bin/sh'],
        script: 'z',
        flags: ['expand'],
        on: ['bash >= 5', 'zsh'],
      },
    ],
    [
      22,
      {
        name: 'transfiletriggerin',
        package: '',
        wholeName: false,
        interpreter: ['/bin/sh'],
        script: 'cat',
        on: ['/usr/lib', '/lib'],
        priority: 7,
      },
    ],
    ...(['post', 'postun'] as const).map((name) => [
      25,
      {
        name,
        package: 'libs',
        wholeName: false,
        interpreter: ['/sbin/ldconfig'],
        script: '',
        madeBy: '%ldconfig_scriptlets',
      },
    ]),
  ]);
});

test('puts in what macros of scriptlets run', () => {
  const macros = plainMacros(parseSpec('%global unit a.service\n%global tool %{_bindir}/t\n'));
  const expand = (script: string): string => expandScriptMacros(script, macros);
  expect(expand('%systemd_post %{unit}')).toBe('systemctl preset a.service');
  expect(expand('%{?ldconfig}')).toBe('ldconfig');
  expect(expand('%{?with_x:%sysusers_create_compat a}\n%{tool} -x')).toBe('systemd-sysusers a\n%{_bindir}/t -x');
  expect(expand('%define a b\n%unknown c')).toBe('\n%unknown c');
});
