import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import type { OciDescriptor } from '../image/oci.ts';
import { type PushReport, pushLayout } from '../image/push.ts';
import { parseReference } from '../image/reference.ts';
import { type Envelope, envelopeType, openEnvelope } from '../trust/dsse.ts';
import { openImageKey } from '../trust/image-key.ts';
import { imageKeyOptions } from './build.ts';
import { type ImageRecord, provenanceFile } from './images.ts';
import { imageKeyFile } from './output.ts';
import { builtImage, imageFolder } from './published.ts';
import type { Workspace } from './workspace.ts';

/**
 * Pushes a container image that was built to a registry, signed, with its SBOMs and its provenance as referrers.
 * @param reference `registry/repository[:tag]`; without a tag it gets the release's version
 * @throws WeirError `not-a-container`, `bad-reference`, `other-key`, `not-as-built`, and those of `builtImage` and `pushLayout`
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
      `${name} is a ${record.kind === 'disk' ? 'disk' : 'file for WSL'}: registries take container images`,
      { exit: 2 },
    );
  }
  return inStage(workspace.progress, 'push', async (stage) => {
    const dir = imageFolder(workspace, name);
    const artifacts = [
      { artifactType: 'application/spdx+json', data: await readFile(join(dir, 'sbom.spdx.json')) },
      { artifactType: 'application/vnd.cyclonedx+json', data: await readFile(join(dir, 'sbom.cdx.json')) },
      {
        artifactType: envelopeType,
        data: await readFile(join(dir, provenanceFile)),
        // The words of cosign and of BuildKit, by which verifiers find it among others.
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
      },
    ];
    const { sign, publicKey } = await openImageKey(imageKeyOptions(workspace));
    await checkKey(workspace, publicKey);
    await checkAsBuilt(dir, record, publicKey);
    const result = await pushLayout(join(dir, 'oci'), to, artifacts, { ...options, sign, onProgress: stage.update });
    const { uploaded, there } = result.blobs;
    return { result, summary: `${uploaded} blobs sent, ${there} were there`, cached: uploaded === 0 };
  });
}

/** Who verifies has the key that the build wrote down: another's signature would be refused everywhere. */
async function checkKey({ out }: Workspace, publicKey: string): Promise<void> {
  const file = join(out, imageKeyFile);
  const built = await readIfExists(file);
  if (built === undefined || built === publicKey) return;
  throw new WeirError(
    'other-key',
    'the image was built with another image key than the one that is here to sign with',
    {
      where: { file },
      hint: 'build again with this key, or push with the one of the build: [signing] image-key, else the same cache',
    },
  );
}

/**
 * Whoever signs vouches: the layout must name what the build's provenance is about, and what goes with it must be as it was made.
 * Blobs are held against their digests by the registry.
 * @param dir the image's folder
 * @throws WeirError `not-as-built`
 */
export async function checkAsBuilt(
  dir: string,
  { files }: Pick<ImageRecord, 'files'>,
  publicKey: string,
): Promise<void> {
  const refuse = (path: string, what: string): WeirError =>
    new WeirError('not-as-built', what, {
      where: { file: join(dir, path) },
      hint: 'it was changed since, or made with another key: remove the folder of the image and build again',
    });
  for (const path of ['oci/index.json', 'sbom.spdx.json', 'sbom.cdx.json', provenanceFile]) {
    const made = files.find((file) => file.path === path);
    if (made === undefined || made.sha256 !== (await fileDigest(join(dir, path)))) {
      throw refuse(path, 'this is not the file that the build made');
    }
  }
  const envelope = JSON.parse(await readFile(join(dir, provenanceFile), 'utf8')) as Envelope;
  const payload = openEnvelope(publicKey, envelope);
  if (payload === undefined) throw refuse(provenanceFile, 'the key that signs the image did not sign its provenance');
  const { subject } = JSON.parse(Buffer.from(payload).toString()) as { subject: { digest: { sha256: string } }[] };
  const { manifests } = JSON.parse(await readFile(join(dir, 'oci/index.json'), 'utf8')) as {
    manifests: OciDescriptor[];
  };
  const known = new Set(subject.map(({ digest }) => `sha256:${digest.sha256}`));
  if (!manifests.every(({ digest }) => known.has(digest))) {
    throw refuse('oci/index.json', 'the provenance is of another image than the one that is there');
  }
}
