import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { componentRules, fileRules, type KeyRule } from '../../src/project/keys.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import type { Project } from '../../src/project/model/project.ts';
import { partAt, resolvedTables } from '../../src/project/resolve.ts';
import { componentSchema } from '../../src/project/schema/component.ts';
import { projectJsonSchema } from '../../src/project/schema/file.ts';
import { plain } from '../../src/project/trace.ts';
import { folder } from './fixture.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly description?: string;
}

/** The parts of a schema that a key stands for; `*` is any name or element. */
function below(schemas: readonly Schema[], key: string): Schema[] {
  return schemas.flatMap((schema): Schema[] => {
    const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
    const own = key === '*' ? [schema.additionalProperties, schema.items] : [schema.properties?.[key]];
    const found = own.filter((one): one is Schema => typeof one === 'object');
    return [...found, ...(inner.length === 0 ? [] : below(inner, key))];
  });
}

/** Every key of a schema, with what its description says. */
function* described(schema: Schema, path: readonly string[] = []): Generator<readonly [string, string]> {
  yield [path.join('.'), schema.description ?? ''];
  for (const inner of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) yield* described(inner, path);
  for (const [key, inner] of Object.entries(schema.properties ?? {})) yield* described(inner, [...path, key]);
  for (const inner of [schema.additionalProperties, schema.items]) {
    if (typeof inner === 'object') yield* described(inner, [...path, '*']);
  }
}

const file = projectJsonSchema() as Schema;
const component = z.toJSONSchema(componentSchema, { io: 'input' }) as Schema;

describe('the rules of keys', () => {
  it.each([
    ['a project file', fileRules, file],
    ['component settings', componentRules, component],
  ] as const)('of %s are all of keys that the schema has', (_, rules, schema) => {
    const unknown = Object.keys(rules).filter((path) => {
      const found = path.split('.').reduce((at, key) => below(at, key), [schema] as Schema[]);
      return found.length === 0;
    });
    expect(unknown).toEqual([]);
  });

  it('cover every key that is described as relative to the file', () => {
    const rules: Readonly<Record<string, KeyRule | object>> = fileRules;
    const settings: Readonly<Record<string, KeyRule>> = componentRules;
    const isPath = (key: string): boolean => {
      const inner = /^(?:(?:.*\.)?default-component-config|components\.\*)\.(.*)$/.exec(key)?.[1];
      const rule = inner === undefined ? rules : settings;
      const name = inner ?? key;
      return [name, `${name}.*`].some((one) => (rule[one] as KeyRule | undefined)?.path !== undefined);
    };
    const paths = [...described(file)].filter(([, text]) => /relative to (this file|the file)/.test(text));
    expect(paths.length).toBeGreaterThan(10);
    const missing = paths.map(([key]) => key).filter((key) => !isPath(key) && !/overlay-files$/.test(key));
    expect(missing).toEqual([]);
  });
});

const config = `
[project]
log-dir = "log"
work-dir = "work"
output-dir = "out"
rendered-specs-dir = "specs"
lock-dir = "locks"
[distros.ours]
dist-git-base-uri = "git/$pkg"
lookaside-base-uri = "../files/$filename"
[distros.ours.versions.1]
mock-config = "mock:1.cfg"
mock-config-x86_64 = "x.cfg"
mock-config-aarch64 = "a.cfg"
kiwi-config-override = "kiwi.yml"
[resources.rpm-repos.one]
base-uri = "https://example.org/"
gpg-key = "key.asc"
[images.vm]
definition = { type = "kiwi", path = "vm.kiwi" }
[images.own.definition]
type = "weir"
kind = "container"
packages = ["bash"]
setup = { overlays = ["overlay"], files = [{ from = "motd", to = "/etc/motd" }] }
[test-suites.smoke]
type = "pytest"
pytest = { working-dir = "suite" }
[tests.smoke]
type = "pytest"
pytest = { working-dir = "tests" }
[seed]
dist-git = "dist-git"
mappings = ["map/*.toml"]
[toolbox]
root = "tools"
[advisories]
path = "records"
[signing]
image-key = "image.pem"
[components.curl]
spec = { type = "local", path = "curl.spec" }
overlays = [{ type = "file-add", file = "extra", source = "extra.txt", description = "why" }]
`;

/** Key → where the loaded project has its value. */
const places: readonly (readonly [key: string, path: string, of: (project: Project) => string | undefined])[] = [
  ['project.log-dir', 'sub/log', ({ project }) => project.logDir],
  ['project.work-dir', 'sub/work', ({ project }) => project.workDir],
  ['project.output-dir', 'sub/out', ({ project }) => project.outputDir],
  ['project.rendered-specs-dir', 'sub/specs', ({ project }) => project.renderedSpecsDir],
  ['project.lock-dir', 'sub/locks', ({ project }) => project.lockDir],
  ['distros.ours.dist-git-base-uri', 'sub/git/$pkg', ({ distros }) => distros.get('ours')?.distGitBaseUri],
  ['distros.ours.lookaside-base-uri', 'files/$filename', ({ distros }) => distros.get('ours')?.lookasideBaseUri],
  // A colon makes a URI only where there can be one.
  ['distros.ours.versions.1.mock-config', 'sub/mock:1.cfg', (project) => version(project)?.mockConfig],
  ['distros.ours.versions.1.mock-config-x86_64', 'sub/x.cfg', (project) => version(project)?.mockConfigX86],
  ['distros.ours.versions.1.mock-config-aarch64', 'sub/a.cfg', (project) => version(project)?.mockConfigArm],
  ['distros.ours.versions.1.kiwi-config-override', 'sub/kiwi.yml', (project) => version(project)?.kiwiConfigOverride],
  ['tests.smoke.pytest.working-dir', 'sub/tests', ({ tests }) => tests.get('smoke')?.pytest?.workingDir],
  ['resources.rpm-repos.one.gpg-key', 'sub/key.asc', ({ resources }) => resources.rpmRepos.get('one')?.gpgKey],
  ['images.vm.definition.path', 'sub/vm.kiwi', ({ images }) => kiwi(images.get('vm'))],
  [
    'test-suites.smoke.pytest.working-dir',
    'sub/suite',
    ({ testSuites }) => testSuites.get('smoke')?.pytest?.workingDir,
  ],
  ['seed.dist-git', 'sub/dist-git', ({ seed }) => seed?.distGit],
  ['toolbox.root', 'sub/tools', ({ toolbox }) => toolbox.root],
  ['advisories.path', 'sub/records', ({ advisories }) => advisories.path],
  ['signing.image-key', 'sub/image.pem', ({ signing }) => signing.imageKey],
  ['components.curl.spec.path', 'sub/curl.spec', ({ components }) => localSpec(components.get('curl'))],
];

function version({ distros }: Project) {
  return distros.get('ours')?.versions.get('1');
}

function kiwi(image: ReturnType<Project['images']['get']>): string | undefined {
  return image?.definition?.type === 'kiwi' ? image.definition.path : undefined;
}

function localSpec(component: ReturnType<Project['components']['get']>): string | undefined {
  return component?.spec?.type === 'local' ? component.spec.path : undefined;
}

describe('a path in a file of a sub-folder', () => {
  const root = folder({ 'weir.toml': 'includes = ["sub/more.toml"]\n', 'sub/more.toml': config, 'sub/map/m.toml': '' });
  const loaded = loadConfiguration(root, { env: {} });

  it.each(places)('%s is absolute when loaded, and shown from the root of the project', async (key, path, of) => {
    const configuration = await loaded;
    expect(of(configuration.project)).toBe(join(root, path));
    expect(plain(partAt(resolvedTables(configuration), key).value)).toBe(path);
  });

  it('is tested for every path key of the rules', () => {
    const rules = [
      ...Object.entries<KeyRule | object>(fileRules),
      ...Object.entries<KeyRule>(componentRules).map(([key, rule]) => [`components.*.${key}`, rule] as const),
    ];
    const named = rules.filter(([, rule]) => /^(path|uri)$/.test((rule as KeyRule).path ?? '')).map(([key]) => key);
    const tested = new Set(places.map(([key]) => key.split('.')));
    const isTested = (pattern: string): boolean => {
      const parts = pattern.split('.');
      return [...tested].some(
        (key) => key.length === parts.length && parts.every((part, at) => part === '*' || part === key[at]),
      );
    };
    // Sets share the code of repositories; paths in lists are tested below.
    expect(named.filter((key) => !isTested(key))).toEqual([
      'resources.rpm-repo-sets.*.gpg-key',
      'images.*.definition.setup.overlays.*',
      'images.*.definition.setup.files.*.from',
      'components.*.overlays.*.source',
    ]);
  });

  it('in a list is relative to the file that has it', async () => {
    const { project } = await loaded;
    expect(project.images.get('own')?.definition).toMatchObject({
      setup: { overlays: [{ from: join(root, 'sub/overlay') }], files: [{ from: join(root, 'sub/motd') }] },
    });
    expect(project.components.get('curl')?.overlays).toMatchObject([{ source: join(root, 'sub/extra.txt') }]);
  });
});
