import { WeirError } from '../base/errors.ts';

// Capability numbers of linux/capability.h, in order from 0.
const names = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service ' +
  'net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin ' +
  'sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override ' +
  'mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ');

const all = (1n << BigInt(names.length)) - 1n;

/**
 * Encodes file capabilities for `security.capability` as the kernel stores them: version 2 of `vfs_cap_data` in
 * linux/capability.h, 20 bytes, little-endian.
 * @param text in the syntax of cap_from_text(3), as in RPM headers: `cap_net_raw=ep`, `= cap_a,cap_b+ep`
 * @throws WeirError `bad-capabilities`
 */
export function encodeCapabilities(text: string): Buffer {
  const sets = { e: 0n, i: 0n, p: 0n };
  const bad = (why: string) => new WeirError('bad-capabilities', `invalid file capabilities "${text}": ${why}`);
  const clauses = text.trim().split(/\s+/);
  if (clauses[0] === '') throw bad('empty text');
  for (const clause of clauses) {
    const match = /^([a-z0-9_,]*)((?:[=+-][eip]*)+)$/.exec(clause.toLowerCase());
    if (match === null) throw bad(`"${clause}" is not a clause`);
    const [, list = '', actions = ''] = match;
    if (list === '' && !actions.startsWith('=')) throw bad(`"${clause}" names no capability`);
    const mask = maskOf(list, bad);
    for (const [, operator, flags = ''] of actions.matchAll(/([=+-])([eip]*)/g)) {
      for (const flag of ['e', 'i', 'p'] as const) {
        if (operator === '=') sets[flag] &= ~mask;
        if (!flags.includes(flag)) continue;
        if (operator === '-') sets[flag] &= ~mask;
        else sets[flag] |= mask;
      }
    }
  }
  // A file has a single effective bit for all its capabilities.
  if (sets.e !== 0n && sets.e !== (sets.p | sets.i)) throw bad('either all capabilities must be effective or none');
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(0x02000000 | (sets.e === 0n ? 0 : 1), 0);
  for (const [half, at] of [
    [0n, 4],
    [32n, 12],
  ] as const) {
    bytes.writeUInt32LE(Number((sets.p >> half) & 0xffffffffn), at);
    bytes.writeUInt32LE(Number((sets.i >> half) & 0xffffffffn), at + 4);
  }
  return bytes;
}

/**
 * The text of a file's `security.capability`: version 2, or version 3 as a user namespace stores it, whose owner is left out.
 * @throws WeirError `bad-capabilities`
 */
export function decodeCapabilities(bytes: Buffer): string {
  const version = bytes.length < 4 ? 0 : bytes.readUInt32LE(0) >>> 24;
  if ((version !== 2 || bytes.length !== 20) && (version !== 3 || bytes.length !== 24)) {
    throw new WeirError('bad-capabilities', `unknown form of file capabilities, ${bytes.length} bytes`);
  }
  const effective = (bytes.readUInt32LE(0) & 1) === 1;
  const set = (low: number, high: number): bigint =>
    BigInt(bytes.readUInt32LE(low)) | (BigInt(bytes.readUInt32LE(high)) << 32n);
  const permitted = set(4, 12);
  const inheritable = set(8, 16);
  const clauses = new Map<string, string[]>();
  for (const [number, name] of names.entries()) {
    const bit = 1n << BigInt(number);
    const flags = `${effective ? 'e' : ''}${inheritable & bit ? 'i' : ''}${permitted & bit ? 'p' : ''}`;
    if (((permitted | inheritable) & bit) === 0n) continue;
    clauses.set(flags, [...(clauses.get(flags) ?? []), `cap_${name}`]);
  }
  return [...clauses].map(([flags, list]) => `${list.join(',')}=${flags}`).join(' ') || '=';
}

function maskOf(list: string, bad: (why: string) => WeirError): bigint {
  if (list === '' || list === 'all') return all;
  let mask = 0n;
  for (const name of list.split(',')) {
    const number = names.indexOf(name.replace(/^cap_/, ''));
    if (number < 0 || !name.startsWith('cap_')) throw bad(`unknown capability "${name}"`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}
