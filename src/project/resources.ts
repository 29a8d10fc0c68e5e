import { byKey } from '../base/order.ts';
import { originOf, problem, suggestion } from '../toml/document.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected, Entry } from './collect.ts';
import { defined, filled } from './merge.ts';
import type {
  Repository,
  RepositoryInput,
  Resources,
  RpmRepo,
  RpmRepoSet,
  RpmRepoSetTemplate,
  Subrepo,
} from './model/distro.ts';
import { repositoryName } from './schema/words.ts';

type RepoEntry = Collected['repos'] extends Map<string, infer E> ? E : never;
type TemplateEntry = Collected['templates'] extends Map<string, infer E> ? E : never;
type SetEntry = Collected['sets'] extends Map<string, infer E> ? E : never;

/**
 * The `[resources]` table, with every set expanded into repositories: one for each subrepo that it takes from its template,
 * at the set's base URI plus the subrepo's path.
 * Problems are `invalid-repository`, `unknown-repository` and `duplicate-name`.
 */
export function resourcesOf(collected: Collected, problems: Problems): Resources {
  const rpmRepoSetTemplates = kept(collected.templates, problems, templateOf);
  const rpmRepos = kept(collected.repos, problems, repoOf);
  const rpmRepoSets = kept(collected.sets, problems, (entry) => setOf(entry, rpmRepoSetTemplates, collected.templates));
  const repositories = new Map<string, Repository>();
  for (const [name, repo] of rpmRepos) repositories.set(name, { ...repo, name, kind: 'binary' });
  for (const [name, set] of [...rpmRepoSets].toSorted(byKey)) {
    const entry = collected.sets.get(name)!;
    for (const repository of expand(name, set, rpmRepoSetTemplates)) {
      problems.check(() => {
        checkExpanded(entry, repository, repositories, collected);
        repositories.set(repository.name, repository);
      });
    }
  }
  return { repositories, rpmRepos, rpmRepoSetTemplates, rpmRepoSets };
}

function kept<E, T>(entries: ReadonlyMap<string, E>, problems: Problems, read: (entry: E) => T): Map<string, T> {
  const all = new Map<string, T>();
  for (const [name, entry] of entries) {
    const value = problems.check(() => read(entry));
    if (value !== undefined) all.set(name, value);
  }
  return all;
}

/** Names of the repositories that an input refers to, in the order of the template. */
export function namesOf(resources: Pick<Resources, 'repositories'>, input: RepositoryInput): string[] {
  if ('repo' in input) return [input.repo];
  return [...resources.repositories.values()].filter(({ set }) => set === input.set).map(({ name }) => name);
}

function templateOf({ raw, document, path }: TemplateEntry): RpmRepoSetTemplate {
  const names = raw.subrepos.map((subrepo) => subrepo.name);
  const twice = names.findIndex((subrepo, index) => names.indexOf(subrepo) !== index);
  if (twice >= 0) {
    const at = [...path, 'subrepos', twice, 'name'];
    throw problem(document, at, 'invalid-repository', `duplicate subrepo "${names[twice]}"`);
  }
  const subrepos = raw.subrepos.map((subrepo): Subrepo => ({ ...subrepo, kind: subrepo.kind || 'binary' }));
  return defined({ description: filled(raw.description), subrepos });
}

function repoOf(entry: RepoEntry): RpmRepo {
  const { raw, document, path } = entry;
  if ((filled(raw['base-uri']) === undefined) === (filled(raw.metalink) === undefined)) {
    throw problem(document, path, 'invalid-repository', 'a repository needs exactly one of "base-uri" and "metalink"');
  }
  checkKey(entry, raw['gpg-key'], raw['disable-gpg-check']);
  return defined({
    description: filled(raw.description),
    baseUri: filled(raw['base-uri']),
    metalink: filled(raw.metalink),
    disableGpgCheck: raw['disable-gpg-check'] ?? false,
    gpgKey: filled(raw['gpg-key']),
    arches: raw.arches ?? [],
  });
}

function setOf(
  entry: SetEntry,
  templates: ReadonlyMap<string, RpmRepoSetTemplate>,
  known: ReadonlyMap<string, unknown>,
): RpmRepoSet {
  const { raw, document, path } = entry;
  if (!known.has(raw.template)) {
    const hint = suggestion(raw.template, known.keys());
    throw problem(document, [...path, 'template'], 'unknown-repository', `unknown template "${raw.template}"`, {
      ...(hint === undefined ? {} : { hint }),
    });
  }
  const subrepos = raw.subrepos ?? [];
  // Undefined if the template itself is invalid, which is reported there.
  const names = templates.get(raw.template)?.subrepos.map((subrepo) => subrepo.name) ?? subrepos;
  for (const [index, name] of subrepos.entries()) {
    const at = [...path, 'subrepos', index];
    if (!names.includes(name)) {
      const hint = suggestion(name, names);
      throw problem(document, at, 'unknown-repository', `the template has no subrepo "${name}"`, {
        ...(hint === undefined ? {} : { hint }),
      });
    }
    if (subrepos.indexOf(name) !== index) {
      throw problem(document, at, 'duplicate-name', `the subrepo "${name}" is listed twice`);
    }
  }
  if (/[?#]/.test(raw['base-uri'])) {
    const message = 'paths are added to "base-uri", so it can\'t have a query or a fragment';
    throw problem(document, [...path, 'base-uri'], 'invalid-repository', message);
  }
  checkKey(entry, raw['gpg-key'], raw['disable-gpg-check']);
  return defined({
    description: filled(raw.description),
    template: raw.template,
    baseUri: raw['base-uri'],
    namePrefix: raw['name-prefix'] ?? '',
    gpgKey: filled(raw['gpg-key']),
    disableGpgCheck: raw['disable-gpg-check'] ?? false,
    arches: raw.arches ?? [],
    subrepos,
  });
}

function expand(
  name: string,
  set: RpmRepoSet,
  templates: ReadonlyMap<string, RpmRepoSetTemplate>,
): (Repository & { readonly set: string })[] {
  const base = set.baseUri.replace(/\/+$/, '');
  const wanted = (templates.get(set.template)?.subrepos ?? []).filter(
    (subrepo) => set.subrepos.length === 0 || set.subrepos.includes(subrepo.name),
  );
  return wanted.map((subrepo) => ({
    ...defined({
      description: set.description === undefined ? undefined : `${set.description} (${subrepo.name})`,
      gpgKey: set.gpgKey,
    }),
    name: `${set.namePrefix}${subrepo.name}`,
    kind: subrepo.kind,
    set: name,
    baseUri: `${base}/${subrepo.subpath}`,
    disableGpgCheck: set.disableGpgCheck,
    arches: set.arches,
  }));
}

function checkExpanded(
  { document, path }: SetEntry,
  { name, set }: Repository,
  repositories: ReadonlyMap<string, Repository>,
  collected: Collected,
): void {
  const at = [...path, 'name-prefix'];
  if (!repositoryName.test(name)) {
    throw problem(document, at, 'invalid-repository', `the set makes a repository with the invalid name "${name}"`, {
      hint: 'a repository name consists of letters, digits and _ . : -',
    });
  }
  const before = repositories.get(name);
  if (before === undefined) return;
  const first = before.set === undefined ? collected.repos.get(name) : collected.sets.get(before.set);
  const where = first === undefined ? undefined : originOf(first.document, first.path);
  throw problem(document, at, 'duplicate-name', `the set ${set} makes a second repository "${name}"`, {
    ...(where === undefined ? {} : { details: [`first defined at ${where.file}:${where.line}`] }),
    hint: 'give the set another name-prefix',
  });
}

function checkKey(entry: Entry<unknown>, key: string | undefined, disabled: boolean | undefined): void {
  if (disabled === true || filled(key) !== undefined) return;
  throw problem(entry.document, entry.path, 'invalid-repository', 'the repository has no "gpg-key"', {
    hint: 'name the key that signs it, or set disable-gpg-check = true',
  });
}
