import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileDigest } from '../../src/base/digest.ts';
import { installRoot } from '../../src/base/paths.ts';
import { runOk } from '../../src/base/process.ts';
import { runTool } from '../../src/toolbox/tool.ts';
import { shared, tools, weir } from './weir.ts';

const packers = {
  'tar.xz': ['xz', '-9e', '-k'],
  'tar.gz': ['gzip', '-9', '-k'],
  'tar.zst': ['zstd', '-q', '-19', '-k'],
} as const;

/** A project of one component whose archive overlays change, packed by the toolbox's own tools. */
async function project(format: keyof typeof packers): Promise<string> {
  const top = join(shared.work, `overlay-${format}`);
  const dir = join(top, 'project');
  const archive = `demo-1.${format}`;
  await mkdir(join(dir, 'demo'), { recursive: true });
  await mkdir(join(top, 'demo-1/vendor'), { recursive: true });
  await copyFile(join(installRoot, 'toolbox.lock'), join(top, 'toolbox.lock'));
  await writeFile(join(top, 'demo-1/README'), 'bad\n');
  await writeFile(join(top, 'demo-1/vendor/v.c'), 'v\n');
  await runOk(['tar', '-C', top, '-cf', join(dir, 'demo/demo-1.tar'), 'demo-1']);
  const toolbox = await tools();
  const binds = [{ from: dir, writable: true }];
  await runTool(toolbox, { argv: [...packers[format], join(dir, 'demo/demo-1.tar')], binds });
  const hash = await fileDigest(join(dir, 'demo', archive), 'sha512');
  await writeFile(join(dir, 'demo/sources'), `SHA512 (${archive}) = ${hash}\n`);
  await writeFile(
    join(dir, 'demo/demo.spec'),
    `Name: demo\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nSource0: ${archive}\n\n%description\nx\n\n%prep\n%autosetup\n`,
  );
  await writeFile(
    join(dir, 'weir.toml'),
    `[components.demo]
spec = { type = "local", path = "demo/demo.spec" }
overlays = [
  { type = "file-remove", archive = "${archive}", file = "vendor/**", description = "No bundled code" },
  { type = "file-search-replace", archive = "${archive}", file = "README", regex = "bad", replacement = "good", description = "Better" },
]
source-files = [
  { filename = "${archive}", origin = { type = "overlay" }, replace-upstream = true, replace-reason = "Bundled code" },
]
`,
  );
  return dir;
}

describe.each(Object.keys(packers) as (keyof typeof packers)[])('overlays into a %s', (format) => {
  it('are explained, reproducible, and unpacked by rpm', async () => {
    const dir = await project(format);
    const explained = await weir(['-C', dir, 'overlay', 'explain', 'demo', '--json']);
    expect(explained.code, explained.stderr).toBe(0);
    const { steps } = JSON.parse(explained.stdout) as { steps: { changes: { path: string; change: string }[] }[] };
    expect(steps.map(({ changes }) => changes.map(({ path, change }) => [path, change]))).toEqual([
      [['vendor/v.c', 'removed']],
      [['README', 'changed']],
    ]);

    const outs = [join(dir, '..', 'one'), join(dir, '..', 'two')];
    for (const out of outs) {
      const prepared = await weir(['-C', dir, 'component', 'prepare', 'demo', '-o', out, '--allow-no-hashes']);
      expect(prepared.code, prepared.stderr).toBe(0);
    }
    const [one, two] = await Promise.all(outs.map((out) => readFile(join(out, `demo-1.${format}`))));
    expect(one!.equals(two!)).toBe(true);
    expect(await readFile(join(outs[0]!, 'sources'), 'utf8')).toContain(
      await fileDigest(join(outs[0]!, `demo-1.${format}`), 'sha512'),
    );

    const build = join(dir, '..', 'build');
    await mkdir(build);
    const defines = [`_topdir ${build}`, `_sourcedir ${outs[0]}`].flatMap((define) => ['--define', define]);
    await runTool(await tools(), {
      argv: ['rpmbuild', '-bp', '--nodeps', ...defines, join(outs[0]!, 'demo.spec')],
      binds: [{ from: build, writable: true }, { from: outs[0]! }],
    });
    const { stdout } = await runOk(['find', build, '-name', 'README', '-exec', 'cat', '{}', ';']);
    expect(stdout).toBe('good\n');
    expect((await runOk(['find', build, '-name', 'v.c'])).stdout).toBe('');
  });
});
