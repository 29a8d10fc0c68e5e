import { describe, expect, it } from 'vitest';
import { failure, load } from './fixture.ts';

// What the format takes and what it refuses, key by key. The rules are azldev's; each is held against a project of azldev's,
// so nothing that it reads may be an error here.

const source = (fields: string, name = 'a.tar.gz'): string =>
  `[[components.c.source-files]]\nfilename = "${name}"\n${fields}\n`;
const download = 'origin = { type = "download", uri = "https://example.org/a" }';
const overlay = (fields: string): string => `[[components.c.overlays]]\n${fields.replaceAll('; ', '\n')}\n`;
const archived = 'origin = { type = "overlay" }\nreplace-upstream = true\nreplace-reason = "r"';
const metadata = (fields: string): string =>
  `${overlay('type = "patch-add"; source = "p"')}[components.c.overlays.metadata]\n${fields.replaceAll('; ', '\n')}\n`;
const commits = 'commits = [{ url = "https://example.org/1" }]';
const repo = (fields: string): string => `[resources.rpm-repos.r]\n${fields.replaceAll('; ', '\n')}\n`;
const set = (fields: string, template = ''): string =>
  `${template}[resources.rpm-repo-sets.s]\ndisable-gpg-check = true\n${fields.replaceAll('; ', '\n')}\n`;
const template = (subrepos: string): string => `[resources.rpm-repo-set-templates.t]\nsubrepos = [${subrepos}]\n`;
const suite = (fields: string): string => `[test-suites.s]\n${fields.replaceAll('; ', '\n')}\n`;
const sha = 'a'.repeat(40);
const hash = (type: 'SHA256' | 'SHA512'): string =>
  `hash = "${'Ab'.repeat(type === 'SHA256' ? 32 : 64)}"\nhash-type = "${type}"\n`;

const good: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'a schema for editors': '"$schema" = "https://example.org/x.json"',
  'an include glob without a match': 'includes = ["none/*.toml"]',
  'an empty project table': '[project]',
  'a spec that says nothing': '[components.c]\nspec = {}',
  'a spec type that is empty': '[components.c]\nspec = { type = "", path = "" }',
  'a spec of its own': '[components.c]\nspec = { type = "local", path = "/some/path" }',
  'upstream with a short commit': upstream('upstream-commit = "abc1234"'),
  'upstream with a whole commit': upstream(`upstream-commit = "${sha}"`),
  'upstream with a SHA-256 commit': upstream(`upstream-commit = "${'a'.repeat(64)}"`),
  'upstream with an empty commit': upstream('upstream-commit = ""'),
  'upstream with a name': upstream('upstream-name = "x"'),
  'an empty snapshot': upstream('upstream-distro = { snapshot = "" }'),
  'a skipped check with a reason': '[components.c.build.check]\nskip = true\nskip_reason = "r"',
  'a check that is not skipped': '[components.c.build.check]\nskip = false',
  'an expected failure with a reason': '[components.c.build.failure]\nexpected = true\nexpected-reason = "r"',
  'a failure that is not expected': '[components.c.build.failure]\nexpected = false',
  'build options': '[components.c.build]\nwith = ["a"]\nwithout = ["b"]\ndefines = { d = "" }\nundefines = ["u"]',
  hints: '[components.c.build]\nhints = { expensive = true }\nemit-upstream-provenance = true',
  'no source files': '[components.c]\nsource-files = []',
  'several source files': source(download) + source(download, 'b.patch'),
  'a source with SHA256': source(hash('SHA256') + download),
  'a source with SHA512': source(hash('SHA512') + download),
  'a hash type alone': source(`hash-type = "SHA256"\n${download}`),
  'a source that replaces': source(`${download}\nreplace-upstream = true\nreplace-reason = "why"`),
  'a custom source': source('origin = { type = "custom", script = "gen.sh", mock-packages = ["git"] }'),
  'a custom source with inputs': source('origin = { type = "custom", script = "gen.sh", inputs = ["x.txt", "y.txt"] }'),
  'an archive changed inside, without a hash yet':
    source(archived) + overlay('type = "file-remove"; archive = "a.tar.gz"; file = "vendor/**"'),
  'an overlay beside an archive':
    source(archived) +
    overlay('type = "file-remove"; archive = "a.tar.gz"; file = "x"') +
    overlay('type = "file-remove"; file = "notes.txt"'),
  'an archive that is removed whole': overlay('type = "file-remove"; file = "old.tar.gz"'),
  'a search without replacement': overlay('type = "spec-search-replace"; regex = "x"; replacement = ""'),
  'lines for the whole spec': overlay('type = "spec-prepend-lines"; lines = ["x"]'),
  'lines for a section of a package': overlay(
    'type = "spec-append-lines"; section = "%files"; package = "p"; lines = ["x"]',
  ),
  'a patch by another name': overlay('type = "patch-add"; source = "x.patch"; file = "my-fix.patch"'),
  'patches by a glob': overlay('type = "patch-remove"; file = "CVE-*.patch"'),
  'patches by a double star': overlay('type = "patch-remove"; file = "**/*.patch"'),
  'a glob with choices': overlay('type = "file-remove"; file = "{a,b[0-9]}.txt"'),
  'a tag removed whatever its value': overlay('type = "spec-remove-tag"; tag = "URL"'),
  'fields that an overlay does not use': overlay(
    'type = "spec-remove-tag"; tag = "URL"; section = "%files"; lines = ["x"]',
  ),
  'a file on spec-remove-subpackage': overlay('type = "spec-remove-subpackage"; package = "devel"; file = "x"'),
  'a conditional that is both on and off': '[components.c.build]\nwith = ["x"]\nwithout = ["x"]',
  'a backport': metadata(`category = "upstream-backport"; upstream-status = "upstreamed"; ${commits}`),
  'a backport on its way': metadata(`category = "upstream-backport"; upstream-status = "upstreamable"; ${commits}`),
  'a policy with links': metadata(
    `category = "azl-branding-policy"; upstream-status = "needs-upstream-hook"; ${commits}; bugs = [{ url = "http://example.org/" }]`,
  ),
  'a workaround': metadata('category = "azl-temp-workaround"; upstream-status = "unknown"'),
  'a group of specs': '[component-groups.g]\nspecs = ["specs/**/*.spec"]\nexcluded-paths = ["x/**"]',
  'a group with a reason':
    '[component-groups.g]\nmetadata = { category = "azl-pruning", upstream-status = "inapplicable" }',
  'a group without members': '[component-groups."a group"]\ndescription = "d"',
  'overlay files turned off': '[components.c]\noverlay-files = []',
  'a channel with a dot': '[default-package-config]\npublish.rpm-channel = ".hidden"',
  'a channel with dots inside': '[default-package-config]\npublish.debuginfo-channel = "foo..bar"',
  'no channel': '[components.c]\npublish = { rpm-channel = "", srpm-channel = "none", debuginfo-channel = "rpms_x" }',
  'the old channel': '[components.c.packages.p]\npublish.channel = "x"',
  'a package group': '[package-groups.g]\npackages = ["a", "b"]\ndefault-package-config.publish.rpm-channel = "x"',
  'an empty package group': '[package-groups.g]',
  'a repository by its URI': repo('base-uri = "https://x/"; disable-gpg-check = true'),
  'a repository with a key': repo('base-uri = "https://x/"; gpg-key = "https://x/key"; type = "rpm-md"'),
  'a repository by metalink': repo('metalink = "https://x/ml"; disable-gpg-check = true; arches = ["x86_64"]'),
  'a key of the project': repo('base-uri = "https://x/$basearch"; gpg-key = "keys/k.asc"'),
  'a key by a file URI': repo('base-uri = "https://x/"; gpg-key = "file:///etc/pki/key"'),
  'a repository name with colons':
    '[resources.rpm-repos."a:b.c_d-1"]\nmetalink = "https://x"\ndisable-gpg-check = true',
  'a set': set('template = "koji-dist-repo"; base-uri = "https://x/"; name-prefix = "s-"; subrepos = ["binary"]'),
  'a pytest suite': suite('type = "pytest"; pytest = {}'),
  'a pytest suite with everything': suite(
    'type = "pytest"; pytest = { working-dir = "t", test-paths = ["a"], extra-args = ["b"], install = "pyproject" }',
  ),
  'a pytest suite without install': suite('type = "pytest"; pytest = { install = "none" }'),
  'an empty install mode': suite('type = "pytest"; pytest = { install = "" }'),
  'a lisa suite without a table': suite('type = "lisa"'),
  'a lisa suite': suite(
    `type = "lisa"; lisa = { framework = { git-url = "https://x", ref = "${sha}" }, test-cases = ["t"] }`,
  ),
  'an image': '[images.i]\ndefinition = { type = "kiwi", path = "i.kiwi", profile = "p" }',
  'an image without a definition': '[images.i]\ncapabilities = { systemd = false }\ntests.test-suites = []',
  tools: '[tools.imageCustomizer]\ncontainerTag = "x:1"',
  'a distro with all keys':
    '[distros.d]\ndescription = "d"\ndefault-version = "1"\ndist-git-base-uri = "https://x/$pkg"\nlookaside-base-uri = "https://x/$hash"\nrepos = [{ base-uri = "https://x/" }]\ndisable-origins = true\n[distros.d.versions.1]\ndescription = "1"\nrelease-ver = "1"\ndist-git-branch = "f1"\nmock-config = "m"\nmock-config-x86_64 = "m"\nmock-config-aarch64 = "m"\ninputs = { rpm-build = [], image-build = [] }\n',
};

function upstream(fields: string): string {
  return `[distros.f]\ndefault-version = "1"\n[distros.f.versions.1]\n[project]\ndefault-distro = { name = "f" }\n[components.c.spec]\ntype = "upstream"\n${fields}\n`;
}

describe('valid files', () => {
  it.each(Object.entries(good))('%s', async (_what, toml) => {
    const project = await load({ 'azldev.toml': toml });
    expect(project.file).toMatch(/azldev\.toml$/);
  });
});

const bad: Readonly<Record<string, readonly [toml: string, code: string]>> = {
  'an empty include': ['includes = [""]', 'invalid-value'],
  'an unknown spec type': ['[components.c]\nspec = { type = "invalid" }', 'invalid-value'],
  'a path on upstream': [upstream('path = "x"'), 'invalid-spec-source'],
  'a commit on local': [
    `[components.c]\nspec = { type = "local", path = "x", upstream-commit = "${sha}" }`,
    'invalid-spec-source',
  ],
  'a commit that is not hex': [upstream('upstream-commit = "not-a-hex-value"'), 'invalid-value'],
  'a commit of 5 digits': [upstream('upstream-commit = "abc12"'), 'invalid-value'],
  'a commit of 41 digits': [upstream(`upstream-commit = "${sha}a"`), 'invalid-value'],
  'a commit of 65 digits': [upstream(`upstream-commit = "${'a'.repeat(65)}"`), 'invalid-value'],
  'a name on local': [
    '[components.c]\nspec = { type = "local", path = "x", upstream-name = "y" }',
    'invalid-spec-source',
  ],
  'a misspelt calculation': ['[components.c]\nrelease.calculation = "manaul"', 'invalid-value'],
  'a source twice': [source(download) + source(download), 'source-file'],
  'a source with a folder': [source(download, 'd/a'), 'invalid-value'],
  'a source with a space': [source(download, 'a b'), 'invalid-value'],
  MD5: [source(`hash = "${'a'.repeat(32)}"\nhash-type = "MD5"\n${download}`), 'invalid-value'],
  'an unknown hash type': [source(`hash-type = "CRC32"\n${download}`), 'invalid-value'],
  'a hash without type': [source(`hash = "abc"\n${download}`), 'source-file'],
  'a replacement without reason': [source(`${download}\nreplace-upstream = true`), 'source-file'],
  'a replacement with a blank reason': [
    source(`${download}\nreplace-upstream = true\nreplace-reason = " \\t"`),
    'source-file',
  ],
  'a reason without replacement': [source(`${download}\nreplace-reason = "x"`), 'source-file'],
  'a blank reason without replacement': [source(`${download}\nreplace-reason = "  "`), 'source-file'],
  'a source from nowhere': [source(''), 'missing-key'],
  'a download without URI': [source('origin = { type = "download" }'), 'source-file'],
  'a download without scheme': [source('origin = { type = "download", uri = "example.org/a" }'), 'source-file'],
  'an unknown origin': [source('origin = { type = "ftp" }'), 'invalid-value'],
  'a custom source without script': [source('origin = { type = "custom" }'), 'source-file'],
  'a script with a folder': [source('origin = { type = "custom", script = "d/gen.sh" }'), 'source-file'],
  'a script above': [source('origin = { type = "custom", script = ".." }'), 'source-file'],
  'a script on a download': [source('origin = { type = "download", uri = "https://x/", script = "s" }'), 'source-file'],
  'packages on a download': [
    source('origin = { type = "download", uri = "https://x/", mock-packages = ["s"] }'),
    'source-file',
  ],
  'inputs on a download': [source('origin = { type = "download", uri = "https://x/", inputs = ["s"] }'), 'source-file'],
  'a URI on a custom source': [source('origin = { type = "custom", script = "s", uri = "https://x/" }'), 'source-file'],
  'an input twice': [source('origin = { type = "custom", script = "s", inputs = ["a", "a"] }'), 'source-file'],
  'the script as input': [source('origin = { type = "custom", script = "s", inputs = ["s"] }'), 'source-file'],
  'an input with a folder': [source('origin = { type = "custom", script = "s", inputs = ["d/a"] }'), 'invalid-value'],
  'an overlaid source that replaces nothing': [source('origin = { type = "overlay" }'), 'source-file'],
  'a URI on an overlaid source': [source(archived.replace('" }', '", uri = "https://x/" }')), 'source-file'],
  'an overlaid source without overlay': [source(archived), 'overlay-archive'],
  'an archive overlay without source': [
    overlay('type = "file-remove"; archive = "a.tar.gz"; file = "x"'),
    'overlay-archive',
  ],
  'an archive overlay on a download': [
    source(download) + overlay('type = "file-remove"; archive = "a.tar.gz"; file = "x"'),
    'overlay-archive',
  ],
  ...Object.fromEntries(
    [
      'type = "file-remove"; file = "a.tar.gz"',
      'type = "file-remove"; file = "*.tar.gz"',
      'type = "file-search-replace"; file = "a.*"; regex = "x"',
      'type = "file-prepend-lines"; file = "a.tar.gz"; lines = ["x"]',
      'type = "file-add"; file = "a.tar.gz"; source = "x"',
      'type = "file-rename"; file = "a.tar.gz"; replacement = "b"',
      'type = "file-rename"; file = "b"; replacement = "a.tar.gz"',
    ].map((fields) => [
      `an archive as a file too: ${fields}`,
      [
        source(archived) + overlay('type = "file-remove"; archive = "a.tar.gz"; file = "x"') + overlay(fields),
        'overlay-archive',
      ],
    ]),
  ),
  'an archive on file-add': [
    overlay('type = "file-add"; archive = "a.tar"; file = "x"; source = "y"'),
    'overlay-field',
  ],
  'an archive on file-prepend-lines': [
    overlay('type = "file-prepend-lines"; archive = "a.tar"; file = "x"; lines = ["y"]'),
    'overlay-field',
  ],
  'an archive on patch-remove': [overlay('type = "patch-remove"; archive = "a.tar"; file = "x"'), 'overlay-field'],
  'an archive by no known ending': [overlay('type = "file-remove"; archive = "a.zip"; file = "x"'), 'overlay-path'],
  'an archive without file': [overlay('type = "file-remove"; archive = "a.tar"'), 'overlay-field'],
  'a section on spec-remove-subpackage': [
    overlay('type = "spec-remove-subpackage"; package = "p"; section = "%files"'),
    'overlay-field',
  ],
  'a package without section to search in': [
    overlay('type = "spec-search-replace"; regex = "x"; package = "p"'),
    'overlay-field',
  ],
  'a glob that is not closed': [overlay('type = "patch-remove"; file = "[invalid"'), 'invalid-glob'],
  'a glob with an open choice': [overlay('type = "file-remove"; file = "{a,b"'), 'invalid-glob'],
  'an absolute patch': [overlay('type = "patch-add"; source = "x"; file = "/x"'), 'overlay-path'],
  'metadata without category': [metadata('upstream-status = "unknown"'), 'missing-key'],
  'metadata without status': [metadata('category = "azl-pruning"'), 'missing-key'],
  'an unknown category': [metadata('category = "x"; upstream-status = "unknown"'), 'invalid-value'],
  'an unknown status': [metadata('category = "azl-pruning"; upstream-status = "x"'), 'invalid-value'],
  'a backport of nothing': [
    metadata('category = "upstream-backport"; upstream-status = "upstreamed"'),
    'overlay-metadata',
  ],
  'a backport that needs a hook': [
    metadata(`category = "upstream-backport"; upstream-status = "needs-upstream-hook"; ${commits}`),
    'overlay-metadata',
  ],
  'a backport that does not apply': [
    metadata(`category = "upstream-backport"; upstream-status = "inapplicable"; ${commits}`),
    'overlay-metadata',
  ],
  'a bug without URL': [metadata('category = "azl-pruning"; upstream-status = "unknown"; bugs = [{}]'), 'missing-key'],
  'a bug by another scheme': [
    metadata('category = "azl-pruning"; upstream-status = "unknown"; bugs = [{ url = "ftp://x/" }]'),
    'invalid-value',
  ],
  'a group with a wrong reason': [
    '[component-groups.g]\nmetadata = { category = "upstream-backport", upstream-status = "upstreamed" }',
    'overlay-metadata',
  ],
  'a group with half a reason': ['[component-groups.g]\nmetadata = { upstream-status = "unknown" }', 'missing-key'],
  'an empty overlay file name': ['[components.c]\noverlay-files = ["x/*.toml", ""]', 'invalid-value'],
  'a channel above': ['[default-package-config]\npublish.rpm-channel = ".."', 'invalid-value'],
  'a channel here': ['[components.c]\npublish.srpm-channel = "."', 'invalid-value'],
  'a channel with a backslash': ['[components.c]\npublish.debuginfo-channel = "a\\\\b"', 'invalid-value'],
  'a channel of a package group': [
    '[package-groups.g]\ndefault-package-config.publish.debuginfo-channel = "../x"',
    'invalid-value',
  ],
  'a package without name': ['[package-groups.g]\npackages = [""]', 'invalid-value'],
  'a repository name with a space': ['[resources.rpm-repos."a b"]\nmetalink = "https://x"', 'invalid-value'],
  'a description of two lines': [repo('base-uri = "https://x/"; description = "a\\nb"'), 'invalid-value'],
  'an unknown kind of repository': [repo('base-uri = "https://x/"; type = "weird"'), 'invalid-value'],
  'a URI without slashes': [repo('base-uri = "https:example.com"; disable-gpg-check = true'), 'invalid-value'],
  'a URI without host': [repo('base-uri = "https:///path"; disable-gpg-check = true'), 'invalid-value'],
  'a metalink without slashes': [repo('metalink = "https:example.com/ml"'), 'invalid-value'],
  'a key without slashes': [repo('base-uri = "https://x/"; gpg-key = "https:example.com/key"'), 'invalid-value'],
  'a key by a relative file URI': [repo('base-uri = "https://x/"; gpg-key = "file:relative.gpg"'), 'invalid-value'],
  'a key on a server': [repo('base-uri = "https://x/"; gpg-key = "file://server/key.gpg"'), 'invalid-value'],
  'a key without host': [repo('base-uri = "https://x/"; gpg-key = "https:///key.gpg"'), 'invalid-value'],
  'a key by another scheme': [repo('base-uri = "https://x/"; gpg-key = "ftp://x/key.gpg"'), 'invalid-value'],
  'a template without subrepos': [template(''), 'invalid-value'],
  'a subrepo twice': [template('{ name = "a", subpath = "x" }, { name = "a", subpath = "y" }'), 'invalid-repository'],
  'a subrepo of an unknown kind': [template('{ name = "a", subpath = "x", kind = "k" }'), 'invalid-value'],
  'a subrepo without path': [template('{ name = "a" }'), 'missing-key'],
  'a subrepo with an empty path': [template('{ name = "a", subpath = "" }'), 'invalid-value'],
  'a subrepo at the root': [template('{ name = "a", subpath = "/x" }'), 'invalid-value'],
  'a subrepo above': [template('{ name = "a", subpath = "x/../../y" }'), 'invalid-value'],
  'a subrepo with a query': [template('{ name = "a", subpath = "x?y" }'), 'invalid-value'],
  'a subrepo with a fragment': [template('{ name = "a", subpath = "x#y" }'), 'invalid-value'],
  'a subrepo with a space': [template('{ name = "a b", subpath = "x" }'), 'invalid-value'],
  'a set without template': [set('base-uri = "https://x/"'), 'missing-key'],
  'a set without URI': [set('template = "azl-standard"'), 'missing-key'],
  'a set with an empty URI': [set('template = "azl-standard"; base-uri = ""'), 'invalid-value'],
  'a set with a query': [set('template = "azl-standard"; base-uri = "https://x?y=1"'), 'invalid-repository'],
  'a set with a fragment': [set('template = "azl-standard"; base-uri = "https://x#y"'), 'invalid-repository'],
  'a set without key': [
    '[resources.rpm-repo-sets.s]\ntemplate = "azl-standard"\nbase-uri = "https://x/"',
    'invalid-repository',
  ],
  'a subrepo named twice in a set': [
    set('template = "azl-standard"; base-uri = "https://x/"; subrepos = ["base", "base"]'),
    'duplicate-name',
  ],
  'a set that makes no names': [
    set('template = "azl-standard"; base-uri = "https://x/"; name-prefix = "-"'),
    'invalid-repository',
  ],
  'two sets of the same names': [
    `${set('template = "azl-standard"; base-uri = "https://x/"')}${set('template = "azl-standard"; base-uri = "https://y/"').replace('.s]', '.t]')}`,
    'duplicate-name',
  ],
  'a set with the name of a repository': [
    `${set('template = "koji-dist-repo"; base-uri = "https://x/"')}[resources.rpm-repos.src]\nmetalink = "https://x"\ndisable-gpg-check = true\n`,
    'duplicate-name',
  ],
  'a suite without type': [suite('description = "x"'), 'missing-key'],
  'a suite of an unknown type': [suite('type = "x"'), 'invalid-value'],
  'a suite with a bad name': ['[test-suites."../x"]\ntype = "lisa"', 'invalid-value'],
  'a pytest suite without table': [suite('type = "pytest"'), 'invalid-test-suite'],
  'a pytest suite with lisa': [
    suite(`type = "pytest"; pytest = {}; lisa = { framework = { git-url = "u", ref = "${sha}" }, test-cases = ["t"] }`),
    'invalid-test-suite',
  ],
  'a lisa suite with pytest': [suite('type = "lisa"; pytest = {}'), 'invalid-test-suite'],
  'an unknown install mode': [suite('type = "pytest"; pytest = { install = "x" }'), 'invalid-value'],
  'an install without folder': [suite('type = "pytest"; pytest = { install = "requirements" }'), 'invalid-test-suite'],
  'a lisa suite without URL': [
    suite(`type = "lisa"; lisa = { framework = { ref = "${sha}" }, test-cases = ["t"] }`),
    'missing-key',
  ],
  'a lisa suite of a branch': [
    suite('type = "lisa"; lisa = { framework = { git-url = "u", ref = "main" }, test-cases = ["t"] }'),
    'invalid-value',
  ],
  'a lisa suite without cases': [
    suite(`type = "lisa"; lisa = { framework = { git-url = "u", ref = "${sha}" }, test-cases = [] }`),
    'invalid-value',
  ],
  'a channel of an image': ['[images.i]\npublish.channels = ["a", ".."]', 'invalid-value'],
};

describe('invalid files', () => {
  it.each(Object.entries(bad))('%s', async (_what, [toml, code]) => {
    const error = await failure({ 'azldev.toml': toml });
    expect([error.code, error.exit]).toEqual([code, 2]);
    expect(error.where).toMatchObject({ file: expect.stringMatching(/azldev\.toml$/), line: expect.any(Number) });
    expect(error.where?.column).toEqual(expect.any(Number));
  });
});

it('warns of overlay fields without effect', async () => {
  const toml = good['fields that an overlay does not use']!;
  const project = await load({ 'azldev.toml': toml });
  expect(project.warnings.map(({ code, message, where }) => [code, message, where?.line])).toEqual([
    ['overlay-field', '"section" has no effect on a spec-remove-tag overlay', 4],
    ['overlay-field', '"lines" has no effect on a spec-remove-tag overlay', 5],
  ]);
  const reason = toml.replace('type', 'description = "d"\ntype');
  await expect(load({ 'weir.toml': reason })).rejects.toMatchObject({ code: 'overlay-field' });
});

it('warns of a build conditional that is both enabled and disabled', async () => {
  const project = await load({ 'azldev.toml': good['a conditional that is both on and off']! });
  expect(project.warnings.map(({ code, where }) => [code, where?.line])).toEqual([['conflicting-conditional', 3]]);
  expect(project.components.get('c')?.build).toMatchObject({ with: ['x'], without: ['x'] });
});
