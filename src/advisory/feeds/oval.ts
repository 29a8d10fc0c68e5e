import { sha256 } from '../../base/digest.ts';
import { isoTime } from '../../base/time.ts';
import type { XmlElement } from '../../kiwi/xml.ts';
import { isCve } from '../../upstream/cve.ts';
import type { StatedPackage } from '../statements.ts';
import {
  advisoryId,
  descriptionOf,
  distributionName,
  type FeedContext,
  referencesOf,
  severityWord,
  type Told,
} from './context.ts';
import { element, printXml } from './xml.ts';

export const ovalFile = 'oval.xml';

const namespace = 'http://oval.mitre.org/XMLSchema/oval-definitions-5';
const linux = `${namespace}#linux`;
const independent = `${namespace}#independent`;

/** The test whether the machine runs the distribution; definitions follow it. */
const platform = 1;

/** The numbers of one fix: those of its definition, and of its test of a package. */
interface Fix {
  readonly told: Told;
  readonly number: string;
  readonly packages: readonly StatedPackage[];
}

/**
 * OVAL definitions of the class `patch` (https://github.com/OVAL-Community/OVAL, version 5.11): true on a machine with a package that is
 * older than the first one with the fix. Undefined without a fix, which the format cannot express.
 */
export function oval(context: FeedContext, told: readonly Told[]): string | undefined {
  const fixes = told.flatMap((each) => fixOf(each) ?? []);
  if (fixes.length === 0) return undefined;
  const id = (kind: string, number: string | number): string => `oval:${context.distribution.id}:${kind}:${number}`;
  const each = (make: (fix: Fix, one: StatedPackage, number: string) => XmlElement): XmlElement[] =>
    fixes.flatMap((fix) => fix.packages.map((one, index) => make(fix, one, packageNumber(fix, index))));
  return printXml(
    element(
      'oval_definitions',
      {
        xmlns: namespace,
        'xmlns:oval': 'http://oval.mitre.org/XMLSchema/oval-common-5',
        'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
        'xsi:schemaLocation': [
          `${namespace} oval-definitions-schema.xsd`,
          `${linux} linux-definitions-schema.xsd`,
          `${independent} independent-definitions-schema.xsd`,
          'http://oval.mitre.org/XMLSchema/oval-common-5 oval-common-schema.xsd',
        ].join(' '),
      },
      [
        element('generator', {}, [
          element('oval:product_name', {}, 'Weir'),
          element('oval:schema_version', {}, '5.11'),
          element('oval:timestamp', {}, isoTime(context.clock)),
        ]),
        element(
          'definitions',
          {},
          fixes.map((fix) => definition(context, fix, id)),
        ),
        element('tests', {}, [
          element(
            'textfilecontent54_test',
            {
              xmlns: independent,
              id: id('tst', platform),
              version: '1',
              check: 'all',
              check_existence: 'at_least_one_exists',
              comment: `${distributionName(context)} is installed`,
            },
            [element('object', { object_ref: id('obj', platform) })],
          ),
          ...each(({ told: { revision } }, { pkg, fixedIn }, number) =>
            element(
              'rpminfo_test',
              {
                xmlns: linux,
                id: id('tst', number),
                version: String(revision),
                check: 'at least one',
                comment: `${pkg.name} is earlier than ${evrText(fixedIn!)}`,
              },
              [
                element('object', { object_ref: id('obj', number) }),
                element('state', { state_ref: id('ste', number) }),
              ],
            ),
          ),
        ]),
        element('objects', {}, [
          element('textfilecontent54_object', { xmlns: independent, id: id('obj', platform), version: '1' }, [
            element('filepath', {}, '/etc/os-release'),
            element(
              'pattern',
              { operation: 'pattern match' },
              `^ID=["']?${context.distribution.id.replaceAll('.', '\\.')}["']?$`,
            ),
            element('instance', { datatype: 'int' }, '1'),
          ]),
          ...each(({ told: { revision } }, { pkg }, number) =>
            element('rpminfo_object', { xmlns: linux, id: id('obj', number), version: String(revision) }, [
              element('name', {}, pkg.name),
            ]),
          ),
        ]),
        element(
          'states',
          {},
          each(({ told: { revision } }, { pkg, fixedIn }, number) =>
            element('rpminfo_state', { xmlns: linux, id: id('ste', number), version: String(revision) }, [
              element('arch', { datatype: 'string', operation: 'equals' }, pkg.arch),
              element('evr', { datatype: 'evr_string', operation: 'less than' }, evrText(fixedIn!)),
            ]),
          ),
        ),
      ],
    ),
  );
}

/** The packages that can be installed: not the source package. */
function fixOf(told: Told): Fix | undefined {
  const fixed = told.statements.filter(({ status }) => status === 'fixed').flatMap(({ packages }) => packages);
  const installed = new Map<string, StatedPackage>();
  for (const each of fixed) {
    if (each.pkg.arch !== 'src') installed.set(`${each.pkg.name}.${each.pkg.arch}`, each);
  }
  if (installed.size === 0) return undefined;
  return { told, number: numberOf(told.record.id), packages: [...installed.values()] };
}

/** IDs end in a number. That of a CVE is its year and its number; others are far above. */
function numberOf(id: string): string {
  const cve = /^CVE-([0-9]{4})-([0-9]+)$/.exec(id);
  return cve === null ? `9${BigInt(`0x${sha256(id).slice(0, 16)}`)}` : `${cve[1]}${cve[2]}`;
}

/** Four digits more, so that no two are equal. */
function packageNumber({ number }: Fix, index: number): string {
  return `${number}${String(index + 1).padStart(4, '0')}`;
}

/** The epoch is always there: without it, a scanner would compare versions alone. */
function evrText({ epoch, version, release }: NonNullable<StatedPackage['fixedIn']>): string {
  return `${epoch}:${version}-${release ?? ''}`;
}

function definition(context: FeedContext, fix: Fix, id: (kind: string, number: string | number) => string): XmlElement {
  const { told, packages } = fix;
  const { record, statements, updated } = told;
  const issued = Math.min(...statements.flatMap((each) => each.issued ?? []));
  const date = (seconds: number): string => isoTime(seconds).slice(0, 10);
  const [url] = referencesOf(record);
  return element('definition', { id: id('def', fix.number), version: String(told.revision), class: 'patch' }, [
    element('metadata', {}, [
      element('title', {}, `${advisoryId(context, record)}: ${record.title}`),
      element('affected', { family: 'unix' }, [element('platform', {}, distributionName(context))]),
      element('reference', {
        source: isCve(record.id) ? 'CVE' : record.id.split('-')[0]!,
        ref_id: record.id,
        ...(url === undefined ? {} : { ref_url: url }),
      }),
      element('description', {}, descriptionOf(record)),
      element('advisory', { from: context.publisher.contact ?? context.publisher.name }, [
        element('severity', {}, severityWord(record)),
        element('rights', {}, `Copyright ${context.publisher.name}`),
        element('issued', { date: date(issued) }),
        element('updated', { date: date(updated) }),
      ]),
    ]),
    element('criteria', { operator: 'AND' }, [
      element('criterion', {
        test_ref: id('tst', platform),
        comment: `${distributionName(context)} is installed`,
      }),
      element(
        'criteria',
        { operator: 'OR' },
        packages.map(({ pkg, fixedIn }, index) =>
          element('criterion', {
            test_ref: id('tst', packageNumber(fix, index)),
            comment: `${pkg.name} is earlier than ${evrText(fixedIn!)}`,
          }),
        ),
      ),
    ]),
  ]);
}
