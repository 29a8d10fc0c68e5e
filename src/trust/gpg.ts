import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, readIfExists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { withScratch } from '../engine/scratch.ts';
import { runTool, type Toolbox, tryTool } from '../toolbox/tool.ts';

/** An OpenPGP key that packages and repository metadata are signed with. */
export interface SigningKey {
  /** GnuPG home with the secret key, or with access to it (a card, PKCS#11 through an agent). */
  readonly home: string;
  readonly fingerprint: string;
  /** ASCII-armored. */
  readonly publicKey: string;
  /** Generated on first use, for development: not to be trusted by others. */
  readonly development: boolean;
}

/** Path of the GnuPG home inside the sandbox: short, because socket paths are limited to 108 bytes. */
const inner = '/tmp/gnupg';

const gpgCommand = [
  'gpg',
  ...['--homedir', inner],
  ...['--batch', '--yes', '--quiet', '--no-tty'],
  ...['--pinentry-mode', 'loopback'],
] as const;

/** Generated keys are dated well before any release, so no signature is older than its key. */
const keyTime = '20250101T000000!';

/**
 * The key configured by `[signing] key`, from the user's GnuPG home, or the development key, generated on first use.
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
  const home = cachePath(options.cache, 'keys', 'development');
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
    if (fingerprint === undefined) throw new WeirError('no-key', 'gpg did not generate a key');
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
    throw new WeirError('no-key', `key ${fingerprint} not found in the GnuPG home`, { where: { file: home }, exit: 2 });
  }
  return armored;
}

/** An armored detached signature of a file. @param clock the signature's date, in seconds since 1970 */
export async function signDetached(toolbox: Toolbox, key: SigningKey, file: string, clock: number): Promise<string> {
  const args = [...detachedOptions(key, clock), '--output', '-', '--detach-sign', file];
  return gpg(toolbox, key.home, args, [{ from: file }]);
}

function detachedOptions(key: SigningKey, clock: number): string[] {
  const when = ['--faked-system-time', `${gpgTime(clock)}!`];
  return [...when, '--digest-algo', 'SHA512', '--local-user', key.fingerprint, '--armor'];
}

/** `signDetached` for many files in one run. @param names relative to `dir` @returns in the same order */
export async function signAllDetached(
  toolbox: Toolbox,
  key: SigningKey,
  dir: string,
  names: readonly string[],
  clock: number,
): Promise<string[]> {
  const command = [...gpgCommand, ...detachedOptions(key, clock), '--output', '-', '--detach-sign'].join(' ');
  const signatures: string[] = [];
  for (let at = 0; at < names.length; at += checkedAtOnce) {
    const part = names.slice(at, at + checkedAtOnce);
    const { stdout } = await runTool(toolbox, {
      argv: ['sh', '-c', `for name; do ${command} "./$name" || exit 1; done`, 'sh', ...part],
      cwd: dir,
      binds: [{ from: key.home, to: inner, writable: true }, { from: dir }],
    });
    const made = stdout.match(/-----BEGIN PGP SIGNATURE-----[\s\S]*?-----END PGP SIGNATURE-----\n/g) ?? [];
    if (made.length !== part.length) throw new WeirError('no-signature', 'gpg did not sign every file');
    signatures.push(...made);
  }
  return signatures;
}

/**
 * Signs RPM files in place with rpmsign, many in one call. The files are rewritten, so they must be private copies.
 * @param dir folder that contains them all
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

/** Verifies an armored detached signature with an armored key. @returns whether it is valid */
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
      'gpg --homedir /tmp --batch --quiet --dearmor <"$1/key.asc" >"/tmp/key.gpg" && gpgv --status-fd 1 --keyring /tmp/key.gpg "$1/file.asc" "$2"';
    const result = await tryTool(toolbox, {
      argv: ['sh', '-c', script, 'sh', work, file],
      binds: [{ from: work }, { from: file }],
    });
    return result.code === 0 && isValidSignature(result.stdout);
  });
}

/**
 * Verifies the detached signatures of files, each `NAME.asc` beside it, in one run.
 * @param publicKey armored @param names relative to `dir` @returns those whose signature is not valid
 */
export async function badlySigned(
  toolbox: Toolbox,
  publicKey: string,
  dir: string,
  names: readonly string[],
): Promise<string[]> {
  const script = `gpg --homedir /tmp --batch --quiet --dearmor >/tmp/key.gpg || exit 1
    for name; do
      echo BEGIN
      gpgv --status-fd 1 --keyring /tmp/key.gpg "./$name.asc" "./$name" 2>/dev/null && echo DONE
    done; :`;
  const valid = new Set<string>();
  for (let at = 0; at < names.length; at += checkedAtOnce) {
    const part = names.slice(at, at + checkedAtOnce);
    const argv = ['sh', '-c', script, 'sh', ...part];
    const { stdout } = await tryTool(toolbox, { argv, cwd: dir, binds: [{ from: dir }], input: publicKey });
    const results = stdout.split(/^BEGIN\n/m).slice(1);
    for (const [index, status] of results.entries()) {
      if (/^DONE$/m.test(status) && isValidSignature(status)) valid.add(part[index]!);
    }
  }
  return names.filter((name) => !valid.has(name));
}

/**
 * Whether gpgv found a signature valid. Its exit code is 0 too if the key has expired or was revoked. As for rpm, a key that has
 * expired since the signature was made is no fault: its signatures stay valid.
 * @param status lines of `--status-fd` (doc/DETAILS of GnuPG)
 */
export function isValidSignature(status: string): boolean {
  const made = /^\[GNUPG:\] VALIDSIG \S+ \S+ (\d+) /m.exec(status)?.[1];
  if (made === undefined || /^\[GNUPG:\] (?:REVKEYSIG|BADSIG|ERRSIG|EXPSIG) /m.test(status)) return false;
  if (!/^\[GNUPG:\] EXPKEYSIG /m.test(status)) return true;
  const expired = [...status.matchAll(/^\[GNUPG:\] KEYEXPIRED (\d+)/gm)].map(([, time]) => Number(time));
  return expired.length > 0 && expired.every((time) => Number(made) < time);
}

/**
 * Fingerprints of the primary keys in a file of armored blocks; empty if it contains no key. GnuPG and rpm accept different
 * blocks (GnuPG skips indented ones and unknown kinds) and a machine uses both tools, so both must accept it.
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

/** Files per command line, limited by its length. */
const checkedAtOnce = 1000;

/**
 * Names of RPM files whose digests or signature by a key are invalid, or that are unsigned.
 * @param names relative to `dir` @param publicKey armored
 */
export async function unsignedRpms(
  toolbox: Toolbox,
  publicKey: string,
  dir: string,
  names: readonly string[],
): Promise<string[]> {
  const script =
    'cat >/tmp/key && rpmkeys --dbpath /tmp/db --import /tmp/key && exec rpmkeys --dbpath /tmp/db -Kv -- "$@"';
  const signed = new Set<string>();
  for (let at = 0; at < names.length; at += checkedAtOnce) {
    const argv = ['sh', '-c', script, 'sh', ...names.slice(at, at + checkedAtOnce)];
    const { stdout } = await tryTool(toolbox, { argv, cwd: dir, binds: [{ from: dir }], input: publicKey });
    for (const name of validRpms(stdout)) signed.add(name);
  }
  return names.filter((name) => !signed.has(name));
}

/**
 * Names of the files that `rpmkeys -Kv` reports as intact and with a valid signature. Without -v, rpm 6 also prints "signatures OK" for
 * a signature that it does not trust: one made by a key after the key had expired or was revoked.
 * @param output for each file its name and a colon, then an indented line for each digest and signature
 */
export function validRpms(output: string): string[] {
  const valid: string[] = [];
  for (const block of output.split(/\n(?=\S)/)) {
    const [head = '', ...checks] = block.trimEnd().split('\n');
    const results = checks.map((line) => ({
      isSignature: / signature, /i.test(line),
      ok: line.endsWith(': OK'),
      line,
    }));
    // An additional signature by an unknown key is no fault.
    const bad = results.some(
      ({ isSignature, ok, line }) => !ok && !(isSignature && /: (NOKEY|NOTTRUSTED)$/.test(line)),
    );
    if (head.endsWith(':') && !bad && results.some(({ isSignature, ok }) => isSignature && ok)) {
      valid.push(head.slice(0, -1));
    }
  }
  return valid;
}

/** What rpm reports of the digests and signatures of one RPM file, a line each. */
export async function signatureReport(
  toolbox: Toolbox,
  publicKey: string,
  dir: string,
  name: string,
): Promise<string[]> {
  const script =
    'cat >/tmp/key && rpmkeys --dbpath /tmp/db --import /tmp/key; exec rpmkeys --dbpath /tmp/db -Kv -- "$1"';
  const argv = ['sh', '-c', script, 'sh', name];
  const { stdout, stderr } = await tryTool(toolbox, { argv, cwd: dir, binds: [{ from: dir }], input: publicKey });
  return `${stderr}\n${stdout}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== `${name}:`);
}

/** Several GnuPG processes would share one agent socket, so each signing run gets a copy of a development home. */
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
    argv: [...gpgCommand, ...args],
    binds: [{ from: home, to: inner, writable: true }, ...binds],
  });
  return result.stdout;
}

/** GnuPG's time format, in UTC. */
function gpgTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+Z/g, '');
}
