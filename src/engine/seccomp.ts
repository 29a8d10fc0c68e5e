/**
 * Seccomp filters for the sandbox, as classic BPF (linux/filter.h: u16 code, u8 jt, u8 jf, u32 k, in the machine's order).
 * System call numbers are those of the kernel's tables for x86-64 (syscall_64.tbl) and arm64 (asm-generic/unistd.h).
 */

type Machine = 'x64' | 'arm64';

/** System calls that nothing in a sandbox needs: numbers on x86-64 and arm64; 0 if the machine has no such call. */
const denied: Readonly<Record<string, readonly [number, number]>> = {
  // Mounts: read-only mounts must stay read-only.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  // Namespaces: a new user namespace would bring back every capability.
  unshare: [272, 97],
  setns: [308, 268],
  // Kernel interfaces with a large attack surface that no build needs.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  // Keyrings are not namespaced.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // File handles bypass mounts.
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  // The machine itself.
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  syslog: [103, 116],
  vhangup: [153, 58],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  iopl: [172, 0],
  ioperm: [173, 0],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  kcmp: [312, 272],
  // Obsolete calls that few kernels have and nothing uses.
  uselib: [134, 0],
  sysfs: [139, 0],
  _sysctl: [156, 0],
  create_module: [174, 0],
  pidfd_getfd: [438, 438],
};

const chroot = [161, 51] as const;
const special = {
  clone: [56, 220],
  clone3: [435, 435],
  socket: [41, 198],
  socketpair: [53, 199],
  ioctl: [16, 29],
} as const;

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const auditArch: Readonly<Record<Machine, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** All CLONE_NEW* flags that clone(2) takes. */
const namespaceFlags = 0x7e020000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. AF_VSOCK would reach the hypervisor, bypassing the network namespace. */
const families = [1, 2, 10, 16];
/** TIOCSTI and TIOCLINUX inject input into a terminal as if its user had typed it. */
const terminalRequests = [0x5412, 0x541c];

const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

const load = 0x20; // BPF_LD | BPF_W | BPF_ABS
const equal = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const greaterOrEqual = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const anyBit = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const answer = 0x06; // BPF_RET | BPF_K

const allow = 0x7fff0000; // SECCOMP_RET_ALLOW
const refuse = (code: number): number => 0x00050000 | code; // SECCOMP_RET_ERRNO

// struct seccomp_data: nr, arch, instruction_pointer, args[6]; the low half of an argument comes first on both machines.
const offset = { number: 0, arch: 4, argument: (index: number) => 16 + 8 * index } as const;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/**
 * The filter for every sandboxed program: no mounts, no namespaces, no kernel interfaces that reach outside the sandbox. A
 * denied call fails with EPERM; clone3, whose flags a filter cannot read, fails with ENOSYS, and the C library then falls back
 * to clone.
 * @param options `chroot`: allowed for tools, because rpm changes its root; denied for untrusted code
 */
export function seccompFilter(machine: Machine, options: { readonly chroot: boolean }): Buffer {
  const column = machine === 'x64' ? 0 : 1;
  const program: Instruction[] = [
    [load, 0, 0, offset.arch],
    [equal, 1, 0, auditArch[machine]],
    [answer, 0, 0, refuse(errno.ENOSYS)],
    [load, 0, 0, offset.number],
  ];
  // The x32 table has different numbers for some of these calls.
  if (machine === 'x64') program.push([greaterOrEqual, 0, 1, 0x40000000], [answer, 0, 0, refuse(errno.ENOSYS)]);
  const numbers = Object.values(denied).map((row) => row[column]!);
  if (!options.chroot) numbers.push(chroot[column]);
  for (const number of numbers) {
    if (number !== 0) program.push([equal, 0, 1, number], [answer, 0, 0, refuse(errno.EPERM)]);
  }
  program.push([equal, 0, 1, special.clone3[column]], [answer, 0, 0, refuse(errno.ENOSYS)]);
  program.push(
    [equal, 0, 4, special.clone[column]],
    [load, 0, 0, offset.argument(0)],
    [anyBit, 0, 1, namespaceFlags],
    [answer, 0, 0, refuse(errno.EPERM)],
    [answer, 0, 0, allow],
  );
  for (const call of [special.socket, special.socketpair]) {
    program.push([equal, 0, families.length + 3, call[column]!], [load, 0, 0, offset.argument(0)]);
    for (const [index, family] of families.entries()) program.push([equal, families.length - index, 0, family]);
    program.push([answer, 0, 0, refuse(errno.EAFNOSUPPORT)], [answer, 0, 0, allow]);
  }
  program.push([equal, 0, 4, special.ioctl[column]], [load, 0, 0, offset.argument(1)]);
  program.push(
    [equal, 1, 0, terminalRequests[0]!],
    [equal, 0, 1, terminalRequests[1]!],
    [answer, 0, 0, refuse(errno.EPERM)],
  );
  program.push([answer, 0, 0, allow]);
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  }
  return bytes;
}
