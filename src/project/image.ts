import { originOf, problem, suggestion } from '../toml/document.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected, Entry } from './collect.ts';
import { extendedDefinition } from './image-extends.ts';
import { defined, filled } from './merge.ts';
import type { Image, ImageCapabilities, ImageSetup, KiwiImage, WeirImage } from './model/image.ts';
import type { Tools } from './model/project.ts';
import type { LisaSuite, TestSuite } from './model/test.ts';
import type { RawDefinition, RawImage, RawTestSuite, RawWeirDefinition } from './schema/image.ts';
import { checkTables, loaded, pytestOf, testReferencesOf } from './tests.ts';

const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Bytes of a size such as `2GiB` or `1.5 GiB`, which the schema has checked. */
export function sizeInBytes(size: string): number {
  const unit = size.slice(-3);
  return Math.round(Number(size.slice(0, -3)) * (units[unit] ?? Number.NaN));
}

/** The images. Problems are `invalid-image` and `unknown-test-suite`. */
export function imagesOf(collected: Collected, problems: Problems): Map<string, Image> {
  return loaded(collected.images, problems, (name, entry) => imageOf(collected, problems, name, entry));
}

function imageOf(collected: Collected, problems: Problems, name: string, entry: Entry<RawImage>): Image {
  const { raw, document, path } = entry;
  const testSuites = (raw.tests?.['test-suites'] ?? []).flatMap((suite, index) => {
    const known = problems.check(() => {
      if (collected.testSuites.has(suite.name)) return suite.name;
      const at = [...path, 'tests', 'test-suites', index, 'name'];
      const hint = suggestion(suite.name, collected.testSuites.keys()) ?? `add a table [test-suites.${suite.name}]`;
      throw problem(document, at, 'unknown-test-suite', `there is no test suite "${suite.name}"`, { hint });
    });
    return known ?? [];
  });
  return defined({
    name,
    description: filled(raw.description),
    definition: raw.definition === undefined ? undefined : definitionOf(collected, entry, raw.definition),
    capabilities: capabilitiesOf(raw),
    testSuites,
    tests:
      problems.attempt(() =>
        testReferencesOf(collected, document, [...path, 'tests', 'tests'], raw.tests?.tests ?? []),
      ) ?? [],
    architectures: raw.architectures ?? [],
    properties: raw.properties ?? {},
    channels: raw.publish?.channels ?? [],
    origin: originOf(document, path),
  }) as Image;
}

function capabilitiesOf(raw: RawImage): ImageCapabilities {
  const said = raw.capabilities ?? {};
  // Weir's own kinds imply where they run.
  const kind = raw.definition?.type === 'weir' ? raw.definition.kind : undefined;
  return defined({
    machineBootable: said['machine-bootable'] ?? (kind === undefined ? undefined : kind === 'disk'),
    container: said.container ?? (kind === undefined ? undefined : kind === 'container'),
    systemd: said.systemd ?? (kind === 'disk' || kind === 'wsl' ? true : undefined),
    runtimePackageManagement: said['runtime-package-management'],
    wsl: said.wsl ?? (kind === 'wsl' ? true : undefined),
    installerMedia: said['installer-media'],
    fipsEnabled: said['fips-enabled'],
    cvm: said.cvm,
  });
}

function definitionOf(collected: Collected, entry: Entry<RawImage>, own: RawDefinition): WeirImage | KiwiImage {
  if (own.type === 'kiwi') {
    return defined({ type: own.type, path: own.path, profile: filled(own.profile) });
  }
  checkPackages(entry, own.packages ?? [], own['exclude-packages'] ?? []);
  const { enabledServices, disabledServices } = servicesOf(own);
  checkServices(entry, enabledServices, disabledServices);
  const raw = extendedDefinition(collected, entry, own);
  const packages = raw.packages ?? [];
  if (packages.length === 0) {
    const at = [...entry.path, 'definition', ...(own.packages === undefined ? [] : ['packages'])];
    throw problem(entry.document, at, 'invalid-image', 'an image needs at least one package');
  }
  const common = {
    type: raw.type,
    packages,
    excludePackages: raw['exclude-packages'] ?? [],
    ...(raw['max-size'] === undefined ? {} : { maxSize: sizeInBytes(raw['max-size']) }),
    ...(raw['weak-dependencies'] === true ? { weakDependencies: true } : {}),
    ...(raw.setup === undefined ? {} : { setup: setupOf(entry, raw.setup) }),
    ...servicesOf(raw),
  };
  if (raw.kind === 'wsl') {
    return {
      ...common,
      kind: 'wsl',
      formats: formatsOf(raw.format, 'wsl'),
      selinux: 'disabled',
      wsl: defined({ url: filled(raw.wsl?.url) }),
    };
  }
  const hostname = raw.hostname === undefined ? {} : { hostname: raw.hostname };
  if (raw.kind === 'container') {
    const settings = raw.container ?? {};
    return {
      ...common,
      ...hostname,
      kind: 'container',
      formats: formatsOf(raw.format, 'oci'),
      selinux: 'disabled',
      container: defined({
        entrypoint: settings.entrypoint ?? [],
        cmd: settings.cmd ?? [],
        env: settings.env ?? {},
        labels: settings.labels ?? {},
        user: filled(settings.user),
        workdir: filled(settings.workdir),
        names: (settings.names ?? []).length === 0 ? undefined : settings.names,
      }),
    };
  }
  const disk = raw.disk ?? {};
  if (disk['boot-loader'] === 'image' && disk['esp-mount'] === undefined) {
    const message = 'boot-loader = "image" needs esp-mount: the folder with the boot loader';
    throw problem(entry.document, [...entry.path, 'definition', 'disk', 'boot-loader'], 'invalid-image', message);
  }
  if (disk['boot-loader'] === 'image') checkOwnLoader(entry, own, raw);
  return {
    ...common,
    ...hostname,
    kind: 'disk',
    formats: formatsOf(raw.format, 'raw'),
    selinux: raw.selinux ?? 'enforcing',
    platforms: raw.for ?? [],
    disk: defined({
      size: sizeInBytes(disk.size ?? '2GiB'),
      espSize: sizeInBytes(disk['esp-size'] ?? '200MiB'),
      rootFs: disk['root-fs'] ?? 'ext4',
      rootLabel: disk['root-label'] ?? 'root',
      bootTimeout: disk['boot-timeout'],
      espMount: disk['esp-mount'],
      ownBootLoader: disk['boot-loader'] === 'image' ? true : undefined,
    }),
    kernel: { commandLine: raw.kernel?.['command-line'] ?? [] },
  };
}

type RawDisk = Extract<RawDefinition, { kind: 'disk' }>;

/** Settings of Weir's boot loader have no effect on another one. @param own before it extends another image: for places */
function checkOwnLoader(entry: Entry<RawImage>, own: RawDefinition, raw: RawDisk): void {
  const found = (
    [
      [['kernel', 'command-line'], (raw.kernel?.['command-line'] ?? []).length > 0],
      [['disk', 'boot-timeout'], raw.disk?.['boot-timeout'] !== undefined],
      [['selinux'], (raw.selinux ?? 'enforcing') !== 'enforcing'],
    ] as const
  ).find(([, isSet]) => isSet);
  if (found === undefined) return;
  const [path] = found;
  let said: unknown = own;
  for (const key of path) said = (said as Record<string, unknown> | undefined)?.[key];
  const at = said === undefined ? ['definition'] : ['definition', ...path];
  const message = `${path.join('.')} has no effect with boot-loader = "image": the boot loader of the image sets it`;
  throw problem(entry.document, [...entry.path, ...at], 'invalid-image', message, {
    hint: 'say it in the configuration or the unified kernel of that boot loader',
  });
}

function setupOf(entry: Entry<RawImage>, raw: NonNullable<RawWeirDefinition['setup']>): ImageSetup {
  return defined({
    locale: raw.locale,
    keymap: raw.keymap,
    timezone: raw.timezone,
    excludeDocs: raw['exclude-docs'] ?? false,
    languages: raw.languages,
    overlays: (raw.overlays ?? []).map((from) => ({ from })),
    files: (raw.files ?? []).map(({ from, content, to, mode }, index) => {
      if ((from === undefined) === (content === undefined)) {
        const at = [...entry.path, 'definition', 'setup', 'files', index];
        throw problem(entry.document, at, 'invalid-image', 'a file needs either from or content');
      }
      return defined({ from, content, to, mode: mode === undefined ? undefined : Number.parseInt(mode, 8) });
    }),
    users: (raw.users ?? []).map((user) =>
      defined({
        name: user.name,
        id: user.id,
        passwordHash: user['password-hash'],
        fullName: user['full-name'],
        home: user.home,
        shell: user.shell,
        groups: user.groups ?? [],
      }),
    ),
    scripts: (raw.scripts ?? []).map(({ path, optional = false, remove = false }) => ({ path, optional, remove })),
    environment: raw.environment ?? {},
    temporary: raw.temporary ?? [],
  });
}

function servicesOf(raw: RawWeirDefinition): Pick<WeirImage, 'enabledServices' | 'disabledServices'> {
  if (raw.kind === 'container') return { enabledServices: [], disabledServices: [] };
  return { enabledServices: raw['enabled-services'] ?? [], disabledServices: raw['disabled-services'] ?? [] };
}

function formatsOf<T extends string>(formats: readonly T[] = [], byDefault: T): readonly T[] {
  return formats.length === 0 ? [byDefault] : formats;
}

function checkPackages(entry: Entry<RawImage>, packages: readonly string[], excluded: readonly string[]): void {
  const at = [...entry.path, 'definition'];
  const twice = packages.findIndex((name, index) => packages.indexOf(name) !== index);
  if (twice >= 0) {
    const message = `package ${packages[twice]} is listed twice`;
    throw problem(entry.document, [...at, 'packages', twice], 'invalid-image', message);
  }
  const both = excluded.findIndex((name) => packages.includes(name));
  if (both >= 0) {
    const message = `package ${excluded[both]} is both installed and excluded`;
    throw problem(entry.document, [...at, 'exclude-packages', both], 'invalid-image', message);
  }
}

function checkServices(entry: Entry<RawImage>, enabled: readonly string[], disabled: readonly string[]): void {
  const both = disabled.findIndex((name) => enabled.includes(name));
  if (both < 0) return;
  const message = `service ${disabled[both]} is both enabled and disabled`;
  throw problem(entry.document, [...entry.path, 'definition', 'disabled-services', both], 'invalid-image', message);
}

/** The test suites. Problems are `invalid-test-suite`. */
export function testSuitesOf(collected: Collected, problems: Problems): Map<string, TestSuite> {
  return loaded(collected.testSuites, problems, testSuiteOf);
}

function testSuiteOf(name: string, { raw, document, path }: Entry<RawTestSuite>): TestSuite {
  checkTables({ raw, document, path }, 'suite', 'invalid-test-suite', raw.type === 'pytest');
  return defined({
    name,
    description: filled(raw.description),
    type: raw.type,
    pytest: raw.pytest && pytestOf(raw.pytest),
    lisa: raw.lisa && lisaOf(raw.lisa),
    origin: originOf(document, path),
  });
}

function lisaOf(raw: NonNullable<RawTestSuite['lisa']>): LisaSuite {
  return {
    gitUrl: raw.framework['git-url'],
    ref: raw.framework.ref.toLowerCase(),
    testCases: raw['test-cases'],
    pipPreInstall: raw['pip-pre-install'] ?? [],
    pipExtras: raw['pip-extras'] ?? [],
    extraArgs: raw['extra-args'] ?? [],
  };
}

/** The `[tools]` table. */
export function toolsOf(collected: Collected): Tools {
  const containerTag = filled(collected.tools.imageCustomizer?.containerTag);
  return containerTag === undefined ? {} : { imageCustomizer: { containerTag } };
}
