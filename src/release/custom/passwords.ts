import { sha256 } from '../../base/digest.ts';
import { type Place, WeirError } from '../../base/errors.ts';
import type { ImageSetup } from '../../project/model/image.ts';
import { setupRules } from '../../project/schema/image-setup.ts';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';
import { problem } from './yaml.ts';

/** A hash that fits into a field of shadow(5). @throws WeirError `bad-image-config` (exit 2) */
export function checkedHash(hash: string, place: Place): string {
  if (hash !== '' && setupRules.passwdField.test(hash)) return hash;
  throw problem(place, 'a hash is one line without ":"');
}

/**
 * The setup with the hashes of passwords: SHA-512, in the form of crypt(5).
 * @param passwords in plain text, by the names of accounts
 * @param seed of the salts, so that equal inputs give equal images; not made from a password
 */
export async function withPasswords(
  toolbox: Toolbox,
  setup: ImageSetup,
  passwords: ReadonlyMap<string, string>,
  seed: string,
): Promise<ImageSetup> {
  const users = setup.users.map(async (user) => {
    const password = passwords.get(user.name);
    if (password === undefined) return user;
    return { ...user, passwordHash: await hashed(toolbox, password, `${seed}/${user.name}`) };
  });
  return { ...setup, users: await Promise.all(users) };
}

async function hashed(toolbox: Toolbox, text: string, seed: string): Promise<string> {
  const salt = `$6$${sha256(seed).slice(0, 16)}$`;
  // The password must not be in the list of processes.
  const { stdout } = await runTool(toolbox, {
    argv: ['perl', '-e', 'local $/; my $p = <STDIN>; print crypt($p, $ARGV[0])', salt],
    input: text,
  });
  if (!stdout.startsWith(salt)) throw new WeirError('tool-failed', 'the toolbox cannot hash a password');
  return stdout;
}
