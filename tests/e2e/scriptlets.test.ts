import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readBlobText, takeOut } from '../../src/engine/store.ts';
import { type RepoPackage, writeRepository } from '../../src/repo/metadata.ts';
import { resolveCached } from '../../src/repo/resolve.ts';
import type { Toolbox } from '../../src/toolbox/tool.ts';
import { finaliseTree, rpmdbPath } from '../../src/tree/finalise.ts';
import { installTree } from '../../src/tree/install.ts';
import { treeOwners } from '../../src/tree/owners.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { type SeedRepository, seedStage } from '../../src/workspace/seed.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';
import { databaseOf, dnfRoot, rootLines, treeLines } from './dnf-root.ts';
import { buildPackages, failingSpec, probeSpec, scriptedSpecs } from './scriptlet-packages.ts';
import { isRoot, newFolder, sharedWorkspace, tools } from './weir.ts';

let workspace: Workspace;
let toolbox: Toolbox;
let seed: SeedRepository;
let base: readonly RepoPackage[];

beforeAll(async () => {
  workspace = await sharedWorkspace();
  toolbox = await tools();
  seed = await seedStage(workspace, toolbox);
  const wanted = ['bash', 'coreutils', 'sed', 'grep', 'shadow-utils', 'libcap', 'glibc', 'filesystem', 'setup'];
  base = await resolveCached(
    { engine: workspace.engine, toolbox, arch: workspace.arch },
    [seed.source],
    wanted,
    'scriptlets',
  );
}, 600_000);

async function textOf(tree: Tree, path: string): Promise<string> {
  const entry = tree.entries.find((each) => each.path === path);
  if (entry?.kind !== 'file') throw new Error(`the tree has no file ${path}`);
  return readBlobText(workspace.engine.store, entry.digest);
}

/** Files of dnf5 and of the tools' runs, none of a package. */
const foreign =
  /^\/(?:dev|proc|sys|run|tmp)\/|^\/usr\/lib\/sysimage\/|^\/var\/(?:cache|lib\/dnf)(?:\/|$)|^\/var\/log\/dnf|^\/etc\/(?:(?:passwd|group|shadow|gshadow)-|\.pwd\.lock)$/;

// An ordinary user without subordinate ids can neither make this tree nor run dnf5 --installroot.
describe.skipIf(!isRoot)('scriptlets, as root', () => {
  test('give the tree and the database that dnf5 --installroot gives', async () => {
    const { engine, clock, cache } = workspace;
    const folder = await newFolder('scriptlets');
    const own = await buildPackages(engine, toolbox, join(folder, 'own'), scriptedSpecs);
    const packages = [...base, ...own];
    const installed = await installTree(engine, toolbox, packages, { clock });
    expect(installed.warnings).toEqual(['%post(scr-last-1-1.noarch) scriptlet failed, exit status 3']);
    const finaliser = { cache, clock, selinux: false, rpmdb: true, presets: false };
    const { tree } = await finaliseTree(engine, toolbox, installed.tree, finaliser);

    const repo = join(folder, 'repo');
    await writeRepository(engine, toolbox, repo, own, clock, 'copies');
    const made = join(folder, 'made');
    const names = packages.map((pkg) => pkg.name);
    const said = await dnfRoot(toolbox, [seed.source, { id: 'own', dir: repo, priority: 10 }], names, made, clock);
    expect(said.stdout + said.stderr).not.toContain('install failed');

    const theirs = await rootLines(toolbox, made);
    const ours = treeLines(tree, await treeOwners(engine.store, tree));
    const paths = [...new Set([...theirs.keys(), ...ours.keys()])].filter((path) => !foreign.test(path)).sort();
    expect(paths.length).toBeGreaterThan(600);
    const differing = paths.filter((path) => theirs.get(path) !== ours.get(path));
    expect(differing.map((path) => ({ path, dnf5: theirs.get(path), weir: ours.get(path) }))).toEqual([]);
    // What the scripts are there for, so that the comparison is not of two empty results.
    expect(ours.get('/var/lib/scrd/numeric')).toMatch(/^file 644 1234:5678 /);
    expect(ours.get('/usr/bin/scr-late')).toMatch(/ 0100000200048000/);
    expect(ours.get('/usr/bin/scr')).toBe('symlink 777 0:0 /etc/scr-alternatives/scr');
    expect(ours.has('/usr/bin/scr-gone') || ours.has('/never')).toBe(false);
    expect(await textOf(tree, '/var/log/scr.log')).toContain('triggerin last 1\nfirst posttrans 1\n');

    const database = join(folder, 'database');
    await mkdir(join(database, rpmdbPath), { recursive: true });
    const sqlite = tree.entries.find((entry) => entry.path === `${rpmdbPath}/rpmdb.sqlite`);
    if (sqlite?.kind !== 'file') throw new Error('the tree has no database');
    await takeOut(engine.store, sqlite.digest, join(database, rpmdbPath, 'rpmdb.sqlite'));
    const rows = await databaseOf(toolbox, database);
    expect(rows).toHaveLength(packages.length);
    expect(rows).toEqual(await databaseOf(toolbox, join(made, 'root')));
  }, 600_000);

  test('are run once: then the result comes from the cache', async () => {
    const { engine, clock } = workspace;
    const own = await buildPackages(engine, toolbox, await newFolder('scriptlets'), { probe: probeSpec });
    const first = await installTree(engine, toolbox, [...base, ...own], { clock });
    const ran = engine.counts.ran;
    expect(await installTree(engine, toolbox, [...base, ...own], { clock })).toEqual(first);
    expect(engine.counts.ran).toBe(ran);
  }, 300_000);

  test('cannot leave their tree', async () => {
    const { engine, clock } = workspace;
    const own = await buildPackages(engine, toolbox, await newFolder('scriptlets'), { probe: probeSpec });
    const { tree } = await installTree(engine, toolbox, [...base, ...own], { clock });
    const said = await textOf(tree, '/probe');
    const status = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(said)?.[1];
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setfcap: neither mounts, devices, a chroot nor the network.
    expect(status('CapEff')).toBe('00000000800000fb');
    expect([status('NoNewPrivs'), status('Seccomp')]).toEqual(['1', '2']);
    expect(said).not.toContain('ESCAPED');
    expect(said.match(/^refused .*$/gm)).toHaveLength(8);
    // Its root is nobody's id outside, seen from the first stage as 1.
    expect(said).toMatch(/^ids 0 1 \d+$/m);
    expect(said).toMatch(/^descriptors 0 1 2( 10)?( 3)?$/m);
  }, 300_000);

  test('a failing %pre is an error with its output', async () => {
    const { engine, clock } = workspace;
    const own = await buildPackages(engine, toolbox, await newFolder('scriptlets'), { failing: failingSpec });
    const error = await installTree(engine, toolbox, [...base, ...own], { clock }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'scriptlet-failed',
      message: '%pre of failing-1-1.noarch failed',
      where: { package: 'failing-1-1.noarch' },
    });
    expect((error as { details: string[] }).details.join('\n')).toContain('why it fails');
  }, 300_000);

  test('that a finaliser replaces are not run, nor those that cannot work on a tree', async () => {
    const { engine, clock } = workspace;
    const folder = await newFolder('scriptlets');
    const own = await buildPackages(engine, toolbox, folder, {
      covered: {
        scripts: '%post -p /sbin/ldconfig\n%posttrans\nmodprobe dummy\n%pretrans -p <lua>\nrpm.spawn({"/sbin/depmod"})',
      },
    });
    const { tree, log, warnings } = await installTree(engine, toolbox, own, { clock });
    expect(tree.entries.map((entry) => entry.path)).toEqual([]);
    expect({ log, warnings }).toEqual({
      log: [
        'scriptlet skipped: covered %post (library cache)',
        'scriptlet skipped: covered %pretrans (kernel modules)',
        'scriptlet refused: covered %posttrans (needs the running kernel)',
      ],
      warnings: [],
    });
  }, 300_000);
});

test.runIf(!isRoot)(
  'an ordinary user without subordinate ids is told what is missing',
  async () => {
    const { engine, clock } = workspace;
    const own = await buildPackages(engine, toolbox, await newFolder('scriptlets'), { probe: probeSpec });
    await expect(installTree(engine, toolbox, [...base, ...own], { clock })).rejects.toMatchObject({ code: 'no-ids' });
  },
  300_000,
);
