import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { compareText } from '../base/order.ts';
import { lastLines, type RunResult } from '../base/process.ts';
import { type Engine, perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { queryLimits } from '../engine/limits.ts';
import { runSandboxed } from '../engine/sandbox.ts';
import { withScratch } from '../engine/scratch.ts';
import { takeOut } from '../engine/store.ts';
import { parseSpec, type Spec } from '../spec/parse.ts';
import { isApplied, namedPatches, patchUses } from '../spec/patch-uses.ts';
import { fileNameOf, patches, sources } from '../spec/query.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type BuildContext, type Buildroot, macroOptions } from './buildroot.ts';
import { type MacroUses, macroUses, unknownMark, withNames } from './unknown-macros.ts';

/** A component that is ready to build: its rendered spec and every source file, in the content store. */
export interface BuildInput {
  readonly name: string;
  /** File name of the spec, one of `files`. */
  readonly spec: string;
  /** File name → SHA-256. */
  readonly files: Readonly<Record<string, string>>;
}

/** Facts about a spec from rpm, with macros expanded. */
export interface SpecFacts {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  /** In dnf's syntax: `gcc`, `pkgconfig(zlib) >= 1.2`. */
  readonly buildRequires: readonly string[];
  /** Names of the binary packages. */
  readonly packages: readonly string[];
  /** Provides of the binary packages from the spec itself, without generated ones. */
  readonly provides: readonly string[];
  /** Patches in the source package that are certainly never applied, as `Patch7 (x.patch)`. */
  readonly unapplied: readonly string[];
  /** URLs of sources and patches that have one, by file name. Empty if rpm cannot print the spec. */
  readonly urls: Readonly<Record<string, string>>;
  /** Why rpmbuild refuses the architecture (ExclusiveArch, ExcludeArch), in its own words; undefined if it does not. */
  readonly excluded?: string;
}

/** Queries rpmspec inside a buildroot, which has the distribution's macros. @throws WeirError `bad-spec` */
export async function querySpec(context: BuildContext, buildroot: Buildroot, input: BuildInput): Promise<SpecFacts> {
  const result = await perform(context.engine, {
    kind: 'query-spec',
    code: codeDigest(import.meta.url),
    // Macros in the spec can read small files; archives cannot affect the result.
    inputs: {
      ...{ root: buildroot.digest, arch: context.arch, spec: input.spec, files: input.files },
      macros: context.macros ?? {},
    },
    run: async () => ({ value: await query(context, buildroot, input) }),
  });
  return result.value as SpecFacts;
}

async function query(context: BuildContext, buildroot: Buildroot, input: BuildInput): Promise<SpecFacts> {
  return withScratch(context.engine.scratch, async (work) => {
    // A folder that the builder can access, inside a folder that no other user of the host can access.
    const folder = join(work, 'sources');
    await mkdir(folder);
    for (const [name, digest] of Object.entries(input.files))
      await takeOut(context.engine.store, digest, join(folder, name));
    await writeFile(join(folder, '.query'), script);
    const result = await runSandboxed(context.toolbox.jail, {
      code: 'untrusted',
      limits: queryLimits,
      root: await buildroot.open(),
      binds: [{ from: folder, to: '/tmp/sources' }],
      argv: ['sh', '/tmp/sources/.query', context.arch, input.spec, ...macroOptions(context)],
      env: { SOURCE_DATE_EPOCH: String(context.clock) },
    });
    if (result.code !== 0) {
      const line = /line (\d+)/.exec(result.stderr)?.[1];
      throw new WeirError('bad-spec', `rpm cannot read ${input.spec}`, {
        where: { component: input.name, ...(line === undefined ? {} : { file: input.spec, line: Number(line) }) },
        details: lastLines(result.stderr, 6),
      });
    }
    return parseFacts(result.stdout);
  });
}

/** Arguments: architecture, spec, rpm's options for macros. */
const script = `set -e
cd /tmp/sources
arch=$1 spec=$2
shift 2
set -- --target "$arch" "$@" --define '_sourcedir /tmp/sources'
rpmspec -q "$@" --srpm --qf 'N %{NAME}\\nV %{VERSION}\\nR %{RELEASE}\\n' "$spec"
rpmspec -q "$@" --buildrequires "$spec" | sed 's/^/B /'
rpmspec -q "$@" --qf 'P %{NAME}\\n[D %{PROVIDENAME}\\n]' "$spec"
# rpmspec reads a spec for any architecture; only rpmbuild says whether it builds for this one.
if test -n "$(rpmspec -q "$@" --srpm --qf '[%{EXCLUSIVEARCH}][%{EXCLUDEARCH}]' "$spec")"; then
  rpmbuild --nobuild --nodeps -bp "$@" --define '_topdir /tmp/top' "$spec" > /tmp/said 2>&1 ||
    sed -n '/^error: /s/^error: /A /p' /tmp/said
fi
# rpm may fail to print a spec that it can query; its patches are then not reported.
if rpmspec -P "$@" "$spec" > /tmp/parsed; then sed 's/^/T /' /tmp/parsed; fi
`;

/** @param text a spec as printed by rpm: conditionals evaluated, macros expanded, source folder `/tmp/sources` */
export function unappliedPatches(text: string): string[] {
  const spec = parseSpec(text);
  // The patch may be applied by a pattern, or by a name that is computed in the shell.
  if (/\/tmp\/sources(?:\/[^\s'"]*[*?[$]|\/?(?:[\s'";)]|$))/m.test(text)) return [];
  const uses = patchUses(spec);
  return namedPatches(spec)
    .filter((patch) => !patch.name.endsWith('.nopatch') && isApplied(uses, spec, patch) === false)
    .map(({ number, name }) => `Patch${number} (${name})`);
}

/** URLs of sources and patches by file name. @param text a spec as printed by rpm */
export function sourceUrls(text: string): Record<string, string> {
  const spec = parseSpec(text);
  const urls = [...sources(spec), ...patches(spec)].filter(({ value }) => /^[a-z][a-z0-9+.-]*:\/\//i.test(value));
  return Object.fromEntries(urls.map(({ value }) => [fileNameOf(value), value]));
}

function parseFacts(output: string): SpecFacts {
  const of = (key: string): string[] =>
    output
      .split('\n')
      .filter((line) => line.startsWith(`${key} `))
      .map((line) => line.slice(2).trim());
  const printed = output.split('\n').flatMap((line) => (line.startsWith('T ') ? [line.slice(2)] : []));
  const unique = (values: string[]): string[] => [...new Set(values)].sort();
  return {
    name: of('N')[0] ?? '',
    version: of('V')[0] ?? '',
    release: of('R')[0] ?? '',
    buildRequires: unique(of('B').filter((name) => !name.startsWith('rpmlib('))),
    packages: unique(of('P')),
    provides: unique([...of('P'), ...of('D')]),
    unapplied: unappliedPatches(printed.join('\n')),
    urls: sourceUrls(printed.join('\n')),
    ...excludedBy(of('A')),
  };
}

/** Why rpmbuild refuses the architecture, from its messages. Its other errors appear again when the component is built. */
function excludedBy(errors: readonly string[]): Pick<SpecFacts, 'excluded'> {
  const reason = errors.find((line) => /^(Architecture is |No compatible architectures)/.test(line));
  return reason === undefined ? {} : { excluded: reason };
}

/** A spec in a folder with the files that its macros can read. */
export interface SpecFolder {
  readonly component: string;
  readonly spec: Spec;
  /** Contains `<component>.spec` and the files beside it; read only. */
  readonly dir: string;
  /** File name → SHA-256 for everything in `dir`. */
  readonly files: Readonly<Record<string, string>>;
  /** The distribution's macro files, in load order: path → SHA-256. */
  readonly macros: readonly { readonly path: string; readonly sha256: string }[];
  /** RPM architecture name. */
  readonly arch: string;
  /** Seconds since 1970, for specs that use the time. */
  readonly clock: number;
  /** Macros that files beside the spec define. */
  readonly defined: ReadonlySet<string>;
}

/** A dependency with its kind: `post` for a scriptlet, `manual` for any other tag. */
export interface Dependency {
  readonly name: string;
  readonly types: readonly string[];
}

/** A binary package as rpm would build it. */
export interface DescribedPackage {
  readonly name: string;
  readonly epoch: string | undefined;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly nevra: string;
  readonly summary: string;
  readonly requires: readonly Dependency[];
  readonly provides: readonly string[];
  readonly recommends: readonly string[];
  readonly suggests: readonly string[];
  readonly supplements: readonly string[];
  readonly enhances: readonly string[];
  readonly conflicts: readonly string[];
  readonly obsoletes: readonly string[];
}

/** A spec with every macro expanded that rpm can expand here. */
export interface SpecDescription {
  readonly name: string;
  readonly epoch: string | undefined;
  readonly version: string;
  readonly release: string;
  readonly summary: string;
  readonly license: string;
  readonly url: string | undefined;
  readonly exclusiveArch: readonly string[];
  readonly excludeArch: readonly string[];
  /** Packages that would be built, without the debug packages that rpmbuild adds. */
  readonly packages: readonly DescribedPackage[];
  readonly buildRequires: readonly string[];
  readonly sources: readonly { readonly number: number; readonly url: string }[];
  readonly patches: readonly { readonly number: number; readonly url: string }[];
  /** Macros that are undefined here: their expansion is missing, or shown as `%{name}`. */
  readonly unknown: readonly string[];
  /** Macros used conditionally in tags, as `%{?dist}`, that are undefined here. */
  readonly unset: readonly string[];
  /** Messages that rpm printed. */
  readonly messages: readonly string[];
}

/**
 * Queries rpmspec in the toolbox. Macros that neither rpm nor the given macro files define do not stop it: on a line of its own
 * such a macro expands to nothing, in a value it is left unexpanded, in an `%if` it counts as 0.
 * @throws WeirError `bad-spec` if rpm still cannot read the spec
 */
export async function describeSpec(engine: Engine, toolbox: Toolbox, input: SpecFolder): Promise<SpecDescription> {
  const result = await perform(engine, {
    kind: 'describe-spec',
    code: codeDigest(import.meta.url),
    inputs: {
      toolbox: toolbox.digest,
      arch: input.arch,
      clock: input.clock,
      component: input.component,
      files: input.files,
      macros: input.macros.map((file) => file.sha256),
    },
    run: async (work) => {
      const folder = join(work, 'query');
      await mkdir(folder);
      return { value: await describe(toolbox, input, folder) };
    },
  });
  return result.value as SpecDescription;
}

async function describe(toolbox: Toolbox, input: SpecFolder, work: string): Promise<SpecDescription> {
  const uses = macroUses(input.spec, input.defined);
  await writeFile(join(work, 'probe'), [...uses.keys()].map((name) => `%{!?${name}:${name}}`).join('\n'));
  for (const [index, { path }] of input.macros.entries()) await copyFile(path, join(work, `macros.${index}`));
  const loads = input.macros.map((_, index) => `--load /tmp/query/macros.${index}`).join(' ');
  const files = (list: readonly { readonly number: number }[], kind: string): string[] =>
    [...new Set(list.map(({ number }) => number))].map((number) => `@${kind}${number}@%{${kind}URL${number}}`);
  const urls = [...files(sources(input.spec), 'SOURCE'), ...files(patches(input.spec), 'PATCH')];
  await writeFile(join(work, 'urls'), urls.map((line) => `${line}\n`).join(''));
  await writeFile(join(work, 'describe'), describeScript);
  const stubs = await tool(toolbox, input, work, ['probe', loads]);
  const missing = stubs.stdout.split(/\s+/).filter((name) => uses.has(name));
  const unknown = missing.filter((name) => uses.get(name) !== 'optional');
  const unset = missing.filter((name) => uses.get(name) === 'optional');
  await writeFile(join(work, 'stubs'), unknown.map((name) => stub(name, uses)).join(''));
  const result = await tool(toolbox, input, work, ['query', `${loads} --load /tmp/query/stubs`]);
  if (result.code !== 0) throw badSpec(input, result.stderr);
  return { ...parseDescription(result.stdout, unknown, result.stderr), unset: unset.sort() };
}

function tool(toolbox: Toolbox, input: SpecFolder, work: string, argv: readonly string[]): Promise<RunResult> {
  return runSandboxed(toolbox.jail, {
    code: 'untrusted',
    limits: queryLimits,
    root: toolbox.root,
    argv: ['sh', '/tmp/query/describe', ...argv, input.arch, `${input.component}.spec`],
    binds: [
      { from: input.dir, to: '/tmp/sources' },
      { from: work, to: '/tmp/query' },
    ],
    env: { SOURCE_DATE_EPOCH: String(input.clock) },
  });
}

function stub(name: string, uses: MacroUses): string {
  const use = uses.get(name);
  return `%${name}(-) ${use === 'call' ? '%{nil}' : use === 'expression' ? '0' : unknownMark(name)}\n`;
}

function badSpec(input: SpecFolder, said: string): WeirError {
  const line = /line (\d+)/.exec(said)?.[1];
  return new WeirError('bad-spec', `rpm cannot read ${input.component}.spec`, {
    where: {
      component: input.component,
      ...(line === undefined ? {} : { file: `${input.component}.spec`, line: Number(line) }),
    },
    details: lastLines(said, 6),
  });
}

// One letter per record, then a tab. The first characters tell the shell's own prompt and echo from its answers.
const describeScript = `set -e
cd /tmp/sources
if test "$1" = probe; then
  rpm --define '_sourcedir /tmp/sources' $2 --eval "$(cat /tmp/query/probe)"
  exit
fi
ask() { rpmspec "$@"; }
set -- $2 --target "$3" --define '_sourcedir /tmp/sources' "$4"
ask -q --srpm --qf 'N\t%{NAME}\nE\t%|EPOCH?{%{EPOCH}}|\nV\t%{VERSION}\nR\t%{RELEASE}\ns\t%{SUMMARY}\nl\t%{LICENSE}\nu\t%|URL?{%{URL}}|\n[x\t%{EXCLUSIVEARCH}\n][X\t%{EXCLUDEARCH}\n]' "$@"
ask -q --srpm --qf '[B\t%{REQUIRENEVRS}\n]' "$@"
ask -q --builtrpms --qf 'P\t%{NAME}\t%|EPOCH?{%{EPOCH}}|\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{NEVRA}\t%{SUMMARY}\n[1\t%{REQUIRENEVRS}\t%{REQUIREFLAGS:deptype}\n][2\t%{PROVIDENEVRS}\n][3\t%{RECOMMENDNEVRS}\n][4\t%{SUGGESTNEVRS}\n][5\t%{SUPPLEMENTNEVRS}\n][6\t%{ENHANCENEVRS}\n][7\t%{CONFLICTNEVRS}\n][8\t%{OBSOLETENEVRS}\n]' "$@"
test ! -s /tmp/query/urls || ask --shell "$@" < /tmp/query/urls
`;

function parseDescription(output: string, unknown: readonly string[], said: string): Omit<SpecDescription, 'unset'> {
  const records = output
    .split('\n')
    .filter((line) => /^\w\t/.test(line))
    .map((line) => withNames(line, unknown).split('\t'));
  const all = (key: string): string[] => records.filter(([first]) => first === key).map((fields) => fields[1] ?? '');
  const one = (key: string): string => all(key)[0] ?? '';
  const optional = (text: string): string | undefined => (text === '' ? undefined : text);
  const sorted = (values: readonly string[]): string[] =>
    [...new Set(values)].filter((value) => !value.startsWith('rpmlib(')).sort();
  const packages: DescribedPackage[] = [];
  const starts = records.flatMap(([first], index) => (first === 'P' ? [index] : []));
  for (const [index, start] of starts.entries()) {
    const [, name = '', epoch = '', version = '', release = '', arch = '', nevra = '', summary = ''] = records[start]!;
    const own = records.slice(start + 1, starts[index + 1]);
    const of = (key: string): string[] => sorted(own.filter(([first]) => first === key).map((fields) => fields[1]!));
    const types = new Map<string, Set<string>>();
    for (const [first, dependency, type] of own) {
      if (first !== '1' || dependency!.startsWith('rpmlib(')) continue;
      const known = types.get(dependency!) ?? new Set();
      for (const each of (type ?? '').split(',')) known.add(each);
      types.set(dependency!, known);
    }
    packages.push({
      ...{ name, epoch: optional(epoch), version, release, arch, nevra, summary },
      requires: [...types].map(([dependency, set]) => ({ name: dependency, types: [...set].sort() })).sort(byName),
      ...{ provides: of('2'), recommends: of('3'), suggests: of('4'), supplements: of('5'), enhances: of('6') },
      ...{ conflicts: of('7'), obsoletes: of('8') },
    });
  }
  const files = (kind: string): { number: number; url: string }[] => {
    const found = new Map<number, string>();
    for (const line of output.split('\n')) {
      const match = new RegExp(`^(?:> )?@${kind}(\\d+)@(.*)$`).exec(line);
      if (match === null || match[2] === `%{${kind}URL${match[1]}}`) continue;
      found.set(Number(match[1]), withNames(match[2]!, unknown));
    }
    return [...found].map(([number, url]) => ({ number, url })).sort((a, b) => a.number - b.number);
  };
  return {
    ...{ name: one('N'), epoch: optional(one('E')), version: one('V'), release: one('R') },
    ...{ summary: one('s'), license: one('l'), url: optional(one('u')) },
    ...{ exclusiveArch: all('x'), excludeArch: all('X'), packages, buildRequires: sorted(all('B')) },
    ...{ sources: files('SOURCE'), patches: files('PATCH'), unknown: [...unknown].sort() },
    messages: [
      ...new Set(said.split('\n').filter((line) => line.trim() !== '' && !/^RPM version .* macro shell$/.test(line))),
    ].slice(0, 20),
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareText(a.name, b.name);
}
