import { WeirError } from '../../base/errors.ts';
import type { Lifecycle } from '../../project/model/release.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { readImage, readRelease } from '../published.ts';
import { type SupportMatrix, supportMatrix } from './matrix.ts';
import { type OsReleaseDifference, osReleaseDifferences } from './os-release.ts';
import { type Support, supportOn } from './support.ts';

/** How long a release is supported, and whether its images agree. */
export interface LifecycleReport
  extends Pick<Lifecycle, 'id' | 'name' | 'version' | 'releaseDate' | 'fullSupportEnd' | 'lts'>,
    Support,
    SupportMatrix {
  /** The day that it is about, "YYYY-MM-DD" in UTC. */
  readonly day: string;
  /** The last build, if there is one. */
  readonly snapshot?: string;
  readonly images: readonly ImageLifecycle[];
  /** Globs of exceptions that match no published package. */
  readonly unmatched: readonly string[];
  /** Whether no image differs. */
  readonly ok: boolean;
}

/** An image's os-release, compared with the project. */
export interface ImageLifecycle {
  readonly name: string;
  readonly status: 'same' | 'differs' | 'not-checked';
  readonly differences: readonly OsReleaseDifference[];
  /** Why it was not checked. */
  readonly reason?: string;
}

/**
 * The lifecycle of the project's release on a day, with the packages and images of the last build.
 * @throws WeirError `no-lifecycle` (exit 2), `bad-record`
 */
export async function lifecycleReport(
  workspace: Pick<ProjectWorkspace, 'project' | 'out'>,
  day: string,
): Promise<LifecycleReport> {
  const { lifecycle, release, root } = workspace.project;
  if (lifecycle === undefined) {
    throw new WeirError('no-lifecycle', 'the project has no [lifecycle]', {
      where: { file: root },
      hint: 'add [lifecycle] with id, name, version, release-date and support-end',
      exit: 2,
    });
  }
  const record = await readRelease(workspace);
  const matrix = supportMatrix(lifecycle, release?.channels.map(({ name }) => name) ?? [], record, day);
  const images = await Promise.all(
    (record?.images ?? []).map(({ name, inputs }) => imageLifecycle(workspace, lifecycle, name, inputs)),
  );
  const { id, name, version, releaseDate, fullSupportEnd, lts } = lifecycle;
  return {
    id,
    name,
    version,
    day,
    ...(releaseDate === undefined ? {} : { releaseDate }),
    ...(fullSupportEnd === undefined ? {} : { fullSupportEnd }),
    lts,
    ...supportOn(lifecycle, day),
    ...(record === undefined ? {} : { snapshot: record.snapshot }),
    ...matrix,
    images,
    unmatched: matrix.exceptions.filter(({ matches }) => matches?.length === 0).map((each) => each.package),
    ok: images.every(({ status }) => status !== 'differs'),
  };
}

async function imageLifecycle(
  workspace: Pick<ProjectWorkspace, 'out'>,
  lifecycle: Lifecycle,
  name: string,
  inputs: string,
): Promise<ImageLifecycle> {
  const unchecked = (reason: string): ImageLifecycle => ({ name, status: 'not-checked', differences: [], reason });
  const image = await readImage(workspace, name);
  if (image === undefined) return unchecked('its folder has no image.json');
  if (image.inputs !== inputs) return unchecked('it was rebuilt since the release');
  if (Object.keys(image.osRelease).length === 0) return unchecked('it has no /usr/lib/os-release');
  const differences = osReleaseDifferences(lifecycle, image.osRelease);
  return { name, status: differences.length === 0 ? 'same' : 'differs', differences };
}
