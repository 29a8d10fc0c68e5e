import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { temporaryName } from '../../src/base/files.ts';
import { installRoot } from '../../src/base/paths.ts';
import { openSeal } from '../../src/engine/seal.ts';
import { type LoadOptions, loadProject } from '../../src/project/load.ts';
import { loadCached, type ProjectCache } from '../../src/project/project-cache.ts';
import { folder } from './fixture.ts';

const files = {
  'azldev.toml': 'includes = ["comps/**/*.comp.toml", "more.toml"]\n[project]\ndescription = "é"\n',
  'more.toml':
    '[component-groups.g]\nspecs = ["specs/*.spec"]\n[default-package-config.publish]\nrpm-channel = "base"\n',
  'comps/a/a.comp.toml': '[components.a]\noverlay-files = ["*.overlay.toml"]\n[components.b]\n',
  'specs/local.spec': 'Name: local\n',
};

const overlay =
  '[metadata]\ncategory = "weir-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "spec-set-tag"\ntag = "License"\nvalue = "MIT"\ndescription = "why"\n';

interface Site {
  readonly dir: string;
  readonly cache: ProjectCache;
}

function site(more: Readonly<Record<string, string>> = {}): Site {
  const cache = folder({});
  return {
    dir: folder({ ...files, ...more }),
    cache: { dir: join(cache, 'projects'), key: join(cache, 'store', 'key') },
  };
}

const options: LoadOptions = { env: {} };

function cached({ dir, cache }: Site, more: LoadOptions = {}) {
  return loadCached(dir, { ...options, ...more }, cache);
}

/** The inode of the only entry: another one where it was written again. */
function entry({ cache }: Site): { readonly path: string; readonly inode: number } {
  const names = readdirSync(cache.dir);
  expect(names).toHaveLength(1);
  const path = join(cache.dir, names[0]!);
  return { path, inode: statSync(path).ino };
}

function write(at: Site, name: string, content: string): void {
  const path = join(at.dir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe('a cached project', () => {
  it('is used while nothing changes, and equals the loaded one', async () => {
    const at = site({ 'comps/a/x.overlay.toml': overlay });
    const loaded = await loadProject(at.dir, options);
    expect(await cached(at)).toStrictEqual(loaded);
    const { inode } = entry(at);
    expect(await cached(at)).toStrictEqual(loaded);
    expect(entry(at).inode).toBe(inode);
    expect(loaded.components.get('a')!.overlays).toHaveLength(1);
  });

  it('equals the loaded one for the whole distribution, including shared values', async () => {
    const at = { ...site(), dir: join(installRoot, 'distro') };
    const loaded = await loadProject(at.dir, options);
    await cached(at);
    const { inode } = entry(at);
    const kept = await cached(at);
    expect(entry(at).inode).toBe(inode);
    expect(kept).toStrictEqual(loaded);
    const shared = (project: typeof loaded): number =>
      new Set([...project.components.values()].map((c) => c.build)).size;
    expect(shared(kept)).toBe(shared(loaded));
  });

  const changes: Readonly<Record<string, (at: Site) => void>> = {
    'a file changed, with its size and its times as before': (at) => {
      const path = join(at.dir, 'more.toml');
      const { atime, mtime } = statSync(path);
      write(at, 'more.toml', files['more.toml'].replace('base', 'full'));
      utimesSync(path, atime, mtime);
    },
    'a new file that an include matches': (at) => write(at, 'comps/c/c.comp.toml', '[components.c]\n'),
    'a new overlay file': (at) => write(at, 'comps/a/y.overlay.toml', overlay),
    'a new spec of a group': (at) => write(at, 'specs/second.spec', 'Name: second\n'),
    'a removed spec of a group': (at) => rmSync(join(at.dir, 'specs/local.spec')),
    'a renamed spec of a group': (at) => renameSync(join(at.dir, 'specs/local.spec'), join(at.dir, 'specs/other.spec')),
    'a removed folder': (at) => rmSync(join(at.dir, 'comps'), { recursive: true }),
    'a file that pins the tool': (at) => write(at, '.azldev-version', '0.3.1\n'),
    'a link to a file that an include matches': (at) => {
      write(at, 'elsewhere', '[components.linked]\n');
      symlinkSync(join(at.dir, 'elsewhere'), join(at.dir, 'comps/z.comp.toml'));
    },
    'another root file that comes first': (at) => write(at, 'weir.toml', '[components.of-weir]\n'),
  };

  it.each(Object.entries(changes))('is loaded again after %s', async (_, change) => {
    const at = site();
    const before = await cached(at);
    change(at);
    const now = await loadProject(at.dir, options);
    expect(now).not.toStrictEqual(before);
    expect(await cached(at)).toStrictEqual(now);
    expect(await cached(at)).toStrictEqual(now);
  });

  it('does not hide errors, and errors are not cached', async () => {
    const at = site();
    await cached(at);
    write(at, 'more.toml', 'wrong');
    for (let turn = 0; turn < 2; turn++) await expect(cached(at)).rejects.toMatchObject({ code: 'toml-syntax' });
    rmSync(join(at.dir, 'more.toml'));
    await expect(cached(at)).rejects.toMatchObject({ code: 'include-not-found' });
    mkdirSync(join(at.dir, 'more.toml'));
    await expect(cached(at)).rejects.toMatchObject({ code: 'include-not-found' });
  });

  it('notices when a folder appears at the path of a missing file', async () => {
    const at = site();
    await cached(at);
    mkdirSync(join(at.dir, '.azldev-version'));
    await expect(cached(at)).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('depends on options, user configuration and further files', async () => {
    const at = site({ 'user/weir/config.toml': '[project]\ndescription = "mine"\n', 'own.toml': '[components.own]\n' });
    await cached(at);
    const env = { XDG_CONFIG_HOME: join(at.dir, 'user') };
    expect((await cached(at, { env })).project.description).toBe('mine');
    const configFiles = [join(at.dir, 'own.toml')];
    expect((await cached(at, { configFiles })).components.has('own')).toBe(true);
    expect((await cached(at, { dialect: 'azldev 0.3' })).dialect.name).toBe('azldev 0.3');
    expect((await cached(at)).components.has('own')).toBe(false);
  });

  it('reports warnings each time', async () => {
    const at = site({ 'comps/w.comp.toml': '[components.w]\nunheard-of = 1\n' });
    for (let turn = 0; turn < 2; turn++) expect((await cached(at, { permissive: true })).warnings).toHaveLength(1);
    expect(existsSync(at.cache.dir)).toBe(false);
  });

  it('is kept for at most sixteen projects', async () => {
    const at = site();
    for (let number = 0; number < 18; number++) {
      write(at, `own-${number}.toml`, `[components.own-${number}]\n`);
      await cached(at, { configFiles: [join(at.dir, `own-${number}.toml`)] });
    }
    expect(readdirSync(at.cache.dir)).toHaveLength(16);
  });
});

describe('an entry of the project cache', () => {
  const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    empty: () => Buffer.alloc(0),
    'cut short': (bytes) => bytes.subarray(0, bytes.length - 1),
    'cut within its mark': (bytes) => bytes.subarray(0, 40),
    'without its mark': (bytes) => bytes.subarray(65),
    longer: (bytes) => Buffer.concat([bytes, Buffer.from('x')]),
    'changed in its first part': (bytes) => flipped(bytes, 80),
    'changed at its end': (bytes) => flipped(bytes, bytes.length - 2),
    'changed in its mark': (bytes) => flipped(bytes, 3),
  };

  it.each(Object.entries(damages))('that is %s is ignored', async (_, damage) => {
    const at = site();
    const right = await cached(at);
    const { path, inode } = entry(at);
    writeFileSync(path, damage(readFileSync(path)));
    expect(await cached(at)).toStrictEqual(right);
    expect(entry(at).inode).not.toBe(inode);
  });

  it('of another cache or project is ignored', async () => {
    const at = site();
    const right = await cached(at);
    const other = site({ 'comps/o.comp.toml': '[components.other]\n' });
    await cached(other);
    cpSync(entry(other).path, entry(at).path);
    expect(await cached(at)).toStrictEqual(right);
    // The same cache, the entry of one project in the place of another's.
    const third = { ...at, dir: other.dir };
    const before = entry(at).path;
    await cached(third);
    const stranger = readdirSync(at.cache.dir).find((name) => join(at.cache.dir, name) !== before)!;
    cpSync(join(at.cache.dir, stranger), before);
    expect(await cached(at)).toStrictEqual(right);
  });

  it('is ignored after the key is recreated', async () => {
    const at = site();
    const right = await cached(at);
    const { inode } = entry(at);
    writeFileSync(at.cache.key, 'short');
    expect(await cached(at)).toStrictEqual(right);
    expect(entry(at).inode).not.toBe(inode);
    expect(openSeal(at.cache.key).mark('a', 'b')).toHaveLength(64);
  });

  it('is optional: an unreadable or read-only cache is no error', async () => {
    const at = site();
    const right = await loadProject(at.dir, options);
    const blocked = folder({ file: '' });
    for (const cache of [
      { dir: join(blocked, 'file', 'projects'), key: join(blocked, 'file', 'key') },
      { dir: join(blocked, 'file'), key: join(blocked, 'key') },
      { dir: join(blocked, 'projects'), key: blocked },
    ])
      for (let turn = 0; turn < 2; turn++) expect(await cached({ ...at, cache })).toStrictEqual(right);
    await cached(at);
    const { path } = entry(at);
    rmSync(path);
    mkdirSync(path);
    expect(await cached(at)).toStrictEqual(right);
  });

  it('is rewritten if a killed run left half of it, which is removed', async () => {
    const at = site();
    const right = await cached(at);
    const { path } = entry(at);
    const left = join(at.cache.dir, '.1fffff-0-0-00000000.tmp');
    writeFileSync(left, readFileSync(path).subarray(0, 100));
    // One of a process that is there: this one.
    const underWay = temporaryName(path);
    writeFileSync(underWay, 'x');
    utimesSync(left, 1, 1);
    rmSync(path);
    expect(await cached(at)).toStrictEqual(right);
    expect(existsSync(left)).toBe(false);
    expect(existsSync(underWay)).toBe(true);
  });

  it('can be written by several runs at once', async () => {
    const at = site();
    const script = [
      `import { loadCached } from ${JSON.stringify(join(installRoot, 'src/project/project-cache.ts'))};`,
      'const [dir, cache] = process.argv.slice(-2);',
      'const project = await loadCached(dir, { env: {} }, JSON.parse(cache));',
      "process.stdout.write([...project.components.keys()].join(' '));",
    ].join('\n');
    const argv = ['--input-type=module', '-e', script, at.dir, JSON.stringify(at.cache)];
    const said = await Promise.all(
      Array.from({ length: 4 }, () => output(spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] }))),
    );
    const names = [...(await loadProject(at.dir, options)).components.keys()].join(' ');
    expect(said).toStrictEqual([names, names, names, names]);
    const { inode } = entry(at);
    await cached(at);
    expect(entry(at).inode).toBe(inode);
  });
});

describe('loading with and without the cache', () => {
  const names = ['comps/a/a.comp.toml', 'comps/n.comp.toml', 'more.toml', 'specs/n.spec', 'comps/a/n.overlay.toml'];
  const contents = [
    '',
    '[components.a]\n',
    '[components.n]\noverlay-files = ["**/*.overlay.toml"]\n',
    overlay,
    'wrong',
  ];
  const step = fc.record({ name: fc.constantFrom(...names), content: fc.option(fc.constantFrom(...contents)) });

  it('gives the same result, whatever happens to the files', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const at = site();
        for (const { name, content } of steps) {
          if (content === null) rmSync(join(at.dir, name), { force: true });
          else write(at, name, content);
          const [right, kept] = [await answer(loadProject(at.dir, options)), await answer(cached(at))];
          expect(kept).toStrictEqual(right);
        }
      }),
      { numRuns: 25 },
    );
  });
});

/** What came of a load: the project, or the code and place of its error. */
async function answer(load: Promise<unknown>): Promise<unknown> {
  try {
    return await load;
  } catch (error) {
    if (error instanceof WeirError) return [error.code, error.message, error.where];
    throw error;
  }
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
}

function output(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`exit ${code}`))));
  });
}
