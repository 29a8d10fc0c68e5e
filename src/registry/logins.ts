import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { run } from '../base/process.ts';
import { isTable } from '../toml/document.ts';
import { dockerHub, isDockerHub } from './reference.ts';

// File formats: containers-auth.json(5) and docker's config.json. The helper programs speak the docker-credential-helpers
// protocol: the server on stdin, JSON on stdout.

/** Credentials for a registry. */
export type Login = {
  /** File that held the login, or the name of its helper. */
  readonly file: string;
} & (
  | { readonly kind: 'password' /** base64 of `user:password` */; readonly basic: string }
  /** An OAuth 2 refresh token: it can only be exchanged for access tokens. */
  | { readonly kind: 'identity'; readonly token: string }
);

/** Tables of a login file. Values are checked only when used, so that a bad entry for another registry does no harm. */
interface LoginFile {
  readonly auths: Readonly<Record<string, unknown>>;
  /** Name of the helper that holds the logins of all registries. */
  readonly credsStore: unknown;
  /** Registry → helper name. */
  readonly credHelpers: Readonly<Record<string, unknown>>;
}

/** How to look up a login. */
export interface LoginOptions {
  /** The registry is accessed without TLS, so its default port is 80. */
  readonly plain?: boolean;
  /** Timeout for a helper, in seconds. */
  readonly seconds?: number;
}

/**
 * Finds the login for a repository that `skopeo login`, `podman login` or `docker login` stored, or undefined. Within a file
 * the most specific entry wins: `registry/team/name`, `registry/team`, `registry`. Names compare case-insensitively in the
 * host, with or without the scheme's default port; all names of Docker Hub are equal.
 * @throws WeirError `registry-denied` for an invalid file, an unusable login, or a helper that fails
 */
export async function loginFor(
  registry: string,
  repository: string,
  { plain = false, seconds = helperSeconds }: LoginOptions = {},
): Promise<Login | undefined> {
  const { env } = process;
  const files = [
    env.REGISTRY_AUTH_FILE,
    // skopeo and podman write here without XDG_RUNTIME_DIR, as for root in a CI job.
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

/** A lookup in one file. */
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
    // An entry without a login (docker leaves one for logins kept by a helper) must not hide another entry of the same name.
    for (const key of keysFor(auths, words.slice(0, length).join('/'), plain)) {
      const found = loginOf(tableOf(auths[key], `auths, ${key}`, file), key, file);
      if (found !== undefined) return found;
    }
  }
  // Last: a login in the file needs no program. For what a store keeps, the file has an empty entry.
  if (credsStore === undefined || credsStore === null || credsStore === '') return undefined;
  // As in docker, an empty helper name means no helper, not even credsStore.
  if (named.length > 0 && own.length === 0) return undefined;
  return askHelper(helperNamed(credsStore, 'credsStore', file), wanted);
}

/** The login in an entry: the first of its fields that is set. */
function loginOf(entry: Readonly<Record<string, unknown>>, key: string, file: string): Login | undefined {
  const field = (name: string): string => textOf(entry[name], `${name} of ${key}`, file);
  const token = field('identitytoken');
  if (token !== '') return { kind: 'identity', token, file };
  const auth = field('auth');
  if (auth !== '') return { kind: 'password', basic: checkedAuth(auth, key, file), file };
  // Kubernetes writes these fields, and docker reads them.
  const [user, password] = [field('username'), field('password')];
  if (user === '' || password === '') return undefined;
  const packed = Buffer.from(`${user}:${password}`).toString('base64');
  return { kind: 'password', basic: checkedAuth(packed, key, file), file };
}

/** The keys of a table that match a name, exact matches first. */
function keysFor(table: Readonly<Record<string, unknown>>, name: string, plain: boolean): string[] {
  const wanted = canonicalName(name, plain);
  const keys = Object.keys(table).filter((key) => canonicalName(key, plain) === wanted);
  return keys.filter((key) => key === name).concat(keys.filter((key) => key !== name));
}

/**
 * `host[:port][/repository]` of a key, or undefined if the key is not a registry. Old versions of docker wrote URLs
 * (`https://registry/v1/`), and docker still does for Docker Hub.
 */
function canonicalName(key: string, plain: boolean): string | undefined {
  const [, scheme, host = '', path = ''] = /^(?:(https?):\/\/)?([^/]*)(.*)$/s.exec(key) ?? [];
  // docker keeps its own access and refresh tokens beside the login.
  if (scheme !== undefined && /\/(?:access|refresh)-token$/.test(path)) return undefined;
  const port = (scheme === undefined ? plain : scheme === 'http') ? ':80' : ':443';
  const lower = host.toLowerCase();
  const bare = lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
  const within = scheme === undefined ? path.replace(/^\/v[12]\/$|\/$/, '') : '';
  return `${isDockerHub(bare) ? dockerHub : bare}${within}`;
}

/** A helper's name: the part after `docker-credential-`. */
function helperNamed(value: unknown, key: string, file: string): string {
  if (typeof value === 'string' && /^[^/\s\p{Cc}]+$/u.test(value)) return value;
  throw unusable(`${key}: invalid helper name`, file, 'use the part of the program name after docker-credential-');
}

/** RFC 7617, 2: user name and password must not contain these. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are rejected
const controls = /[\x00-\x1f\x7f]/;

/** Checks a base64 `user:password`. Old versions of docker padded passwords with NUL. */
function checkedAuth(auth: string, key: string, file: string): string {
  // The message must not quote the value: it is the secret.
  const wrong = (why: string): WeirError =>
    unusable(`the auth of ${key} ${why}`, file, `log in again: skopeo login ${key}`);
  const packed = auth.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) throw wrong('is not base64');
  const login = Buffer.from(packed, 'base64').toString('latin1').replace(/\0+$/, '');
  if (!login.includes(':')) throw wrong('does not contain user:password');
  if (controls.test(login)) throw wrong('contains control characters');
  return Buffer.from(login, 'latin1').toString('base64');
}

/** User name that marks the secret as a token instead of a password. */
const tokenUser = '<token>';

/** Long enough for a helper that prompts for the password of a key ring. */
const helperSeconds = 60;

/** @returns undefined if the helper has no login for the registry under any of its names */
async function askHelper(name: string, wanted: Wanted): Promise<Login | undefined> {
  for (const server of serversOf(wanted)) {
    const found = await askHelperFor(server, name, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The names that a helper may keep the login for a registry under. */
function serversOf({ registry, plain }: Wanted): readonly string[] {
  // docker's key, then podman's and skopeo's.
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
    new WeirError('registry-denied', `cannot get the login for ${registry}: ${program} ${why}`, {
      where: { file },
      hint: `check that ${program} is on the PATH and works, or run: skopeo login ${registry}`,
      cause,
    });
  const signal = AbortSignal.timeout(seconds * 1000);
  const options = { input: `${server}\n`, signal };
  const { code, stdout, stderr } = await run([program, 'get'], options).catch((error: unknown) => {
    if (error instanceof WeirError && error.code === 'no-program') throw failed('was not found', error);
    throw systemCode(error) === 'EACCES' ? failed('is not executable', error) : error;
  });
  if (code !== 0 && signal.aborted) throw failed(`did not answer within ${seconds} s`);
  const said = stdout.trim();
  if (code !== 0) {
    // The protocol has no error code for this case, only this text.
    if (/credentials not found/i.test(said)) return undefined;
    throw failed(`failed: ${(said || stderr.trim() || `exit code ${code}`).split('\n')[0]}`);
  }
  let answer: { readonly Username?: unknown; readonly Secret?: unknown } | null;
  try {
    answer = JSON.parse(said);
  } catch {
    // Never quote the output: it may contain a secret.
    throw failed('did not return JSON');
  }
  const { Username: user, Secret: secret } = answer ?? {};
  if (typeof user !== 'string' || typeof secret !== 'string') throw failed('returned no Username and Secret');
  // Some helpers return an empty secret to report that they have no login.
  if (secret === '') return undefined;
  if (user === tokenUser) return { kind: 'identity', token: secret, file };
  if (controls.test(user + secret)) throw failed('returned a Username or Secret with control characters');
  return { kind: 'password', basic: Buffer.from(`${user}:${secret}`).toString('base64'), file };
}

/** Parses a login file. An empty file is valid: CI systems mount one where no secret is set. */
function parsed(text: string, file: string): LoginFile {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    // No cause: its message may quote a secret.
    throw unusable('invalid login file: not JSON', file);
  }
  const { auths, credsStore, credHelpers } = tableOf(value, 'the login file', file);
  return { auths: tableOf(auths, 'auths', file), credsStore, credHelpers: tableOf(credHelpers, 'credHelpers', file) };
}

/** Go programs write null for an empty table. */
function tableOf(value: unknown, what: string, file: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (isTable(value)) return value;
  throw unusable(`${what} is not an object`, file);
}

function textOf(value: unknown, what: string, file: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw unusable(`${what} is not a string`, file);
}

function unusable(what: string, file: string, hint = 'log in again, or remove the file'): WeirError {
  return new WeirError('registry-denied', what, { where: { file }, hint });
}
