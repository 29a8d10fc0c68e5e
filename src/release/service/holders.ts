import type { Workspace } from '../../workspace/workspace.ts';
import { readImage } from '../published.ts';
import type { ImageRecord } from '../record-schema.ts';

/** The built images that contain a package of a component. */
export async function imagesWith(
  workspace: Pick<Workspace, 'out' | 'project'>,
  isOf: (pkg: ImageRecord['packages'][number]) => boolean,
): Promise<ImageRecord[]> {
  const records = await Promise.all([...workspace.project.images.keys()].map((name) => readImage(workspace, name)));
  return records.filter((record) => record?.packages.some(isOf) === true) as ImageRecord[];
}

/** The digest by which users know an image: that of its manifest, or of its first file. */
export function imageDigest({ details, files }: Pick<ImageRecord, 'details' | 'files'>): string {
  const { manifest } = details as { readonly manifest?: unknown };
  return typeof manifest === 'string' && manifest.startsWith('sha256:') ? manifest : `sha256:${files[0]!.sha256}`;
}
