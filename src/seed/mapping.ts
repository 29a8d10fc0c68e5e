import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { WeirError } from '../base/errors.ts';
import type { Dependency } from '../rpm/types.ts';
import { readDocument } from '../toml/document.ts';
import { compileGlob, type Glob } from './glob.ts';

const text = z.string().min(1);
const names = z.array(text).readonly();
const absolute = z.string().regex(/^\/(.*[^/])?$/, 'not an absolute path');
const octal = z.string().regex(/^[0-7]{4}$/, 'not a mode of four octal digits');

const addition = z
  .strictObject({
    path: absolute,
    /** A file with this text; */
    content: z.string().optional(),
    /** or with the content of this file of the package; */
    'copy-of': absolute.optional(),
    /** or with the contents of all files of the package that match, sorted by path and concatenated; */
    concat: absolute.optional(),
    /** or a symlink to this target; */
    link: text.optional(),
    /** or a folder. */
    directory: z.literal(true).optional(),
    mode: octal.optional(),
    user: text.optional(),
    group: text.optional(),
    /** `replace` is `%config`, `noreplace` is `%config(noreplace)`. */
    config: z.enum(['replace', 'noreplace']).optional(),
    ghost: z.literal(true).optional(),
    /** Attributes that `rpm -V` ignores. */
    'no-verify': z
      .array(z.enum(['digest', 'size', 'mtime', 'mode', 'owner']))
      .readonly()
      .optional(),
  })
  .refine(
    (add) =>
      [add.content, add['copy-of'], add.concat, add.link, add.directory].filter((part) => part !== undefined).length ===
      1,
    'set exactly one of content, copy-of, concat, link, directory',
  );

const trigger = z.strictObject({
  when: z.enum(['in', 'un', 'postun']),
  prefixes: names,
  /** `<lua>` by default. */
  interpreter: text.optional(),
  script: text,
  priority: z.int().positive().optional(),
});

const dependency = z.string().regex(/^\(.+\)$|^\S+( (=|<|<=|>=|>) \S+)?$/, 'not NAME or NAME OPERATOR VERSION');
const dependencies = z.array(dependency).readonly();

const packageRule = z.strictObject({
  /** Debian packages that the RPM is made of (globs allowed); the first gives version and texts. Unset for packages of our own. */
  from: names.optional(),
  /** For packages of our own. */
  version: text.optional(),
  release: text.optional(),
  summary: text.optional(),
  description: text.optional(),
  license: text.optional(),
  /** A version `@` stands for the package's own. */
  provides: dependencies.optional(),
  obsoletes: dependencies.optional(),
  conflicts: dependencies.optional(),
  'requires-add': dependencies.optional(),
  'requires-remove': names.optional(),
  'recommends-add': dependencies.optional(),
  'recommends-remove': names.optional(),
  'conflicts-remove': names.optional(),
  /** Paths to leave out, with everything below them. */
  remove: names.optional(),
  /** Paths to keep even if the defaults remove them. */
  keep: names.optional(),
  move: z.record(absolute, absolute).optional(),
  add: z.array(addition).readonly().optional(),
  /** Symlinks, path to target, as update-alternatives would create them; a `*` stands for the name of a matching sibling. */
  links: z.record(absolute, text).optional(),
  modes: z.record(absolute, octal).optional(),
  /** `user:group` */
  owners: z.record(absolute, z.string().regex(/^[^:]+:[^:]+$/, 'not user:group')).optional(),
  capabilities: z.record(absolute, text).optional(),
  config: names.optional(),
  /** Empty folders in a package of our own. */
  directories: z.record(absolute, octal).optional(),
  /** Lines of sysusers.d(5). */
  users: names.optional(),
  /** Lines of tmpfiles.d(5). */
  tmpfiles: names.optional(),
  /** Lines of systemd.preset(5). */
  presets: names.optional(),
  triggers: z.array(trigger).readonly().optional(),
});

const packagesFile = z.strictObject({ packages: z.record(text, packageRule) });

const defaultsFile = z.strictObject({
  vendor: text,
  /** Debian packages to leave out; dependencies on them are dropped. */
  ignore: names,
  /** Paths to leave out of every package. */
  remove: names,
  /** Packages that every package of the seed requires before its files are installed. */
  'requires-pre': names,
  rename: z.array(z.strictObject({ from: text, to: text })).readonly(),
});

const namesFile = z.strictObject({
  /** Debian packages by the capability that they provide together; a `*` matches any text. */
  names: z.record(text, z.union([text, names])),
});

const rootsFile = z.strictObject({
  roots: z.record(text, z.strictObject({ packages: names })),
});

export type PackageRule = z.infer<typeof packageRule>;
export type Addition = z.infer<typeof addition>;
export type Defaults = z.infer<typeof defaultsFile>;

/** Rules for converting Debian packages, from `seed/*.toml`. */
export interface Mapping {
  readonly defaults: Defaults;
  /** By RPM name. */
  readonly packages: ReadonlyMap<string, PackageRule>;
  /** Debian package names to start from, by name of the root. */
  readonly roots: ReadonlyMap<string, readonly string[]>;
  /** Debian packages of capabilities that are looked up when a build requires them. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads `defaults.toml`, `packages.toml` (from Debian), `own.toml` (our own packages), `roots.toml` and, if it exists, `names.toml`.
 * @throws WeirError the errors of `readDocument`
 */
export function loadMapping(dir: string): Mapping {
  const read = <S extends z.ZodType>(name: string, schema: S): z.output<S> =>
    readDocument(join(dir, name), schema, { reasons: 'required' }).data;
  const packages = read('packages.toml', packagesFile);
  const own = read('own.toml', packagesFile);
  const known = existsSync(join(dir, 'names.toml')) ? read('names.toml', namesFile).names : {};
  return {
    names: new Map(Object.entries(known).map(([name, debs]) => [name, typeof debs === 'string' ? [debs] : debs])),
    defaults: read('defaults.toml', defaultsFile),
    packages: new Map([...Object.entries(packages.packages), ...Object.entries(own.packages)]),
    roots: new Map(Object.entries(read('roots.toml', rootsFile).roots).map(([name, root]) => [name, root.packages])),
  };
}

/**
 * Debian packages to resolve for a root. @param arch Debian's name of the architecture
 * @throws WeirError `seed-root` for a root that `roots.toml` does not define
 */
export function rootPackages(mapping: Mapping, root: string, arch: string): string[] {
  const packages = mapping.roots.get(root);
  if (packages === undefined) {
    throw new WeirError('seed-root', `unknown seed root ‘${root}’`, {
      where: { file: 'seed/roots.toml' },
      hint: `known roots: ${[...mapping.roots.keys()].join(', ')}`,
      exit: 2,
    });
  }
  return packages.map((name) => name.replaceAll('{arch}', arch));
}

/** The schemas by file name, for the documentation of the format and for tests. */
export const seedSchemas = {
  'defaults.toml': defaultsFile,
  'packages.toml': packagesFile,
  'own.toml': packagesFile,
  'roots.toml': rootsFile,
  'names.toml': namesFile,
} as const;

/** Parses `NAME`, `NAME OPERATOR VERSION` or a rich dependency. @param self the version that `@` stands for */
export function parseDependency(said: string, self: string): Dependency {
  const match = /^(\S+) (=|<|<=|>=|>) (\S+)$/.exec(said);
  if (match === null || said.startsWith('(')) return { name: said.replaceAll('@', self), flags: '' };
  const [, name, flags, version] = match;
  return { name: name!, flags: flags as Dependency['flags'], evr: version === '@' ? self : version! };
}

/** Maps Debian packages to RPMs. */
export interface Naming {
  /** RPM name of a Debian package; undefined for ignored ones. */
  readonly rpmName: (debian: string) => string | undefined;
  /** Position of a Debian package within its RPM: 0 gives version and texts. */
  readonly rank: (debian: string) => number;
}

export function makeNaming(mapping: Mapping): Naming {
  const exact = new Map<string, { name: string; rank: number }>();
  const patterns: { readonly glob: Glob; readonly name: string; readonly rank: number }[] = [];
  for (const [name, rule] of mapping.packages) {
    for (const [rank, from] of (rule.from ?? []).entries()) {
      if (/[*?[{]/.test(from)) patterns.push({ glob: compileGlob(from), name, rank });
      else exact.set(from, { name, rank });
    }
  }
  const ignored = mapping.defaults.ignore.map(compileGlob);
  const renames = mapping.defaults.rename.map((rule) => ({ glob: compileGlob(rule.from), to: rule.to }));
  const found = new Map<string, { name: string; rank: number } | undefined>();
  const find = (debian: string): { name: string; rank: number } | undefined => {
    if (found.has(debian)) return found.get(debian);
    let answer = exact.get(debian) ?? patterns.find((pattern) => pattern.glob.whole.test(debian));
    if (answer === undefined && !ignored.some((glob) => glob.whole.test(debian))) {
      const rename = renames.find((rule) => rule.glob.whole.test(debian));
      answer = { name: rename === undefined ? debian : renamed(rename.glob, rename.to, debian), rank: 0 };
    }
    found.set(debian, answer);
    return answer;
  };
  return { rpmName: (debian) => find(debian)?.name, rank: (debian) => find(debian)?.rank ?? 0 };
}

function renamed(glob: Glob, to: string, name: string): string {
  const groups = glob.whole.exec(name)!.slice(1);
  let next = 0;
  return to.replaceAll('*', () => groups[next++] ?? '');
}
