import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../src/base/digest.ts';
import { WeirError } from '../../src/base/errors.ts';
import { kiwiImage } from '../../src/kiwi/kiwi-image.ts';
import { printImage } from '../../src/kiwi/print.ts';
import { parseXml, printXml } from '../../src/kiwi/xml.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { parseChallenges } from '../../src/registry/challenges.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { checkedManifest, errorTextOf, fieldsOf, webAddress } from '../../src/registry/registry-answers.ts';
import { imageRecordSchema, recordProblem, releaseRecordSchema, shaped } from '../../src/release/record-schema.ts';
import { parseRequirement } from '../../src/rpm/requirement.ts';
import { constraintEvr, parseRelations, parseStanzas, rpmVersion } from '../../src/seed/control.ts';
import { alternativesIn } from '../../src/seed/lazy/alternatives.ts';
import { parseAsked, printAsked } from '../../src/seed/lazy/asked-lock.ts';
import { ContentsIndex, ContentsReader } from '../../src/seed/lazy/contents.ts';
import { PackagesReader } from '../../src/seed/lazy/debian-index.ts';
import { debianNames } from '../../src/seed/lazy/fedora-names.ts';
import { leavesOf } from '../../src/seed/lazy/obtain.ts';
import { licenseExpression } from '../../src/seed/license.ts';
import { type GitObject, parseCommit, parseTree } from '../../src/sources/git-objects.ts';
import { lfsPointer } from '../../src/sources/lfs.ts';
import { parseSourcesFile } from '../../src/sources/listing.ts';
import { parseSpec, printSpec, specBytes } from '../../src/spec/parse.ts';
import {
  branchesAround,
  buildRequires,
  expandPlain,
  imbalances,
  patches,
  plainMacros,
  sectionsOf,
  sources,
  tags,
} from '../../src/spec/query.ts';
import { expandScriptMacros } from '../../src/spec/script-macros.ts';
import { specScripts } from '../../src/spec/scripts.ts';
import { readLock } from '../../src/toolbox/toolbox-lock.ts';
import { classifyScript } from '../../src/tree/scriptlets.ts';
import { example, writeDescription } from '../../tests/kiwi/fixture.ts';
import type { Target } from './target.ts';

const home = join(import.meta.dirname, '../..');
const ours = (path: string): Buffer => readFileSync(join(home, path));

const spec: Target = {
  name: 'spec',
  samples: async () =>
    ['b/bzip2/bzip2', 'c/chrony/chrony', 'l/logrotate/logrotate'].map((name) => ours(`distro/specs/${name}.spec`)),
  read: (input) => {
    const parsed = parseSpec(input);
    if (!Buffer.from(specBytes(parsed)).equals(input)) throw new Error('the spec does not round-trip');
    printSpec(parsed);
    tags(parsed);
    imbalances(parsed);
    buildRequires(parsed);
    sectionsOf(parsed, '%files', '');
    for (const line of [0, parsed.lines.length >> 1, parsed.lines.length - 1]) {
      if (line >= 0 && line < parsed.lines.length) branchesAround(parsed, line);
    }
    const macros = plainMacros(parsed);
    for (const { value } of [...sources(parsed), ...patches(parsed)].slice(0, 200)) expandPlain(value, macros);
  },
};

const kiwi: Target = {
  name: 'kiwi',
  samples: async () =>
    Object.values(example)
      .filter((text) => text.includes('<image'))
      .map((text) => Buffer.from(text)),
  read: async (input, work) => {
    const whole = await writeDescription(work);
    writeFileSync(whole, input);
    parseXml(whole, Buffer.from(printXml(parseXml(whole, input))));
    for (const profile of ['cell', 'desk', 'disk']) {
      printImage('a', kiwiImage({ path: whole, profile }, 'x86_64'), work, []);
    }
  },
};

const scriptlet: Target = {
  name: 'scriptlet',
  samples: async () => [
    Buffer.from(
      'if [ $1 -eq 1 ] && [ -x /usr/bin/a ]; then\n  for x in a "b c" $(list); do case $x in a|b) one;; *) `two`;; esac; done\nfi\n' +
        'cat > /etc/x <<-EOF\n\ttext\n\tEOF\nf() { ldconfig; }\nX=/sbin/ldconfig\n$X $(y) || :\n%systemd_post a\n',
    ),
    Buffer.from(
      'local f = io.open("/x", "w") -- comment\n--[[ long\n]]\nrpm.spawn({"/sbin/ldconfig", \'-X\'})\nos.execute([[a; b]])\n',
    ),
  ],
  read: (input) => {
    const script = input.toString();
    for (const interpreter of ['/bin/sh', '<lua>']) {
      classifyScript({ interpreter: [interpreter], script });
      classifyScript({
        interpreter: [interpreter],
        script: expandScriptMacros(
          script,
          new Map([
            ['a', '%b'],
            ['b', '%a'],
          ]),
        ),
      });
    }
    specScripts(parseSpec(`Name: a\n%post\n${script}`));
  },
};

const id = 'a'.repeat(40);
const person = 'Ann Other <ann@example.org> 1600000000 +0200';

const git: Target = {
  name: 'git',
  samples: async () => [
    Buffer.from(`tree ${id}\nparent ${id}\nauthor ${person}\ncommitter ${person}\n\nSubject\n\nBody\n`),
    Buffer.from(
      `tree ${id}\nauthor ${person}\ncommitter ${person}\nencoding ISO-8859-1\ngpgsig -----\n x\n\nS\xe9\n`,
      'latin1',
    ),
    Buffer.concat([
      Buffer.from('100644 a.spec\0'),
      Buffer.alloc(20, 7),
      Buffer.from('40000 dir\0'),
      Buffer.alloc(20, 9),
    ]),
    Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`),
  ],
  read: (input) => {
    const object = (type: GitObject['type']): GitObject => ({ id, type, bytes: input });
    both(
      () => parseCommit(object('commit')),
      () => parseTree(object('tree')),
      () => lfsPointer(input),
      () => parseSourcesFile(input.toString(), 'sources'),
    );
  },
};

/** Runs all of them, because the input may be for any; it is rejected if all reject it. */
function both(...works: readonly (() => unknown)[]): void {
  const errors: unknown[] = [];
  for (const work of works) {
    try {
      work();
    } catch (error) {
      errors.push(error);
    }
  }
  const worst = errors.find((error) => !(error instanceof WeirError));
  if (worst !== undefined) throw worst;
  if (errors.length === works.length) throw errors[0];
}

const control: Target = {
  name: 'control',
  samples: async () => [
    Buffer.from(
      'Package: demo\nVersion: 1:2.0-3\nDepends: libc6 (>= 2.41), a | b:any (<<1~), d (= 1:2-3) [amd64]\nDescription: x\n more\n .\n',
    ),
    Buffer.from(
      'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: x\nLicense: GPL-2+ or MIT, and BSD-3-clause\n text\n\nFiles: debian/*\nLicense: GPL-3\n',
    ),
  ],
  read: (input) => {
    const text = input.toString();
    licenseExpression(text);
    for (const stanza of parseStanzas(text)) {
      for (const value of stanza.values()) {
        parseRelations(value);
        rpmVersion(value);
        constraintEvr(value);
      }
    }
  },
};

const project = `[project]
name = "demo"
includes = []

[components.demo]
spec = { type = "local", path = "demo.spec" }
build = { with = ["a"], defines = { x = "1" } }

[[components.demo.overlays]]
type = "spec-search-replace"
description = "a reason"
regex = "a(b)"
replacement = '''
c'''
metadata = { category = "weir-pruning", upstream-status = "inapplicable" }
`;

const toml: Target = {
  name: 'toml',
  samples: async () => [
    Buffer.from(project),
    ours('distro/images/container-base.toml'),
    ours('distro/components/chrony/chrony.toml'),
  ],
  read: async (input, work) => {
    const dir = join(work, 'project');
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'weir.toml'), input);
    writeFileSync(join(dir, 'demo.spec'), 'Name: demo\n');
    await loadConfiguration(dir, { env: {} });
  },
};

const lock: Target = {
  name: 'lock',
  samples: async () => [
    ours('toolbox.lock').subarray(0, 4000),
    Buffer.from('version = 1\n[core]\nroots = ["a"]\npackages = []\n'),
  ],
  read: async (input, work) => {
    writeFileSync(join(work, 'toolbox.lock'), input);
    await readLock(join(work, 'toolbox.lock'), 'core');
  },
};

/** What a lazy seed reads: its lock, Debian's lists, requirements of specs, maintainer scripts. */
const lazySeed: Target = {
  name: 'lazy-seed',
  samples: async () => [
    Buffer.from(
      `version = 1\n[s]\nseed = "x"\nanswers = ["a >= 1: b (alias)"]\nclosures = ["b: b"]\npackages = ["b 1 all 1 ${'a'.repeat(64)} b.deb"]\n`,
    ),
    Buffer.from(
      `Package: libb-dev\nVersion: 1:2-3\nArchitecture: all\nSize: 1\nSHA256: ${'a'.repeat(64)}\nFilename: b\nProvides: c (= 1), d\n\n`,
    ),
    Buffer.from('usr/lib/x86_64-linux-gnu/pkgconfig/b.pc  libdevel/libb-dev,x/c\nusr/bin/x y  a/b\n'),
    Buffer.from('(pkgconfig(b) >= 1:2-3 with b-devel < 4~) \n((a and b) if c else d)\n'),
    Buffer.from('update-alternatives --install /usr/bin/a a \\\n /usr/bin/b 20 --slave /usr/bin/c c /usr/bin/d\n'),
  ],
  read: (input) => {
    const text = input.toString('latin1');
    const packages = new PackagesReader();
    packages.add(text.slice(0, text.length >> 1));
    packages.add(text.slice(text.length >> 1));
    const index = packages.done();
    const contents = new ContentsReader('x86_64-linux-gnu');
    contents.add(text);
    const lines = contents.text();
    const known = new ContentsIndex(lines);
    for (const line of lines.split('\n').slice(0, -1)) {
      if (known.owners(line.split('\t')[0]!).length === 0) throw new Error('the index loses a line');
    }
    alternativesIn(text);
    for (const line of text.split('\n').slice(0, 100)) {
      const requirement = parseRequirement(line);
      for (const { name } of requirement === undefined ? [] : leavesOf(requirement)) debianNames(name, index);
    }
    try {
      printAsked(parseAsked(text, 'seed-asked.lock'));
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
    }
  },
};

const file = { path: 'a/b.raw', size: 5, sha256: 'a'.repeat(64) };
const image = {
  ...{ name: 'demo', kind: 'disk', inputs: 'x', installedSize: 5, files: [file], details: { a: 1 } },
  packages: ['bash-5.3-1.x86_64'],
};
const release = {
  ...{ version: '4.0', snapshot: '20260101', arch: 'x86_64' },
  signingKey: { fingerprint: 'AB', publicKey: 'key' },
  imageKey: { id: 'AB', publicKey: 'key' },
  components: [{ name: 'a', version: '1', packages: ['a'], srpm: { file: 'a', sha256: 'b' }, buildSeconds: 1 }],
  images: [image],
};
const record = {
  ...image,
  snapshot: 'x',
  packages: [
    {
      ...{
        name: 'bash',
        epoch: 0,
        version: '5.3',
        release: '1',
        arch: 'x86_64',
        rpm: 'a',
        sourceRpm: 'b',
        origin: 'seed',
      },
      nevra: 'bash-5.3-1.x86_64',
    },
  ],
  osRelease: { ID: 'weir' },
  log: ['done'],
};

const records: Target = {
  name: 'records',
  samples: async () => [release, record].map((value) => Buffer.from(JSON.stringify(value, null, 2))),
  read: (input) => {
    const text = input.toString();
    for (const schema of [releaseRecordSchema, imageRecordSchema]) {
      if (shaped<unknown>(schema, text) === undefined) continue;
      recordProblem(schema, JSON.parse(text));
    }
  },
};

const descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: `sha256:${sha256('x')}`,
  size: 1,
};

const registry: Target = {
  name: 'registry',
  samples: async () => [
    Buffer.from('Bearer realm="https://auth.example.org/token",service="registry",scope="repository:a/b:pull,push"'),
    Buffer.from('Basic realm="a, b", Bearer realm=x, Negotiate, Digest a=b,c="d\\"e"'),
    Buffer.from('registry.example.org:5000/a/b/c:tag@sha256:'.concat('a'.repeat(64))),
    Buffer.from(JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [descriptor], manifests: null })),
    Buffer.from(
      JSON.stringify({ errors: [{ code: 'DENIED', message: 'no', detail: {} }], token: 'x', expires_in: 60 }),
    ),
  ],
  read: async (input) => {
    const text = input.toString();
    parseChallenges(text);
    webAddress(text, 'https://registry.example.org/v2/');
    await errorTextOf(new Response(input), 'host', 5);
    const limits = { bytes: 1 << 20, seconds: 5 };
    const fields = await fieldsOf(new Response(input), 'host', 'x', limits).catch((error: unknown) => error as Error);
    both(
      () => parseReference(text),
      () => {
        if (fields instanceof Error) throw fields;
        checkedManifest(fields, 'host', 'tag');
      },
    );
  },
};

export const textTargets: readonly Target[] = [
  spec,
  kiwi,
  scriptlet,
  git,
  control,
  toml,
  lock,
  lazySeed,
  records,
  registry,
];
