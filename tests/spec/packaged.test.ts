import { expect, test } from 'vitest';
import { packagedPaths } from '../../src/spec/packaged.ts';
import { parseSpec } from '../../src/spec/parse.ts';

test('paths of %files are absolute, and without what only rpm knows', () => {
  const spec = parseSpec(
    'Name: a\n%files -f list\n%defattr(-,root,root)\n%dir /a/\n%ghost %attr (1, b, c) /d\n/e*\n/f/%{g}\n/h\\ i\nj\n/d\n%post\n/k\n',
  );
  expect(packagedPaths(spec, (text) => text)).toEqual(['/a', '/d']);
  expect(packagedPaths(spec, (text) => text.replace('%{g}', 'l'))).toEqual(['/a', '/d', '/f/l']);
});
