import type { Severity } from '../record.ts';
import { codename } from './debian-release.ts';
import { type Affected, type FeedEntry, isAnyCaseCve } from './feed-entry.ts';
import { type FeedPlace, type Fields, field, fieldsAt, maybeText, textAt } from './feed-fields.ts';
import { textsOf } from './feed-text.ts';
import { severityOfWord } from './severity.ts';

/**
 * The entries of one source package in the JSON of Debian's security tracker: CVE → its status in each release. Left out are
 * those without a CVE number yet (`TEMP-…`), and what Debian calls unimportant: issues without an effect on security.
 * @param place that of the package's object
 * @throws WeirError `bad-feed`
 */
export function debianEntries(source: string, raw: Fields, place: FeedPlace): FeedEntry[] {
  const entries: FeedEntry[] = [];
  for (const [name, value] of Object.entries(raw)) {
    const id = name.toUpperCase();
    if (!isAnyCaseCve(id)) continue;
    const issue = fieldsAt(value, place, name);
    const releases = fieldsAt(field(issue, 'releases') ?? {}, place, name, 'releases');
    const affects: Affected[] = [];
    const severities = new Map<string, Severity>();
    for (const [release, status] of Object.entries(releases)) {
      const path = [name, 'releases', release] as const;
      const fields = fieldsAt(status, place, ...path);
      const urgency = maybeText(field(fields, 'urgency'), place, ...path, 'urgency');
      const severity = severityOfWord(urgency?.replace(/\*+$/, ''));
      if (severity !== undefined) severities.set(codename(release), severity);
      if (urgency === 'unimportant') continue;
      const affected = affectedIn(source, release, fields, place, path);
      if (affected !== undefined) affects.push(affected);
    }
    if (affects.length === 0) continue;
    entries.push({
      ...{ id, aliases: [], affects, source: 'Debian', place },
      rating: (debianRelease) => {
        const severity = debianRelease === undefined ? undefined : severities.get(codename(debianRelease));
        return severity === undefined ? {} : { severity };
      },
      description: () => ({
        ...textsOf(`${source}: ${id}`, undefined, maybeText(field(issue, 'description'), place, name, 'description')),
        ...{ cwe: [], references: [] },
      }),
    });
  }
  return entries;
}

/** An open issue affects every version, a resolved one those below the fixed one. What is undetermined gives nothing. */
function affectedIn(
  source: string,
  release: string,
  fields: Fields,
  place: FeedPlace,
  path: readonly string[],
): Affected | undefined {
  const status = textAt(field(fields, 'status'), place, ...path, 'status');
  const fixed = maybeText(field(fields, 'fixed_version'), place, ...path, 'fixed_version');
  // Version 0: the release was never affected.
  if (status === 'resolved' ? fixed === undefined || fixed === '0' : status !== 'open') return undefined;
  return {
    ...{ kind: 'debian-source', name: source, shown: `${source} in ${release},`, scheme: 'debian', versions: [] },
    ranges: [status === 'resolved' ? { fixed: fixed! } : {}],
    debianRelease: release,
  };
}
