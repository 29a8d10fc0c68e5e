import { isoTime } from '../../base/time.ts';
import { isCve } from '../../upstream/cve.ts';
import { evrOf } from '../state.ts';
import type { Statement } from '../statements.ts';
import {
  descriptionOf,
  type FeedContext,
  feedUrl,
  jsonText,
  lastUpdate,
  packageUrlOf,
  referencesOf,
  type Told,
} from './context.ts';

export const openvexFile = 'openvex.json';

/**
 * One OpenVEX document with all statements (https://github.com/openvex/spec, version 0.2.0); undefined without any, which the format
 * cannot express.
 *
 * Products are package URLs with version and without qualifiers: scanners compare each qualifier with their own, and if they lack
 * it, the statement silently matches nothing.
 */
export function openvex(context: FeedContext, told: readonly Told[]): string | undefined {
  const statements = told.flatMap((each) => each.statements.map((statement) => statementOf(context, statement)));
  if (statements.length === 0) return undefined;
  return jsonText({
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': feedUrl(context, openvexFile),
    author: context.publisher.name,
    role: 'vendor',
    timestamp: isoTime(Math.min(...told.map(({ first }) => first))),
    last_updated: lastUpdate(told, context),
    version: told.reduce((sum, { revision }) => sum + revision, 0),
    tooling: 'Weir',
    statements,
  });
}

function statementOf(context: FeedContext, statement: Statement): object {
  const { record, status, justification, reason, action, packages } = statement;
  const [url] = referencesOf(record);
  const urls = new Set(packages.map(({ pkg }) => packageUrlOf(context, pkg, evrOf(pkg))));
  return {
    vulnerability: {
      ...(isCve(record.id) ? { '@id': url } : {}),
      name: record.id,
      description: descriptionOf(record),
      ...(record.aliases === undefined ? {} : { aliases: record.aliases }),
    },
    timestamp: isoTime(statement.first),
    last_updated: isoTime(statement.updated),
    products: [...urls].map((purl) => ({ '@id': purl, identifiers: { purl } })),
    status: status.replaceAll('-', '_'),
    ...(justification === undefined ? {} : { justification }),
    ...(status === 'not-affected' && reason !== undefined ? { impact_statement: reason } : {}),
    ...(status === 'under-investigation' && reason !== undefined ? { status_notes: reason } : {}),
    ...(action === undefined ? {} : { action_statement: action }),
  };
}
