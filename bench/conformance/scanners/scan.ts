import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../../src/base/process.ts';

/** What a scanner found in one target. */
export interface Scan {
  /** `CVE package`, each once for every time that it was reported. */
  readonly findings: readonly string[];
  /** Package URLs of the RPMs that it found, each once for every time. */
  readonly packages: readonly string[];
  readonly system: string;
}

/** What to scan: the image itself, or its SBOM. */
export type Target = { readonly layout: string } | { readonly sbom: string };

export interface Scanner {
  readonly name: string;
  /** @param vex documents that remove findings */
  readonly scan: (target: Target, vex?: readonly string[]) => Promise<Scan>;
}

interface GrypeReport {
  readonly matches: readonly {
    readonly vulnerability: { readonly id: string };
    readonly artifact: { readonly name: string };
  }[];
  readonly distro: { readonly name: string; readonly version: string };
}

interface Cyclonedx {
  readonly components?: readonly { readonly purl?: string }[];
}

/** Grype with a database of its own. @param binary the real program */
export async function openGrype(binary: string, database: string, dir: string): Promise<Scanner> {
  await mkdir(dir, { recursive: true });
  const env = {
    ...{ HOME: dir, PATH: process.env.PATH ?? '', GRYPE_DB_CACHE_DIR: join(dir, 'cache') },
    ...{ GRYPE_CHECK_FOR_APP_UPDATE: 'false', GRYPE_DB_AUTO_UPDATE: 'false' },
  };
  const { stdout } = await runOk([binary, 'version'], { env });
  await runOk([binary, 'db', 'import', database], { env });
  let scans = 0;
  return {
    name: versioned('Grype', stdout),
    scan: async (target, vex = []) => {
      const base = join(dir, `scan-${scans++}`);
      const from = 'layout' in target ? `oci-dir:${target.layout}` : `sbom:${target.sbom}`;
      const outputs = ['-o', `json=${base}.json`, '-o', `cyclonedx-json=${base}.cdx.json`];
      await runOk([binary, from, ...outputs, ...vex.flatMap((file) => ['--vex', file])], { env });
      const report: GrypeReport = JSON.parse(await readFile(`${base}.json`, 'utf8'));
      const inventory: Cyclonedx = JSON.parse(await readFile(`${base}.cdx.json`, 'utf8'));
      return {
        findings: report.matches.map(({ vulnerability, artifact }) => `${vulnerability.id} ${artifact.name}`),
        packages: rpms((inventory.components ?? []).map(({ purl }) => purl)),
        system: `${report.distro.name} ${report.distro.version}`,
      };
    },
  };
}

interface TrivyReport {
  readonly Metadata?: { readonly OS?: { readonly Family: string; readonly Name: string } };
  readonly Results?: readonly {
    readonly Packages?: readonly { readonly Identifier?: { readonly PURL?: string } }[];
    readonly Vulnerabilities?: readonly { readonly VulnerabilityID: string; readonly PkgName: string }[];
  }[];
}

/** Trivy with a cache folder that has the database. @param distro the family that it is to take the system for */
export async function openTrivy(binary: string, cache: string, distro: string, dir: string): Promise<Scanner> {
  await mkdir(dir, { recursive: true });
  const env = { HOME: dir, PATH: process.env.PATH ?? '' };
  const { stdout } = await runOk([binary, '--version'], { env });
  let scans = 0;
  return {
    name: versioned('Trivy', stdout),
    scan: async (target, vex = []) => {
      const output = join(dir, `scan-${scans++}.json`);
      const from = 'layout' in target ? ['image', '--input', target.layout] : ['sbom', target.sbom];
      const offline = ['--skip-db-update', '--skip-java-db-update', '--skip-version-check', '--offline-scan'];
      const words = ['--cache-dir', cache, '--distro', distro, '--scanners', 'vuln', '--list-all-pkgs', '-f', 'json'];
      const more = vex.flatMap((file) => ['--vex', file]);
      await runOk([binary, ...from, ...offline, ...words, ...more, '-o', output], { env });
      const report: TrivyReport = JSON.parse(await readFile(output, 'utf8'));
      const results = report.Results ?? [];
      const { Family = 'none', Name = '' } = report.Metadata?.OS ?? {};
      return {
        findings: results.flatMap(({ Vulnerabilities = [] }) =>
          Vulnerabilities.map(({ VulnerabilityID, PkgName }) => `${VulnerabilityID} ${PkgName}`),
        ),
        packages: rpms(results.flatMap(({ Packages = [] }) => Packages.map(({ Identifier }) => Identifier?.PURL))),
        system: `${Family} ${Name}`.trim(),
      };
    },
  };
}

function rpms(urls: readonly (string | undefined)[]): string[] {
  return urls.filter((url) => url?.startsWith('pkg:rpm/') === true).map((url) => url!);
}

/** A program that somebody built from its sources may not know its version. */
function versioned(name: string, text: string): string {
  const version = /^Version: *v?(\d\S*)/m.exec(text)?.[1];
  return version === undefined ? name : `${name} ${version}`;
}
