import { type Collected, type DistroEntry, type Entry, pathIn, uriIn, type VersionEntry } from './collect.ts';
import { defined, filled } from './defined.ts';
import { type Document, problem, suggestion } from './document.ts';
import type {
  Distro,
  DistroReference,
  DistroVersion,
  ProjectInfo,
  RepositoryInput,
  Resources,
  RpmRepo,
  RpmRepoSet,
  RpmRepoSetTemplate,
  Subrepo,
} from './model.ts';
import type { TomlPath } from './place.ts';
import type { RawDistroReference } from './schema/component.ts';

/** Layouts that every project knows without defining them, as azldev's projects count on. */
const builtInTemplates: Readonly<Record<string, RpmRepoSetTemplate>> = {
  'azl-standard': {
    description: 'The channels base and sdk, each with binary, debug and source packages',
    subrepos: ['base', 'sdk'].flatMap((channel): Subrepo[] => [
      { name: channel, kind: 'binary', subpath: `${channel}/$basearch` },
      { name: `${channel}-debug`, kind: 'debug', subpath: `${channel}/debuginfo/$basearch` },
      { name: `${channel}-src`, kind: 'source', subpath: `${channel}/srpms` },
    ]),
  },
  'koji-dist-repo': {
    description: "Koji's dist-repos: per architecture binary and debug packages, sources beside them",
    subrepos: [
      { name: 'binary', kind: 'binary', subpath: '$basearch' },
      { name: 'debug', kind: 'debug', subpath: '$basearch/debug' },
      { name: 'src', kind: 'source', subpath: 'src' },
    ],
  },
};

/** The `[project]` table. */
export function projectInfoOf(collected: Collected): ProjectInfo {
  const raw = collected.project;
  const reference = raw['default-distro'];
  return defined({
    description: filled(raw.description),
    logDir: raw['log-dir'],
    workDir: raw['work-dir'],
    outputDir: raw['output-dir'],
    renderedSpecsDir: raw['rendered-specs-dir'],
    lockDir: raw['lock-dir'],
    defaultDistro: filled(reference?.name) === undefined ? undefined : referenceOf(reference ?? {}),
    defaultAuthorEmail: filled(raw['default-author-email']),
  });
}

export function referenceOf(raw: RawDistroReference): DistroReference {
  return defined({ name: raw.name ?? '', version: filled(raw.version), snapshot: filled(raw.snapshot) });
}

/** The version that the project's default distro stands for: what components inherit first. */
export function defaultVersion(collected: Collected): VersionEntry | undefined {
  const reference = collected.project['default-distro'];
  if (filled(reference?.name) === undefined) return undefined;
  const document = collected.documents.findLast((file) => file.data.project?.['default-distro'] !== undefined);
  return document && versionOf(collected, referenceOf(reference ?? {}), document, ['project', 'default-distro']).entry;
}

/**
 * The version that a reference means.
 * @param path of the reference, for errors
 * @throws WeirError (exit 2) `unknown-distro`, `unknown-version`
 */
export function versionOf(
  collected: Collected,
  reference: DistroReference,
  document: Document,
  path: TomlPath,
): { readonly name: string; readonly entry: VersionEntry } {
  const distro = collected.distros.get(reference.name);
  if (distro === undefined) {
    const hint = suggestion(reference.name, collected.distros.keys()) ?? `add a table [distros.${reference.name}]`;
    throw problem(document, [...path, 'name'], 'unknown-distro', `there is no distro "${reference.name}"`, { hint });
  }
  const name = reference.version ?? filled(distro.raw['default-version']);
  if (name === undefined) {
    throw problem(document, path, 'unknown-version', `which version of ${reference.name} is not said`, {
      hint: `add version = "…" here, or default-version to [distros.${reference.name}]`,
    });
  }
  const entry = distro.versions.get(name);
  if (entry === undefined) {
    const hint = suggestion(name, distro.versions.keys());
    throw problem(document, [...path, 'version'], 'unknown-version', `${reference.name} has no version "${name}"`, {
      ...(hint === undefined ? {} : { hint }),
    });
  }
  return { name, entry };
}

/** @throws WeirError (exit 2) `unknown-repository` */
export function distrosOf(collected: Collected): Map<string, Distro> {
  return new Map([...collected.distros].map(([name, entry]) => [name, distroOf(collected, name, entry)]));
}

function distroOf(collected: Collected, name: string, entry: DistroEntry): Distro {
  const { raw } = entry;
  const versions = [...entry.versions].map(
    ([version, one]) => [version, distroVersionOf(collected, version, one)] as const,
  );
  return defined({
    name,
    description: filled(raw.description),
    defaultVersion: filled(raw['default-version']),
    distGitBaseUri: filled(raw['dist-git-base-uri']),
    lookasideBaseUri: filled(raw['lookaside-base-uri']),
    repos: (raw.repos ?? []).map((repo) => repo['base-uri']),
    disableOrigins: raw['disable-origins'] ?? false,
    versions: new Map(versions),
  });
}

function distroVersionOf(collected: Collected, name: string, entry: VersionEntry): DistroVersion {
  const { raw, document } = entry;
  const inputs = (key: 'rpm-build' | 'image-build'): RepositoryInput[] =>
    (raw.inputs?.[key] ?? []).map((input, index) => inputOf(collected, entry, ['inputs', key, index], input));
  return defined({
    name,
    description: filled(raw.description),
    releaseVer: filled(raw['release-ver']),
    distGitBranch: filled(raw['dist-git-branch']),
    mockConfig: filled(pathIn(document, raw['mock-config'])),
    mockConfigX86: filled(pathIn(document, raw['mock-config-x86_64'])),
    mockConfigArm: filled(pathIn(document, raw['mock-config-aarch64'])),
    inputs: { rpmBuild: inputs('rpm-build'), imageBuild: inputs('image-build') },
  });
}

function inputOf(
  collected: Collected,
  entry: Entry<unknown>,
  at: TomlPath,
  input: { readonly repo?: string | undefined; readonly set?: string | undefined },
): RepositoryInput {
  const repo = filled(input.repo);
  const set = filled(input.set);
  if ((repo === undefined) === (set === undefined)) {
    throw problem(entry.document, [...entry.path, ...at], 'invalid-value', 'an input has either "repo" or "set"');
  }
  const name = repo ?? set ?? '';
  const known = repo === undefined ? collected.sets : collected.repos;
  if (!known.has(name)) {
    const table = repo === undefined ? 'rpm-repo-sets' : 'rpm-repos';
    const hint = suggestion(name, known.keys()) ?? `add a table [resources.${table}.${name}]`;
    throw problem(
      entry.document,
      [...entry.path, ...at, repo === undefined ? 'set' : 'repo'],
      'unknown-repository',
      `there is no "${name}" in ${table}`,
      {
        hint,
      },
    );
  }
  return repo === undefined ? { set: name } : { repo };
}

/** The `[resources]` table. @throws WeirError (exit 2) `invalid-repository`, `unknown-repository` */
export function resourcesOf(collected: Collected): Resources {
  const templates = new Map(Object.entries(builtInTemplates));
  for (const [name, entry] of collected.templates) {
    const names = entry.raw.subrepos.map((subrepo) => subrepo.name);
    const twice = names.findIndex((subrepo, index) => names.indexOf(subrepo) !== index);
    if (twice >= 0) {
      const at = [...entry.path, 'subrepos', twice, 'name'];
      throw problem(entry.document, at, 'invalid-repository', `the template has two subrepos "${names[twice]}"`);
    }
    const subrepos = entry.raw.subrepos.map((subrepo) => ({ ...subrepo, kind: subrepo.kind || ('binary' as const) }));
    templates.set(name, defined({ description: filled(entry.raw.description), subrepos }));
  }
  const rpmRepos = new Map<string, RpmRepo>();
  for (const [name, entry] of collected.repos) rpmRepos.set(name, repoOf(entry));
  const rpmRepoSets = new Map<string, RpmRepoSet>();
  for (const [name, entry] of collected.sets) rpmRepoSets.set(name, setOf(entry, templates));
  return { rpmRepos, rpmRepoSetTemplates: templates, rpmRepoSets };
}

type RepoEntry = Collected['repos'] extends Map<string, infer E> ? E : never;
type SetEntry = Collected['sets'] extends Map<string, infer E> ? E : never;

function repoOf(entry: RepoEntry): RpmRepo {
  const { raw, document, path } = entry;
  if ((filled(raw['base-uri']) === undefined) === (filled(raw.metalink) === undefined)) {
    throw problem(document, path, 'invalid-repository', 'a repository has either "base-uri" or "metalink"');
  }
  checkKey(entry, raw['gpg-key'], raw['disable-gpg-check']);
  return defined({
    description: filled(raw.description),
    baseUri: filled(raw['base-uri']),
    metalink: filled(raw.metalink),
    disableGpgCheck: raw['disable-gpg-check'] ?? false,
    gpgKey: filled(uriIn(document, raw['gpg-key'])),
    arches: raw.arches ?? [],
  });
}

function setOf(entry: SetEntry, templates: ReadonlyMap<string, RpmRepoSetTemplate>): RpmRepoSet {
  const { raw, document, path } = entry;
  const template = templates.get(raw.template);
  if (template === undefined) {
    const hint = suggestion(raw.template, templates.keys());
    throw problem(document, [...path, 'template'], 'unknown-repository', `there is no template "${raw.template}"`, {
      ...(hint === undefined ? {} : { hint }),
    });
  }
  const names = template.subrepos.map((subrepo) => subrepo.name);
  for (const [index, name] of (raw.subrepos ?? []).entries()) {
    if (names.includes(name)) continue;
    const hint = suggestion(name, names);
    const message = `the template has no subrepo "${name}"`;
    throw problem(document, [...path, 'subrepos', index], 'unknown-repository', message, {
      ...(hint === undefined ? {} : { hint }),
    });
  }
  checkKey(entry, raw['gpg-key'], raw['disable-gpg-check']);
  return defined({
    description: filled(raw.description),
    template: raw.template,
    baseUri: raw['base-uri'],
    namePrefix: raw['name-prefix'] ?? '',
    gpgKey: filled(uriIn(document, raw['gpg-key'])),
    disableGpgCheck: raw['disable-gpg-check'] ?? false,
    arches: raw.arches ?? [],
    subrepos: raw.subrepos ?? [],
  });
}

function checkKey(entry: Entry<unknown>, key: string | undefined, disabled: boolean | undefined): void {
  if (disabled === true || filled(key) !== undefined) return;
  throw problem(entry.document, entry.path, 'invalid-repository', 'the repository has no "gpg-key"', {
    hint: 'name the key that signs it, or say disable-gpg-check = true',
  });
}
