import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { disagreements, type FeedName, statementCounts, withoutMatch } from '../advisory/feeds/agree.ts';
import { feedFolder } from '../advisory/feeds/context.ts';
import { openvexFile } from '../advisory/feeds/openvex.ts';
import { ovalFile } from '../advisory/feeds/oval.ts';
import { type Claim, readCsaf, readOpenvex, readOsv, readOval, readUpdateinfo } from '../advisory/feeds/read.ts';
import { WeirError } from '../base/errors.ts';
import type { Fault } from '../repo/fault.ts';
import { parseNevra } from '../repo/metadata.ts';
import { metadataFiles } from '../repo/verify.ts';
import type { ReleaseRecord } from './record-schema.ts';

/** What the feeds of a published snapshot say. */
export interface FeedProbe {
  /** Number of statements in each feed; undefined if the snapshot has no feeds, or not all could be read. */
  readonly statements?: Readonly<Record<FeedName, number>>;
  /** Paths relative to the snapshot. */
  readonly faults: readonly Fault[];
}

/**
 * Reads the feeds of a snapshot back: whether all say the same, and whether the repository has every package that they are about.
 * Whether their files are those that were published is checked elsewhere.
 * @param dir of the snapshot
 */
export async function probeFeeds(
  dir: string,
  { channels, extras = [], arch }: Pick<ReleaseRecord, 'channels' | 'extras' | 'arch'>,
): Promise<FeedProbe> {
  const paths = extras.map(({ path }) => path).filter((path) => path.startsWith(`${feedFolder}/`));
  const withUpdateinfo = channels.filter(({ updateinfo }) => updateinfo !== undefined);
  if (paths.length === 0 && withUpdateinfo.length === 0) return { faults: [] };
  const faults: Fault[] = [];
  const read = async (path: string, text: () => Promise<string>, claims: typeof readCsaf): Promise<Claim[]> => {
    try {
      return claims(path, await text());
    } catch (error) {
      // Files that are missing are reported by name already.
      const message = error instanceof WeirError ? error.message : 'it cannot be read';
      faults.push({ path, fault: 'wrong', message });
      return [];
    }
  };
  const all = async (isOne: (path: string) => boolean, claims: typeof readCsaf): Promise<Claim[]> => {
    const those = paths.filter((path) => isOne(path.slice(feedFolder.length + 1)));
    const found = those.map((path) => read(path, () => readFile(join(dir, path), 'utf8'), claims));
    return (await Promise.all(found)).flat();
  };
  const feeds = {
    csaf: await all((path) => /^csaf\/\d{4}\/[^/]+\.json$/.test(path), readCsaf),
    openvex: await all((path) => path === openvexFile, readOpenvex),
    osv: await all((path) => /^osv\/[^/]+\.json$/.test(path), readOsv),
    oval: await all((path) => path === ovalFile, readOval),
    updateinfo: (
      await Promise.all(
        withUpdateinfo.map(({ name }) => {
          const folder = join(dir, name, arch);
          const path = relative(dir, join(folder, 'repodata', 'updateinfo.xml.zst'));
          return read(path, () => updateinfoText(folder), readUpdateinfo);
        }),
      )
    ).flat(),
  };
  if (faults.length > 0) return { faults };
  const known = new Set(
    channels.flatMap(({ packages }) =>
      packages.map(({ nevra }) => {
        const { name, version, release } = parseNevra(nevra)!;
        return `${name} ${version}-${release}`;
      }),
    ),
  );
  const [different, ...others] = disagreements(feeds);
  if (different !== undefined) {
    const more = others.length === 0 ? '' : `, and ${others.length} more differences`;
    faults.push({ path: feedFolder, fault: 'wrong', message: `the feeds do not say the same: ${different}${more}` });
  }
  for (const [name, path] of [
    ['openvex', openvexFile],
    ['csaf', 'csaf'],
  ] as const) {
    const [first] = withoutMatch(feeds[name], known);
    const message = `it is about ${first}, which the repository does not have`;
    if (first !== undefined) faults.push({ path: join(feedFolder, path), fault: 'wrong', message });
  }
  return { statements: statementCounts(feeds), faults };
}

/** The updateinfo.xml of a repository. */
async function updateinfoText(dir: string): Promise<string> {
  const repomd = await readFile(join(dir, 'repodata', 'repomd.xml'), 'utf8');
  const path = metadataFiles(repomd).find(({ type }) => type === 'updateinfo')?.path;
  if (path === undefined) throw new WeirError('bad-feed', 'the repository has no updateinfo');
  return (await promisify(zstdDecompress)(await readFile(join(dir, path)))).toString();
}
