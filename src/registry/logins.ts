import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { run } from '../base/process.ts';
import { isTable } from '../toml/document.ts';
import { dockerHub, isDockerHub } from './reference.ts';

// The files are those of containers-auth.json(5) and of docker's config.json; the programs speak the protocol of
// docker-credential-helpers: the server on stdin, JSON on stdout.

/** Who a registry is told that the user is. */
export type Login = {
  /** That the login, or the name of its helper, was found in. */
  readonly file: string;
} & (
  | { readonly kind: 'password' /** base64 of `user:password` */; readonly basic: string }
  /** Good for tokens only: a refresh token of OAuth 2. */
  | { readonly kind: 'identity'; readonly token: string }
);

/** Tables of a file, whose values are not checked before they are used: what is wrong with another registry's is no matter here. */
interface LoginFile {
  readonly auths: Readonly<Record<string, unknown>>;
  /** Name of the helper that has the logins for all registries. */
  readonly credsStore: unknown;
  /** Registry → name of its helper. */
  readonly credHelpers: Readonly<Record<string, unknown>>;
}

/** Where a login is looked for, and how. */
export interface LoginOptions {
  /** The registry is asked without TLS, so that its default port is 80. */
  readonly plain?: boolean;
  /** That a helper has. */
  readonly seconds?: number;
}

/**
 * What `skopeo login`, `podman login` or `docker login` left for a repository, or undefined. Of the logins in a file that for
 * most of the name wins: `registry/team/name`, `registry/team`, `registry`. A name is one whatever letters its host is written in,
 * with its scheme's own port or without; Docker Hub's names are one.
 * @throws WeirError `registry-denied` for a file that is no such file, a login that fits into no request and a helper that fails
 */
export async function loginFor(
  registry: string,
  repository: string,
  { plain = false, seconds = helperSeconds }: LoginOptions = {},
): Promise<Login | undefined> {
  const { env } = process;
  const files = [
    env.REGISTRY_AUTH_FILE,
    // Where skopeo and podman write without XDG_RUNTIME_DIR, as for root in a CI job.
    join(env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`, 'containers/auth.json'),
    join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'containers/auth.json'),
    env.DOCKER_CONFIG && join(env.DOCKER_CONFIG, 'config.json'),
    join(homedir(), '.docker/config.json'),
  ];
  for (const file of files) {
    const text = file === undefined || file === '' ? undefined : await readIfExists(file);
    if (text === undefined) continue;
    const found = await loginIn(parsed(text, file!), { file: file!, registry, repository, plain, seconds });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What is asked for, and of which file. */
interface Wanted {
  readonly file: string;
  readonly registry: string;
  readonly repository: string;
  readonly plain: boolean;
  readonly seconds: number;
}

async function loginIn({ auths, credsStore, credHelpers }: LoginFile, wanted: Wanted): Promise<Login | undefined> {
  const { file, registry, repository, plain } = wanted;
  const named = keysFor(credHelpers, registry, plain).filter((key) => (credHelpers[key] ?? undefined) !== undefined);
  const own = named.filter((key) => credHelpers[key] !== '');
  for (const key of own) {
    const found = await askHelper(helperNamed(credHelpers[key], `credHelpers, ${key}`, file), wanted);
    if (found !== undefined) return found;
  }
  const words = [registry, ...repository.split('/')];
  for (let length = words.length; length > 0; length--) {
    // An entry without a login, as stands for what a helper keeps, hides no other of the same name.
    for (const key of keysFor(auths, words.slice(0, length).join('/'), plain)) {
      const found = loginOf(tableOf(auths[key], `auths, ${key}`, file), key, file);
      if (found !== undefined) return found;
    }
  }
  // Last: a login that stands in the file needs no program. What a store keeps has an empty entry there.
  if (credsStore === undefined || credsStore === null || credsStore === '') return undefined;
  // An empty name, as docker takes it: no helper, and none of all registries' either.
  if (named.length > 0 && own.length === 0) return undefined;
  return askHelper(helperNamed(credsStore, 'credsStore', file), wanted);
}

/** The login in an entry, in the first of its fields that has one. */
function loginOf(entry: Readonly<Record<string, unknown>>, key: string, file: string): Login | undefined {
  const field = (name: string): string => textOf(entry[name], `${name} of ${key}`, file);
  const token = field('identitytoken');
  if (token !== '') return { kind: 'identity', token, file };
  const auth = field('auth');
  if (auth !== '') return { kind: 'password', basic: checkedAuth(auth, key, file), file };
  // As Kubernetes writes it, and docker reads it.
  const [user, password] = [field('username'), field('password')];
  if (user === '' || password === '') return undefined;
  const packed = Buffer.from(`${user}:${password}`).toString('base64');
  return { kind: 'password', basic: checkedAuth(packed, key, file), file };
}

/** The keys of a table that stand for a name, first that which is it to the letter. */
function keysFor(table: Readonly<Record<string, unknown>>, name: string, plain: boolean): string[] {
  const wanted = canonicalName(name, plain);
  const keys = Object.keys(table).filter((key) => canonicalName(key, plain) === wanted);
  return keys.filter((key) => key === name).concat(keys.filter((key) => key !== name));
}

/**
 * `host[:port][/repository]` of a key, or undefined where it stands for something else. docker wrote addresses once,
 * `https://registry/v1/`, and does so for Docker Hub still.
 */
function canonicalName(key: string, plain: boolean): string | undefined {
  const [, scheme, host = '', path = ''] = /^(?:(https?):\/\/)?([^/]*)(.*)$/s.exec(key) ?? [];
  // docker's own tokens, with which it asks for others, beside the login that it made of them.
  if (scheme !== undefined && /\/(?:access|refresh)-token$/.test(path)) return undefined;
  const port = (scheme === undefined ? plain : scheme === 'http') ? ':80' : ':443';
  const lower = host.toLowerCase();
  const bare = lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
  const within = scheme === undefined ? path.replace(/^\/v[12]\/$|\/$/, '') : '';
  return `${isDockerHub(bare) ? dockerHub : bare}${within}`;
}

/** The rest of a program's name. */
function helperNamed(value: unknown, key: string, file: string): string {
  if (typeof value === 'string' && /^[^/\s\p{Cc}]+$/u.test(value)) return value;
  throw unusable(`${key} is no name of a helper`, file, 'it is the rest of the name of a program docker-credential-…');
}

/** RFC 7617, 2: a user's name and a password have none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const controls = /[\x00-\x1f\x7f]/;

/** docker filled passwords up with NUL once. */
function checkedAuth(auth: string, key: string, file: string): string {
  // Never with its words, they are the secret.
  const wrong = (why: string): WeirError =>
    unusable(`the auth of ${key} ${why}`, file, `log in again: skopeo login ${key}`);
  const packed = auth.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) throw wrong('is no base64');
  const login = Buffer.from(packed, 'base64').toString('latin1').replace(/\0+$/, '');
  if (!login.includes(':')) throw wrong('holds no user and password');
  if (controls.test(login)) throw wrong('has control characters in its user or password');
  return Buffer.from(login, 'latin1').toString('base64');
}

/** A user with this name has a token instead of a password. */
const tokenUser = '<token>';

/** As long as a helper may take: it can ask for the password of a key ring. */
const helperSeconds = 60;

/** @returns undefined where the helper has no login for the registry, by any of its names */
async function askHelper(name: string, wanted: Wanted): Promise<Login | undefined> {
  for (const server of serversOf(wanted)) {
    const found = await askHelperFor(server, name, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Under which names a helper may keep the login for a registry. */
function serversOf({ registry, plain }: Wanted): readonly string[] {
  // As docker, then as podman and skopeo keep it.
  if (registry === dockerHub) return ['https://index.docker.io/v1/', dockerHub];
  return [...new Set([registry, canonicalName(registry, plain)!])];
}

async function askHelperFor(
  server: string,
  name: string,
  { file, registry, seconds }: Wanted,
): Promise<Login | undefined> {
  const program = `docker-credential-${name}`;
  const failed = (why: string, cause?: unknown): WeirError =>
    new WeirError('registry-denied', `the login for ${registry} is kept by ${program}, which ${why}`, {
      where: { file },
      hint: `see that ${program} is on the PATH and works, or log in with: skopeo login ${registry}`,
      cause,
    });
  const signal = AbortSignal.timeout(seconds * 1000);
  const options = { input: `${server}\n`, signal };
  const { code, stdout, stderr } = await run([program, 'get'], options).catch((error: unknown) => {
    if (error instanceof WeirError && error.code === 'no-program') throw failed('is not there', error);
    throw systemCode(error) === 'EACCES' ? failed('may not be run', error) : error;
  });
  if (code !== 0 && signal.aborted) throw failed(`did not answer within ${seconds} s`);
  const said = stdout.trim();
  if (code !== 0) {
    // The protocol has no code for it, only these words.
    if (/credentials not found/i.test(said)) return undefined;
    throw failed(`failed: ${(said || stderr.trim() || `exit code ${code}`).split('\n')[0]}`);
  }
  let answer: { readonly Username?: unknown; readonly Secret?: unknown } | null;
  try {
    answer = JSON.parse(said);
  } catch {
    // Without its words: there may be a secret among them.
    throw failed('did not answer in JSON');
  }
  const { Username: user, Secret: secret } = answer ?? {};
  if (typeof user !== 'string' || typeof secret !== 'string') throw failed('gave no Username and Secret');
  // An empty secret is none, as some helpers say that they have nothing.
  if (secret === '') return undefined;
  if (user === tokenUser) return { kind: 'identity', token: secret, file };
  if (controls.test(user + secret)) throw failed('gave a Username or Secret with control characters');
  return { kind: 'password', basic: Buffer.from(`${user}:${secret}`).toString('base64'), file };
}

/** An empty file holds no logins: who mounts secrets into a job has one where there is none. */
function parsed(text: string, file: string): LoginFile {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    // Without its cause: there may be a secret among its words.
    throw unusable('this file with logins cannot be read: it is no JSON', file);
  }
  const { auths, credsStore, credHelpers } = tableOf(value, 'this file with logins', file);
  return { auths: tableOf(auths, 'auths', file), credsStore, credHelpers: tableOf(credHelpers, 'credHelpers', file) };
}

/** null is as good as nothing: programs in Go write it for empty tables. */
function tableOf(value: unknown, what: string, file: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (isTable(value)) return value;
  throw unusable(`${what} is no table`, file);
}

function textOf(value: unknown, what: string, file: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw unusable(`the ${what} is no text`, file);
}

function unusable(what: string, file: string, hint = 'log in again, or remove the file'): WeirError {
  return new WeirError('registry-denied', what, { where: { file }, hint });
}
