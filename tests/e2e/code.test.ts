import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import { run } from '../../src/base/process.ts';
import { type BuildResult, imageRecord, newFolder, shared } from './weir.ts';

/** A copy of this Weir, to change. */
let copy: string;
let out: string;
beforeAll(async () => {
  copy = await newFolder('code');
  out = join(await newFolder('out'), 'out');
  for (const part of ['src', 'package.json', 'package-lock.json', 'toolbox.lock'])
    await cp(join(installRoot, part), join(copy, part), { recursive: true });
  // A folder of its own: what is kept of the code lies in it.
  await mkdir(join(copy, 'node_modules'));
  for (const name of await readdir(join(installRoot, 'node_modules')))
    if (!name.startsWith('.')) await symlink(join(installRoot, 'node_modules', name), join(copy, 'node_modules', name));
});

const image = 'distroless-minimal';

async function build(): Promise<BuildResult> {
  const argv = ['-C', shared.project, 'build', '--image', image, '--out', out, '--json'];
  const env = { ...(process.env as Record<string, string>), XDG_CACHE_HOME: shared.cacheHome };
  const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
  const result = await run([...node, join(copy, 'src/cli/main.ts'), ...argv], { env, cwd: shared.work });
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as BuildResult;
}

async function edit(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(join(copy, path), 'utf8');
  expect(text).toContain(from);
  await writeFile(join(copy, path), text.replace(from, to));
}

const cachedStages = ({ stages }: BuildResult): string[] =>
  stages.filter((stage) => stage.cached).map((stage) => stage.name);

test('changed comments in Weir keep everything cached; changed code rebuilds the image with the same bytes', async () => {
  const first = await build();
  const made = await imageRecord(image, out);
  expect(first.images[0]!.cached).toBe(false);
  // As the build that all tests share has made it, from another folder.
  expect(made).toEqual(await imageRecord(image));

  await edit(
    'src/image/oci.ts',
    'export async function addOciImage',
    '// Another comment.\nexport async function addOciImage',
  );
  await edit('src/tree/unpack.ts', '/** Unpacks an RPM', '/**\n * Takes an RPM apart');
  await edit(
    'src/seed/convert-package.ts',
    'export interface SeedPackage {',
    'export interface SeedPackage {\n  more?: string;',
  );
  const commented = await build();
  expect(commented.images[0]!.cached).toBe(true);
  expect(cachedStages(commented)).toEqual(commented.stages.map((stage) => stage.name));
  expect(await imageRecord(image, out)).toEqual(made);

  await edit(
    'src/image/oci.ts',
    'const created = isoTime(options.epoch);',
    'const created = isoTime(options.epoch + 0);',
  );
  const changed = await build();
  expect(changed.images[0]!.cached).toBe(false);
  // Nothing but the image: no other work reaches that code.
  expect(changed.stages.filter((stage) => !stage.cached).map((stage) => stage.name)).toEqual([image]);
  const again = await imageRecord(image, out);
  expect(again.inputs).not.toBe(made.inputs);
  expect(again.details).toEqual(made.details);
});
