import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit, readIfExists } from '../base/files.ts';
import { type OciArtifact, type OciDescriptor, ociArtifact } from './oci.ts';
import { type SignatureManifest, signatureTag, signImage } from './signature.ts';

// The protocol is that of the OCI Distribution Specification 1.1; tokens are those of the Docker registry's token
// authentication, which all public registries use.

/** `host[:port]/repository[:tag]`, taken apart. */
export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

export interface PushOptions {
  /** HTTP without TLS; loopback addresses always go without. */
  readonly plainHttp?: boolean;
  /** How often a request is tried that the network or the server failed. */
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
  readonly onProgress?: (text: string) => void;
  /** Signs the image with the key that it stands for. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
}

export interface PushReport {
  /** `registry/repository@sha256:…` */
  readonly pushed: string;
  readonly digest: string;
  readonly tag: string;
  readonly blobs: { readonly uploaded: number; readonly there: number; readonly bytes: number };
  /** Digests of SBOMs and other manifests that refer to the image. */
  readonly referrers: readonly string[];
  /** Tag that its signatures are under, where it was signed. */
  readonly signature?: string;
}

const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const repositoryGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** @throws WeirError `bad-reference` (exit 2) */
export function parseReference(text: string): ImageReference {
  const match = /^([^/@]+)\/([^@]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$/.exec(text);
  const [, registry = '', repository = '', tag = 'latest'] = match ?? [];
  const host = /^(?:localhost|\[[0-9a-f:]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::\d+)?$/i.test(registry);
  if (match === null || !host || !repositoryGrammar.test(repository)) {
    throw new WeirError('bad-reference', `${text} is no name of an image in a registry`, {
      hint: 'it is written registry.example.org/folder/name:tag, in lower case',
      exit: 2,
    });
  }
  return { registry, repository, tag };
}

/**
 * Pushes the image that a layout folder names, with what belongs to it as referrers, and signs it. What the registry has already is not sent
 * again; the tag is set last, so that nobody pulls half an image.
 * @param layout an OCI layout as `writeOciIndex` leaves it
 * @param artifacts SBOMs and the like
 * @throws WeirError `registry-failed`, `registry-denied`, `no-registry`, `not-a-layout`
 */
export async function pushLayout(
  layout: string,
  to: ImageReference,
  artifacts: readonly OciArtifact[],
  options: PushOptions = {},
): Promise<PushReport> {
  const { manifests } = await readManifest<{ manifests: readonly OciDescriptor[] }>(layout, 'index.json');
  const named = manifests.find((entry) => entry.annotations?.['org.opencontainers.image.ref.name'] !== undefined);
  if (named === undefined) {
    throw new WeirError('not-a-layout', 'the layout names no image', { where: { file: join(layout, 'index.json') } });
  }
  const registry = openRegistry(to, options);
  const report = { uploaded: 0, there: 0, bytes: 0 };
  const sent = new Set<string>();
  const sendBlob = async (blob: OciDescriptor, content: () => Promise<Blob>): Promise<void> => {
    if (sent.has(blob.digest)) return;
    sent.add(blob.digest);
    if (await registry.hasBlob(blob)) {
      report.there++;
      return;
    }
    await registry.putBlob(blob, content);
    report.uploaded++;
    report.bytes += blob.size;
    options.onProgress?.(`${report.uploaded} blobs sent`);
  };
  const sendImage = async (descriptor: OciDescriptor): Promise<void> => {
    const bytes = await readFile(blobFile(layout, descriptor.digest));
    const manifest = JSON.parse(bytes.toString()) as Manifest;
    for (const inner of manifest.manifests ?? []) await sendImage(inner);
    const blobs = [...(manifest.layers ?? []), ...(manifest.config === undefined ? [] : [manifest.config])];
    await mapLimit(blobs, 3, (blob) => sendBlob(blob, () => openAsBlob(blobFile(layout, blob.digest))));
    await registry.putManifest(descriptor.digest, descriptor.mediaType, bytes);
  };
  const signPushed = async (sign: (bytes: Uint8Array) => Uint8Array): Promise<string> => {
    const there = await registry.getManifest<SignatureManifest>(signatureTag(named));
    const { tag, manifest, mediaType, blobs } = signImage(
      named,
      `${to.registry}/${to.repository}:${to.tag}`,
      sign,
      there,
    );
    for (const { descriptor, bytes } of blobs)
      await sendBlob(descriptor, async () => new Blob([new Uint8Array(bytes)]));
    await registry.putManifest(tag, mediaType, manifest);
    return tag;
  };
  await sendImage(named);
  const referrers = artifacts.map((artifact) => ociArtifact(named, artifact));
  const unlisted: OciDescriptor[] = [];
  for (const { manifest, blobs } of referrers) {
    for (const { descriptor, bytes } of blobs) {
      const content = new Uint8Array(bytes);
      if (descriptor.digest !== manifest.digest) await sendBlob(descriptor, async () => new Blob([content]));
      else if (!(await registry.putManifest(descriptor.digest, descriptor.mediaType, content))) unlisted.push(manifest);
    }
  }
  await registry.listReferrers(named, unlisted);
  const signature = options.sign === undefined ? {} : { signature: await signPushed(options.sign) };
  await registry.putManifest(to.tag, named.mediaType, await readFile(blobFile(layout, named.digest)));
  return {
    pushed: `${to.registry}/${to.repository}@${named.digest}`,
    digest: named.digest,
    tag: to.tag,
    blobs: report,
    referrers: referrers.map(({ manifest }) => manifest.digest),
    ...signature,
  };
}

/** Of an image, or of an index of images. */
interface Manifest {
  readonly config?: OciDescriptor;
  readonly layers?: readonly OciDescriptor[];
  readonly manifests?: readonly OciDescriptor[];
}

interface Registry {
  hasBlob(blob: OciDescriptor): Promise<boolean>;
  putBlob(blob: OciDescriptor, content: () => Promise<Blob>): Promise<void>;
  /** @returns whether the registry lists it as a referrer of its subject by itself */
  putManifest(name: string, mediaType: string, bytes: Uint8Array): Promise<boolean>;
  /** A manifest by tag or digest, or undefined where there is none. */
  getManifest<T>(name: string): Promise<T | undefined>;
  /** For registries without the referrers API: an index under a tag that is named after the subject. */
  listReferrers(subject: OciDescriptor, referrers: readonly OciDescriptor[]): Promise<void>;
}

function openRegistry(to: ImageReference, options: PushOptions): Registry {
  const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(to.registry);
  const base = `${options.plainHttp === true || loopback ? 'http' : 'https'}://${to.registry}`;
  const repository = `${base}/v2/${to.repository}`;
  let authorization: string | undefined;

  const once = (method: string, url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    // What an upload is sent to may be another host; only the registry itself gets the credentials.
    if (authorization !== undefined && url.startsWith(`${base}/`)) headers.set('authorization', authorization);
    return fetch(url, { ...init, method, headers, redirect: 'follow' });
  };

  const request = async (
    method: string,
    url: string,
    init: () => RequestInit | Promise<RequestInit> = () => ({}),
  ): Promise<Response> => {
    const attempts = options.attempts ?? 4;
    const wait =
      options.wait ?? ((attempt: number) => new Promise<void>((done) => setTimeout(done, 500 * 2 ** attempt)));
    for (let attempt = 1; ; attempt++) {
      let response: Response;
      try {
        response = await once(method, url, await init());
      } catch (error) {
        if (attempt < attempts) {
          await wait(attempt);
          continue;
        }
        throw new WeirError('no-registry', `the registry ${to.registry} does not answer`, {
          details: [String((error as Error).cause ?? error)],
          hint: loopback || options.plainHttp === true ? 'is it running?' : '--plain-http for one without TLS',
          cause: error,
        });
      }
      if (response.status === 401 && authorization === undefined) {
        authorization = await authorize(response, to);
        continue;
      }
      if ((response.status >= 500 || response.status === 429) && attempt < attempts) {
        await response.body?.cancel();
        await wait(attempt);
        continue;
      }
      return response;
    }
  };

  const expectOk = async (response: Response, what: string): Promise<Response> => {
    if (response.ok) return response;
    const said = (await response.text()).slice(0, 500);
    const denied = response.status === 401 || response.status === 403;
    throw new WeirError(
      denied ? 'registry-denied' : 'registry-failed',
      `${to.registry} answered ${response.status} to ${what}`,
      {
        details: said === '' ? [] : said.split('\n').slice(0, 5),
        ...(denied ? { hint: `log in with: skopeo login ${to.registry}, or podman or docker login` } : {}),
      },
    );
  };

  const putManifest = async (name: string, mediaType: string, bytes: Uint8Array): Promise<boolean> => {
    const body = new Uint8Array(bytes);
    const response = await request('PUT', `${repository}/manifests/${name}`, () => ({
      body,
      headers: { 'content-type': mediaType },
    }));
    await expectOk(response, `the manifest ${name}`);
    await response.body?.cancel();
    return response.headers.get('oci-subject') !== null;
  };

  const getManifest = async <T>(name: string): Promise<T | undefined> => {
    const response = await request('GET', `${repository}/manifests/${name}`, () => ({
      headers: { accept: `${indexType}, ${manifestType}` },
    }));
    if (response.ok) return (await response.json()) as T;
    if (response.status !== 404) await expectOk(response, `the question for the manifest ${name}`);
    await response.body?.cancel();
    return undefined;
  };

  return {
    hasBlob: async ({ digest }) => {
      const response = await request('HEAD', `${repository}/blobs/${digest}`);
      if (response.status === 404) return false;
      await expectOk(response, `the question whether it has ${digest}`);
      return true;
    },
    putBlob: async ({ digest }, content) => {
      // An upload's address is good for one attempt, so every attempt asks for a new one.
      const upload = async (): Promise<Response> => {
        const begun = await expectOk(await request('POST', `${repository}/blobs/uploads/`), 'an upload');
        await begun.body?.cancel();
        const address = new URL(begun.headers.get('location') ?? '', `${base}/`);
        address.searchParams.set('digest', digest);
        return request('PUT', address.href, async () => ({
          // A blob of known length: registries refuse chunked bodies here.
          body: await content(),
          headers: { 'content-type': 'application/octet-stream' },
        }));
      };
      const response = await expectOk(await upload(), `the blob ${digest}`);
      await response.body?.cancel();
    },
    putManifest,
    getManifest,
    listReferrers: async (subject, referrers) => {
      if (referrers.length === 0) return;
      const tag = subject.digest.replace(':', '-');
      const there = (await getManifest<{ readonly manifests?: readonly OciDescriptor[] }>(tag))?.manifests;
      const known = (there ?? []).filter((entry) => !referrers.some(({ digest }) => digest === entry.digest));
      const index = { schemaVersion: 2, mediaType: indexType, manifests: [...known, ...referrers] };
      await putManifest(tag, indexType, Buffer.from(canonicalJson(index)));
    },
  };
}

/** The answer to a registry's challenge: a token, or the user's name and password. */
async function authorize(response: Response, to: ImageReference): Promise<string> {
  await response.body?.cancel();
  const challenge = response.headers.get('www-authenticate') ?? '';
  const credentials = await credentialsFor(to.registry);
  const denied = (why: string): WeirError =>
    new WeirError('registry-denied', `${to.registry} wants to know who you are: ${why}`, {
      hint: `log in with: skopeo login ${to.registry}, or podman or docker login`,
    });
  if (/^basic/i.test(challenge)) {
    if (credentials === undefined) throw denied('there is no login for it');
    return `Basic ${credentials}`;
  }
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!.toLowerCase(), value!]),
  );
  if (!/^bearer/i.test(challenge) || fields.realm === undefined) throw denied('in a way that Weir does not know');
  const url = new URL(fields.realm);
  if (fields.service !== undefined) url.searchParams.set('service', fields.service);
  url.searchParams.set('scope', `repository:${to.repository}:pull,push`);
  const answer = await fetch(
    url,
    credentials === undefined ? {} : { headers: { authorization: `Basic ${credentials}` } },
  );
  if (!answer.ok) throw denied(`the login was refused (${answer.status})`);
  const { token, access_token: accessToken } = (await answer.json()) as { token?: string; access_token?: string };
  return `Bearer ${token ?? accessToken ?? ''}`;
}

/** What `skopeo login`, `podman login` or `docker login` wrote: base64 of `user:password`. */
async function credentialsFor(registry: string): Promise<string | undefined> {
  const files = [
    process.env.REGISTRY_AUTH_FILE,
    process.env.XDG_RUNTIME_DIR && join(process.env.XDG_RUNTIME_DIR, 'containers/auth.json'),
    process.env.DOCKER_CONFIG && join(process.env.DOCKER_CONFIG, 'config.json'),
    join(homedir(), '.docker/config.json'),
  ];
  for (const file of files) {
    const text = file === undefined || file === '' ? undefined : await readIfExists(file);
    if (text === undefined) continue;
    const { auths } = JSON.parse(text) as { auths?: Record<string, { auth?: string }> };
    const found = auths?.[registry]?.auth;
    if (found !== undefined && found !== '') return found;
  }
  return undefined;
}

function blobFile(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

async function readManifest<T>(layout: string, path: string): Promise<T> {
  const text = await readIfExists(join(layout, path));
  if (text === undefined) {
    throw new WeirError('not-a-layout', 'this is no OCI layout', { where: { file: join(layout, path) }, exit: 2 });
  }
  return JSON.parse(text) as T;
}
