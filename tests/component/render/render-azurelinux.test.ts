import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { upstreamFiles, writeRepository } from '../../../bench/distgit.ts';
import { createProgress } from '../../../src/base/progress.ts';
import { renderComponents } from '../../../src/component/render/render.ts';
import { removeTree } from '../../../src/engine/scratch.ts';
import { renderedDir } from '../../../src/overlay/render.ts';
import { openProjectWorkspace } from '../../../src/workspace/workspace.ts';

const checkout = process.env.WEIR_AZURELINUX;

// Microsoft's own rendering is what upstream's dist-git is made of again here, so what comes out has to be the same files.
it.skipIf(checkout === undefined)(
  'renders what azldev rendered, from $WEIR_AZURELINUX',
  { timeout: 300_000 },
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'weir-test-'));
    onTestFinished(() => removeTree(root));
    vi.stubEnv('XDG_CACHE_HOME', join(root, 'home'));
    onTestFinished(() => void vi.unstubAllEnvs());
    const config = join(root, 'test.toml');
    const settings = [
      '[project]',
      'rendered-specs-dir = "specs"',
      '[distros.fedora]',
      'dist-git-base-uri = "git/$pkg"',
    ];
    await writeFile(config, settings.join('\n'));
    const progress = createProgress('quiet', false, () => {});
    const workspace = await openProjectWorkspace({ directory: checkout!, load: { configFiles: [config] }, progress });
    const theirs = (name: string): string => join(checkout!, 'specs', renderedDir(name));
    const chosen = [...workspace.project.components.values()].filter(
      ({ name, spec, overlays }, index) =>
        (index % 20 === 0 || name === 'bash' || name === 'mokutil' || name === 'e2fsprogs') &&
        overlays.length === 0 &&
        spec?.type === 'upstream' &&
        spec.commit === undefined &&
        existsSync(join(theirs(name), `${name}.spec`)),
    );
    const atHead = chosen.map((component) => {
      const { spec, name } = component;
      if (spec?.type !== 'upstream') return component;
      writeRepository(
        join(root, 'git', spec.name),
        'main',
        upstreamFiles(theirs(name), `${name}.spec`, `${spec.name}.spec`),
      );
      return { ...component, spec: { ...spec, distro: { name: 'fedora', version: 'none' } } };
    });
    const report = await renderComponents(workspace, atHead);
    expect(report.failed.map(({ component, error }) => `${component}: ${error.message}`)).toEqual([]);
    const wrong: string[] = [];
    let fewer = 0;
    for (const { name } of atHead) {
      const ours = join(root, 'specs', renderedDir(name));
      const files = (await readdir(theirs(name), { recursive: true, withFileTypes: true })).filter((file) =>
        file.isFile(),
      );
      const text = await readFile(join(ours, `${name}.spec`), 'latin1');
      const kept = new Set(await readdir(ours, { recursive: true }));
      for (const file of files) {
        const path = join(file.parentPath, file.name).slice(theirs(name).length + 1);
        if (!kept.delete(path)) {
          if (!path.endsWith('.azl.macros')) fewer++;
          // What no line of the spec names may stay behind; azldev keeps everything as soon as one name is not plain. A README
          // that %doc names is the tarball's.
          if (text.includes(file.name) && file.name !== 'README.md') wrong.push(`${name}: ${path} is missing`);
        } else if (!path.endsWith('.spec')) {
          const same = (await readFile(join(ours, path))).equals(await readFile(join(theirs(name), path)));
          if (!same) wrong.push(`${name}: ${path} differs`);
        }
      }
      for (const path of kept) if (!path.endsWith('.weir.macros')) wrong.push(`${name}: ${path} is one too many`);
    }
    console.info(`${atHead.length} components, ${fewer} files that azldev has and their specs do not name`);
    expect(wrong).toEqual([]);
    expect(atHead.length).toBeGreaterThan(300);
  },
);
