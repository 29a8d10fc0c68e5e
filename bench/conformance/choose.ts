import type { LookasideFile } from '../../src/sources/listing.ts';
import { parseSourcesFile } from '../../src/sources/listing.ts';
import { randomOf } from '../fuzz/random.ts';
import type { Checkout } from './checkout.ts';
import { type Debian, sameNamed } from './debian.ts';
import { macroPackages } from './project.ts';

/** A component whose sources may be had: every one has a file of the same name in a Debian source package. */
export interface Candidate {
  readonly name: string;
  /** What the lookaside must have. */
  readonly files: readonly LookasideFile[];
  /** Files that only verify others, and cannot be had. */
  readonly signatures: readonly string[];
  /** Rises with the work that its build is. */
  readonly cost: number;
}

const signatureName = /\.(?:asc|sig|sign|minisig)$/;

/** All candidates of a checkout, the cheapest first. */
export async function findCandidates(checkout: Checkout, debian: Pick<Debian, 'files'>): Promise<Candidate[]> {
  const names = [...checkout.components].filter(([name, files]) => files.includes(`${name}.spec`));
  const listed = await checkout.read(names.map(([component]) => ({ component, name: 'sources' })));
  const maybe: { name: string; files: LookasideFile[]; signatures: string[]; bytes: number }[] = [];
  for (const [index, [name]] of names.entries()) {
    const all = parseSourcesFile(listed[index]?.bytes.toString() ?? '', `${name}/sources`);
    const files = all.filter(({ filename }) => !signatureName.test(filename));
    const sizes = files.map(({ filename }) => sameNamed(debian, name, filename)[0]?.size);
    if (sizes.includes(undefined)) continue;
    const signatures = all.flatMap(({ filename }) => (signatureName.test(filename) ? [filename] : []));
    maybe.push({ name, files, signatures, bytes: sizes.reduce<number>((sum, size) => sum + size!, 0) });
  }
  const specs = await checkout.read(maybe.map(({ name }) => ({ component: name, name: `${name}.spec` })));
  const candidates = maybe.flatMap(({ name, files, signatures, bytes }, index) => {
    const spec = specs[index]?.bytes.toString();
    if (spec === undefined || (files.length === 0 && !(name in macroPackages))) return [];
    return [{ name, files, signatures, cost: costOf(name, spec, files, bytes) }];
  });
  return candidates.sort((a, b) => a.cost - b.cost || (a.name < b.name ? -1 : 1));
}

/**
 * A guess: a larger tarball, compiled code and more build requirements take longer. Crates come last: what builds them,
 * rust-packaging, has a tarball that Debian lacks.
 */
function costOf(name: string, spec: string, files: readonly LookasideFile[], bytes: number): number {
  if (name in macroPackages) return 0;
  const compiled = /^BuildArch:\s*noarch/m.test(spec) ? 0 : 3;
  const requires = (spec.match(/^BuildRequires:/gm) ?? []).length;
  const isCrate = files.some(({ filename }) => filename.endsWith('.crate'));
  // Debian's Perl tarballs are upstream's; of Python's, most come from another place than the sdist.
  const otherBytes = name.startsWith('perl-') ? 0 : 2;
  return 1 + compiled + otherBytes + bytes / (1 << 20) + requires / 40 + (isCrate ? 100 : 0);
}

/** The candidates in another order, the same for the same seed. The macros stay first. */
export function sampled(candidates: readonly Candidate[], seed: number): Candidate[] {
  const { below } = randomOf(seed);
  const keyed = candidates.map((candidate) => ({ candidate, key: candidate.cost === 0 ? -1 : below(2 ** 31) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ candidate }) => candidate);
}
