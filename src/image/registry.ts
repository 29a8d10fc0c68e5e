import { canonicalJson } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import type { OciDescriptor } from './oci.ts';
import type { ImageReference } from './reference.ts';
import {
  answerSeconds,
  ask,
  checkedManifest,
  fieldsOf,
  isPassing,
  textOf,
  unanswered,
  webAddress,
  wrongAnswer,
} from './registry-answers.ts';
import { type Authorization, authorize } from './registry-token.ts';

// The protocol is that of the OCI Distribution Specification 1.1; tokens are those of the Docker registry's token
// authentication, which all public registries use.

export interface RegistryOptions {
  /** HTTP without TLS; loopback addresses always go without. */
  readonly plainHttp?: boolean;
  /** How often a request is tried that the network or the server failed. */
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
  /** How long a request without a blob may wait for the head of its answer, each time that it is tried. */
  readonly answerSeconds?: number;
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

export function openRegistry(to: ImageReference, options: RegistryOptions): Registry {
  const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(to.registry);
  const base = `${options.plainHttp === true || loopback ? 'http' : 'https'}://${to.registry}`;
  const repository = `${base}/v2/${to.repository}`;
  let authorization: Authorization | undefined;

  const seconds = options.answerSeconds ?? answerSeconds;

  const once = (method: string, url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    // What an upload is sent to may be another host; only the registry itself gets the credentials.
    if (authorization !== undefined && url.startsWith(`${base}/`)) headers.set('authorization', authorization.header);
    // A blob takes as long as it takes.
    return ask(url, { ...init, method, headers, redirect: 'follow' }, init.body instanceof Blob ? undefined : seconds);
  };

  const request = async (
    method: string,
    url: string,
    init: () => RequestInit | Promise<RequestInit> = () => ({}),
  ): Promise<Response> => {
    const attempts = options.attempts ?? 4;
    const wait =
      options.wait ?? ((attempt: number) => new Promise<void>((done) => setTimeout(done, 500 * 2 ** attempt)));
    for (let attempt = 1, asked = false; ; attempt++) {
      let response: Response;
      const used = authorization;
      try {
        response = await once(method, url, await init());
      } catch (error) {
        if (attempt < attempts && isPassing(error)) {
          await wait(attempt);
          continue;
        }
        throw unanswered(to.registry, error, base.startsWith('http:'));
      }
      // Tokens last for minutes, a push may take longer: each request may ask for a new one, once.
      if (
        response.status === 401 &&
        !asked &&
        url.startsWith(`${base}/`) &&
        !(used?.header.startsWith('Basic') ?? false)
      ) {
        asked = true;
        if (authorization === used) authorization = await authorize(response, to, seconds);
        else await response.body?.cancel();
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
    const said = (await textOf(response, to.registry)).slice(0, 500);
    const denied = response.status === 401 || response.status === 403;
    const file = response.status === 401 ? authorization?.file : undefined;
    const refused = file === undefined ? '' : `: the login found in ${file} was refused`;
    throw new WeirError(
      denied ? 'registry-denied' : 'registry-failed',
      `${to.registry} answered ${response.status} to ${what}${refused}`,
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
      headers: { accept: [indexType, manifestType, ...dockerTypes].join(', ') },
    }));
    if (response.ok) {
      const fields = await fieldsOf(response, to.registry, `the manifest ${name}`);
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
      // An upload's address is good for one attempt, so every attempt asks for a new one.
      const upload = async (): Promise<Response> => {
        const begun = await expectOk(await request('POST', `${repository}/blobs/uploads/`), 'an upload');
        await begun.body?.cancel();
        const location = begun.headers.get('location');
        if (location === null) throw wrongAnswer(to.registry, 'takes an upload, but does not say where');
        const address = webAddress(location, `${base}/`);
        if (address === undefined)
          throw wrongAnswer(to.registry, `sends an upload to ${location}, which is no address`);
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
