import type { XmlElement } from '../../kiwi/xml.ts';
import { nvra } from '../../repo/metadata.ts';
import { compareEvr } from '../../rpm/version.ts';
import { isCve } from '../../upstream/cve.ts';
import { evrOf } from '../state.ts';
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

/**
 * updateinfo.xml of one channel: the fixes of the packages in it. The format has no specification; elements and order are those that
 * createrepo_c writes and libsolv reads.
 *
 * A package is listed with the first version that has the fix, even if the channel has a newer one: older ones are what clients must
 * update, and dnf5 takes the newest. Dates are `YYYY-MM-DD hh:mm:ss` in UTC: dnf5 reads any other form as 1970.
 */
export function updateinfo(context: FeedContext, told: readonly Told[], channel: string): string {
  return printXml(
    element(
      'updates',
      {},
      told.map((each) => update(context, each, channel)),
    ),
  );
}

function update(context: FeedContext, told: Told, channel: string): XmlElement | undefined {
  const fixes = told.statements.filter(({ status }) => status === 'fixed');
  const packages = fixes.flatMap((fix) => fix.packages).filter((each) => each.channel === channel);
  if (packages.length === 0) return undefined;
  const { record } = told;
  const { distribution, publisher } = context;
  const issued = Math.min(...fixes.map((fix) => fix.issued!));
  return element(
    'update',
    { from: publisher.contact ?? publisher.name, status: 'final', type: 'security', version: String(told.revision) },
    [
      element('id', {}, advisoryId(context, record)),
      element('title', {}, record.title),
      element('issued', { date: dateText(issued) }),
      element('updated', { date: dateText(Math.max(issued, ...fixes.map(({ updated }) => updated))) }),
      element('rights', {}, `Copyright ${publisher.name}`),
      element('release', {}, distributionName(context)),
      element('severity', {}, severityWord(record)),
      element('summary', {}, record.title),
      element('description', {}, descriptionOf(record)),
      element('references', {}, references(record)),
      element('pkglist', {}, [
        element('collection', { short: `${distribution.id}-${distribution.version}-${channel}` }, [
          element('name', {}, `${distributionName(context)} ${channel}`),
          ...packages.map(packageElement),
        ]),
      ]),
    ],
  );
}

function references(record: Told['record']): XmlElement[] {
  const [first, ...others] = referencesOf(record);
  const { id } = record;
  const own = isCve(id)
    ? [element('reference', { href: first!, id, title: id, type: 'cve' })]
    : [element('reference', { href: first ?? '', id, title: id, type: 'other' })];
  return [...own, ...others.map((href) => element('reference', { href, id, title: href, type: 'other' }))];
}

function packageElement({ pkg, fixedIn }: StatedPackage): XmlElement {
  const { name, arch, sourceRpm } = pkg;
  const { epoch, version, release = '' } = fixedIn!;
  const isSame = compareEvr(evrOf(pkg), fixedIn!) === 0;
  const attributes = { name, epoch: String(epoch), version, release, arch, src: isSame ? sourceRpm : '' };
  return element('package', attributes, [
    element('filename', {}, `${nvra({ name, version, release, arch })}.rpm`),
    isSame ? element('sum', { type: 'sha256' }, pkg.rpm) : undefined,
    needsReboot(name) ? element('reboot_suggested', {}, 'True') : undefined,
  ]);
}

/** Packages whose old code keeps running until the machine starts again. */
function needsReboot(name: string): boolean {
  return /^(kernel(-.+)?|glibc|systemd|dbus|dbus-broker|dbus-daemon|linux-firmware|microcode_ctl)$/.test(name);
}

function dateText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
}
