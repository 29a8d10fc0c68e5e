import { z } from 'zod';
import { WeirError } from '../../base/errors.ts';
import { parseXml, type XmlElement } from '../../kiwi/xml.ts';
import { parseNevra } from '../../repo/metadata.ts';
import { formatEvr, parseEvr } from '../../rpm/version.ts';
import type { PackageStatus } from '../state.ts';

/** What a feed says of one package, read back from its file. */
export interface Claim {
  /** The vulnerability. */
  readonly id: string;
  readonly name: string;
  readonly status: PackageStatus;
  /** Undefined where the format has none. */
  readonly arch?: string;
  /** `version-release` of the package that it is said of, where the format says it. */
  readonly version?: string;
  /** `[epoch:]version-release` of the first package with the fix, where the format says it. */
  readonly fixedIn?: string;
  readonly justification?: string;
}

/** @throws WeirError `bad-feed`, as all of these do */
export function readUpdateinfo(file: string, text: string): Claim[] {
  return childrenOf(parseXml(file, Buffer.from(text)), 'update').flatMap((update) => {
    const [reference] = update.children.filter((each) => each.name === 'references').flatMap((each) => each.children);
    const id = attribute(file, reference, 'id');
    return below(update, 'package').map((pkg): Claim => {
      const [name, epoch, version, release, arch] = ['name', 'epoch', 'version', 'release', 'arch'].map((key) =>
        attribute(file, pkg, key),
      );
      return { id, name: name!, arch: arch!, status: 'fixed', fixedIn: evrText(`${epoch}:${version}-${release}`) };
    });
  });
}

export function readOval(file: string, text: string): Claim[] {
  const root = parseXml(file, Buffer.from(text));
  const byId = new Map(
    ['objects', 'states', 'tests']
      .flatMap((part) => childrenOf(root, part))
      .flatMap(({ children }) => children)
      .map((each) => [attribute(file, each, 'id'), each] as const),
  );
  const referred = (from: XmlElement | undefined, child: string, key: string): XmlElement => {
    const found = byId.get(attribute(file, from?.children.find((each) => each.name === child) ?? from, key));
    if (found === undefined) throw badFeed(file, `${key} refers to nothing`);
    return found;
  };
  return below(root, 'definition').flatMap((definition) => {
    const id = attribute(file, below(definition, 'reference')[0], 'ref_id');
    return below(definition, 'criterion').flatMap((criterion): Claim[] => {
      const test = referred(criterion, 'criterion', 'test_ref');
      if (test.name !== 'rpminfo_test') return [];
      const state = referred(test, 'state', 'state_ref');
      const [name] = below(referred(test, 'object', 'object_ref'), 'name');
      const [arch, evr] = ['arch', 'evr'].map((key) => below(state, key)[0]?.text ?? '');
      return [{ id, name: name?.text ?? '', arch: arch!, status: 'fixed', fixedIn: evrText(evr!) }];
    });
  });
}

const osvShape = z.object({
  upstream: z.array(z.string()).min(1),
  affected: z.array(
    z.object({
      package: z.object({ name: z.string() }),
      ranges: z.array(z.object({ events: z.array(z.record(z.string(), z.string())) })),
    }),
  ),
});

export function readOsv(file: string, text: string): Claim[] {
  const { upstream, affected } = shapedJson(file, text, osvShape);
  return affected.map(({ package: { name }, ranges }): Claim => {
    const fixed = ranges.flatMap(({ events }) => events).find((event) => event.fixed !== undefined)?.fixed;
    const id = upstream[0]!;
    return fixed === undefined ? { id, name, status: 'affected' } : { id, name, status: 'fixed', fixedIn: fixed };
  });
}

const openvexShape = z.object({
  statements: z.array(
    z.object({
      vulnerability: z.object({ name: z.string() }),
      products: z.array(z.object({ identifiers: z.object({ purl: z.string() }) })),
      status: z.string(),
      justification: z.string().optional(),
    }),
  ),
});

export function readOpenvex(file: string, text: string): Claim[] {
  return shapedJson(file, text, openvexShape).statements.flatMap(({ vulnerability, products, status, justification }) =>
    products.map(({ identifiers: { purl } }): Claim => {
      const [, name, version] = /^pkg:rpm\/[^/]+\/([^@?]+)@([^?]+)$/.exec(purl) ?? [];
      if (name === undefined || version === undefined) throw badFeed(file, `invalid package URL ${purl}`);
      return {
        id: vulnerability.name,
        name: decodeURIComponent(name),
        version: decodeURIComponent(version),
        status: statusOf(file, status.replaceAll('_', '-')),
        ...(justification === undefined ? {} : { justification }),
      };
    }),
  );
}

const productIds = z.array(z.string()).optional();

const csafShape = z.object({
  vulnerabilities: z.array(
    z.object({
      cve: z.string().optional(),
      ids: z.array(z.object({ text: z.string() })).optional(),
      product_status: z.object({
        fixed: productIds,
        first_fixed: productIds,
        known_affected: productIds,
        known_not_affected: productIds,
        under_investigation: productIds,
      }),
      flags: z.array(z.object({ label: z.string(), product_ids: z.array(z.string()) })).optional(),
    }),
  ),
});

export function readCsaf(file: string, text: string): Claim[] {
  return shapedJson(file, text, csafShape).vulnerabilities.flatMap((one) => {
    const product = (text: string): NonNullable<ReturnType<typeof parseNevra>> => {
      const found = parseNevra(text);
      if (found === undefined) throw badFeed(file, `${text} is not a package`);
      return found;
    };
    const firstFixed = new Map(
      (one.product_status.first_fixed ?? []).map((text) => {
        const fix = product(text);
        return [`${fix.name}.${fix.arch}`, formatEvr(fix)] as const;
      }),
    );
    return Object.entries(one.product_status).flatMap(([key, ids]): Claim[] => {
      if (key === 'first_fixed' || ids === undefined) return [];
      const status = statusOf(file, key.replace(/^known_/, '').replaceAll('_', '-'));
      return ids.map((text): Claim => {
        const { name, arch, version, release } = product(text);
        const fixedIn = status === 'fixed' ? firstFixed.get(`${name}.${arch}`) : undefined;
        const flag = one.flags?.find(({ product_ids: of }) => of.includes(text));
        return {
          id: one.cve ?? one.ids?.[0]?.text ?? '',
          name,
          arch,
          version: `${version}-${release}`,
          status,
          ...(fixedIn === undefined ? {} : { fixedIn }),
          ...(flag === undefined ? {} : { justification: flag.label }),
        };
      });
    });
  });
}

const statuses: readonly string[] = [
  'fixed',
  'affected',
  'not-affected',
  'under-investigation',
] satisfies PackageStatus[];

function statusOf(file: string, text: string): PackageStatus {
  if (!statuses.includes(text)) throw badFeed(file, `${text} is not a status`);
  return text as PackageStatus;
}

/** The same version is written in the same way, whatever the feed. */
function evrText(text: string): string {
  return formatEvr(parseEvr(text));
}

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((each) => each.name === name);
}

/** All elements of a name, however deep. */
function below(element: XmlElement, name: string): XmlElement[] {
  return element.children.flatMap((each) => (each.name === name ? [each, ...below(each, name)] : below(each, name)));
}

function attribute(file: string, element: XmlElement | undefined, name: string): string {
  const found = element?.attributes.get(name)?.value;
  if (found === undefined) throw badFeed(file, `an element has no ${name}`);
  return found;
}

function shapedJson<T>(file: string, text: string, shape: z.ZodType<T>): T {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw badFeed(file, 'it is not JSON', error);
  }
  const parsed = shape.safeParse(data);
  if (!parsed.success) throw badFeed(file, `${parsed.error.issues[0]?.path.join('.')}: unexpected`);
  return parsed.data;
}

function badFeed(file: string, message: string, cause?: unknown): WeirError {
  return new WeirError('bad-feed', `this is not a feed that Weir wrote: ${message}`, { where: { file }, cause });
}
