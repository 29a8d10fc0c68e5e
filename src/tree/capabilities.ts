import { WeirError } from '../base/errors.ts';

// Numbers of linux/capability.h, in order from 0.
const names = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service ' +
  'net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin ' +
  'sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override ' +
  'mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ');

const all = (1n << BigInt(names.length)) - 1n;

/**
 * File capabilities as the kernel keeps them in `security.capability`: version 2 of `vfs_cap_data` in
 * linux/capability.h, 20 bytes, little-endian.
 * @param text as cap_from_text(3) reads it and RPM's headers have it: `cap_net_raw=ep`, `= cap_a,cap_b+ep`
 * @throws WeirError `bad-capabilities`
 */
export function encodeCapabilities(text: string): Buffer {
  const sets = { e: 0n, i: 0n, p: 0n };
  const bad = (why: string) => new WeirError('bad-capabilities', `file capabilities "${text}": ${why}`);
  const clauses = text.trim().split(/\s+/);
  if (clauses[0] === '') throw bad('nothing in them');
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
  // A file has one effective bit for all of its capabilities.
  if (sets.e !== 0n && sets.e !== (sets.p | sets.i)) throw bad('a file has all of its capabilities effective, or none');
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

function maskOf(list: string, bad: (why: string) => WeirError): bigint {
  if (list === '' || list === 'all') return all;
  let mask = 0n;
  for (const name of list.split(',')) {
    const number = names.indexOf(name.replace(/^cap_/, ''));
    if (number < 0 || !name.startsWith('cap_')) throw bad(`no capability is called "${name}"`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}
