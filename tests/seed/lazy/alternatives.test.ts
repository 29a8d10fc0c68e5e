import { expect, test } from 'vitest';
import { alternativesIn } from '../../../src/seed/lazy/alternatives.ts';

test('links of update-alternatives, over several lines', () => {
  const script = `#!/bin/sh
case "$1" in
    configure)
        update-alternatives \\
            --install /usr/bin/lua lua-interpreter /usr/bin/lua5.4 20 \\
            --slave /usr/share/man/man1/lua.1.gz lua-manual \\
                /usr/share/man/man1/lua5.4.1.gz
        ;;
esac
update-alternatives --install /usr/lib/x86_64-linux-gnu/libblas.so.3 name /usr/lib/x86_64-linux-gnu/blas/libblas.so.3 10 || true
`;
  expect(alternativesIn(script)).toEqual({
    '/usr/bin/lua': 'lua5.4',
    '/usr/lib/x86_64-linux-gnu/libblas.so.3': 'blas/libblas.so.3',
  });
});

test.each([
  'update-alternatives --install /usr/bin/$name $name /usr/lib/jvm/bin/$name 10',
  'update-alternatives --install /usr/bin/editor editor /usr/bin/nano 40',
  'update-alternatives --install /etc/x x /usr/bin/x 40',
  'update-alternatives --install /usr/bin/../../etc/x x /usr/bin/x 40',
  'update-alternatives --remove lua /usr/bin/lua5.4',
  '# update-alternatives --install /usr/bin/x x /usr/bin/y 1',
  'update-alternatives --install',
])('%s makes none', (line) => {
  expect(alternativesIn(line)).toEqual({});
});
