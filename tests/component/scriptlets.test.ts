import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folder, weir } from '../cli/weir.ts';

const spec = `Name: a
Version: 1
Release: 1
Summary: a
License: MIT

%post
%systemd_post a.service

%pre tools
useradd a

%postun -n whole
modprobe a
`;

describe('weir package scriptlets', () => {
  const dir = folder({
    'azldev.toml': "[project]\nrendered-specs-dir = 'specs'\n[components.a]\n[components.b]\n",
    'specs/a/a/a.spec': spec,
    'other.spec': 'Name: o\n\n%post -p /sbin/ldconfig\n',
  });

  test('classes the scriptlets of the rendered specs, and names components without one', () => {
    const { code, stdout, stderr } = weir(['-C', dir, 'package', 'scriptlets']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `PACKAGE  SCRIPTLET  CLASS      BY
a        %post      finaliser  presets
a-tools  %pre       run        useradd
whole    %postun    refused    needs the running kernel (not at installation)

3 scriptlets: 1 finaliser, 1 run, 1 refused
`,
    });
    expect(stderr).toContain('no rendered spec: b');
  });

  test('reads spec files and packages without a project', () => {
    const rpm = join(import.meta.dirname, '..', 'rpm', 'fixtures', 'scripts.rpm');
    const { code, stdout } = weir(['--json', 'package', 'scriptlets', join(dir, 'other.spec'), rpm]);
    const rows = JSON.parse(stdout) as { package: string; script: string; class: string; line?: number }[];
    expect(code).toBe(0);
    expect(rows[0]).toMatchObject({ package: 'o', script: 'post', class: 'finaliser', line: 3 });
    expect(rows.slice(1).map((row) => row.package)).toEqual(new Array(19).fill('scripts'));
  });

  test('shows one class', () => {
    const { stdout } = weir(['-C', dir, '--json', 'package', 'scriptlets', 'a', '--class', 'run']);
    expect(JSON.parse(stdout)).toMatchObject([{ package: 'a-tools', script: 'pre', class: 'run' }]);
  });

  test('a class that does not exist is a usage error', () => {
    const { code, stderr } = weir(['-C', dir, 'package', 'scriptlets', '--class', 'maybe']);
    expect(code).toBe(2);
    expect(stderr).toContain('finaliser, run, refused');
  });

  test('a missing file is an error', () => {
    expect(weir(['-C', dir, 'package', 'scriptlets', 'no.spec'])).toMatchObject({ code: 1, stdout: '' });
  });
});
