import { WeirError } from '../base/errors.ts';
import { type Login, loginFor } from './logins.ts';
import type { ImageReference } from './reference.ts';
import { ask, fieldsOf, unanswered, webAddress, wrongAnswer } from './registry-answers.ts';

/** What a registry is told, and by whose word. */
export interface Authorization {
  /** The header `Authorization`. */
  readonly header: string;
  /** File that its login was found in; nothing where there is none and everybody gets a token. */
  readonly file?: string;
}

/**
 * The answer to a registry's challenge: a token, or the user's name and password.
 * @param seconds that the server of tokens has for its answer
 * @throws WeirError `registry-denied`, `registry-failed`, `no-registry`
 */
export async function authorize(response: Response, to: ImageReference, seconds: number): Promise<Authorization> {
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
    return { header: `Basic ${login.basic}`, file: login.file };
  }
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!.toLowerCase(), value!]),
  );
  if (!/^bearer/i.test(challenge) || fields.realm === undefined) throw denied('in a way that Weir does not know');
  const realm = webAddress(fields.realm);
  if (realm === undefined) throw wrongAnswer(to.registry, `sends for a token to ${fields.realm}, which is no address`);
  const asked = new URLSearchParams({ scope: `repository:${to.repository}:pull,push` });
  if (fields.service !== undefined) asked.set('service', fields.service);
  const answer = await askForToken(realm, asked, login, seconds);
  if (!answer.ok) {
    await answer.body?.cancel();
    if (answer.status >= 500 || answer.status === 429) {
      throw wrongAnswer(realm.host, `answered ${answer.status} to the question for a token`);
    }
    const why = login === undefined ? 'there is no login for it' : `the login found in ${login.file} was refused`;
    throw denied(`${why} (${answer.status})`);
  }
  const { token, access_token: accessToken } = await fieldsOf(answer, realm.host, 'a token');
  const given = token ?? accessToken;
  // RFC 6750, 2.1, and more: whatever fits into a header.
  if (typeof given === 'string' && /^[\x21-\x7e]+$/.test(given)) {
    return { header: `Bearer ${given}`, ...(login === undefined ? {} : { file: login.file }) };
  }
  throw wrongAnswer(realm.host, 'answered the question for a token without a token');
}

/** An identity token is sent as OAuth 2 has it, everything else as the token authentication before it. */
async function askForToken(
  realm: URL,
  asked: URLSearchParams,
  login: Login | undefined,
  seconds: number,
): Promise<Response> {
  const send = (init: RequestInit): Promise<Response> =>
    ask(realm, init, seconds).catch((error: unknown) => {
      throw unanswered(realm.host, error, realm.protocol === 'http:');
    });
  if (login?.kind === 'identity') {
    const grant = { grant_type: 'refresh_token', refresh_token: login.token, client_id: 'weir' };
    return send({ method: 'POST', body: new URLSearchParams([...asked, ...Object.entries(grant)]) });
  }
  for (const [key, value] of asked) realm.searchParams.set(key, value);
  return send(login === undefined ? {} : { headers: { authorization: `Basic ${login.basic}` } });
}
