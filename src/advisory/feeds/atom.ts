import { isoTime } from '../../base/time.ts';
import type { XmlElement } from '../../kiwi/xml.ts';
import { nevra } from '../../repo/metadata.ts';
import type { Statement } from '../statements.ts';
import {
  advisoryId,
  distributionName,
  type FeedContext,
  feedUrl,
  lastUpdate,
  severityWord,
  type Told,
} from './context.ts';
import { csafPath } from './csaf.ts';
import { element, printXml } from './xml.ts';

export const atomFile = 'atom.xml';

/** An Atom feed (RFC 4287): an entry a vulnerability, which leads to its CSAF document; the last changed first. */
export function atom(context: FeedContext, told: readonly Told[]): string {
  const url = feedUrl(context, atomFile);
  return printXml(
    element('feed', { xmlns: 'http://www.w3.org/2005/Atom' }, [
      element('id', {}, url),
      element('title', {}, `Security advisories of ${distributionName(context)}`),
      element('updated', {}, lastUpdate(told, context)),
      element('author', {}, [
        element('name', {}, context.publisher.name),
        element('uri', {}, context.publisher.namespace),
      ]),
      element('link', { rel: 'self', type: 'application/atom+xml', href: url }),
      element('generator', {}, 'Weir'),
      ...told.toSorted((a, b) => b.updated - a.updated).map((each) => entry(context, each)),
    ]),
  );
}

function entry(context: FeedContext, told: Told): XmlElement {
  const { record, statements, first, updated } = told;
  const url = feedUrl(context, `csaf/${csafPath(context, told)}`);
  return element('entry', {}, [
    element('id', {}, url),
    element('title', {}, `${advisoryId(context, record)}: ${record.title}`),
    element('published', {}, isoTime(first)),
    element('updated', {}, isoTime(updated)),
    element('link', { rel: 'alternate', type: 'application/json', href: url }),
    element('category', { term: record.severity, label: severityWord(record) }),
    element('summary', { type: 'text' }, statements.map(summary).join('\n')),
  ]);
}

function summary({ component, status, packages, action, justification }: Statement): string {
  const versions = [...new Set(packages.map(({ pkg }) => nevra(pkg)))].join(', ');
  const more = action ?? justification?.replaceAll('_', ' ');
  return `${component}: ${status.replaceAll('-', ' ')}${more === undefined ? '' : ` (${more})`}: ${versions}`;
}
