import { didYouMean, WeirError } from '../base/errors.ts';
import type { Repository as ExpandedRepository, Project, RepositoryInput, Subrepo } from './model.ts';
import { namesOf } from './resources.ts';

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
  { resources }: Pick<Project, 'resources'>,
  inputs: readonly RepositoryInput[],
): readonly Repository[] {
  const names = new Set(inputs.flatMap((input) => namesOf(resources, input)));
  // The loader has checked the names that inputs have.
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
 * The repositories below one address that follow a template's layout; their ids are the template's.
 * @throws WeirError `unknown-template`
 */
export function repositoriesBelow(
  { resources }: Pick<Project, 'resources'>,
  template: string,
  baseUri: string,
): readonly Repository[] {
  const layout = resources.rpmRepoSetTemplates.get(template);
  if (layout === undefined) {
    const names = [...resources.rpmRepoSetTemplates.keys()];
    throw new WeirError('unknown-template', `there is no repository template ${template}`, {
      hint: didYouMean(template, names) ?? `there are: ${names.join(', ')}`,
      exit: 2,
    });
  }
  return layout.subrepos.map(({ name, subpath, kind }) => ({
    id: name,
    address: { baseUri: `${baseUri.replace(/\/+$/, '')}/${subpath}` },
    kind,
    gpgKey: undefined,
    arches: [],
  }));
}
