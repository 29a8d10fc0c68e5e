import { describe, expect, test } from 'vitest';
import { seccompFilter } from '../../src/engine/seccomp.ts';

// Interprets the filter as the kernel would, so that every path through it is tested, on both machines.

interface Call {
  readonly arch?: number;
  readonly number: number;
  readonly args?: readonly number[];
}

/** Runs a classic BPF program over a struct seccomp_data. @returns the word that it returns */
function answer(filter: Buffer, { arch = 0xc000003e, number, args = [] }: Call): number {
  const data = new Map<number, number>([
    [0, number],
    [4, arch],
    ...args.map((value, index): [number, number] => [16 + 8 * index, value]),
  ]);
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const code = filter.readUInt16LE(at * 8);
    const [yes, no] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const k = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = data.get(k) ?? 0;
    else if (code === 0x15) at += accumulator === k ? yes : no;
    else if (code === 0x35) at += accumulator >= k ? yes : no;
    else if (code === 0x45) at += (accumulator & k) !== 0 ? yes : no;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('ran off the end');
}

const allow = 0x7fff0000;
const [eperm, enosys, noFamily] = [0x00050001, 0x00050026, 0x00050061];

describe.each([
  [
    'x64',
    0xc000003e,
    { mount: 165, unshare: 272, chroot: 161, clone: 56, socket: 41, socketpair: 53, ioctl: 16, read: 0, keyctl: 250 },
  ],
  [
    'arm64',
    0xc00000b7,
    { mount: 40, unshare: 97, chroot: 51, clone: 220, socket: 198, socketpair: 199, ioctl: 29, read: 63, keyctl: 219 },
  ],
] as const)('on %s', (machine, arch, numbers) => {
  const untrusted = seccompFilter(machine, { chroot: false });
  const tool = seccompFilter(machine, { chroot: true });

  test.each(['mount', 'unshare', 'keyctl'] as const)('%s is denied to both', (name) => {
    for (const filter of [untrusted, tool]) expect(answer(filter, { arch, number: numbers[name] })).toBe(eperm);
  });

  test('chroot is denied to untrusted code and allowed for tools', () => {
    expect(answer(untrusted, { arch, number: numbers.chroot })).toBe(eperm);
    expect(answer(tool, { arch, number: numbers.chroot })).toBe(allow);
  });

  test('common system calls are allowed', () => {
    expect(answer(untrusted, { arch, number: numbers.read })).toBe(allow);
    // fork and threads as the C library calls clone.
    expect(answer(untrusted, { arch, number: numbers.clone, args: [0x01200011] })).toBe(allow);
    expect(answer(untrusted, { arch, number: numbers.clone, args: [0x003d0f00] })).toBe(allow);
    expect(answer(untrusted, { arch, number: numbers.ioctl, args: [0, 0x5401] })).toBe(allow);
    for (const family of [1, 2, 10, 16]) {
      expect(answer(untrusted, { arch, number: numbers.socket, args: [family] })).toBe(allow);
    }
  });

  test('clone with any new namespace flag is denied', () => {
    for (const flag of [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(answer(untrusted, { arch, number: numbers.clone, args: [flag | 17] })).toBe(eperm);
    }
    expect(answer(untrusted, { arch, number: 435 })).toBe(enosys);
  });

  test('sockets that bypass the network namespace, and terminal injection, are denied', () => {
    for (const family of [17, 38, 40]) {
      expect(answer(untrusted, { arch, number: numbers.socket, args: [family] })).toBe(noFamily);
      expect(answer(untrusted, { arch, number: numbers.socketpair, args: [family] })).toBe(noFamily);
    }
    for (const request of [0x5412, 0x541c]) {
      expect(answer(untrusted, { arch, number: numbers.ioctl, args: [0, request] })).toBe(eperm);
    }
  });

  test('calls by another table of numbers are denied', () => {
    expect(answer(untrusted, { arch: 0x40000003, number: 21 })).toBe(enosys);
    if (machine === 'x64') expect(answer(untrusted, { arch, number: 0x40000000 + 165 })).toBe(enosys);
  });
});
