import { globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { valueDigest } from '../../src/base/digest.ts';
import { installRoot } from '../../src/base/paths.ts';
import { actionDigest } from '../../src/engine/action.ts';
import { codeDigest, type ReachableCode, reachableCode } from '../../src/engine/code-digest.ts';

let copy: string;
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'weir-code-'));
  await cp(join(installRoot, 'src'), join(copy, 'src'), { recursive: true });
  await cp(join(installRoot, 'package-lock.json'), join(copy, 'package-lock.json'));
});
afterAll(() => rm(copy, { recursive: true, force: true }));

const of = (module: string): ReachableCode => reachableCode(join(copy, 'src', module), copy);

/** Edits a file of the copy while `look` runs. */
async function changed<T>(path: string, edit: (text: string) => string, look: () => T): Promise<T> {
  const file = join(copy, path);
  const before = await readFile(file, 'utf8');
  const after = edit(before);
  expect(after).not.toBe(before);
  await writeFile(file, after);
  try {
    return look();
  } finally {
    await writeFile(file, before);
  }
}

describe('the code that a module reaches', () => {
  test('comments, types and line breaks change nothing; other code changes every module that reaches it', async () => {
    const [oci, images, git] = ['image/oci.ts', 'release/image/stage.ts', 'sources/git-revision.ts'].map(of);
    const now = (): ReachableCode[] => ['image/oci.ts', 'release/image/stage.ts', 'sources/git-revision.ts'].map(of);
    const edit = (from: string, to: string) => (text: string) => text.replace(from, to);
    const comment = edit('const manifest = await', '// Another word.\n  const manifest =\n    await /* and more */');
    expect(await changed('src/image/oci.ts', comment, now)).toEqual([oci, images, git]);
    const type = edit('export interface OciImage {', 'export interface OciImage {\n  readonly more: string;');
    expect(await changed('src/image/oci.ts', type, now)).toEqual([oci, images, git]);
    const other = await changed('src/image/oci.ts', edit('schemaVersion: 2', 'schemaVersion: 3'), now);
    expect(other[0]).not.toEqual(oci);
    expect(other[1]).not.toEqual(images);
    expect(other[2]).toEqual(git);
  });

  test('includes static and lazy imports and threads, but not modules imported for types only', () => {
    const { files } = of('image/oci.ts');
    for (const name of ['image/oci.ts', 'image/layers.ts', 'tree/tar.ts', 'base/digest.ts'])
      expect(files).toHaveProperty([`src/${name}`]);
    // oci.ts imports the type ContainerSettings from there.
    expect(files).not.toHaveProperty(['src/project/model/image.ts']);
    expect(of('component/render/render-pool.ts').files).toHaveProperty(['src/component/render/render-worker.ts']);
    expect(of('toml/place.ts').packages).toHaveProperty(['node_modules/toml-eslint-parser']);
  });

  test('includes the rooms whose code makes an image, and their npm packages', () => {
    const { files, packages } = of('release/image/stage.ts');
    for (const name of ['trust/dsse.ts', 'rpm/read.ts', 'repo/resolve.ts', 'audit/spdx.ts', 'engine/sandbox.ts'])
      expect(files).toHaveProperty([`src/${name}`]);
    expect(Object.keys(packages)).toEqual(
      expect.arrayContaining(['node_modules/@cyclonedx/cyclonedx-library', 'node_modules/packageurl-js']),
    );
  });

  test('includes the locked version of each package and of its dependencies', async () => {
    const now = (): ReachableCode => of('release/image/stage.ts');
    const before = now();
    const locked = JSON.parse(await readFile(join(copy, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string; dependencies?: object; dev?: boolean }>;
    };
    const reached = Object.keys(before.packages);
    // One that no source imports: it is a dependency of another package.
    const inner = reached.find((place) =>
      Object.keys(locked.packages['']!.dependencies!).every((name) => place !== `node_modules/${name}`),
    );
    for (const place of [reached[0]!, inner!]) {
      const { integrity } = locked.packages[place]!;
      const edit = (text: string): string => text.replace(integrity!, 'sha512-another');
      expect(await changed('package-lock.json', edit, now), place).not.toEqual(before);
    }
    const { integrity } = locked.packages['node_modules/vitest']!;
    expect(await changed('package-lock.json', (text) => text.replace(integrity!, 'sha512-another'), now)).toEqual(
      before,
    );
  });

  test('rejects an import by a computed name', async () => {
    await mkdir(join(copy, 'src', 'lost'), { recursive: true });
    await writeFile(join(copy, 'src', 'lost', 'a.ts'), 'await import(process.argv[2]);\n');
    expect(() => of('lost/a.ts')).toThrow(/src\/lost\/a\.ts imports by a computed name/);
    await writeFile(join(copy, 'src', 'lost', 'a.ts'), "import 'no-such-package';\n");
    expect(() => of('lost/a.ts')).toThrow(/package-lock.json has no no-such-package/);
  });

  test('is the same from the cache and from the sources', () => {
    // All modules that use their own digest as an action's code.
    const modules = globSync('src/**/*.ts', { cwd: installRoot }).filter((path) =>
      /[^ *] codeDigest\(import\.meta\.url\)/.test(readFileSync(join(installRoot, path), 'utf8')),
    );
    expect(modules.length).toBeGreaterThan(10);
    for (const path of modules) {
      const read = reachableCode(join(copy, path), copy);
      expect(reachableCode(join(installRoot, path), installRoot)).toEqual(read);
      expect(codeDigest(pathToFileURL(join(installRoot, path)).href)).toBe(valueDigest(read));
    }
  });
});

test('an action runs again after a code change, not after a comment change', async () => {
  const digest = (): string =>
    actionDigest({ kind: 'unpack-rpm', code: valueDigest(of('tree/unpack.ts')), inputs: { rpm: 'a' } });
  const before = digest();
  const comment = (text: string): string => text.replace('/** Unpacks an RPM', '/** Takes an RPM apart');
  expect(await changed('src/tree/unpack.ts', comment, digest)).toBe(before);
  const code = (text: string): string => text.replace('1 << 20', '1 << 21');
  expect(await changed('src/tree/unpack.ts', code, digest)).not.toBe(before);
});
