// Power cuts for a real build: a file system of its own is shut down under a running build and mounted again.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { installRoot } from '../src/base/paths.ts';
import { type RunResult, run, runOk } from '../src/base/process.ts';
import { openSeal, sealed, unsealed } from '../src/engine/seal.ts';
import { randomOf } from './fuzz/random.ts';

/** Where everything of a campaign is. */
export interface Site {
  /** The disk: a sparse file with an ext4 file system. */
  readonly disk: string;
  /** Its mount point. On it are cache, project and results. */
  readonly mount: string;
  readonly project: string;
  /** `release.json` of a build that nothing disturbed, in another cache. */
  readonly expected: string;
}

/** One power cut. */
export interface Cut {
  readonly number: number;
  /** Seconds after the build began, and the stage that had begun last; `done` if the build had ended. */
  readonly after: number;
  readonly stage: string;
  /** Results of actions that were forgotten before the build, so that it had work to do. */
  readonly forgotten: number;
  /** What did not hold afterwards; empty if everything did. */
  readonly faults: readonly string[];
}

/**
 * Whether a loop device can be mounted and shut down here.
 * @returns what is missing, or undefined
 */
export async function cannotCut(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'mounting a file system takes root';
  for (const tool of ['mkfs.ext4', 'mount', 'umount', 'perl'])
    if ((await run(['sh', '-c', `command -v ${tool}`])).code !== 0) return `${tool} was not found`;
  const probe = `d=$(mktemp -d) && trap 'rm -r "$d"' EXIT && truncate -s 8M "$d/disk" && mkfs.ext4 -q -F "$d/disk" &&
    mkdir "$d/at" && mount -o loop "$d/disk" "$d/at" && umount "$d/at"`;
  const { code, stderr } = await run(['sh', '-c', probe]);
  return code === 0 ? undefined : `a loop device cannot be mounted: ${stderr.trim()}`;
}

/** The smallest project whose build goes through everything: a seed, one component, one image. */
async function writeProject(folder: string): Promise<string> {
  await runOk(['mkdir', '-p', join(folder, 'seed'), join(folder, 'distro/components/demo')]);
  await copyFile(join(installRoot, 'toolbox.lock'), join(folder, 'toolbox.lock'));
  for (const name of ['defaults.toml', 'packages.toml', 'own.toml'])
    await copyFile(join(installRoot, 'seed', name), join(folder, 'seed', name));
  await writeFile(
    join(folder, 'seed/roots.toml'),
    `[roots.base]\npackages = ["tzdata"]\n
[roots.sdk]\npackages = ["bash", "binutils", "coreutils", "elfutils", "debugedit", "file", "findutils", "gawk", "grep", "libc-bin", "patch", "rpm", "sed", "tar", "unzip"]\n`,
  );
  await writeFile(
    join(folder, 'distro/weir.toml'),
    `includes = ["components/*/*.toml"]
[project]
description = "Power cuts"
rendered-specs-dir = "specs"
output-dir = "../out"
default-distro = { name = "demo", version = "1" }
default-author-email = "demo@weir.invalid"
[lifecycle]
id = "demo"
name = "Demo"
version = "1"
release-date = "2026-11-20"
support-end = "2028-11-20"
[release]
version = "1"
snapshot = "2026-11-20"
arches = ["x86_64"]
channels = [{ name = "base", description = "base" }, { name = "sdk", description = "sdk" }]
build-root = ["bash", "coreutils", "filesystem", "glibc", "rpm-build", "sed", "setup", "tar"]
[seed]
mappings = ["../seed/defaults.toml", "../seed/packages.toml", "../seed/own.toml", "../seed/roots.toml"]
allow-expired = true
[toolbox]
allow-expired = true
[distros.demo]
description = "Demo"
default-version = "1"
[distros.demo.versions.1]
description = "Demo 1"
release-ver = "1"
[default-component-config.publish]
srpm-channel = "sdk"
[images.demo]
description = "Demo"
capabilities = { container = true, systemd = false, runtime-package-management = false, machine-bootable = false }
[images.demo.definition]
type = "weir"
kind = "container"
packages = ["demo", "filesystem", "setup", "tzdata"]
`,
  );
  await writeFile(
    join(folder, 'distro/components/demo/demo.toml'),
    '[components.demo]\nspec = { type = "local", path = "demo.spec" }\nrelease.calculation = "static"\n',
  );
  await writeFile(
    join(folder, 'distro/components/demo/demo.spec'),
    `Name: demo
Version: 1
Release: 1
Summary: Files
License: MIT
BuildArch: noarch
Requires: filesystem
%description
Files.
%install
mkdir -p %{buildroot}/usr/lib %{buildroot}/usr/share/demo
printf 'ID=demo\\nNAME=Demo\\nVERSION_ID=1\\nPRETTY_NAME=Demo\\n' > %{buildroot}/usr/lib/os-release
for i in $(seq 200); do echo "file $i" > %{buildroot}/usr/share/demo/$i; done
%files
/usr/lib/os-release
/usr/share/demo
`,
  );
  return join(folder, 'distro');
}

/**
 * Builds the project once undisturbed, makes the disk, and builds on it.
 * @param cacheHome a cache with an unpacked toolbox, which the disk's cache shares
 * @param folder an empty folder for all of it
 */
export async function prepareSite(cacheHome: string, folder: string): Promise<Site> {
  await mkdir(folder, { recursive: true });
  const project = await writeProject(join(folder, 'project'));
  const out = join(folder, 'undisturbed');
  await expectOk(weir(['-C', project, 'build', '--out', out], cacheHome), 'the undisturbed build');
  const expected = await readFile(join(out, 'release.json'), 'utf8');
  const [disk, mount] = [join(folder, 'disk'), join(folder, 'mount')];
  await writeFile(disk, '');
  await truncate(disk, 8 * 2 ** 30);
  await runOk(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=1', disk]);
  await mkdir(mount);
  const site: Site = { disk, mount, project: join(mount, 'project/distro'), expected };
  await mountDisk(site);
  try {
    await fillDisk(site, cacheHome, folder);
  } catch (error) {
    await unmountDisk(site);
    throw error;
  }
  return site;
}

/** Copies what the build needs to the disk, and builds there for the first time. */
async function fillDisk(site: Site, cacheHome: string, folder: string): Promise<void> {
  const { mount } = site;
  const [from, to] = [join(cacheHome, 'weir'), join(mount, 'cache/weir')];
  await runOk(['cp', '-a', join(folder, 'project'), join(mount, 'project')]);
  await mkdir(join(to, 'store'), { recursive: true });
  for (const part of ['keys', 'store/key']) await runOk(['cp', '-a', join(from, part), join(to, part)]);
  // The toolbox is only read, and too large to be copied. Its manifest is sealed with the cache's key.
  await symlink(join(from, 'toolbox'), join(to, 'toolbox'));
  // The Debian packages, so that nothing is downloaded.
  const lock = await readFile(join(folder, 'project/seed/seed.lock'), 'utf8');
  for (const [digest] of lock.matchAll(/(?<= )[0-9a-f]{64}(?= pool\/)/g)) {
    await mkdir(join(to, 'store', digest.slice(0, 2)), { recursive: true });
    await runOk(['cp', '-a', ...[from, to].map((cache) => join(cache, 'store', digest.slice(0, 2), digest))]);
  }
  await expectOk(onDisk(site, ['build', '--out', join(mount, 'out')]), 'the first build on the disk');
}

export async function removeSite(site: Site): Promise<void> {
  await unmountDisk(site);
  await rm(dirname(site.disk), { recursive: true, force: true });
}

/** Stages of the build, in their order; `done` is the time after it. */
const stages = ['toolbox', 'seed', 'specs', 'packages', 'repository', 'demo', 'done'];

/**
 * Forgets some of what was built, starts a build, cuts the power at some time, mounts the disk again and builds once more.
 * @param seed chooses what is forgotten and when the power is cut
 */
export async function cutPower(site: Site, seed: number): Promise<Cut> {
  const random = randomOf(seed);
  const out = join(site.mount, 'out');
  const forgotten = await forgetSome(site, random.pick([2, 10, 50]), random);
  if (random.below(4) > 0) await rm(out, { recursive: true, force: true });
  await runOk(['sync', '-f', site.mount]);

  // So many milliseconds after the beginning of a stage. Half of the time, all that was written until some moment before that
  // has reached the disk.
  const wanted = random.pick(stages);
  const delay = random.below(random.pick([100, 1000, 5000]));
  const synced = random.below(2) === 0 ? random.below(delay) : undefined;
  const started = performance.now();
  const [program, ...argv] = weirCommand(['-C', site.project, 'build', '--json', '--out', out]);
  const child = spawn(program!, argv, {
    env: environment(join(site.mount, 'cache')),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const exit = once(child, 'exit');
  let stage = 'start';
  const lines = createInterface({ input: child.stderr! });
  const reached = new Promise<void>((done) => {
    lines.on('line', (line) => {
      stage = /"stage":"([^"]*)","state":"started"/.exec(line)?.[1] ?? stage;
      if (stage === wanted) done();
    });
  });
  await Promise.race([reached, exit]);
  if (synced !== undefined) {
    await Promise.race([sleep(synced), exit]);
    await run(['sync', '-f', site.mount]);
  }
  await Promise.race([sleep(delay - (synced ?? 0)), exit]);
  const ended = child.exitCode !== null;
  await shutDown(site);
  const after = (performance.now() - started) / 1000;
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It has ended.
  }
  await exit;
  await unmountDisk(site);
  await mountDisk(site);
  await endBoot(site);

  const faults: string[] = [];
  const check = async (what: string, args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await onDisk(site, args);
    if (code !== 0)
      faults.push(`${what}: exit ${code}: ${`${stderr}\n${stdout}`.trim().split('\n').slice(-12).join(' | ')}`);
  };
  if (ended && child.exitCode === 0)
    await check('the release of the finished build', ['release', 'verify', '--out', out]);
  await check('the next build', ['build', '--out', out]);
  const record = await readFile(join(out, 'release.json'), 'utf8').catch(() => '');
  if (record !== site.expected) faults.push('release.json is not that of an undisturbed build');
  await check('cache verify', ['cache', 'verify']);
  await check('release verify', ['release', 'verify', '--out', out]);
  faults.push(...(await leftovers(site)).map((path) => `left behind: ${path}`));
  return { number: seed, after, stage: ended ? 'done' : stage, forgotten, faults };
}

/** Removes some results of actions, half of them with their files, and all that is derived from them. */
async function forgetSome(site: Site, percent: number, random: ReturnType<typeof randomOf>): Promise<number> {
  const cache = join(site.mount, 'cache/weir');
  let count = 0;
  for (const name of (await readdir(join(cache, 'actions'), { recursive: true })).sort()) {
    if (!name.endsWith('.json') || random.below(100) >= percent) continue;
    const path = join(cache, 'actions', name);
    const files = filesOf(await readFile(path, 'utf8'));
    await rm(path);
    count++;
    if (random.below(2) === 0) continue;
    for (const { digest } of Object.values(files))
      for (const end of ['', '.x']) await rm(join(cache, 'store', digest.slice(0, 2), digest + end), { force: true });
  }
  for (const part of ['repos', 'roots', 'launcher', 'projects', 'stamps', 'store/stamps'])
    if (random.below(3) === 0) await rm(join(cache, part), { recursive: true, force: true });
  return count;
}

/** The files that a result names; none if it was damaged by the cut before. */
function filesOf(result: string): Record<string, { digest: string }> {
  try {
    return (JSON.parse(result) as { files: Record<string, { digest: string }> }).files;
  } catch {
    return {};
  }
}

/** Temporary files and locks, which no finished run leaves. */
async function leftovers(site: Site): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(site.mount, { recursive: true }))
    if (/(^|\/)\.[^/]*\.tmp$|(^|\/)\.lock$/.test(name)) found.push(name);
  return found;
}

async function mountDisk(site: Site): Promise<void> {
  const { disk, mount } = site;
  for (let turn = 0; ; turn++) {
    await runOk(['mount', '-o', 'loop', disk, mount]);
    // While a sandbox that is ending still holds the mount, mounting again gives the same file system, shut down.
    const probe = join(mount, 'probe');
    const error = await writeFile(probe, '')
      .then(() => rm(probe))
      .catch((cause: unknown) => cause);
    if (error === undefined) return;
    if (turn === 100) throw error;
    await unmountDisk(site);
    await sleep(100);
  }
}

async function unmountDisk({ mount }: Site): Promise<void> {
  for (let turn = 0; ; turn++) {
    const { code, stderr } = await run(['umount', mount]);
    if (code === 0 || /not mounted/.test(stderr)) return;
    if (turn === 300) throw new Error(stderr);
    await sleep(100);
  }
}

/** EXT4_IOC_SHUTDOWN without flushing the journal (Linux, fs/ext4/ext4.h): nothing reaches the disk any more. */
function shutDown({ mount }: Site): Promise<unknown> {
  const program =
    'open(my $dir, "<", $ARGV[0]) or die $!; my $flags = pack("I", 2); ioctl($dir, 0x8004587d, $flags) or die $!';
  return runOk(['perl', '-e', program, mount]);
}

/**
 * Makes the file stamps those of an earlier boot, which they are after a power cut: Weir ignores them, unless their files had been
 * synced. (The kernel's boot ID itself stays the same here.)
 */
async function endBoot(site: Site): Promise<void> {
  const store = join(site.mount, 'cache/weir/store');
  await rm(join(store, 'boot'), { force: true });
  const seal = openSeal(join(store, 'key'));
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  for (const name of await readdir(join(store, 'stamps')).catch(() => [])) {
    const path = join(store, 'stamps', name);
    const text = unsealed(seal, 'stamps', await readFile(path, 'utf8'));
    if (text?.startsWith(`${boot}\n`) === true)
      await writeFile(path, sealed(seal, 'stamps', `earlier${text.slice(boot.length)}`));
  }
  const published = join(site.mount, 'cache/weir/stamps');
  for (const name of await readdir(published).catch(() => [])) {
    const path = join(published, name);
    const subject = `stamps of ${basename(name, '.json')}`;
    const text = unsealed(seal, subject, await readFile(path, 'utf8'));
    if (text !== undefined) await writeFile(path, sealed(seal, subject, text.replace(boot, 'earlier')));
  }
}

function weirCommand(args: readonly string[]): string[] {
  return [join(installRoot, 'weir'), ...args];
}

function onDisk(site: Site, args: readonly string[]): Promise<RunResult> {
  return run(weirCommand(['-C', site.project, ...args]), { env: environment(join(site.mount, 'cache')) });
}

function weir(args: readonly string[], cacheHome: string): Promise<RunResult> {
  return run(weirCommand(args), { env: environment(cacheHome) });
}

function environment(cacheHome: string): Record<string, string> {
  return { ...(process.env as Record<string, string>), XDG_CACHE_HOME: cacheHome };
}

async function expectOk(running: Promise<RunResult>, what: string): Promise<void> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(`${what} failed:\n${stderr}\n${stdout}`);
}
