import { closest, WeirError } from '../base/errors.ts';
import type { Project, RepositoryInput, RpmRepoSet, Subrepo } from './model.ts';

/** One RPM repository with its address; sets and templates are expanded. */
export interface Repository {
  /** dnf's id of it. */
  readonly id: string;
  /** May hold `$basearch` and `$releasever`. */
  readonly address: { readonly baseUri: string } | { readonly metalink: string };
  readonly kind: Subrepo['kind'];
  /** A URI, or an absolute path; undefined where signatures are not checked. */
  readonly gpgKey: string | undefined;
  /** Empty: all. */
  readonly arches: readonly string[];
}

/** What the inputs of a distro's version name, in their order. A repository that comes twice is there once. */
export function repositoriesOf(
  project: Pick<Project, 'resources'>,
  inputs: readonly RepositoryInput[],
): readonly Repository[] {
  const found = new Map<string, Repository>();
  for (const input of inputs) {
    for (const repository of 'set' in input ? setOf(project, input.set) : [repoOf(project, input.repo)]) {
      found.set(repository.id, repository);
    }
  }
  return [...found.values()];
}

/** The repositories below one address that follow a template's layout; their ids are the template's. */
export function repositoriesBelow(
  project: Pick<Project, 'resources'>,
  template: string,
  baseUri: string,
): readonly Repository[] {
  return subreposOf(project, template).map((subrepo) => below(baseUri, subrepo, '', undefined, []));
}

function repoOf({ resources }: Pick<Project, 'resources'>, name: string): Repository {
  // The loader has checked the names that inputs have.
  const repo = resources.rpmRepos.get(name)!;
  const address = repo.metalink === undefined ? { baseUri: repo.baseUri ?? '' } : { metalink: repo.metalink };
  return {
    id: name,
    address,
    kind: 'binary',
    gpgKey: repo.disableGpgCheck ? undefined : repo.gpgKey,
    arches: repo.arches,
  };
}

function setOf(project: Pick<Project, 'resources'>, name: string): Repository[] {
  const set: RpmRepoSet = project.resources.rpmRepoSets.get(name)!;
  return subreposOf(project, set.template)
    .filter((subrepo) => set.subrepos.length === 0 || set.subrepos.includes(subrepo.name))
    .map((subrepo) =>
      below(set.baseUri, subrepo, set.namePrefix, set.disableGpgCheck ? undefined : set.gpgKey, set.arches),
    );
}

function below(
  baseUri: string,
  subrepo: Subrepo,
  prefix: string,
  gpgKey: string | undefined,
  arches: readonly string[],
): Repository {
  const address = { baseUri: `${baseUri.replace(/\/+$/, '')}/${subrepo.subpath.replace(/^\/+/, '')}` };
  return { id: `${prefix}${subrepo.name}`, address, kind: subrepo.kind, gpgKey, arches };
}

/** @throws WeirError `unknown-template` */
function subreposOf({ resources }: Pick<Project, 'resources'>, name: string): readonly Subrepo[] {
  const template = resources.rpmRepoSetTemplates.get(name);
  if (template !== undefined) return template.subrepos;
  const names = [...resources.rpmRepoSetTemplates.keys()];
  const near = closest(name, names)[0];
  throw new WeirError('unknown-template', `there is no repository template ${name}`, {
    hint: near === undefined ? `there are: ${names.join(', ')}` : `did you mean ${near}?`,
    exit: 2,
  });
}
