import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { isAttestation } from '../image/oci-entry.ts';
import type { OpenImage } from './container-facts.ts';
import { addLayer } from './layer-files.ts';
import {
  configShape,
  type Descriptor,
  descriptorShape,
  jsonBlob,
  type Manifest,
  manifestShape,
  type Problem,
  parsedJson,
  shapedAs,
} from './layout-json.ts';
import { RootBuilder } from './root-builder.ts';
import { notCheckable, unreadable } from './rule.ts';

/**
 * Opens each image of an OCI layout folder, one per platform, for the duration of `work`. Artefacts about images, such as
 * SBOMs and attestations, are left out. @param scratch a folder for exclusive use, for unpacked layers
 * @throws WeirError `unknown-format` if the folder is not a layout, or has no image
 */
export async function withImages<T>(
  layout: string,
  scratch: string,
  work: (image: OpenImage) => Promise<T>,
): Promise<T[]> {
  await checkMarker(layout);
  const found = await findImages(layout);
  if (found.length === 0) throw notCheckable(layout, 'the layout contains no image');
  const results: T[] = [];
  for (const [index, each] of found.entries()) {
    const close: (() => Promise<void>)[] = [];
    try {
      results.push(await work(await openImage(layout, join(scratch, `image-${index}`), each, close)));
    } finally {
      for (const one of close) await one();
    }
  }
  return results;
}

async function checkMarker(layout: string): Promise<void> {
  const text = await readOptional(join(layout, 'oci-layout'));
  const marker = text === undefined ? undefined : parsedJson(text, 'oci-layout', []);
  const version = typeof marker === 'object' && marker !== null && 'imageLayoutVersion' in marker;
  if (version && marker.imageLayoutVersion === '1.0.0') return;
  throw new WeirError('unknown-format', 'the folder is not an OCI layout', {
    where: { file: layout },
    hint: 'the files oci-layout (version 1.0.0) and index.json must exist',
    exit: 2,
  });
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
    return undefined;
  }
}

/** A manifest of an image; undefined if unavailable, with the reason in the problems. */
interface Found {
  readonly name: string;
  readonly manifest: Manifest | undefined;
  readonly problems: readonly Problem[];
}

/** An index still to be checked. */
interface Waiting {
  readonly manifests: readonly unknown[];
  readonly where: string;
  /** Name in the entry that refers to it. */
  readonly name: string;
  /** Digests of the enclosing indexes, including its own. */
  readonly within: readonly string[];
}

/** Limit on nested indexes: a multi-platform image in a layout has one, copy tools add another. */
const deepest = 8;

/** Limit on images, more than there are platforms and variants. */
const mostImages = 256;

/** All images reachable from index.json, each once. */
async function findImages(layout: string): Promise<Found[]> {
  const problems: Problem[] = [];
  const text = await readOptional(join(layout, 'index.json'));
  if (text === undefined) problems.push({ message: 'no such file', where: 'index.json' });
  const value = text === undefined ? undefined : parsedJson(text, 'index.json', problems);
  const index = value === undefined ? undefined : shapedAs(manifestShape, value, 'index.json', problems);
  if (problems.length > 0) return [{ name: 'index.json', manifest: undefined, problems }];
  const found: Found[] = [];
  const seen = new Set<string>();
  const waiting: Waiting[] = [{ manifests: index?.manifests ?? [], where: 'index.json', name: '', within: [] }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    for (const [place, entry] of next.manifests.entries()) {
      if (found.length >= mostImages) {
        const message = `more than ${mostImages} images; the rest is not checked`;
        const rest = { message, where: `${next.where}: manifests.${place}`, unchecked: true } as const;
        return [...found, { name: 'the others', manifest: undefined, problems: [rest] }];
      }
      const looked = await lookAt(layout, next, place, entry, seen);
      if (looked !== undefined && 'within' in looked) waiting.push(looked);
      else if (looked !== undefined) found.push(looked);
    }
  }
  return found;
}

/** @returns an image, another index to check, or undefined for anything else and for duplicates */
async function lookAt(
  layout: string,
  index: Waiting,
  place: number,
  entry: unknown,
  seen: Set<string>,
): Promise<Found | Waiting | undefined> {
  const problems: Problem[] = [];
  const where = `${index.where}: manifests.${place}`;
  const descriptor = shapedAs(descriptorShape, entry, where, problems);
  if (descriptor === undefined) return { name: where, manifest: undefined, problems };
  const name = descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? index.name;
  const { os, architecture, variant } = descriptor.platform ?? {};
  const full = [name, [os, architecture, variant].filter((part) => part !== undefined).join('/')];
  const image = full.filter((part) => part !== '').join(' ');
  const digest = descriptor.digest ?? '';
  const problem = nesting(index, digest);
  if (problem !== undefined) {
    return { name: image, manifest: undefined, problems: [{ message: problem, where: digest }] };
  }
  if (digest !== '' && seen.has(digest)) return undefined;
  seen.add(digest);
  const manifest = await jsonBlob(layout, descriptor, manifestShape, problems);
  if (manifest?.manifests !== undefined) {
    return { manifests: manifest.manifests, where: digest, name, within: [...index.within, digest] };
  }
  if (manifest !== undefined && isNoImage(descriptor, manifest)) return undefined;
  return { name: image, manifest, problems };
}

function nesting({ within }: Waiting, digest: string): string | undefined {
  if (within.includes(digest)) return 'the index names itself';
  return within.length >= deepest ? `more than ${deepest} nested indexes` : undefined;
}

/** Media types of layers that form a root file system, of OCI and Docker. */
const layerType =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1|docker\.image\.rootfs\.(foreign\.)?diff)\.tar/;

/** Whether a manifest is an artefact about an image. One with layers that form a root is an image, whatever its type says. */
function isNoImage(descriptor: Descriptor, { artifactType, subject, layers }: Manifest): boolean {
  const says = artifactType !== undefined || subject !== undefined || isAttestation(descriptor);
  return says && !(layers ?? []).some(({ mediaType }) => layerType.test(mediaType ?? ''));
}

async function openImage(
  layout: string,
  scratch: string,
  { name, manifest, problems: before }: Found,
  close: (() => Promise<void>)[],
): Promise<OpenImage> {
  const problems = [...before];
  if (manifest === undefined) return { name, problems, labels: {}, user: '', root: () => unseen('the manifest') };
  const config = manifest.config && (await jsonBlob(layout, manifest.config, configShape, problems));
  if (manifest.config === undefined) problems.push({ message: 'missing configuration', where: 'config' });
  const diffIds = config?.rootfs?.diff_ids ?? [];
  const layers = manifest.layers ?? [];
  if (config !== undefined && diffIds.length !== layers.length) {
    const message = `the configuration has ${diffIds.length} layers, the manifest ${layers.length}`;
    problems.push({ message, where: manifest.config?.digest ?? 'config' });
  }
  const builder = new RootBuilder();
  let missing: string | undefined;
  for (const [index, layer] of layers.entries()) {
    const to = `${scratch}-layer-${index}.tar`;
    const added = await addLayer(builder, { layout, layer, diffId: diffIds[index], to }, problems, close);
    if (!added) missing ??= `the layer ${layer.digest ?? `number ${index + 1}`}`;
  }
  if (layers.length === 0) missing = 'a layer';
  const platform = [config?.os, config?.architecture].filter((part) => part !== undefined).join('/');
  const files = builder.files();
  return {
    name: name === '' ? platform : name,
    problems,
    labels: config?.config?.Labels ?? {},
    user: config?.config?.User ?? '',
    root: () => (missing === undefined ? files : unseen(missing)),
  };
}

function unseen(part: string): never {
  throw unreadable(`${part} is missing or unreadable, so the whole cannot be checked`);
}
