import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { type PushReport, pushLayout } from '../image/push.ts';
import { parseReference } from '../image/registry.ts';
import { envelopeType } from '../trust/dsse.ts';
import { openImageKey } from '../trust/image-key.ts';
import { imageKeyOptions } from './build.ts';
import { provenanceFile } from './images.ts';
import { imageKeyFile } from './output.ts';
import { builtImage, imageFolder } from './published.ts';
import type { Workspace } from './workspace.ts';

/**
 * Pushes a container image that was built to a registry, signed, with its SBOMs and its provenance as referrers.
 * @param reference `registry/repository[:tag]`; without a tag it gets the release's version
 * @throws WeirError `not-a-container`, `bad-reference`, `other-key`, and those of `builtImage` and `pushLayout`
 */
export async function pushImage(
  workspace: Workspace,
  name: string,
  reference: string,
  options: { readonly plainHttp: boolean; readonly index: boolean },
): Promise<PushReport> {
  const to = parseReference(/:[^/]+$/.test(reference) ? reference : `${reference}:${workspace.release.version}`);
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
