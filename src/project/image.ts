import { type Collected, type Entry, pathIn } from './collect.ts';
import { defined, filled } from './defined.ts';
import { originOf, problem, suggestion } from './document.ts';
import type { Image, ImageCapabilities, KiwiImage, TestSuite, WeirImage } from './model.ts';
import type { RawDefinition, RawImage } from './schema/image.ts';

const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Bytes of a size such as `2GiB` or `1.5 GiB`, which the schema has checked. */
export function sizeInBytes(size: string): number {
  const unit = size.slice(-3);
  return Math.round(Number(size.slice(0, -3)) * (units[unit] ?? Number.NaN));
}

/** @throws WeirError (exit 2) `invalid-image`, `unknown-test-suite` */
export function imagesOf(collected: Collected): Map<string, Image> {
  return new Map([...collected.images].map(([name, entry]) => [name, imageOf(collected, name, entry)]));
}

function imageOf(collected: Collected, name: string, entry: Entry<RawImage>): Image {
  const { raw, document, path } = entry;
  const testSuites = (raw.tests?.['test-suites'] ?? []).map((suite, index) => {
    if (!collected.testSuites.has(suite.name)) {
      const at = [...path, 'tests', 'test-suites', index, 'name'];
      const hint = suggestion(suite.name, collected.testSuites.keys()) ?? `add a table [test-suites.${suite.name}]`;
      throw problem(document, at, 'unknown-test-suite', `there is no test suite "${suite.name}"`, { hint });
    }
    return suite.name;
  });
  return defined({
    name,
    description: filled(raw.description),
    definition: raw.definition === undefined ? undefined : definitionOf(entry, raw.definition),
    capabilities: capabilitiesOf(raw),
    testSuites,
    channels: raw.publish?.channels ?? [],
    origin: originOf(document, path),
  }) as Image;
}

function capabilitiesOf(raw: RawImage): ImageCapabilities {
  const said = raw.capabilities ?? {};
  // Weir's own kinds say by themselves where they run.
  const kind = raw.definition?.type === 'weir' ? raw.definition.kind : undefined;
  return defined({
    machineBootable: said['machine-bootable'] ?? (kind === undefined ? undefined : kind === 'disk'),
    container: said.container ?? (kind === undefined ? undefined : kind === 'container'),
    systemd: said.systemd ?? (kind === 'disk' ? true : undefined),
    runtimePackageManagement: said['runtime-package-management'],
  });
}

function definitionOf(entry: Entry<RawImage>, raw: RawDefinition): WeirImage | KiwiImage {
  if (raw.type === 'kiwi') {
    return defined({ type: raw.type, path: pathIn(entry.document, raw.path), profile: filled(raw.profile) });
  }
  checkPackages(entry, raw.packages, raw['exclude-packages'] ?? []);
  const common = {
    type: raw.type,
    packages: raw.packages,
    excludePackages: raw['exclude-packages'] ?? [],
    ...(raw.hostname === undefined ? {} : { hostname: raw.hostname }),
    enabledServices: raw['enabled-services'] ?? [],
    disabledServices: raw['disabled-services'] ?? [],
  };
  if (raw.kind === 'container') {
    const settings = raw.container ?? {};
    return {
      ...common,
      kind: 'container',
      formats: raw.format ?? ['oci'],
      selinux: raw.selinux ?? 'disabled',
      container: defined({
        entrypoint: settings.entrypoint ?? [],
        cmd: settings.cmd ?? [],
        env: settings.env ?? {},
        labels: settings.labels ?? {},
        user: filled(settings.user),
        workdir: settings.workdir,
      }),
    };
  }
  const disk = raw.disk ?? {};
  return {
    ...common,
    kind: 'disk',
    formats: raw.format ?? ['raw'],
    selinux: raw.selinux ?? 'enforcing',
    disk: {
      size: sizeInBytes(disk.size ?? '2GiB'),
      espSize: sizeInBytes(disk['esp-size'] ?? '200MiB'),
      rootFs: disk['root-fs'] ?? 'ext4',
      rootLabel: disk['root-label'] ?? 'root',
    },
    kernel: { commandLine: raw.kernel?.['command-line'] ?? [] },
  };
}

function checkPackages(entry: Entry<RawImage>, packages: readonly string[], excluded: readonly string[]): void {
  const at = [...entry.path, 'definition'];
  const twice = packages.findIndex((name, index) => packages.indexOf(name) !== index);
  if (twice >= 0) {
    const message = `package ${packages[twice]} is in the list twice`;
    throw problem(entry.document, [...at, 'packages', twice], 'invalid-image', message);
  }
  const both = excluded.findIndex((name) => packages.includes(name));
  if (both >= 0) {
    const message = `package ${excluded[both]} is both installed and excluded`;
    throw problem(entry.document, [...at, 'exclude-packages', both], 'invalid-image', message);
  }
}

/** @throws WeirError (exit 2) `invalid-test-suite` */
export function testSuitesOf(collected: Collected): Map<string, TestSuite> {
  const suites = new Map<string, TestSuite>();
  for (const [name, { raw, document, path }] of collected.testSuites) {
    const other = raw.type === 'pytest' ? 'lisa' : 'pytest';
    if (raw[other] !== undefined) {
      const message = `a suite of type "${raw.type}" has no table "${other}"`;
      throw problem(document, [...path, other], 'invalid-test-suite', message);
    }
    if (raw.type === 'pytest' && raw.pytest === undefined) {
      throw problem(document, path, 'invalid-test-suite', 'a suite of type "pytest" needs a table "pytest"');
    }
    const install = filled(raw.pytest?.install) ?? 'none';
    if (install !== 'none' && filled(raw.pytest?.['working-dir']) === undefined) {
      const at = [...path, 'pytest', 'install'];
      throw problem(document, at, 'invalid-test-suite', `install = "${install}" needs "working-dir"`);
    }
    const description = filled(raw.description);
    suites.set(name, defined({ name, description, type: raw.type, origin: originOf(document, path) }));
  }
  return suites;
}
