import { homedir } from 'node:os';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { readIfExists } from '../base/files.ts';
import { run } from '../base/process.ts';

// The files are those of containers-auth.json(5) and of docker's config.json; the programs speak the protocol of
// docker-credential-helpers: the server on stdin, JSON on stdout.

/** Who a registry is told that the user is. */
export type Login =
  | { readonly kind: 'password' /** base64 of `user:password` */; readonly basic: string }
  /** Good for tokens only: a refresh token of OAuth 2. */
  | { readonly kind: 'identity'; readonly token: string };

interface LoginFile {
  readonly auths?: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>;
  /** Name of the helper that has the logins for all registries. */
  readonly credsStore?: string;
  /** Registry → name of its helper. */
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/**
 * What `skopeo login`, `podman login` or `docker login` left for a repository, or undefined. Of the logins in a file that for
 * most of the name wins: `registry/team/name`, `registry/team`, `registry`.
 * @throws WeirError `registry-denied` for a file that is no JSON and a helper that fails
 */
export async function loginFor(registry: string, repository: string): Promise<Login | undefined> {
  const files = [
    process.env.REGISTRY_AUTH_FILE,
    // Where skopeo and podman write without XDG_RUNTIME_DIR, as for root in a CI job.
    join(process.env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`, 'containers/auth.json'),
    process.env.DOCKER_CONFIG && join(process.env.DOCKER_CONFIG, 'config.json'),
    join(homedir(), '.docker/config.json'),
  ];
  for (const file of files) {
    const text = file === undefined || file === '' ? undefined : await readIfExists(file);
    if (text === undefined) continue;
    const found = await loginIn(parsed(text, file!), file!, registry, repository);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function loginIn(
  { auths = {}, credsStore, credHelpers = {} }: LoginFile,
  file: string,
  registry: string,
  repository: string,
): Promise<Login | undefined> {
  const own = credHelpers[registry];
  if (own !== undefined && own !== '') {
    const found = await askHelper(own, file, registry);
    if (found !== undefined) return found;
  }
  const known = new Map(Object.entries(auths).map(([key, value]) => [withoutScheme(key), value]));
  const words = [registry, ...repository.split('/')];
  for (let length = words.length; length > 0; length--) {
    const { auth, identitytoken } = known.get(words.slice(0, length).join('/')) ?? {};
    if (identitytoken !== undefined && identitytoken !== '') return { kind: 'identity', token: identitytoken };
    if (auth !== undefined && auth !== '') return { kind: 'password', basic: auth };
  }
  // Last: a login that stands in the file needs no program. What a store keeps has an empty entry there.
  return credsStore === undefined || credsStore === '' ? undefined : askHelper(credsStore, file, registry);
}

/** docker wrote addresses once: `https://registry/v1/`. */
function withoutScheme(key: string): string {
  return /^https?:\/\/([^/]+)/.exec(key)?.[1] ?? key;
}

/** A user with this name has a token instead of a password. */
const tokenUser = '<token>';

/** As long as a helper may take: it can ask for the password of a key ring. */
const helperSeconds = 60;

/** @returns undefined where the helper has no login for the registry */
async function askHelper(name: string, file: string, registry: string): Promise<Login | undefined> {
  const program = `docker-credential-${name}`;
  const failed = (why: string, cause?: unknown): WeirError =>
    new WeirError('registry-denied', `the login for ${registry} is kept by ${program}, which ${why}`, {
      where: { file },
      hint: `see that ${program} is on the PATH and works, or log in with: skopeo login ${registry}`,
      cause,
    });
  const options = { input: `${registry}\n`, timeoutSeconds: helperSeconds };
  const { code, stdout, stderr } = await run([program, 'get'], options).catch((error: unknown) => {
    throw error instanceof WeirError && error.code === 'no-program' ? failed('is not there', error) : error;
  });
  const said = stdout.trim();
  if (code !== 0) {
    // The protocol has no code for it, only these words.
    if (/credentials not found/i.test(said)) return undefined;
    throw failed(`failed: ${(said || stderr.trim() || `exit code ${code}`).split('\n')[0]}`);
  }
  let answer: { readonly Username?: unknown; readonly Secret?: unknown };
  try {
    answer = JSON.parse(said);
  } catch {
    // Without its words: there may be a secret among them.
    throw failed('did not answer in JSON');
  }
  const { Username: user, Secret: secret } = answer;
  if (typeof user !== 'string' || typeof secret !== 'string') throw failed('gave no Username and Secret');
  if (user === tokenUser) return { kind: 'identity', token: secret };
  return { kind: 'password', basic: Buffer.from(`${user}:${secret}`).toString('base64') };
}

function parsed(text: string, file: string): LoginFile {
  try {
    return (JSON.parse(text) as LoginFile | null) ?? {};
  } catch (cause) {
    throw new WeirError('registry-denied', 'this file with logins cannot be read: it is no JSON', {
      where: { file },
      hint: 'log in again, or remove the file',
      cause,
    });
  }
}
