import { WeirError } from '../base/errors.ts';
import { isPassingStatus } from '../base/retry-after.ts';
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

/** What a registry is told, and by whose word. */
export interface Authorization {
  /** The header `Authorization`. */
  readonly header: string;
  /** File that its login was found in; nothing where there is none and everybody gets a token. */
  readonly file?: string;
}

/**
 * The answer to a registry's challenges: a token, or the user's name and password. Of several the token is taken, which is good
 * for one repository and a short time.
 * @param plain whether the registry is asked without TLS
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
    new WeirError('registry-denied', `${to.registry} wants to know who you are: ${why}`, {
      hint: `log in with: skopeo login ${to.registry}, or podman or docker login`,
    });
  const bearers = challenges.filter(({ scheme, parameters }) => scheme === 'bearer' && parameters.get('realm'));
  const isUsable = ({ parameters }: Challenge): boolean => webAddress(parameters.get('realm')!) !== undefined;
  const bearer = bearers.find(isUsable);
  if (bearer !== undefined) return token(bearer, to, plain, login, denied, asking);
  if (challenges.some(({ scheme }) => scheme === 'basic')) {
    if (login === undefined) throw denied('there is no login for it');
    if (login.kind === 'identity') throw denied('it takes a password, and the login for it is a token');
    return { header: `Basic ${login.basic}`, file: login.file };
  }
  const nowhere = bearers[0]?.parameters.get('realm');
  if (nowhere !== undefined) throw wrongAnswer(to.registry, `sends for a token to ${nowhere}, which is no address`);
  const schemes = [...new Set(challenges.map(({ scheme }) => scheme))];
  throw denied(
    schemes.length === 0 ? 'it does not say how' : `in a way that Weir does not know (${schemes.join(', ')})`,
  );
}

/** Asks the server of tokens that a challenge names. */
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
    throw new WeirError('registry-failed', `${to.registry} wants the login to be sent to ${realm.host} without TLS`, {
      hint: 'everybody on the way could read it: tell the administrator of the registry',
    });
  }
  const asked = new URLSearchParams({ scope: `repository:${to.repository}:pull,push` });
  const service = parameters.get('service') ?? '';
  if (service !== '') asked.set('service', service);
  const answer = await askForToken(realm, asked, login, asking);
  if (!answer.ok) {
    await answer.body?.cancel();
    if (isPassingStatus(answer.status)) {
      throw wrongAnswer(realm.host, `${statusWords(answer)} to the question for a token`);
    }
    const why = login === undefined ? 'there is no login for it' : `the login found in ${login.file} was refused`;
    throw denied(`${why} (${answer.status})`);
  }
  const limits = { bytes: mostTokenBytes, seconds: asking.answerSeconds };
  const fields = await fieldsOf(answer, realm.host, 'a token', limits);
  // Two names of one thing, of which at least one is there: the other may be there and empty.
  const given = [fields.token, fields.access_token].find(
    (value) => value !== undefined && value !== null && value !== '',
  );
  // RFC 6750, 2.1, and more: whatever fits into a header.
  if (typeof given === 'string' && /^[\x21-\x7e]+$/.test(given)) {
    return { header: `Bearer ${given}`, ...(login === undefined ? {} : { file: login.file }) };
  }
  throw wrongAnswer(realm.host, 'answered the question for a token without a token');
}

/** An identity token is sent as OAuth 2 has it, everything else as the token authentication before it. */
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
