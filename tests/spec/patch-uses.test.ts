import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSpec } from '../../src/spec/parse.ts';
import { isApplied, namedPatches, patchUses } from '../../src/spec/patch-uses.ts';

const head = 'Name: demo\nVersion: 1\nSource0: demo.tar.gz\n';

/** Which of patches 0, 1, 2, 10 and 100 a spec applies: `+` yes, `-` no, `?` the text does not tell. */
function applied(prep: string, preamble = ''): string {
  const listed = [0, 1, 2, 10, 100].map((number) => `Patch${number}: p${number}.patch\n`).join('');
  const spec = parseSpec(`${head}${preamble}${listed}%description\nd\n${prep}\n%build\nmake\n`);
  const uses = patchUses(spec);
  return namedPatches(spec)
    .map((patch) => ({ true: '+', false: '-', undefined: '?' })[String(isApplied(uses, spec, patch))])
    .join('');
}

describe('how patches are applied', () => {
  it.each([
    ['%autosetup', '+++++'],
    ['%autosetup -p1 -n %{name}-%{version}', '+++++'],
    ['%autosetup -N -p1', '-----'],
    ['%autosetup -Np1', '-----'],
    ['%autosetup -p1 -S git', '+++++'],
    // The value of an option is no option.
    ['%autosetup -n -N', '+++++'],
    ['%{autosetup -p1}', '+++++'],
    ['%setup -q', '-----'],
    ['%forgeautosetup -p1', '+++++'],
    ['%goprep -A', '+++++'],
    ['%goprep', '-----'],
    ['%autopatch -p1', '+++++'],
    ['%autopatch -p1 -M 2', '+++--'],
    ['%autopatch -M2 -p1', '+++--'],
    ['%autopatch -m 2 -p1', '--+++'],
    ['%autopatch -m1 -M10', '-+++-'],
    ['%autopatch -qp1 -m 100', '----+'],
    ['%autopatch -p1 2 10', '--++-'],
    ['%autopatch -m %{first}', '?????'],
    ['%patch -P 1 -p1', '-+---'],
    ['%patch -p1 -P 1', '-+---'],
    ['%patch -p1 -P1 -P 2', '-++--'],
    ['%patch 1 -p1', '-+---'],
    ['%patch -p 1 2', '--+--'],
    ['%patch -p1 1 2', '-++--'],
    ['%patch1 -p1', '-+---'],
    ['%patch10 -p1 -b .x', '---+-'],
    ['%patch -b 10 -P 1', '-+---'],
    ['%patch -b .2 -d 1 -F 2 -z 3 -P100 -E -R', '----+'],
    ['%patch -p1', '+----'],
    ['%patch1 -p1 # not 2', '-+---'],
    ['%{patch1}', '-+---'],
    ['%{patch -P 1 -p1}', '-+---'],
    ['%{patch 1 -p1} 2', '-+---'],
    ['%{?with_x:%patch -P 1 -p1}', '-+---'],
    ['%{?patch1:%patch1 -p1}', '-+---'],
    ['%patch -p1 \\\n  -P 2', '--+--'],
    ['%patch%{n} -p1', '?????'],
    ['%patch -P %{n} -p1', '?????'],
    ['%if 0%{?rhel}\n%patch -P 1 -p1\n%else\n%patch 2 -p1\n%endif', '-++--'],
    ['patch -p1 < %{PATCH1}\npatch -p1 -i %PATCH2', '-++--'],
    ['patch -p1 < %{P:10}', '---+-'],
    ['git am %{patches}', '+++++'],
    ['for p in %{PATCHES}; do patch < $p; done', '+++++'],
    ['%{lua: for i, p in ipairs(patches) do print(rpm.expand("%patch " .. i)) end}', '+++++'],
    ['patch -p1 < %{_sourcedir}/p2.patch', '--+--'],
    ['patch -p1 < $RPM_SOURCE_DIR/p100.patch', '----+'],
    ['cat $RPM_SOURCE_DIR/*.patch | patch -p1', '+++++'],
    ['ApplyPatch() { patch -p1 < $RPM_SOURCE_DIR/$1; }\nApplyPatch p1.patch', '?+???'],
    ['(cd %{_sourcedir}; ls) | xargs patch', '?????'],
    ['%apply_patches', '?????'],
    ['%{?apply_patches}', '?????'],
    ['%{expand:%%patch -P %1}', '?????'],
    ['%include prep.inc', '?????'],
    ['# %patch -P 1\n%dnl %patch -P 2\n%setup -q', '-----'],
    ['%global n 1\n%setup -q -n x-%{n}', '-----'],
    ['%{__patch} -p1 < x', '-----'],
    ['# p1.patch\necho xp1.patchx', '-----'],
  ])('%s', (line, expected) => {
    expect(applied(`%prep\n${line}`)).toBe(expected);
  });

  it('by a macro of the spec, which may take the number as its own', () => {
    expect(applied('%prep\n%fix', '%global fix %patch -P 1 -p1\n')).toBe('-+---');
    expect(applied('%prep\n%fix 1', '%define fix() %patch -P %1 -p1\n')).toBe('?????');
    expect(applied('%prep\n%fix', '%global fix echo x\n')).toBe('-----');
  });

  it('by a build system, where %prep is its own', () => {
    expect(applied('', 'BuildSystem: autotools\n')).toBe('+++++');
    expect(applied('%prep -a\necho', 'BuildSystem: autotools\n')).toBe('+++++');
    expect(applied('%prep\n%setup -q', 'BuildSystem: autotools\n')).toBe('-----');
    expect(applied('')).toBe('-----');
  });

  it('in other sections, but not where they are only mentioned', () => {
    expect(applied('%prep\n%setup -q\n%conf\n%patch 1')).toBe('-+---');
    expect(applied('%prep\n%setup -q\n%changelog\n* Mon Jan 05 2026 A - 1\n- %patch1 and p2.patch')).toBe('-----');
  });

  it('of a list', () => {
    const spec = parseSpec(`${head}%patchlist\na.patch\nb.patch\n%prep\n%setup -q\n%patch -P 1\n`);
    const uses = patchUses(spec);
    expect(namedPatches(spec).map((patch) => [patch.name, isApplied(uses, spec, patch)])).toEqual([
      ['a.patch', false],
      ['b.patch', true],
    ]);
  });

  it('reads any text', () => {
    const part = fc.constantFrom(
      '%',
      '%%',
      '{',
      '}',
      '?',
      'patch',
      'autopatch',
      '-P',
      '1',
      ' ',
      '\n',
      '\\',
      ':',
      'PATCH1',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        for (const { from, to } of patchUses(parseSpec(`${head}%prep\n${parts.join('')}`)).uses) {
          expect(from).toBeLessThanOrEqual(Math.max(to, from));
        }
      }),
    );
  });
});
