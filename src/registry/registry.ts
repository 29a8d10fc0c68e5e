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

// The protocol is that of the OCI Distribution Specification 1.1; tokens are those of the Docker registry's token
// authentication, which all public registries use.

export interface RegistryOptions extends Partial<Asking> {
  /** HTTP without TLS; loopback addresses always go without. */
  readonly plainHttp?: boolean;
}

export const indexType = 'application/vnd.oci.image.index.v1+json';
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
/** Docker's own, from before there was a standard: the same fields under other names. */
const dockerTypes = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** What pushing needs of a registry. */
export interface Registry {
  hasBlob(blob: OciDescriptor): Promise<boolean>;
  putBlob(blob: OciDescriptor, content: () => Promise<Blob>): Promise<void>;
  /** @returns whether the registry lists it as a referrer of its subject by itself */
  putManifest(name: string, mediaType: string, bytes: Uint8Array): Promise<boolean>;
  /** A manifest by tag or digest, or undefined where there is none. */
  getManifest<T>(name: string): Promise<T | undefined>;
  /** For registries without the referrers API: an index under a tag that is named after the subject. */
  listReferrers(subject: OciDescriptor, referrers: readonly OciDescriptor[]): Promise<void>;
}

/** What is sent with one attempt of a request. */
interface Prepared extends RequestInit {
  /** Where to, if not where the request is for. */
  readonly address?: string;
}

export function openRegistry(to: ImageReference, options: RegistryOptions): Registry {
  const plain = options.plainHttp === true || isLoopback(to.registry);
  // Without a port that the scheme has by itself, and in small letters: as every address that has been a URL.
  const { origin } = new URL(`${plain ? 'http' : 'https'}://${registryHost(to.registry)}`);
  const repository = `${origin}/v2/${to.repository}`;
  const seconds = options.answerSeconds ?? answerSeconds;
  const wait = options.wait ?? backOff;
  let authorization: Authorization | undefined;

  // A registry that wants to be left alone for a while means all requests, not only the one that it says so to.
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

  /** What an upload is sent to may be another host; only the registry itself gets the credentials. */
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
        // A blob takes as long as it takes.
        const limit = init.body instanceof Blob ? undefined : seconds;
        return () => ask(address, { ...init, method, headers, redirect: 'follow' }, limit);
      };
      const response = await askPatiently(url, ready, asking);
      // Tokens last for minutes, a push may take longer: each request may ask for a new one, once.
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
    // Signatures are of these bytes: what a registry makes of others they would not be of.
    const stored = response.headers.get('docker-content-digest') || digest;
    if (stored.startsWith('sha256:') && stored !== digest) {
      throw wrongAnswer(to.registry, `keeps the manifest ${name} as ${stored}, not as it was sent: ${digest}`);
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
      const begin = `${repository}/blobs/uploads/`;
      const newUpload = async (): Promise<string> => {
        const begun = await expectOk(await request('POST', begin), 'an upload');
        await begun.body?.cancel();
        const location = begun.headers.get('location') ?? '';
        if (location === '') throw wrongAnswer(to.registry, 'takes an upload, but does not say where');
        // Relative to what was asked in the end, where it was sent on (RFC 9110, 10.2.2).
        const upload = webAddress(location, begun.url || begin);
        if (upload === undefined) throw wrongAnswer(to.registry, `sends an upload to ${location}, which is no address`);
        return withQuery(upload, `digest=${encodeURIComponent(digest)}`).href;
      };
      const put = await request('PUT', begin, async () => ({
        // Good for one attempt: of one that was cut the registry may have kept the beginning.
        address: await newUpload(),
        // A blob of known length: registries refuse chunked bodies here.
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
