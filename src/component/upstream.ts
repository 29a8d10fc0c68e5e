import { join, resolve } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { type FetchedSources, fetchSources } from '../sources/fetch.ts';
import type { PrepareSite } from './render/site.ts';

export interface UpstreamOptions {
  /** A folder with upstream's sources, used instead of the configured ones. */
  readonly sources?: string;
  /** Whether to include the files of the lookaside. */
  readonly lookaside?: boolean;
  /** Works without network access. */
  readonly offline?: boolean;
  /** How many times a download is tried; see `DownloadContext`. */
  readonly attempts?: number;
}

/**
 * A component's sources as upstream has them, in a folder that does not exist yet.
 * @throws WeirError `no-spec-file` if `sources` has no spec, and the errors of `fetchSources`
 */
export async function upstreamSources(
  site: Pick<PrepareSite, 'project' | 'sources'>,
  component: ResolvedComponent,
  into: string,
  options: UpstreamOptions = {},
): Promise<FetchedSources> {
  const context = {
    ...site.sources,
    withLookaside: options.lookaside === true,
    ...(options.offline === true ? { offline: true } : {}),
    ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
  };
  // An archive that overlays change is fetched as upstream has it; its hash after the overlays may not be known yet.
  const sourceFiles = component.sourceFiles.filter((file) => file.origin.type !== 'overlay');
  const local = options.sources === undefined ? undefined : await specIn(options.sources, component);
  const spec = local === undefined ? component.spec : ({ type: 'local', path: local } as const);
  return fetchSources({ ...component, spec, sourceFiles }, site.project, context, into);
}

/** The component's spec in a folder of sources: in it, in the component's folder, or below the first letter. */
async function specIn(sources: string, component: ResolvedComponent): Promise<string> {
  const { name, spec } = component;
  const upstream = spec?.type === 'upstream' ? spec.name : name;
  const folders = ['', name, upstream, join(name.slice(0, 1).toLowerCase(), name)];
  const places = folders.flatMap((folder) => [join(folder, `${name}.spec`), join(folder, `${upstream}.spec`)]);
  for (const place of places) if (await exists(join(sources, place))) return resolve(sources, place);
  throw new WeirError('no-spec-file', `no spec of ${name} in ${sources}`, {
    where: { component: name },
    hint: `put the upstream sources into ${join(sources, name)}`,
    exit: 2,
  });
}
