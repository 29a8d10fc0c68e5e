import {
  type Affected,
  type Description,
  type FeedEntry,
  isAnyCaseCve,
  type Rating,
  type VersionRange,
} from './feed-entry.ts';
import {
  badFeed,
  type FeedPlace,
  type Fields,
  field,
  fieldsAt,
  listAt,
  maybeText,
  momentAt,
  scoreAt,
  tablesAt,
  textAt,
} from './feed-fields.ts';
import { textsOf, webAddresses } from './feed-text.ts';
import { severityOfScore, severityOfWord } from './severity.ts';

/** The parts of a CPE 2.3 name that matter here. */
export interface Cpe {
  /** `a` for an application, `o` for an operating system, `h` for hardware. */
  readonly part: string;
  readonly vendor: string;
  readonly product: string;
  /** `*` for any, `-` for none. */
  readonly version: string;
  readonly update: string;
  readonly targetSoftware: string;
}

/** Parses `cpe:2.3:…` (NISTIR 7695, 6.2); undefined for another text. */
export function parseCpe(text: string): Cpe | undefined {
  if (!text.startsWith('cpe:2.3:') || text.length > 1000) return undefined;
  const lower = text.toLowerCase();
  const parts = lower.includes('\\')
    ? lower.split(/(?<!\\):/).map((each) => each.replaceAll(/\\(.)/g, '$1'))
    : lower.split(':');
  if (parts.length !== 13) return undefined;
  const [, , part, vendor, product, version, update, , , , targetSoftware] = parts;
  return {
    part: part!,
    vendor: vendor!,
    product: product!,
    version: version!,
    update: update!,
    targetSoftware: targetSoftware!,
  };
}

/** Systems that a Linux distribution is not; a configuration that needs one of them is not ours. By vendor of an `o` name. */
const otherSystems = new Set(
  ['microsoft', 'apple', 'google', 'cisco', 'juniper', 'vmware', 'novell', 'sun', 'hp', 'ibm', 'sgi', 'qnx'].concat([
    'freebsd',
    'netbsd',
    'openbsd',
    'dragonflybsd',
    'blackberry',
    'samsung',
    'huawei',
    'fortinet',
    'f5',
  ]),
);

/** Whether something written for this target can be part of a Linux distribution as a project of its own. */
const ownTargets = new Set(['*', '-', '', 'linux', 'linux_kernel', 'unix', 'posix', 'x86', 'x64']);

/** Package URL types of targets that are languages. */
const languages: Readonly<Record<string, string>> = {
  'node.js': 'npm',
  python: 'pypi',
  ruby: 'gem',
  rust: 'cargo',
  go: 'golang',
};

/**
 * An entry of the National Vulnerability Database (API 2.0, schema `cve_api_json_2.0`). Rejected ones give nothing.
 * @param raw the value of `cve`
 * @param place that of `raw`
 * @throws WeirError `bad-feed`
 */
export function nvdEntries(raw: Fields, place: FeedPlace): FeedEntry[] {
  const id = textAt(field(raw, 'id'), place, 'id').toUpperCase();
  if (!isAnyCaseCve(id)) throw badFeed(place, ['id'], `'${id.slice(0, 40)}' is not a CVE number`);
  if (maybeText(field(raw, 'vulnStatus'), place, 'vulnStatus')?.toLowerCase() === 'rejected') return [];
  return [
    {
      ...{ id, aliases: [], affects: affectsOf(raw, place), source: 'NVD', place },
      rating: () => ratingOf(raw, place),
      description: () => descriptionOf(id, raw, place),
    },
  ];
}

function descriptionOf(id: string, raw: Fields, place: FeedPlace): Description {
  const descriptions = tablesAt(field(raw, 'descriptions'), place, 'descriptions');
  const english = descriptions.findIndex((each) => field(each, 'lang') === 'en');
  const description =
    english < 0
      ? undefined
      : maybeText(field(descriptions[english]!, 'value'), place, 'descriptions', english, 'value');
  return {
    ...textsOf(id, undefined, description),
    cwe: weaknessesOf(raw, place),
    references: webAddresses(
      tablesAt(field(raw, 'references'), place, 'references').flatMap(
        (each, index) => maybeText(field(each, 'url'), place, 'references', index, 'url') ?? [],
      ),
    ),
  };
}

interface Product {
  readonly cpe: Cpe;
  readonly ranges: VersionRange[];
  readonly versions: string[];
}

/** Products with the versions that are affected, one for each vendor and product. */
function affectsOf(raw: Fields, place: FeedPlace): Affected[] {
  const found = new Map<string, Product>();
  for (const [index, configuration] of tablesAt(field(raw, 'configurations'), place, 'configurations').entries()) {
    addConfiguration(configuration, { ...place, pointer: `${place.pointer}/configurations/${index}` }, found);
  }
  return [...found.values()].map(({ cpe, ranges, versions }) => {
    const name = `${cpe.vendor}:${cpe.product}`;
    const type = Object.hasOwn(languages, cpe.targetSoftware) ? languages[cpe.targetSoftware] : undefined;
    return {
      ...{ kind: 'cpe', name, shown: `cpe ${name}`, scheme: 'upstream', ranges, versions },
      ...(type === undefined ? {} : { purl: `pkg:${type}/${cpe.product}` }),
    };
  });
}

function addConfiguration(configuration: Fields, place: FeedPlace, found: Map<string, Product>): void {
  const nodes = tablesAt(field(configuration, 'nodes'), place, 'nodes').map((node, index) => {
    const at = { ...place, pointer: `${place.pointer}/nodes/${index}/cpeMatch` };
    const matches = tablesAt(field(node, 'cpeMatch'), at);
    const names = matches.map((match, number) => cpeAt(match, at, number));
    // In a node with AND, each name is needed; else one of them.
    const isAll = field(node, 'operator') === 'AND';
    return { at, matches, names, isForOther: isAll ? names.some((one) => needsOther([one])) : needsOther(names) };
  });
  if (field(configuration, 'operator') === 'AND' && nodes.some(({ isForOther }) => isForOther)) return;
  for (const { at, matches, names, isForOther } of nodes) {
    if (isForOther) continue;
    for (const [index, cpe] of names.entries()) {
      const match = matches[index]!;
      if (field(match, 'vulnerable') !== true || cpe.part === 'h' || cpe.version === '-') continue;
      const isLanguage = Object.hasOwn(languages, cpe.targetSoftware);
      if (!isLanguage && !ownTargets.has(cpe.targetSoftware)) continue;
      const key = `${cpe.vendor}:${cpe.product}:${isLanguage ? cpe.targetSoftware : ''}`;
      let product = found.get(key);
      if (product === undefined) {
        product = { cpe, ranges: [], versions: [] };
        found.set(key, product);
      }
      if (cpe.version === '*') product.ranges.push(rangeOf(match, at, index));
      else product.versions.push(...exactVersions(cpe));
    }
  }
}

function cpeAt(match: Fields, place: FeedPlace, index: number): Cpe {
  const text = textAt(field(match, 'criteria'), place, index, 'criteria');
  const cpe = parseCpe(text);
  if (cpe === undefined) throw badFeed(place, [index, 'criteria'], `'${text.slice(0, 100)}' is not a CPE 2.3 name`);
  return cpe;
}

/** Whether a node of a configuration names only hardware, or only systems that are not Linux. */
function needsOther(names: readonly Cpe[]): boolean {
  return (
    names.length > 0 && names.every(({ part, vendor }) => part === 'h' || (part === 'o' && otherSystems.has(vendor)))
  );
}

function rangeOf(match: Fields, place: FeedPlace, index: number): VersionRange {
  const bound = (key: string): string | undefined => maybeText(field(match, key), place, index, key);
  const from = bound('versionStartIncluding');
  const after = bound('versionStartExcluding');
  const fixed = bound('versionEndExcluding');
  const last = bound('versionEndIncluding');
  return {
    ...(after === undefined ? (from === undefined ? {} : { introduced: from }) : { introduced: after, isAfter: true }),
    ...(fixed === undefined ? {} : { fixed }),
    ...(last === undefined || fixed !== undefined ? {} : { lastAffected: last }),
  };
}

/** A version with its update, such as `1.9.5` and `p1`: feeds and packages write them in different ways. */
function exactVersions({ version, update }: Cpe): string[] {
  return update === '*' || update === '-' || update === ''
    ? [version]
    : [`${version}${update}`, `${version}-${update}`];
}

/** Newest first, but 3.1 before 4.0: severities are compared across feeds, and most have only that one. */
const metricKeys = ['cvssMetricV31', 'cvssMetricV30', 'cvssMetricV40', 'cvssMetricV2'];

function ratingOf(raw: Fields, place: FeedPlace): Rating {
  const published = momentAt(field(raw, 'published'), place, 'published');
  return { ...metricsOf(raw, place), ...(published === undefined ? {} : { published }) };
}

function metricsOf(raw: Fields, place: FeedPlace): Rating {
  const metrics = field(raw, 'metrics');
  if (metrics === undefined) return {};
  const all = fieldsAt(metrics, place, 'metrics');
  for (const key of metricKeys) {
    const list = tablesAt(field(all, key), place, 'metrics', key);
    if (list.length === 0) continue;
    const index = Math.max(
      0,
      list.findIndex((each) => field(each, 'type') === 'Primary'),
    );
    const data = fieldsAt(field(list[index]!, 'cvssData'), place, 'metrics', key, index, 'cvssData');
    const vector = maybeText(field(data, 'vectorString'), place, 'metrics', key, index, 'cvssData', 'vectorString');
    const score = scoreAt(field(data, 'baseScore'), place, 'metrics', key, index, 'cvssData', 'baseScore');
    const word = field(data, 'baseSeverity') ?? field(list[index]!, 'baseSeverity');
    const severity =
      score !== undefined ? severityOfScore(score) : typeof word === 'string' ? severityOfWord(word) : undefined;
    return {
      ...(severity === undefined ? {} : { severity }),
      ...(vector?.startsWith('CVSS:') === true ? { cvss: vector } : {}),
    };
  }
  return {};
}

function weaknessesOf(raw: Fields, place: FeedPlace): string[] {
  const found = new Set<string>();
  for (const [index, each] of tablesAt(field(raw, 'weaknesses'), place, 'weaknesses').entries()) {
    for (const description of listAt(field(each, 'description'), place, 'weaknesses', index, 'description')) {
      const value =
        typeof description === 'object' && description !== null ? field(description as Fields, 'value') : undefined;
      if (typeof value === 'string' && /^CWE-\d{1,6}$/.test(value)) found.add(value);
    }
  }
  return [...found];
}
