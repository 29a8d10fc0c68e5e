import { type Document, problem, suggestion } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected, DistroEntry, VersionEntry } from './collect.ts';
import { pinFolderOf } from './evidence.ts';
import type { ConfigDocument } from './include.ts';
import { defined, filled } from './merge.ts';
import type { DistroReference } from './model/component.ts';
import type { Distro, DistroVersion, RepositoryInput, Resources } from './model/distro.ts';
import type { ProjectInfo } from './model/project.ts';
import { namesOf } from './resources.ts';
import type { RawDistroReference } from './schema/component.ts';

/** The `[project]` table. */
export function projectInfoOf(collected: Collected): ProjectInfo {
  const raw = collected.project;
  const reference = raw['default-distro'];
  return defined({
    description: filled(raw.description),
    logDir: raw['log-dir'],
    workDir: raw['work-dir'],
    outputDir: raw['output-dir'],
    // Both have a default that merges first.
    renderedSpecsDir: raw['rendered-specs-dir'] ?? '',
    lockDir: raw['lock-dir'] ?? '',
    pinFolder: pinFolderOf(collected.documents),
    defaultDistro: filled(reference?.name) === undefined ? undefined : referenceOf(reference ?? {}),
    defaultAuthorEmail: filled(raw['default-author-email']),
  });
}

export function referenceOf(raw: RawDistroReference): DistroReference {
  return defined({ name: raw.name ?? '', version: filled(raw.version), snapshot: filled(raw.snapshot) });
}

/** The version that the project's default distro refers to: components inherit it first. */
export function defaultVersion(collected: Collected): VersionEntry | undefined {
  const reference = collected.project['default-distro'];
  if (filled(reference?.name) === undefined) return undefined;
  return versionOf(collected, referenceOf(reference ?? {}), (part) => {
    const path = ['project', 'default-distro', part];
    const says = (file: ConfigDocument): boolean => filled(file.data.project?.['default-distro']?.[part]) !== undefined;
    // Some file set the name, else there would be nothing to look up.
    return { document: collected.documents.findLast(says)!, path };
  }).entry;
}

/** The place of a value, for an error. */
export interface SaidAt {
  readonly document: Document;
  readonly path: TomlPath;
  /** Whether a component only inherits the value, so that the error is not the component's. */
  readonly inherited?: boolean;
}

/**
 * The version that a reference names.
 * @param place of the reference's name or version
 * @throws WeirError (exit 2) `unknown-distro`, `unknown-version`
 */
export function versionOf(
  collected: Collected,
  reference: DistroReference,
  place: (part: 'name' | 'version') => SaidAt,
): { readonly name: string; readonly entry: VersionEntry } {
  const fail = (part: 'name' | 'version', code: string, message: string, hint: string | undefined): Error => {
    const { document, path } = place(part);
    return problem(document, path, code, message, hint === undefined ? {} : { hint });
  };
  const distro = collected.distros.get(reference.name);
  if (distro === undefined) {
    const hint = suggestion(reference.name, collected.distros.keys()) ?? `add a table [distros.${reference.name}]`;
    throw fail('name', 'unknown-distro', `unknown distro "${reference.name}"`, hint);
  }
  const name = reference.version ?? filled(distro.raw['default-version']);
  if (name === undefined) {
    const hint = `add version = "…" here, or default-version to [distros.${reference.name}]`;
    throw fail('name', 'unknown-version', `missing version of distro ${reference.name}`, hint);
  }
  const entry = distro.versions.get(name);
  if (entry === undefined) {
    const hint = suggestion(name, distro.versions.keys());
    const message = `${reference.name} has no version "${name}"`;
    if (reference.version !== undefined) throw fail('version', 'unknown-version', message, hint);
    const { document, path } = distro;
    throw problem(
      document,
      [...path, 'default-version'],
      'unknown-version',
      message,
      hint === undefined ? {} : { hint },
    );
  }
  return { name, entry };
}

/** The distros. Errors in the inputs of a version are collected in `problems`. */
export function distrosOf(collected: Collected, resources: Resources, problems: Problems): Map<string, Distro> {
  const distro = (name: string, entry: DistroEntry): Distro => {
    const { raw } = entry;
    const versions = [...entry.versions].map(
      ([version, one]) => [version, distroVersionOf(collected, resources, problems, version, one)] as const,
    );
    return defined({
      name,
      description: filled(raw.description),
      defaultVersion: filled(raw['default-version']),
      distGitBaseUri: templateOf(entry.document, raw['dist-git-base-uri']),
      lookasideBaseUri: templateOf(entry.document, raw['lookaside-base-uri']),
      repos: (raw.repos ?? []).map((repo) => repo['base-uri']),
      disableOrigins: raw['disable-origins'] ?? false,
      versions: new Map(versions),
    });
  };
  return new Map([...collected.distros].map(([name, entry]) => [name, distro(name, entry)]));
}

/** An address with `$pkg` for the name of a component, which the specification calls `$name`. */
function templateOf({ specified }: Document, uri: string | undefined): string | undefined {
  return specified === true ? filled(uri?.replaceAll('$name', () => '$pkg')) : filled(uri);
}

function distroVersionOf(
  collected: Collected,
  resources: Resources,
  problems: Problems,
  name: string,
  entry: VersionEntry,
): DistroVersion {
  const { raw, document } = entry;
  const inputs = (key: 'rpm-build' | 'image-build'): RepositoryInput[] => {
    const seen = new Set<string>();
    return (raw.inputs?.[key] ?? []).flatMap((input, index) => {
      const at = [...entry.path, 'inputs', key, index];
      return problems.check(() => inputOf(collected, resources, document, at, input, seen)) ?? [];
    });
  };
  return defined({
    name,
    description: filled(raw.description),
    releaseVer: filled(raw['release-ver']),
    distGitBranch: filled(raw['dist-git-branch']),
    kiwiConfigOverride: filled(raw['kiwi-config-override']),
    mockConfig: filled(raw['mock-config']),
    mockConfigX86: filled(raw['mock-config-x86_64']),
    mockConfigArm: filled(raw['mock-config-aarch64']),
    inputs: { rpmBuild: inputs('rpm-build'), imageBuild: inputs('image-build') },
  });
}

/** Whether an input names a repository that is left out because its table, or one that it is made from, is invalid. */
function mayBeInvalid(collected: Collected, resources: Resources, input: RepositoryInput): boolean {
  if (!('repo' in input)) return false;
  if (collected.repos.has(input.repo)) return true;
  return [...collected.sets].some(([name, { raw }]) => {
    const expanded = resources.rpmRepoSets.has(name) && resources.rpmRepoSetTemplates.has(raw.template);
    return !expanded && input.repo.startsWith(raw['name-prefix'] ?? '');
  });
}

function inputOf(
  collected: Collected,
  resources: Resources,
  document: Document,
  at: TomlPath,
  raw: { readonly repo?: string | undefined; readonly set?: string | undefined },
  seen: Set<string>,
): RepositoryInput | undefined {
  const repo = filled(raw.repo);
  const set = filled(raw.set);
  if ((repo === undefined) === (set === undefined)) {
    throw problem(document, at, 'invalid-value', 'an input needs exactly one of "repo" and "set"');
  }
  const input: RepositoryInput = repo === undefined ? { set: set ?? '' } : { repo };
  const [key, name, table, known]: [string, string, string, ReadonlyMap<string, unknown>] =
    'set' in input
      ? ['set', input.set, 'rpm-repo-sets', collected.sets]
      : ['repo', input.repo, 'rpm-repos', resources.repositories];
  if (!known.has(name)) {
    // What is invalid itself is reported there; the input is left out, too.
    if (mayBeInvalid(collected, resources, input)) return undefined;
    const hint = suggestion(name, known.keys()) ?? `add a table [resources.${table}.${name}]`;
    throw problem(document, [...at, key], 'unknown-repository', `there is no "${name}" in [resources.${table}]`, {
      hint,
    });
  }
  for (const one of namesOf(resources, input)) {
    if (seen.has(one)) {
      throw problem(document, [...at, key], 'duplicate-name', `duplicate input: repository "${one}"`, {
        hint: 'list each repository once, directly or through its set',
      });
    }
    seen.add(one);
  }
  return input;
}
