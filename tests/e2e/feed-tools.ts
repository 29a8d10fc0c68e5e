import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { recordText } from '../../src/advisory/write.ts';
import { fileDigest } from '../../src/base/digest.ts';
import type { RunResult } from '../../src/base/process.ts';
import type { Engine } from '../../src/engine/action.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { putFile } from '../../src/engine/store.ts';
import { releaseFeeds } from '../../src/release/feeds.ts';
import { extraFaults } from '../../src/repo/extras.ts';
import { packagePath, type RepoPackage } from '../../src/repo/metadata.ts';
import { publishSnapshot, type Snapshot } from '../../src/repo/publish.ts';
import { signPackages } from '../../src/repo/sign.ts';
import { verifyRepository } from '../../src/repo/verify.ts';
import { type Toolbox, tryTool } from '../../src/toolbox/tool.ts';
import { zstdOf } from '../../src/toolbox/zstd.ts';
import { badlySigned, openSigningKey, type SigningKey } from '../../src/trust/gpg.ts';
import { event, header } from '../advisory/records.ts';
import { writeRpm } from '../rpm/write-rpm.ts';

const clock = Date.UTC(2026, 10, 20) / 1000;

/** Components' packages before and after: name, epoch, old and new version. */
const packages = [
  ['alpha', 'alpha', 0, '1.0-1', '1.0-3'],
  ['alpha', 'alpha-libs', 0, '1.0-1', '1.0-3'],
  ['beta', 'beta', 1, '2.0-1', '2.0-2'],
  ['gamma', 'gamma', 0, '1-1', '1-2'],
  ['delta', 'delta', 0, '1-1', '1-2'],
] as const;

const records = [
  [
    header('CVE-2026-2001', { severity: 'critical', title: 'alpha: "a" & <b>', description: 'It\nbreaks.' }),
    [
      event('affected', { component: 'alpha' }),
      // The repository has a newer version than the first one with the fix.
      event('fixed', { component: 'alpha', in: ['alpha-1.0-2.noarch', 'alpha-libs-1.0-2.noarch'] }),
    ],
  ],
  [
    header('CVE-2026-2002', { severity: 'low' }),
    [event('fixed', { component: 'beta', in: ['beta-1:2.0-2.noarch'], at: '2026-11-04T05:06:07Z' })],
  ],
  [header('CVE-2026-2003'), [event('affected', { component: 'delta' })]],
] as const;

/** Shows a snapshot with feeds to createrepo_c, gpg and dnf5. */
export function feedAcceptance(toolboxOf: () => Promise<Toolbox>): void {
  describe('the feeds of a published repository', () => {
    let toolbox: Toolbox;
    let engine: Engine;
    let key: SigningKey;
    let folder: string;
    let old: Snapshot;
    let snapshot: Snapshot;

    const make = async (which: 'old' | 'new'): Promise<RepoPackage[]> => {
      const made = packages.map(async ([component, name, epoch, before, after]): Promise<RepoPackage> => {
        const [version = '', release = ''] = (which === 'old' ? before : after).split('-');
        const out = join(folder, `${name}-${which}.rpm`);
        const parts = { name, epoch, version, release, arch: 'noarch' };
        const text = { summary: name, description: name, license: 'MIT', buildTime: clock };
        const content = Buffer.from(which);
        const file = { path: `/usr/share/${name}`, kind: 'file', mode: 0o644, content } as const;
        await writeRpm(out, { ...parts, ...text, files: [file] }, join(folder, 'rpm'), zstdOf(toolbox));
        const { digest } = await putFile(engine.store, out);
        return { ...parts, rpm: digest, sourceRpm: `${component}-${version}-${release}.src.rpm`, origin: component };
      });
      return (await signPackages(engine, toolbox, key, await Promise.all(made), clock)).packages;
    };

    const publish = async (content: readonly RepoPackage[], advisories: string): Promise<Snapshot> => {
      const channels = [{ name: 'base', packages: content }];
      const project = {
        lifecycle: { id: 'testlinux', name: 'Test Linux', version: '4.0' },
        advisories: { path: advisories, url: 'https://repo.test.example', publisher: {} },
        components: new Set(packages.map(([component]) => component as string)),
      };
      const place = { project, release: { version: '4.0' }, clock, engine };
      const options = { root: join(folder, 'repo'), arch: 'x86_64', clock, isWhole: async () => true };
      const feeds = await releaseFeeds(place, toolbox, key, channels);
      return (await publishSnapshot(engine, toolbox, key, { ...options, ...feeds })).snapshot;
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'weir-feeds-'));
      toolbox = await toolboxOf();
      engine = await openEngine(join(folder, 'cache'));
      key = await openSigningKey(toolbox, { cache: join(folder, 'cache'), fingerprint: undefined, userHome: '' });
      const advisories = join(folder, 'advisories');
      await mkdir(advisories);
      for (const [head, events] of records) {
        await writeFile(join(advisories, `${head.id}.toml`), recordText(head, events));
      }
      old = await publish(await make('old'), join(folder, 'none'));
      snapshot = await publish(await make('new'), advisories);
      await dnf(join(folder, 'root'), old, 'install', ...packages.map(([, name]) => name));
      return () => rm(folder, { recursive: true, force: true });
    }, 600_000);

    const database = '/usr/lib/sysimage/rpm';

    /** Runs dnf5 in a root, with one snapshot as its repository, and both checks on. */
    const tryDnf = async (root: string, from: Snapshot, ...words: readonly string[]): Promise<RunResult> => {
      await mkdir(root, { recursive: true });
      const settings = {
        reposdir: '/nonexistent',
        cachedir: '/tmp/cache',
        plugins: '0',
        'test.gpgcheck': '1',
        'test.repo_gpgcheck': '1',
        'test.gpgkey': 'file:///tmp/test/RPM-GPG-KEY',
      };
      return tryTool(toolbox, {
        argv: [
          ...['sh', '-c', `echo "%_dbpath ${database}" >$HOME/.rpmmacros; exec "$@"`, 'sh'],
          ...[
            'dnf5',
            '-y',
            '--installroot=/tmp/root',
            '--releasever=4.0',
            '--repofrompath=test,file:///tmp/test/base/x86_64',
          ],
          ...Object.entries(settings).map(([name, value]) => `--setopt=${name}=${value}`),
          ...words,
        ],
        env: { HOME: '/tmp', COLUMNS: '400', SOURCE_DATE_EPOCH: String(clock) },
        binds: [
          { from: root, to: '/tmp/root', writable: true },
          { from: from.dir, to: '/tmp/test' },
        ],
      });
    };
    const dnf = async (root: string, from: Snapshot, ...words: readonly string[]): Promise<string> => {
      const result = await tryDnf(root, from, ...words);
      expect(result.code, result.stdout + result.stderr).toBe(0);
      return result.stdout;
    };

    /** Which packages an upgrade replaces, in a copy of the old root. */
    const upgraded = async (...words: readonly string[]): Promise<string[]> => {
      const root = await mkdtemp(join(folder, 'root-'));
      await cp(join(folder, 'root'), root, { recursive: true, verbatimSymlinks: true });
      await dnf(root, snapshot, 'upgrade', ...words);
      const names: string[] = [];
      for (const [, name] of packages) {
        if ((await readFile(join(root, 'usr/share', name), 'utf8')) === 'new') names.push(name);
      }
      return names;
    };

    test('dnf5 lists the fixes that are to be installed, and those alone', async () => {
      const list = await dnf(join(folder, 'root'), snapshot, 'advisory', 'list');
      expect(
        list
          .split('\n')
          .slice(1)
          .map((line) => line.trim().split(/\s+/).slice(0, 4)),
      ).toEqual([
        ['TESTLINUX-CVE-2026-2001', 'security', 'Critical', 'alpha-1.0-2.noarch'],
        ['TESTLINUX-CVE-2026-2001', 'security', 'Critical', 'alpha-libs-1.0-2.noarch'],
        ['TESTLINUX-CVE-2026-2002', 'security', 'Low', 'beta-1:2.0-2.noarch'],
        [''],
      ]);
      expect(await dnf(join(folder, 'root'), old, 'advisory', 'list')).not.toMatch(/CVE/);
    });

    test('dnf5 reads every field', async () => {
      const info = await dnf(join(folder, 'root'), snapshot, 'advisory', 'info', 'TESTLINUX-CVE-2026-2001');
      // The references after them have fields of the same names.
      const lines = [...info.matchAll(/^ *([A-Z][A-Za-z ]*?) *: (.*)$/gm)].reverse();
      const fields = Object.fromEntries(lines.map(([, name, value]) => [name, value]));
      expect(fields).toMatchObject({
        Name: 'TESTLINUX-CVE-2026-2001',
        Title: 'alpha: "a" & <b>',
        Severity: 'Critical',
        Type: 'security',
        Status: 'final',
        Vendor: 'Test Linux',
        Issued: '2026-11-02 12:00:00',
        Description: 'It',
        Rights: 'Copyright Test Linux',
      });
      expect(info).toContain('https://www.cve.org/CVERecord?id=CVE-2026-2001');
    });

    test.each([
      [['--security'], ['alpha', 'alpha-libs', 'beta']],
      [['--cve=CVE-2026-2002'], ['beta']],
      [['--cves=CVE-2026-2002'], ['beta']],
      [['--advisories=TESTLINUX-CVE-2026-2001'], ['alpha', 'alpha-libs']],
      [['--advisory-severities=critical'], ['alpha', 'alpha-libs']],
      [[], packages.map(([, name]) => name)],
    ])('dnf5 upgrade %j takes exactly what it should', async (words, names) => {
      expect(await upgraded(...words)).toEqual(names);
    });

    test('all is signed, and a change is found', async () => {
      const check = async (): Promise<string[]> => {
        const { publicKey } = key;
        const [channel] = snapshot.channels;
        const paths = new Map(channel!.packages.map((pkg) => [packagePath(pkg), pkg.rpm] as const));
        const expected = { dir: channel!.dir, publicKey, packages: paths, updateinfo: channel!.updateinfo };
        const beside = await extraFaults(snapshot.dir, snapshot.extras, '', undefined, (dir, names) =>
          badlySigned(toolbox, publicKey, dir, names),
        );
        const inside = await verifyRepository(toolbox, engine.scratch, expected);
        return [...beside.faults, ...inside.faults].map(({ fault, path }) => `${fault} ${path}`);
      };
      expect(await check()).toEqual([]);
      const csaf = 'advisories/csaf/2026/testlinux-cve-2026-2001.json';
      const repomd = await readFile(join(snapshot.channels[0]!.dir, 'repodata/repomd.xml'), 'utf8');
      const updateinfo = join('repodata', /repodata\/([0-9a-f]{64}-updateinfo\.xml\.zst)/.exec(repomd)![1]!);
      for (const [path, said] of [
        [join(snapshot.dir, csaf), [`wrong ${csaf}`, `wrong ${csaf}.asc`]],
        [join(snapshot.dir, `${csaf}.asc`), [`wrong ${csaf}.asc`]],
        [join(snapshot.dir, 'advisories/oval.xml'), ['wrong advisories/oval.xml']],
        [join(snapshot.channels[0]!.dir, updateinfo), [`wrong ${updateinfo}`]],
      ] as const) {
        const bytes = await readFile(path);
        const changed = Buffer.from(bytes);
        changed[Math.floor(bytes.length / 2)]! ^= 1;
        await writeFile(path, changed);
        expect((await check()).sort()).toEqual(said);
        await writeFile(path, bytes);
      }
      // Without its record of updateinfo, the metadata is one that the release did not publish, although its key signed it.
      const { updateinfo: _, ...before } = snapshot.channels[0]!;
      const paths = new Map(before.packages.map((pkg) => [packagePath(pkg), pkg.rpm] as const));
      const { faults } = await verifyRepository(toolbox, engine.scratch, {
        dir: before.dir,
        publicKey: key.publicKey,
        packages: paths,
      });
      expect(faults).toEqual([expect.objectContaining({ message: 'its updateinfo differs from the release' })]);
    });

    test('the same records give the same bytes', async () => {
      const first = await filesOf(snapshot.dir);
      await rm(snapshot.dir, { recursive: true });
      const again = await publish(snapshot.channels[0]!.packages, join(folder, 'advisories'));
      expect(again.name).toBe(snapshot.name);
      expect(await filesOf(again.dir)).toEqual(first);
    });

    test('without records, nothing is added', async () => {
      expect(old.extras).toEqual([]);
      expect(old.channels[0]).not.toHaveProperty('updateinfo');
      const { stdout } = await tryTool(toolbox, {
        argv: ['find', old.dir, '-name', '*updateinfo*'],
        binds: [{ from: old.dir }],
      });
      expect(stdout).toBe('');
    });
  });
}

async function filesOf(dir: string): Promise<Map<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = await Promise.all(
    paths.sort().map(async (path) => [relative(dir, path), await fileDigest(path)] as const),
  );
  return new Map(digests);
}
