import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest, sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { inStage } from '../base/progress.ts';
import { type PushReport, pushLayout } from '../registry/push.ts';
import { parseReference } from '../registry/reference.ts';
import type { Fault } from '../repo/fault.ts';
import { envelopeType } from '../trust/dsse.ts';
import { openImageKey } from '../trust/image-key.ts';
import { imageKeyOptions } from '../workspace/keys.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { provenanceFile } from './image/image-record.ts';
import { builtImage, builtRelease, imageFolder } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';
import { imageFaults } from './verify-image.ts';
import { keyFaults } from './verify-keys.ts';

/**
 * Pushes a built container image to a registry, signed, with its SBOMs and its provenance as referrers.
 * @param reference `registry/repository[:tag]`; the tag defaults to the release's version
 * @throws WeirError `not-a-container`, `bad-reference`, `other-key`, `not-as-built`, and the errors of `builtImage` and `pushLayout`
 */
export async function pushImage(
  workspace: Workspace,
  name: string,
  reference: string,
  options: { readonly plainHttp: boolean; readonly index: boolean },
): Promise<PushReport> {
  const to = parseReference(reference, workspace.release.version);
  const record = await builtImage(workspace, name);
  if (record.kind !== 'container') {
    throw new WeirError(
      'not-a-container',
      `${name} is a ${record.kind === 'disk' ? 'disk image' : 'WSL image'}: only container images can be pushed`,
      { exit: 2 },
    );
  }
  return inStage(workspace.progress, 'push', async (stage) => {
    const { sign, publicKey } = await openImageKey(imageKeyOptions(workspace));
    stage.update('verifying the image');
    const { files } = await checkAsBuilt(workspace, name, publicKey);
    const dir = imageFolder(workspace, name);
    const read = (path: string): Promise<Uint8Array> => readAsBuilt(dir, path, files);
    const artifacts = [
      { artifactType: 'application/spdx+json', data: await read('sbom.spdx.json') },
      { artifactType: 'application/vnd.cyclonedx+json', data: await read('sbom.cdx.json') },
      {
        artifactType: envelopeType,
        data: await read(provenanceFile),
        // The annotation that cosign and BuildKit set, by which verifiers find the provenance.
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
      },
    ];
    const result = await pushLayout(join(dir, 'oci'), to, artifacts, {
      ...options,
      sign,
      onProgress: stage.update,
      say: stage.note,
    });
    const { uploaded, there } = result.blobs;
    return { result, summary: `${uploaded} blobs sent, ${there} already present`, cached: uploaded === 0 };
  });
}

type BuiltRecord = ReleaseRecord['images'][number];

/**
 * Checks an image before it is signed, because a signature vouches for its content. `release.json` must carry a signature by this run's key,
 * and the image's own record and all its files, SBOMs and provenance included, must match it.
 * @returns the signed record of the image
 * @throws WeirError `not-built`, `other-key`, `not-as-built`
 */
export async function checkAsBuilt(
  workspace: Pick<Workspace, 'out' | 'project'>,
  name: string,
  publicKey: string,
): Promise<BuiltRecord> {
  const { out } = workspace;
  const release = await builtRelease(workspace);
  // Verifiers have the key that the build recorded, so a signature by another key would be rejected everywhere.
  if (release.imageKey.publicKey !== publicKey) {
    throw new WeirError('other-key', 'the image was built with a different image key', {
      where: { file: join(out, 'release.json') },
      hint: 'rebuild with this key, or push with the key of the build ([signing] image-key, or the same cache)',
    });
  }
  const image = release.images.find((each) => each.name === name);
  const dir = imageFolder(workspace, name);
  const faults: Fault[] = await keyFaults(workspace, release);
  if (image !== undefined) {
    const found = await imageFaults(dir, image, release, { all: fileDigest });
    faults.push(...found.map((each) => ({ ...each, path: join('images', name, each.path) })));
  }
  // Extra files are not sent.
  const wrong = faults.find(({ fault }) => fault !== 'extra');
  if (wrong !== undefined) throw notAsBuilt(join(out, wrong.path), wrong.message);
  if (image === undefined) throw notAsBuilt(dir, `image ${name} is not part of the last release built`);
  return image;
}

/** Reads a file of the image and checks the bytes against the signed record, so that exactly what was checked is sent. */
async function readAsBuilt(dir: string, path: string, files: BuiltRecord['files']): Promise<Uint8Array> {
  const file = join(dir, path);
  const made = files.find((each) => each.path === path);
  const bytes = await readFile(file);
  if (made?.sha256 === sha256(bytes)) return bytes;
  throw notAsBuilt(file, 'its content does not match its recorded digest');
}

function notAsBuilt(file: string, what: string): WeirError {
  return new WeirError('not-as-built', what, {
    where: { file },
    hint: 'it was changed, or built with another key: remove the folder of the image and rebuild',
  });
}
