import { isIP } from 'node:net';
import { canonicalJson } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { type Login, loginFor } from './logins.ts';
import type { OciDescriptor } from './oci.ts';

// The protocol is that of the OCI Distribution Specification 1.1; tokens are those of the Docker registry's token
// authentication, which all public registries use.

/** `host[:port]/repository[:tag]`, taken apart. */
export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

export interface RegistryOptions {
  /** HTTP without TLS; loopback addresses always go without. */
  readonly plainHttp?: boolean;
  /** How often a request is tried that the network or the server failed. */
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
}

export const indexType = 'application/vnd.oci.image.index.v1+json';
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
/** Docker's own, from before there was a standard: the same fields under other names. */
const dockerTypes = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const repositoryGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** @param tagByDefault what one without a tag gets @throws WeirError `bad-reference` (exit 2) */
export function parseReference(text: string, tagByDefault = 'latest'): ImageReference {
  const match = /^([^/@]+)\/([^@]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$/.exec(text);
  const [, registry = '', repository = '', tag = tagByDefault] = match ?? [];
  const host = /^(?:localhost|\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::\d+)?$/i.test(registry);
  if (match === null || !host || !repositoryGrammar.test(repository)) {
    throw new WeirError('bad-reference', `${text === '' ? '""' : text} is no name of an image in a registry`, {
      hint: 'it is written registry.example.org/folder/name:tag, in lower case',
      exit: 2,
    });
  }
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(registry) ?? [];
  if (!isHost(name)) {
    throw new WeirError('bad-reference', `${text}: ${name} is neither a name nor an address of a host`, {
      hint: 'it is written registry.example.org, 192.0.2.1 or [2001:db8::1], with :PORT where it has one',
      exit: 2,
    });
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new WeirError('bad-reference', `${text}: ${port} is no port`, { hint: 'ports are 1 to 65535', exit: 2 });
  }
  return { registry, repository, tag };
}

/** RFC 1123, 2.1; a name whose last word is a number is an address to URLs, whatever comes of it. */
function isHost(name: string): boolean {
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  const labels = name.split('.');
  if (/^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1)!)) return isIP(name) === 4;
  const named = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  return named && name.length <= 253;
}

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
      if (response.status === 401 && !asked && url.startsWith(`${base}/`) && !(used?.startsWith('Basic') ?? false)) {
        asked = true;
        if (authorization === used) authorization = await authorize(response, to);
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
      headers: { accept: [indexType, manifestType, ...dockerTypes].join(', ') },
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

/** Why a request came to nothing: what is below fetch's own error, which says no more than that. */
function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return { code: `${code ?? ''}`, message: `${message ?? cause}` };
}

/** What no second attempt mends: a name that nobody has, a port that HTTP clients refuse. */
function isPassing(error: unknown): boolean {
  const { code, message } = reasonOf(error);
  return code !== 'ENOTFOUND' && message !== badPort;
}

/** Fetch's word for the ports of other services, which the Fetch standard blocks. */
const badPort = 'bad port';

function unanswered(host: string, error: unknown, plain: boolean): WeirError {
  const { code, message } = reasonOf(error);
  if (message === badPort) {
    return new WeirError('bad-reference', `${host}: this port belongs to another service, no HTTP client asks there`, {
      hint: 'let the registry listen on another port, such as 5000',
      exit: 2,
      cause: error,
    });
  }
  const hint =
    code === 'ENOTFOUND'
      ? 'is the name right?'
      : code === 'ECONNREFUSED' || plain
        ? 'is it running?'
        : '--plain-http for one without TLS';
  return new WeirError('no-registry', `the registry ${host} does not answer`, {
    details: [message],
    hint,
    cause: error,
  });
}

/** The answer to a registry's challenge: a token, or the user's name and password. */
async function authorize(response: Response, to: ImageReference): Promise<string> {
  await response.body?.cancel();
  const challenge = response.headers.get('www-authenticate') ?? '';
  const login = await loginFor(to.registry, to.repository);
  const denied = (why: string): WeirError =>
    new WeirError('registry-denied', `${to.registry} wants to know who you are: ${why}`, {
      hint: `log in with: skopeo login ${to.registry}, or podman or docker login`,
    });
  if (/^basic/i.test(challenge)) {
    if (login === undefined) throw denied('there is no login for it');
    if (login.kind === 'identity') throw denied('it takes a password, and the login for it is a token');
    return `Basic ${login.basic}`;
  }
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!.toLowerCase(), value!]),
  );
  if (!/^bearer/i.test(challenge) || fields.realm === undefined) throw denied('in a way that Weir does not know');
  const asked = new URLSearchParams({ scope: `repository:${to.repository}:pull,push` });
  if (fields.service !== undefined) asked.set('service', fields.service);
  const answer = await askForToken(new URL(fields.realm), asked, login);
  if (!answer.ok) throw denied(`the login was refused (${answer.status})`);
  const { token, access_token: accessToken } = (await answer.json()) as { token?: string; access_token?: string };
  return `Bearer ${token ?? accessToken ?? ''}`;
}

/** An identity token is sent as OAuth 2 has it, everything else as the token authentication before it. */
function askForToken(realm: URL, asked: URLSearchParams, login: Login | undefined): Promise<Response> {
  const ask = (init: RequestInit): Promise<Response> =>
    fetch(realm, init).catch((error: unknown) => {
      throw unanswered(realm.host, error, realm.protocol === 'http:');
    });
  if (login?.kind === 'identity') {
    const grant = { grant_type: 'refresh_token', refresh_token: login.token, client_id: 'weir' };
    return ask({ method: 'POST', body: new URLSearchParams([...asked, ...Object.entries(grant)]) });
  }
  for (const [key, value] of asked) realm.searchParams.set(key, value);
  return ask(login === undefined ? {} : { headers: { authorization: `Basic ${login.basic}` } });
}
