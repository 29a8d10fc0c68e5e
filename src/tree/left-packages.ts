import { WeirError } from '../base/errors.ts';
import { lastLines, type RunResult } from '../base/process.ts';
import { nvra } from '../repo/metadata.ts';
import { rpmdbPath } from './finalise.ts';
import type { Tree, TreePackage } from './tree.ts';

type Outcome = Pick<RunResult, 'code' | 'stdout' | 'stderr'>;

/** @throws WeirError `script-failed` for an exit code other than 0 */
export function demandDone(what: string, { code, stdout, stderr }: Outcome): void {
  if (code === 0) return;
  throw new WeirError('script-failed', `${what}: exit code ${code}`, {
    details: lastLines(`${stdout}\n${stderr}`, 20),
  });
}

/** Whether a path is the database itself, which is written anew: keys and other files beside it are not. */
export function isRpmdb(path: string): boolean {
  if (!path.startsWith(`${rpmdbPath}/`)) return false;
  return /^(rpmdb\.sqlite(-\w+)?|\.[^/]*\.lock)$/.test(path.slice(rpmdbPath.length + 1));
}

/**
 * The packages that scripts left in a tree: those in its RPM database, or without a database those of which a file is left.
 * @param query what `rpm -qa` said, one `nvra` a line; undefined if the database is gone
 * @throws WeirError `script-failed` for a database that cannot be read, or that has what the tree's packages do not explain
 */
export function leftPackages(before: Tree, after: Tree, query: Outcome | undefined): readonly TreePackage[] {
  if (query === undefined) return packagesWithFiles(before, after);
  demandDone('cannot read the RPM database that the scripts left', query);
  const listed = new Set(query.stdout.split('\n').filter((line) => line !== ''));
  const known = new Set(before.packages.map((pkg) => nvra(pkg)));
  const others = [...listed].filter((name) => !known.has(name)).sort();
  const [first] = others;
  if (first === undefined) return before.packages.filter((pkg) => listed.has(nvra(pkg)));
  const isKey = first.startsWith('gpg-pubkey-');
  throw new WeirError('script-failed', `the scripts put ${others.join(', ')} into the RPM database`, {
    hint: isKey
      ? 'the database is written anew without keys in it: add the key as a file, such as in /etc/pki/rpm-gpg'
      : "add the package to the image's packages: record, SBOM and provenance list what Weir installs",
  });
}

/**
 * A file that several packages own says nothing of one of them if another is surely there: one that lost nothing, or with a file
 * of its own. If it is not sure of any, all of them count.
 */
function packagesWithFiles(before: Tree, after: Tree): TreePackage[] {
  const left = after.entries.filter(({ kind }) => kind !== 'directory');
  const had = new Set<string>();
  const sure = new Set<string>();
  const paths = new Set(left.map(({ path }) => path));
  const lost = new Set<string>();
  for (const { kind, path, packages } of before.entries) {
    if (kind === 'directory') continue;
    for (const name of packages) {
      had.add(name);
      if (!paths.has(path)) lost.add(name);
    }
  }
  for (const name of had) if (!lost.has(name)) sure.add(name);
  for (const { packages } of left) if (packages.length === 1) sure.add(packages[0]!);
  const unsure = left.filter(({ packages }) => !packages.some((name) => sure.has(name)));
  const kept = new Set([...sure, ...unsure.flatMap(({ packages }) => packages)]);
  return before.packages.filter(({ name }) => kept.has(name));
}
