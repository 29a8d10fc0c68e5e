import { didYouMean, WeirError } from '../base/errors.ts';
import type { Repository as ExpandedRepository, RepositoryInput, RpmRepoSetTemplate, Subrepo } from './model/distro.ts';
import type { Project } from './model/project.ts';
import { namesOf } from './resources.ts';

/** One RPM repository with its address; sets and templates are expanded. */
export interface Repository {
  /** The repository's id for dnf. */
  readonly id: string;
  /** May contain `$basearch` and `$releasever`. */
  readonly address: { readonly baseUri: string } | { readonly metalink: string };
  readonly kind: Subrepo['kind'];
  /** A URI, or an absolute path; undefined if signatures are not checked. */
  readonly gpgKey: string | undefined;
  /** Empty: all. */
  readonly arches: readonly string[];
}

/** The repositories that the inputs of a distro version name, in order, each once. */
export function repositoriesOf(
  { resources }: Pick<Project, 'resources'>,
  inputs: readonly RepositoryInput[],
): readonly Repository[] {
  const names = new Set(inputs.flatMap((input) => namesOf(resources, input)));
  // The loader has checked these names.
  return [...names].map((name) => addressed(resources.repositories.get(name)!));
}

function addressed(repository: ExpandedRepository): Repository {
  const { name, metalink, baseUri = '', kind, disableGpgCheck, gpgKey, arches } = repository;
  return {
    id: name,
    address: metalink === undefined ? { baseUri } : { metalink },
    kind,
    gpgKey: disableGpgCheck ? undefined : gpgKey,
    arches,
  };
}

/**
 * The repositories of a template's layout below one address; their ids are those of the template.
 * @throws WeirError `unknown-template`
 */
export function repositoriesBelow(
  { resources }: Pick<Project, 'resources'>,
  template: string,
  baseUri: string,
): readonly Repository[] {
  return templateNamed({ resources }, template).subrepos.map(({ name, subpath, kind }) => ({
    id: name,
    address: { baseUri: `${baseUri.replace(/\/+$/, '')}/${subpath}` },
    kind,
    gpgKey: undefined,
    arches: [],
  }));
}

/** A layout of repositories below an address. @throws WeirError `unknown-template` (exit 2) */
export function templateNamed({ resources }: Pick<Project, 'resources'>, name: string): RpmRepoSetTemplate {
  const layout = resources.rpmRepoSetTemplates.get(name);
  if (layout !== undefined) return layout;
  const names = [...resources.rpmRepoSetTemplates.keys()];
  throw new WeirError('unknown-template', `unknown repository template ${name}`, {
    hint: didYouMean(name, names) ?? `the templates: ${names.join(', ')}`,
    exit: 2,
  });
}
