import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, readIfExists, temporaryName, writeAtomic } from '../base/files.ts';
import { withScratch } from '../engine/scratch.ts';
import { runTool, type Toolbox, tryTool } from '../toolbox/tool.ts';

/** An OpenPGP key that packages and repository metadata are signed with. */
export interface SigningKey {
  /** GnuPG home that holds the secret key, or reaches it (a card, PKCS#11 through an agent). */
  readonly home: string;
  readonly fingerprint: string;
  /** ASCII-armored. */
  readonly publicKey: string;
  /** Made on first use, for development: nobody else should trust it. */
  readonly development: boolean;
}

/** Where GnuPG sees its home inside the sandbox: short, because socket paths end at 108 bytes. */
const inner = '/tmp/gnupg';

/** Keys are made with a date well before any release, so that a release's own date is never before its key's. */
const keyTime = '20250101T000000!';

/**
 * The key that `[signing] key` names, in the user's GnuPG home, or the development key, made on first use.
 * @throws WeirError `no-key`
 */
export async function openSigningKey(
  toolbox: Toolbox,
  options: { readonly cache: string; readonly fingerprint: string | undefined; readonly userHome: string },
): Promise<SigningKey> {
  if (options.fingerprint !== undefined) {
    const home = options.userHome;
    const publicKey = await exportKey(toolbox, home, options.fingerprint);
    return { home, fingerprint: options.fingerprint, publicKey, development: false };
  }
  const home = join(options.cache, 'keys', 'development');
  if (!(await exists(join(home, 'fingerprint')))) await makeDevelopmentKey(toolbox, home);
  const fingerprint = (await readIfExists(join(home, 'fingerprint')))!.trim();
  const publicKey = (await readIfExists(join(home, 'public.asc')))!;
  return { home, fingerprint, publicKey, development: true };
}

async function makeDevelopmentKey(toolbox: Toolbox, home: string): Promise<void> {
  await mkdir(join(home, '..'), { recursive: true });
  const temporary = temporaryName(home);
  await mkdir(temporary, { mode: 0o700 });
  try {
    await gpg(toolbox, temporary, [
      '--faked-system-time',
      keyTime,
      '--passphrase',
      '',
      '--quick-generate-key',
      'Weir development key (this machine only) <development@weir.invalid>',
      'ed25519',
      'sign',
      'never',
    ]);
    const listed = await gpg(toolbox, temporary, ['--list-keys', '--with-colons']);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1];
    if (fingerprint === undefined) throw new WeirError('no-key', 'gpg made no key');
    await writeAtomic(join(temporary, 'public.asc'), await exportKey(toolbox, temporary, fingerprint));
    await writeAtomic(join(temporary, 'fingerprint'), `${fingerprint}\n`);
    await rename(temporary, home).catch(async (error: unknown) => {
      if (!(await exists(join(home, 'fingerprint')))) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function exportKey(toolbox: Toolbox, home: string, fingerprint: string): Promise<string> {
  const armored = await gpg(toolbox, home, ['--armor', '--export-options', 'export-minimal', '--export', fingerprint]);
  if (!armored.includes('BEGIN PGP PUBLIC KEY')) {
    throw new WeirError('no-key', `GnuPG knows no key ${fingerprint}`, { where: { file: home }, exit: 2 });
  }
  return armored;
}

/** An armored detached signature over a file. @param clock seconds since 1970; it becomes the signature's date */
export async function signDetached(toolbox: Toolbox, key: SigningKey, file: string, clock: number): Promise<string> {
  return gpg(
    toolbox,
    key.home,
    [
      '--faked-system-time',
      `${gpgTime(clock)}!`,
      '--digest-algo',
      'SHA512',
      '--local-user',
      key.fingerprint,
      '--armor',
      '--output',
      '-',
      '--detach-sign',
      file,
    ],
    [{ from: file }],
  );
}

/**
 * Signs RPM files in place with rpmsign, many in one call. Files must be private copies: they are rewritten.
 * @param dir folder that holds them all
 */
export async function signRpms(
  toolbox: Toolbox,
  key: SigningKey,
  dir: string,
  names: readonly string[],
  clock: number,
  scratch: string,
): Promise<void> {
  await withHome(key, scratch, async (home) => {
    const define = (name: string, value: string): string[] => ['--define', `${name} ${value}`];
    await runTool(toolbox, {
      argv: [
        'rpmsign',
        ...define('__gpg', '/usr/bin/gpg'),
        ...define('_gpg_path', inner),
        ...define('_openpgp_sign_id', key.fingerprint),
        ...define('_gpg_digest_algo', 'sha512'),
        ...define('_gpg_sign_cmd_extra_args', `--batch --faked-system-time ${gpgTime(clock)}!`),
        '--addsign',
        ...names,
      ],
      cwd: dir,
      binds: [
        { from: dir, writable: true },
        { from: home, to: inner, writable: true },
      ],
    });
  });
}

/** Checks an armored detached signature against an armored key. @returns whether it verifies */
export async function verifyDetached(
  toolbox: Toolbox,
  scratch: string,
  publicKey: string,
  file: string,
  signature: string,
): Promise<boolean> {
  return withScratch(scratch, async (work) => {
    await writeAtomic(join(work, 'key.asc'), publicKey);
    await writeAtomic(join(work, 'file.asc'), signature);
    const script =
      'gpg --homedir /tmp --batch --quiet --dearmor <"$1/key.asc" >"/tmp/key.gpg" && gpgv --keyring /tmp/key.gpg "$1/file.asc" "$2"';
    const result = await tryTool(toolbox, {
      argv: ['sh', '-c', script, 'sh', work, file],
      binds: [{ from: work }, { from: file }],
    });
    return result.code === 0;
  });
}

/**
 * Fingerprints of the keys in a file of armored blocks, without their subkeys'. Empty where it is no key. GnuPG and rpm do not see the
 * same blocks in it (GnuPG none that is indented, or of a kind that it does not know), and a machine uses both: each is asked.
 */
export async function keyFingerprints(toolbox: Toolbox, publicKey: string): Promise<string[]> {
  const script = `cat >/tmp/key
    gpg --homedir /tmp --batch --quiet --with-colons --show-keys /tmp/key
    rpmkeys --dbpath /tmp/db --import /tmp/key
    rpmkeys --dbpath /tmp/db --list`;
  const { stdout } = await tryTool(toolbox, { argv: ['sh', '-c', script], input: publicKey });
  const found = [...stdout.matchAll(/^pub:.*\nfpr:+([0-9A-F]+):|^([0-9a-f]{40,}) /gm)];
  return [...new Set(found.map(([, gnupg, rpm]) => gnupg ?? rpm!.toUpperCase()))];
}

/** As many packages as one command line takes. */
const checkedAtOnce = 1000;

/**
 * RPM files of a folder whose own digests and signatures by a key do not hold, or that have no signature.
 * @param names relative to `dir` @param publicKey armored
 */
export async function unsignedRpms(
  toolbox: Toolbox,
  publicKey: string,
  dir: string,
  names: readonly string[],
): Promise<string[]> {
  const script =
    'cat >/tmp/key && rpmkeys --dbpath /tmp/db --import /tmp/key && exec rpmkeys --dbpath /tmp/db -K -- "$@"';
  const signed = new Set<string>();
  for (let at = 0; at < names.length; at += checkedAtOnce) {
    const argv = ['sh', '-c', script, 'sh', ...names.slice(at, at + checkedAtOnce)];
    const { stdout } = await tryTool(toolbox, { argv, cwd: dir, binds: [{ from: dir }], input: publicKey });
    for (const [, name] of stdout.matchAll(/^(.+): digests signatures OK$/gm)) signed.add(name!);
  }
  return names.filter((name) => !signed.has(name));
}

/** Several GnuPGs at once would fight over one agent socket, so each signing run gets a copy of a development home. */
async function withHome<T>(key: SigningKey, scratch: string, work: (home: string) => Promise<T>): Promise<T> {
  if (!key.development) return work(key.home);
  return withScratch(scratch, async (dir) => {
    const home = join(dir, 'gnupg');
    await cp(key.home, home, { recursive: true, filter: (path) => !/\/S\.|\.lock$/.test(path) });
    return work(home);
  });
}

async function gpg(
  toolbox: Toolbox,
  home: string,
  args: readonly string[],
  binds: readonly { readonly from: string }[] = [],
): Promise<string> {
  const result = await runTool(toolbox, {
    argv: [
      'gpg',
      '--homedir',
      inner,
      '--batch',
      '--yes',
      '--quiet',
      '--no-tty',
      '--pinentry-mode',
      'loopback',
      ...args,
    ],
    binds: [{ from: home, to: inner, writable: true }, ...binds],
  });
  return result.stdout;
}

/** GnuPG's own time format, UTC. */
function gpgTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+Z/g, '');
}
