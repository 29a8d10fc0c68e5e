import type { ResolvedComponent } from '../../project/model/component.ts';
import type { Overlay } from '../../project/model/overlay.ts';
import type { Spec } from '../../spec/parse.ts';
import { expandPlain, patches, plainMacros, sources, tagValue } from '../../spec/query.ts';
import { cveMentions } from '../../upstream/cve.ts';
import { ofPurl } from './csaf-products.ts';
import { keysOf, plainKey, purlKey } from './matcher.ts';
import { repositoryOf } from './upstream-name.ts';

/** Languages whose packages Fedora names by a prefix, with the type of their package URL. */
const prefixes: readonly (readonly [string, string])[] = [
  ['python-', 'pypi'],
  ['python3-', 'pypi'],
  ['rubygem-', 'gem'],
  ['rust-', 'cargo'],
  ['nodejs-', 'npm'],
  ['perl-', 'cpan'],
  ['ghc-', 'hackage'],
  ['R-', 'cran'],
];

/**
 * The keys by which feeds find a component: those of its `upstream-names`, or else of its own name, of its name upstream, and of
 * the repository that the URL or a source of its spec leads to.
 * @param spec the rendered spec, if there is one
 */
export function componentKeys(
  { name, upstreamNames, spec: from }: Pick<ResolvedComponent, 'name' | 'upstreamNames' | 'spec'>,
  spec?: Spec,
): string[] {
  if (upstreamNames !== undefined) return [...new Set(upstreamNames.flatMap(keysOfName))];
  const names = new Set([name, ...(from?.type === 'upstream' ? [from.name] : [])]);
  const keys = [...names].flatMap((each) => {
    const prefix = prefixes.find(([start]) => each.startsWith(start) && each.length > start.length);
    // Without its prefix, the name may be that of another project, such as `less`.
    return prefix === undefined
      ? [plainKey(each)]
      : [plainKey(each), ...languageKeys(each.slice(prefix[0].length), prefix[1])];
  });
  return [...new Set([...keys, ...(spec === undefined ? [] : repositories(spec))])];
}

function languageKeys(name: string, type: string): string[] {
  return keysOf(ofPurl(`pkg:${type}/${name}`)!.thing);
}

/** The keys of one of `upstream-names`: a plain name, `cpe:VENDOR:PRODUCT` or a package URL. */
export function keysOfName(name: string): string[] {
  if (name.startsWith('cpe:')) return [name.toLowerCase()];
  const thing = name.startsWith('pkg:') ? ofPurl(name)?.thing : undefined;
  if (thing === undefined) return [plainKey(name)];
  // The rules that hide ambiguous names do not apply to names that the project lists.
  return thing.kind === 'purl' ? [purlKey(thing.name)] : keysOf(thing);
}

function repositories(spec: Spec): string[] {
  const macros = plainMacros(spec);
  const addresses = [tagValue(spec, 'URL'), ...sources(spec).map(({ value }) => value)];
  return addresses.flatMap((address) => {
    const repository = address === undefined ? undefined : repositoryOf(expandPlain(address, macros));
    return repository === undefined || repository.includes('%') ? [] : [`repository:${repository}`];
  });
}

/** The version of a rendered spec without its release; undefined if only rpm could tell. */
export function specVersion(spec: Spec): string | undefined {
  const macros = plainMacros(spec);
  const version = expandPlain(tagValue(spec, 'Version') ?? '%', macros);
  return version.includes('%') ? undefined : version;
}

/** Vulnerabilities that overlays name: in their reason, their metadata or the name of their file. */
export function cvesOfOverlays(overlays: readonly Overlay[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const overlay of overlays) {
    const { metadata, description } = overlay;
    const texts = [description, ...(metadata?.commits ?? []), ...(metadata?.bugs ?? [])];
    if ('source' in overlay && overlay.source !== undefined) texts.push(overlay.source);
    if ('file' in overlay && overlay.file !== undefined) texts.push(overlay.file);
    if ('value' in overlay && overlay.value !== undefined) texts.push(overlay.value);
    for (const id of cvesIn(texts)) if (!found.has(id)) found.set(id, `an overlay fixes it: ${description}`);
  }
  return found;
}

/** Vulnerabilities that patches are named after, such as `CVE-2026-1234.patch`. */
export function cvesOfPatches(files: readonly string[]): Map<string, string> {
  return new Map(
    files.flatMap((file) => cvesIn([file]).map((id) => [id, `the spec has a patch for it: ${file}`] as const)),
  );
}

/** File names of the patches of a spec. */
export function patchNames(spec: Spec): string[] {
  return patches(spec).map(({ value }) => value);
}

function cvesIn(texts: readonly string[]): string[] {
  return cveMentions({ message: texts, changelog: [], patch: [] }).map(({ id }) => id);
}
