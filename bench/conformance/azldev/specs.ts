import type { Random } from '../../fuzz/random.ts';

/** Makes a small spec with most of what a spec may have: conditionals, sub-packages, macros, lists of patches. */
export function makeSpec({ below, pick }: Random): string {
  const chance = (percent: number): boolean => below(100) < percent;
  const lines: string[] = [];
  const guarded = (body: readonly string[]): readonly string[] => {
    if (chance(70)) return body;
    const condition = pick(['%if 0%{?fedora}', '%ifarch x86_64', '%if %{with x}']);
    return chance(30) ? [condition, ...body, '%else', '# other', '%endif'] : [condition, ...body, '%endif'];
  };
  if (chance(30)) lines.push('%global major 1', '');
  if (chance(20)) lines.push('%define many() \\', '  echo %1 \\', '  echo', '');
  if (chance(20)) lines.push('%bcond_with x');
  lines.push('Name:           demo', `Version: ${pick(['1.0', '%{major}.2', '2~rc1'])}`, 'Release:        1%{?dist}');
  lines.push('Summary: A demo', 'License:        MIT', 'URL: https://example.org/%{name}', '');
  for (let number = 0; number < below(4); number++) lines.push(...guarded([`Source${number}: s${number}.tar.gz`]));
  const patches = below(4);
  const listed = chance(20);
  for (let number = 0; number < patches && !listed; number++) {
    lines.push(
      ...guarded([
        `${pick(['Patch', 'patch'])}${pick([number, number * 10])}:${pick([' ', '\t', '   '])}p${number}.patch`,
      ]),
    );
  }
  for (let number = 0; number < below(5); number++) {
    const value = pick(['gcc', 'make >= 4', 'perl(Foo)', 'pkgconfig(x)']);
    lines.push(...guarded([`${pick(['BuildRequires', 'Requires', 'Requires(post)', 'Provides'])}: ${value}`]));
  }
  lines.push('', '%description', 'A demo.', 'It does nothing.', '');
  for (const name of ['devel', 'libs'].slice(0, below(3))) {
    const header = pick([name, `-n demo-${name}`, `-n %{name}-${name}`]);
    const body = [`%package ${header}`, `Summary: ${name}`, `Requires: %{name} = %{version}`, ''];
    lines.push(...guarded([...body, `%description ${header}`, `The ${name}.`, '']), '');
    if (chance(70)) lines.push(...guarded([`%files ${header}`, `/usr/lib/${name}`]), '');
  }
  if (listed) lines.push('%patchlist', ...Array.from({ length: patches }, (_, number) => `p${number}.patch`), '');
  lines.push('%prep', pick(['%autosetup -p1', '%setup -q\n%patch -P0 -p1']), '');
  lines.push('%build', ...guarded(['%configure']), 'make', '', '%install', 'make install', '');
  if (chance(60)) lines.push('%check', 'make check', '');
  if (chance(30)) lines.push(pick(['%post', '%post -p /sbin/ldconfig', '%POST']), 'true', '');
  if (chance(10)) lines.push('%description -l de', 'Ein Demo.', '');
  lines.push(
    '%files',
    '%license LICENSE',
    '/usr/bin/demo',
    '',
    '%changelog',
    '* Mon Jan 01 2024 A <a@b.example> - 1.0-1',
  );
  lines.push('- first');
  return `${lines.join('\n')}${pick(['\n', '\n', '\n\n', ''])}`;
}
