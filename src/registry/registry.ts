import { canonicalJson, sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { backOff } from '../base/retry-after.ts';
import type { OciDescriptor } from '../image/oci.ts';
import { type ImageReference, isLoopback, registryHost } from './reference.ts';
import {
  type Asking,
  answerSeconds,
  ask,
  askPatiently,
  checkedManifest,
  errorTextOf,
  fieldsOf,
  mostManifestBytes,
  statusWords,
  webAddress,
  withQuery,
  wrongAnswer,
} from './registry-answers.ts';
import { type Authorization, authorize } from './registry-token.ts';

// Protocol: OCI Distribution Specification 1.1, with the Docker registry's token authentication, which all public registries
// use.

export interface RegistryOptions extends Partial<Asking> {
  /** HTTP without TLS; always used for loopback addresses. */
  readonly plainHttp?: boolean;
}

export const indexType = 'application/vnd.oci.image.index.v1+json';
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
/** Docker's own types from before the OCI standard: the same fields under other names. */
const dockerTypes = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The registry operations that pushing needs. */
export interface Registry {
  hasBlob(blob: OciDescriptor): Promise<boolean>;
  putBlob(blob: OciDescriptor, content: () => Promise<Blob>): Promise<void>;
  /** @returns whether the registry itself lists the manifest as a referrer of its subject */
  putManifest(name: string, mediaType: string, bytes: Uint8Array): Promise<boolean>;
  /** A manifest by tag or digest, or undefined if it does not exist. */
  getManifest<T>(name: string): Promise<T | undefined>;
  /** For registries without the referrers API: adds to an index under a tag named after the subject. */
  listReferrers(subject: OciDescriptor, referrers: readonly OciDescriptor[]): Promise<void>;
}

/** The request of one attempt. */
interface Prepared extends RequestInit {
  /** URL, if not that of the request. */
  readonly address?: string;
}

export function openRegistry(to: ImageReference, options: RegistryOptions): Registry {
  const plain = options.plainHttp === true || isLoopback(to.registry);
  // As a normalised URL: host in lower case, without the scheme's default port.
  const { origin } = new URL(`${plain ? 'http' : 'https'}://${registryHost(to.registry)}`);
  const repository = `${origin}/v2/${to.repository}`;
  const seconds = options.answerSeconds ?? answerSeconds;
  const wait = options.wait ?? backOff;
  let authorization: Authorization | undefined;

  // Retry-After applies to all requests to the registry, not only to the one that received it.
  let openAgain: Promise<unknown> = Promise.resolve();
  const asking: Asking = {
    attempts: options.attempts ?? 4,
    answerSeconds: seconds,
    ...(options.say === undefined ? {} : { say: options.say }),
    wait: async (attempt, asked) => {
      if (asked === undefined) return wait(attempt);
      openAgain = Promise.all([openAgain, wait(attempt, asked)]);
      await openAgain;
    },
  };

  /** An upload may go to another host. Only the registry itself gets the credentials. */
  const isRegistry = (url: string): boolean => new URL(url).origin === origin;

  const request = async (
    method: string,
    url: string,
    prepare: () => Prepared | Promise<Prepared> = () => ({}),
  ): Promise<Response> => {
    for (let asked = false; ; asked = true) {
      let used: Authorization | undefined;
      let address = url;
      const ready = async (): Promise<() => Promise<Response>> => {
        await openAgain;
        const { address: own, ...init } = await prepare();
        address = own ?? url;
        used = authorization;
        const headers = new Headers(init.headers);
        if (used !== undefined && isRegistry(address)) headers.set('authorization', used.header);
        // No timeout for a blob, whose size is not bounded.
        const limit = init.body instanceof Blob ? undefined : seconds;
        return () => ask(address, { ...init, method, headers, redirect: 'follow' }, limit);
      };
      const response = await askPatiently(url, ready, asking);
      // Tokens last minutes and a push may take longer: each request may get a new one, once.
      if (response.status !== 401 || asked || !isRegistry(address) || used?.header.startsWith('Basic') === true) {
        return response;
      }
      if (authorization === used) authorization = await authorize(response, to, plain, { ...asking, wait });
      else await response.body?.cancel();
    }
  };

  const expectOk = async (response: Response, what: string): Promise<Response> => {
    if (response.ok) return response;
    const said = await errorTextOf(response, to.registry, seconds);
    const denied = response.status === 401 || response.status === 403;
    const file = response.status === 401 ? authorization?.file : undefined;
    const refused = file === undefined ? '' : `: the login found in ${file} was refused`;
    throw new WeirError(
      denied ? 'registry-denied' : 'registry-failed',
      `${to.registry} ${statusWords(response)} to ${what}${refused}`,
      {
        details: said === '' ? [] : said.split('\n').slice(0, 5),
        ...(denied ? { hint: `log in with: skopeo login ${to.registry}, or podman or docker login` } : {}),
      },
    );
  };

  const putManifest = async (name: string, mediaType: string, bytes: Uint8Array): Promise<boolean> => {
    const body = new Uint8Array(bytes);
    const digest = `sha256:${sha256(bytes)}`;
    const response = await request('PUT', `${repository}/manifests/${name}`, () => ({
      body,
      headers: { 'content-type': mediaType },
    }));
    await expectOk(response, `the manifest ${name}`);
    await response.body?.cancel();
    // Signatures cover these bytes, so the registry must store them unchanged.
    const stored = response.headers.get('docker-content-digest') || digest;
    if (stored.startsWith('sha256:') && stored !== digest) {
      throw wrongAnswer(to.registry, `stored the manifest ${name} as ${stored} instead of ${digest}`);
    }
    return (response.headers.get('oci-subject') ?? '') !== '';
  };

  const getManifest = async <T>(name: string): Promise<T | undefined> => {
    const response = await request('GET', `${repository}/manifests/${name}`, () => ({
      headers: { accept: [indexType, manifestType, ...dockerTypes].join(', ') },
    }));
    if (response.ok) {
      const fields = await fieldsOf(response, to.registry, `the manifest ${name}`, {
        bytes: mostManifestBytes,
        seconds,
      });
      return checkedManifest(fields, to.registry, name) as T;
    }
    if (response.status !== 404) await expectOk(response, `a request for the manifest ${name}`);
    await response.body?.cancel();
    return undefined;
  };

  return {
    hasBlob: async ({ digest }) => {
      const response = await request('HEAD', `${repository}/blobs/${digest}`);
      if (response.status === 404) return false;
      await expectOk(response, `a check for the blob ${digest}`);
      return true;
    },
    putBlob: async ({ digest }, content) => {
      const begin = `${repository}/blobs/uploads/`;
      const newUpload = async (): Promise<string> => {
        const begun = await expectOk(await request('POST', begin), 'an upload');
        await begun.body?.cancel();
        const location = begun.headers.get('location') ?? '';
        if (location === '') throw wrongAnswer(to.registry, 'accepted an upload but returned no location');
        // Relative to the URL after redirects (RFC 9110, 10.2.2).
        const upload = webAddress(location, begun.url || begin);
        if (upload === undefined) throw wrongAnswer(to.registry, `returned an invalid upload location ${location}`);
        return withQuery(upload, `digest=${encodeURIComponent(digest)}`).href;
      };
      const put = await request('PUT', begin, async () => ({
        // A new upload for each attempt: the registry may have kept part of an interrupted one.
        address: await newUpload(),
        // A blob has a known length. Registries reject chunked bodies here.
        body: await content(),
        headers: { 'content-type': 'application/octet-stream' },
      }));
      const response = await expectOk(put, `the blob ${digest}`);
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
