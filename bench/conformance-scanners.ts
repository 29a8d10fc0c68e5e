// `WEIR_GRYPE=FILE WEIR_TRIVY=FILE npm run conformance:scanners [-- --out DIR --image NAME --count N --seed N --dir DIR --keep]`: real
// scanners, unchanged, look at built images with the databases that `weir advisory export` writes.
//
// The images are an older release: a later one has newer versions of all their packages, and records of made-up vulnerabilities of
// every kind (fixed above, below and in the image's version, in other epochs, without a fix, not affected, …). Reported must be
// exactly what affects the image, for each package and once, and every package must be found.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { recordText } from '../src/advisory/write.ts';
import { runOk } from '../src/base/process.ts';
import { table } from '../src/cli/program.ts';
import type { ImageRecord } from '../src/release/record-schema.ts';
import type { ScannerDatabases } from '../src/release/service/scanner-databases.ts';
import { type Case, makeCases } from './conformance/scanners/cases.ts';
import { type Comparison, compareScan, wrongCases } from './conformance/scanners/compare.ts';
import { laterSources, releaseText } from './conformance/scanners/later-release.ts';
import { openGrype, openTrivy, type Scan, type Scanner, type Target } from './conformance/scanners/scan.ts';
import { writeVex } from './conformance/scanners/vex.ts';
import { randomOf } from './fuzz/random.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'out' },
    image: { type: 'string', multiple: true, default: ['container-base', 'distroless-base'] },
    count: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    dir: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const home = resolve(import.meta.dirname, '..');

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

interface Image {
  readonly name: string;
  readonly dir: string;
  readonly record: ImageRecord;
  /** Package URLs, from its SBOM. */
  readonly urls: readonly string[];
}

async function readImage(name: string): Promise<Image> {
  const dir = resolve(values.out, 'images', name);
  const json = async (file: string) => JSON.parse(await readFile(join(dir, file), 'utf8'));
  const sbom: { readonly components: readonly { readonly purl?: string }[] } = await json('sbom.cdx.json');
  return {
    name,
    dir,
    record: await json('image.json'),
    urls: sbom.components.flatMap(({ purl }) => purl ?? []),
  };
}

/** A project with the records, and the output folder of its later release. */
async function writeProject(
  dir: string,
  images: readonly Image[],
  cases: readonly Case[],
  release: string,
): Promise<void> {
  const { ID, NAME, VERSION_ID, SUPPORT_END } = images[0]!.record.osRelease;
  const lifecycle = { id: ID, name: NAME, version: VERSION_ID, 'support-end': SUPPORT_END };
  const lines = Object.entries(lifecycle).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} = ${JSON.stringify(value)}`],
  );
  await mkdir(join(dir, 'advisories'), { recursive: true });
  await mkdir(join(dir, 'out/images'), { recursive: true });
  await writeFile(join(dir, 'weir.toml'), `[project]\noutput-dir = "out"\n\n[lifecycle]\n${lines.join('\n')}\n`);
  await writeFile(join(dir, 'out/release.json'), release);
  for (const image of images) await symlink(image.dir, join(dir, 'out/images', image.name));
  for (const { id, kind, events } of cases) {
    const header = { id, title: kind, severity: 'important', published: '2026-11-01T00:00:00Z' } as const;
    await writeFile(join(dir, 'advisories', `${id}.toml`), recordText(header, events));
  }
}

function distributionOf({ record: { osRelease } }: Image): {
  readonly id: string;
  readonly name: string;
  readonly version: string;
} {
  const { ID = '', NAME = '', VERSION_ID = '' } = osRelease;
  return { id: ID, name: NAME, version: VERSION_ID };
}

const isFine = ({ missed, wrong, twice, packages }: Comparison): boolean =>
  [missed, wrong, twice, packages.missing, packages.more].every(({ length }) => length === 0);

async function check(dir: string): Promise<boolean> {
  const images = await Promise.all(values.image.map(readImage));
  const packages = new Map(images.flatMap(({ record }) => record.packages.map((pkg) => [pkg.nevra, pkg])));
  const sources = laterSources([...packages.values()]);
  const cases = makeCases(sources, Number(values.count), randomOf(Number(values.seed)));
  const wrong = wrongCases(cases);
  if (wrong.length > 0) throw new Error(`wrong cases: ${wrong.join('; ')}`);
  const built = JSON.parse(await readFile(resolve(values.out, 'release.json'), 'utf8'));
  await writeProject(dir, images, cases, releaseText({ ...built, snapshot: '20991231-00000000' }, sources));
  say(`${cases.length} vulnerabilities of ${new Set(cases.map(({ kind }) => kind)).size} kinds; seed ${values.seed}`);

  const [grypeDb, trivyDb] = [join(dir, 'vulnerability.db'), join(dir, 'trivy')];
  const argv = [
    join(home, 'weir'),
    '-C',
    dir,
    'advisory',
    'export',
    '--grype-db',
    grypeDb,
    '--trivy-db',
    trivyDb,
    '--json',
  ];
  const written: ScannerDatabases = JSON.parse(
    (await runOk(argv, { env: { ...process.env } as Record<string, string> })).stdout,
  );
  const wider = written.trivy!.wider.map((one) => `${one.id} ${one.package}`);

  const rows: string[][] = [];
  let fine = true;
  const note = (scanner: Scanner, image: Image, what: string, scan: Scan, compared: Comparison): void => {
    fine &&= isFine(compared);
    rows.push([scanner.name, `${image.name}: ${what}`, scan.system, ...numbers(scan.packages.length, compared)]);
    for (const [word, list] of details(compared))
      for (const one of list) say(`${scanner.name}, ${image.name}, ${what}: ${word} ${one}`);
  };
  const scanAll = async (scanner: Scanner, targets: (image: Image) => readonly [string, Target][], own: boolean) => {
    for (const image of images) {
      for (const [what, target] of targets(image)) {
        const scan = await scanner.scan(target);
        const urls = own ? undefined : image.urls;
        const compared = compareScan(scan, cases, image.record.packages, urls, own ? wider : []);
        note(scanner, image, what, scan, compared);
      }
    }
  };
  const sboms = ({ dir: of }: Image): [string, Target][] => [
    ['CycloneDX', { sbom: join(of, 'sbom.cdx.json') }],
    ['SPDX', { sbom: join(of, 'sbom.spdx.json') }],
  ];
  // Scanners read containers, but not disks.
  const layouts = ({ dir: of, record }: Image): [string, Target][] =>
    record.kind === 'container' ? [['image', { layout: join(of, 'oci') }]] : [];
  const { WEIR_GRYPE: grype = '', WEIR_TRIVY: trivy = '' } = process.env;
  if (grype === '') say('not checked: Grype, which needs WEIR_GRYPE');
  else {
    const scanner = await openGrype(resolve(grype), grypeDb, join(dir, 'grype'));
    await scanAll(scanner, (image) => [...layouts(image), ...sboms(image)], false);
    for (const image of images) {
      const vex = await writeVex(join(dir, `vex-${image.name}`), cases, image.record.packages, distributionOf(image));
      const affected = await openGrype(resolve(grype), vex.database, join(dir, `grype-${image.name}`));
      const documents = { OpenVEX: [vex.openvex], CSAF: vex.csaf };
      for (const [what, target] of [...layouts(image), ...sboms(image)]) {
        for (const [format, files] of Object.entries(documents)) {
          const scan = await affected.scan(target, files);
          note(
            affected,
            image,
            `${what}, ${format}`,
            scan,
            compareScan(scan, vex.cases, image.record.packages, image.urls, []),
          );
        }
      }
    }
  }
  if (trivy === '') say('not checked: Trivy, which needs WEIR_TRIVY');
  else
    await scanAll(
      await openTrivy(resolve(trivy), trivyDb, written.trivy!.distro, join(dir, 'trivy-home')),
      sboms,
      true,
    );
  const heading = ['SCANNER', 'TARGET', 'SYSTEM', 'PACKAGES', 'EXPECTED', 'MISSED', 'FALSE', 'TWICE', 'WARNED OF'];
  process.stdout.write(`${table(heading, rows, 'no scanner')}\n`);
  return fine;
}

function numbers(packages: number, { expected, missed, wrong, twice, warned }: Comparison): string[] {
  return [packages, expected, missed.length, wrong.length, twice.length, warned.length].map(String);
}

function details({ missed, wrong, twice, packages }: Comparison): [string, readonly string[]][] {
  return [
    ['missed', missed],
    ['false', wrong],
    ['twice', twice],
    ['package not found', packages.missing],
    ['package of no RPM of the image', packages.more],
  ];
}

const dir = values.dir ?? (await mkdtemp(join(tmpdir(), 'weir-scanners-')));
try {
  if (!(await check(dir))) process.exitCode = 1;
} finally {
  if (!values.keep && values.dir === undefined) await rm(dir, { recursive: true, force: true });
}
