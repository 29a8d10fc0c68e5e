import { expect, test } from 'vitest';
import { withOverlays } from '../../src/project/add-overlay.ts';

const overlay = {
  type: 'patch-add',
  description: 'Fix CVE-2026-1234: a "quoted" title',
  source: 'CVE-2026-1234.patch',
  metadata: {
    category: 'upstream-backport',
    'upstream-status': 'upstreamed',
    commits: [{ url: 'https://x.example/1' }],
  },
};

test('overlays are added at the end, after those that are there', () => {
  const text = `[components.less]\n\n[[components.less.overlays]]\ntype = "file-add"\ndescription = "d"\nfile = "f"\nsource = "f"\n\n[components.bash]`;
  expect(withOverlays('/p/x.toml', text, 'less', [overlay])).toBe(`${text}

[[components.less.overlays]]
type = "patch-add"
description = "Fix CVE-2026-1234: a \\"quoted\\" title"
source = "CVE-2026-1234.patch"
metadata = { category = "upstream-backport", upstream-status = "upstreamed", commits = [{ url = "https://x.example/1" }] }
`);
});

test('a component without a table, or with an odd name, gets one', () => {
  expect(withOverlays('/p/x.toml', '', 'gtk+2.0', [overlay])).toMatch(/^\n\[\[components\."gtk\+2\.0"\.overlays\]\]\n/);
});

test('line ends stay as they are', () => {
  const edited = withOverlays('/p/x.toml', '[components.less]\r\n', 'less', [overlay]);
  expect(edited.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
});

test.each(['[components]\nless = {}\n', '[components.less]\noverlays = []\n', 'components = { less = {} }\n'])(
  'where %j leaves no place, the error shows what to add',
  (text) => {
    expect(() => withOverlays('/p/x.toml', text, 'less', [overlay])).toThrow(
      expect.objectContaining({
        code: 'cant-add',
        exit: 2,
        details: expect.arrayContaining(['[[components.less.overlays]]']),
      }),
    );
  },
);
