import type { ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { RetryOptions } from '../sources/git-run.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { expandPlain, plainMacros, tagValue } from '../spec/query.ts';
import { callsAutorelease } from './release-number.ts';
import { type AskVersions, factsOf } from './spec-facts.ts';
import { releaseOf, upstreamRelease } from './upstream-history.ts';

/** The macros that name the upstream package which a component is made from. */
export interface Provenance {
  readonly macros: Readonly<Record<string, string>>;
  /** Why a macro is missing. */
  readonly warning?: string;
}

/**
 * `%fedora_upstream_version` and `%fedora_upstream_release` of a component with `build.emit-upstream-provenance`, as azldev
 * defines them: Version and Release of the untouched spec, with Fedora's dist tag. `%autorelease` is counted in upstream's history.
 * Macros that the spec itself defines are expanded, because overlays may change them.
 * @param spec as upstream has it
 * @returns no macros for a component whose upstream is not a numbered Fedora
 */
export async function upstreamProvenance(
  spec: Spec,
  component: ResolvedComponent,
  fetched: Pick<FetchedSources, 'origin'>,
  options: RetryOptions & { readonly askVersions?: AskVersions } = {},
): Promise<Provenance> {
  if (component.spec?.type !== 'upstream' || component.spec.dist === undefined) return { macros: {} };
  const { dist, name } = component.spec;
  const macros: Record<string, string> = {};
  const [facts] = await factsOf([printSpec(spec)], options.askVersions);
  const version = facts?.version?.replace(/^[^:]*:/, '');
  if (version !== undefined && version !== '') macros.fedora_upstream_version = version;
  const release = tagValue(spec, 'Release');
  if (release === undefined || release === '') return { macros };
  if (!callsAutorelease(release, spec)) {
    const fixed = expandPlain(release, plainMacros(spec)).replaceAll(/%\{\??dist\}|%dist\b/g, dist);
    return { macros: { ...macros, fedora_upstream_release: fixed } };
  }
  const { repository, commit } = fetched.origin;
  if (repository === undefined || commit === undefined || facts === undefined) {
    const warning = `${component.name}: %fedora_upstream_release is not set, because the history that %autorelease counts is missing`;
    return { macros, warning };
  }
  const { number } = await upstreamRelease(repository, commit, `${name}.spec`, {
    ...options,
    changes: [],
    changelog: false,
    final: facts,
  });
  return { macros: { ...macros, fedora_upstream_release: `${releaseOf(facts, number)}${dist}` } };
}
