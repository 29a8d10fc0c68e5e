import { WeirError } from '../base/errors.ts';
import { isFromCommandLineStatus } from '../base/retry-after.ts';
import { type Challenge, parseChallenges } from './challenges.ts';
import { type Login, loginFor } from './logins.ts';
import { type ImageReference, isLoopback } from './reference.ts';
import {
  type Asking,
  ask,
  askPatiently,
  fieldsOf,
  mostTokenBytes,
  statusWords,
  webAddress,
  withQuery,
  wrongAnswer,
} from './registry-answers.ts';

/** An Authorization header and where its login came from. */
export interface Authorization {
  /** The header `Authorization`. */
  readonly header: string;
  /** File that the login was found in; undefined for an anonymous token. */
  readonly file?: string;
}

/**
 * Answers a registry's challenges with a token, or with user name and password. A token is preferred: it is short-lived and
 * limited to one repository.
 * @param plain whether the registry is accessed without TLS
 * @throws WeirError `registry-denied`, `registry-failed`, `no-registry`
 */
export async function authorize(
  response: Response,
  to: ImageReference,
  plain: boolean,
  asking: Asking,
): Promise<Authorization> {
  await response.body?.cancel();
  const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
  const login = await loginFor(to.registry, to.repository, { plain });
  const denied = (why: string): WeirError =>
    new WeirError('registry-denied', `${to.registry} requires a login: ${why}`, {
      hint: `log in with: skopeo login ${to.registry}, or podman or docker login`,
    });
  const bearers = challenges.filter(({ scheme, parameters }) => scheme === 'bearer' && parameters.get('realm'));
  const isUsable = ({ parameters }: Challenge): boolean => webAddress(parameters.get('realm')!) !== undefined;
  const bearer = bearers.find(isUsable);
  if (bearer !== undefined) return token(bearer, to, plain, login, denied, asking);
  if (challenges.some(({ scheme }) => scheme === 'basic')) {
    if (login === undefined) throw denied('no login found');
    if (login.kind === 'identity') throw denied('it accepts a password, but the stored login is a token');
    return { header: `Basic ${login.basic}`, file: login.file };
  }
  const nowhere = bearers[0]?.parameters.get('realm');
  if (nowhere !== undefined) throw wrongAnswer(to.registry, `names an invalid token server ${nowhere}`);
  const schemes = [...new Set(challenges.map(({ scheme }) => scheme))];
  throw denied(
    schemes.length === 0 ? 'it names no authentication scheme' : `unsupported scheme (${schemes.join(', ')})`,
  );
}

/** Requests a token from the token server of a challenge. */
async function token(
  { parameters }: Challenge,
  to: ImageReference,
  plain: boolean,
  login: Login | undefined,
  denied: (why: string) => WeirError,
  asking: Asking,
): Promise<Authorization> {
  const realm = webAddress(parameters.get('realm')!)!;
  if (login !== undefined && !plain && realm.protocol === 'http:' && !isLoopback(realm.host)) {
    throw new WeirError('registry-failed', `${to.registry} asks to send the login to ${realm.host} without TLS`, {
      hint: 'the login would be readable on the network: report this to the administrator of the registry',
    });
  }
  const asked = new URLSearchParams({ scope: `repository:${to.repository}:pull,push` });
  const service = parameters.get('service') ?? '';
  if (service !== '') asked.set('service', service);
  const answer = await askForToken(realm, asked, login, asking);
  if (!answer.ok) {
    await answer.body?.cancel();
    if (isFromCommandLineStatus(answer.status)) {
      throw wrongAnswer(realm.host, `${statusWords(answer)} to the token request`);
    }
    const why = login === undefined ? 'no login found' : `the login found in ${login.file} was refused`;
    throw denied(`${why} (${answer.status})`);
  }
  const limits = { bytes: mostTokenBytes, seconds: asking.answerSeconds };
  const fields = await fieldsOf(answer, realm.host, 'a token', limits);
  // Two names for the same field. At least one is set; the other may be missing or empty.
  const given = [fields.token, fields.access_token].find(
    (value) => value !== undefined && value !== null && value !== '',
  );
  // More than RFC 6750, 2.1 allows: anything that fits into a header.
  if (typeof given === 'string' && /^[\x21-\x7e]+$/.test(given)) {
    return { header: `Bearer ${given}`, ...(login === undefined ? {} : { file: login.file }) };
  }
  throw wrongAnswer(realm.host, 'returned no token');
}

/** An identity token is sent as OAuth 2 specifies, anything else in the older token authentication. */
function askForToken(realm: URL, asked: URLSearchParams, login: Login | undefined, asking: Asking): Promise<Response> {
  const send = (url: URL, init: RequestInit): Promise<Response> =>
    askPatiently(url, async () => () => ask(url, init, asking.answerSeconds), asking);
  if (login?.kind === 'identity') {
    const grant = { grant_type: 'refresh_token', refresh_token: login.token, client_id: 'weir' };
    return send(realm, { method: 'POST', body: new URLSearchParams([...asked, ...Object.entries(grant)]) });
  }
  return send(
    withQuery(realm, asked),
    login === undefined ? {} : { headers: { authorization: `Basic ${login.basic}` } },
  );
}
