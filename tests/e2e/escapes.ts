/**
 * Ways out of a sandbox, each a script for bash. A script prints `ESCAPED` where it got out; what stops it is the sandbox,
 * not the script's own manners. `/build` is a writable bind, `/source` a read-only one.
 */
export interface Escape {
  readonly name: string;
  readonly script: string;
  /** What the step must end with, where it is ended from outside. */
  readonly ended?: RegExp;
  /** Why a plain chroot does not stop it, which the user was told. */
  readonly openInChroot?: string;
}

/** Prints ESCAPED where the command works. */
const attempt = (command: string): string => `if ${command}; then echo ESCAPED; else echo refused; fi 2>&1`;

/** Numbers of system calls on x86-64. */
const numbers = {
  finit_module: 313,
  bpf: 321,
  keyctl: 250,
  add_key: 248,
  open_by_handle_at: 304,
  io_uring_setup: 425,
  perf_event_open: 298,
  userfaultfd: 323,
} as const;

/** Prints ESCAPED where the kernel does anything with a system call but refuse it. */
const systemCall = (name: keyof typeof numbers, words = '0,0,0,0,0'): string =>
  attempt(`perl -MErrno -e 'exit(syscall(${numbers[name]},${words}) == -1 && $!{EPERM} ? 1 : 0)'`);

export const escapes: readonly Escape[] = [
  { name: 'remount the root writable', script: attempt('busybox mount -o remount,bind,rw /usr && touch /usr/X') },
  { name: 'remount / writable', script: attempt('busybox mount -o remount,rw / && touch /X') },
  { name: 'mount a tmpfs', script: attempt('busybox mount -t tmpfs tmpfs /tmp') },
  { name: 'bind another folder', script: attempt('busybox mount --bind /build /etc') },
  { name: 'unmount what hides', script: attempt('busybox umount -l /tmp') },
  { name: 'make a user namespace', script: attempt('busybox unshare -U true') },
  {
    name: 'make a user namespace with all rights',
    script: attempt('busybox unshare -r -m busybox mount -t tmpfs tmpfs /tmp'),
  },
  { name: 'enter the namespaces of process 1', script: attempt('busybox nsenter -t 1 -m true') },
  { name: 'write to the tools', script: attempt('touch /usr/bin/X || echo x >> /usr/bin/bash') },
  { name: 'write to the settings', script: attempt('echo x >> /etc/profile || touch /etc/X') },
  { name: 'write a kernel setting', script: attempt('echo "|/build/x" > /proc/sys/kernel/core_pattern') },
  { name: 'press a magic key', script: attempt('echo h > /proc/sysrq-trigger') },
  {
    name: 'leave a chroot by a folder held open',
    script: attempt('mkdir -p /tmp/c && busybox chroot /tmp/c /bin/true'),
  },
  {
    name: 'make a device node of the disk',
    script: attempt('busybox mknod /build/disk b 254 0 && head -c 1 /build/disk | grep -q .'),
  },
  { name: 'read the memory of the machine', script: attempt('head -c 1 /dev/mem || head -c 1 /proc/kcore') },
  {
    name: 'see processes of the host',
    script: attempt('test "$(ls -d /proc/[0-9]* | wc -l)" -gt 12'),
  },
  {
    name: 'read the environment of a process of the host',
    script: attempt('grep -qs WEIR_ESCAPE_SECRET /proc/[0-9]*/environ'),
  },
  { name: 'signal a process of the host', script: attempt('kill -0 "$HOST_PID"') },
  { name: 'trace a process of the host', script: attempt('head -c 1 "/proc/$HOST_PID/mem"') },
  {
    name: 'reach the network of the host',
    script: attempt('exec 3<>"/dev/tcp/127.0.0.1/$HOST_PORT"'),
    openInChroot: 'the network is seen',
  },
  {
    name: 'reach an abstract socket of the host',
    script: attempt(`perl -MSocket -e 'socket(S,1,1,0);exit(connect(S,pack("Sa*",1,"\\0$ENV{HOST_SOCKET}"))?0:1)'`),
    openInChroot: 'the network is seen',
  },
  { name: 'find the cache', script: attempt('ls "$HOST_CACHE"') },
  { name: 'find the launcher', script: attempt('test -e "$HOST_LAUNCHER"') },
  { name: 'read a secret of the host', script: attempt('cat "$HOST_SECRET" || cat "/proc/1/root$HOST_SECRET"') },
  {
    name: 'write into a source that is only to be read',
    script: attempt('chmod u+w /source/tarball || printf x >> /source/tarball'),
  },
  {
    name: 'leave a setuid program of root',
    script:
      'cp /usr/bin/bash /build/bash; chmod 4755 /build/bash; test "$(stat -c %u /build/bash)" = 0 && echo ESCAPED',
  },
  {
    name: 'become root by a setuid program',
    script: attempt('cp /usr/bin/bash /tmp/b && chmod 4755 /tmp/b && test "$(/tmp/b -p -c "id -u")" = 0'),
  },
  {
    name: 'have a capability',
    script: attempt('grep -E "^Cap(Inh|Prm|Eff|Bnd|Amb):" /proc/self/status | grep -qv 0000000000000000'),
  },
  { name: 'gain privileges by exec', script: attempt('grep -q "NoNewPrivs:.0" /proc/self/status') },
  { name: 'be without a seccomp filter', script: attempt('grep -q "Seccomp:.0" /proc/self/status') },
  { name: 'set the host name', script: attempt('busybox hostname evil') },
  { name: 'load a kernel module', script: systemCall('finit_module') },
  { name: 'load a program into the kernel', script: systemCall('bpf') },
  { name: 'read a keyring', script: systemCall('keyctl', '0,-4,1') },
  { name: 'store a key', script: systemCall('add_key') },
  { name: 'open a file by its handle', script: systemCall('open_by_handle_at') },
  { name: 'use io_uring', script: systemCall('io_uring_setup') },
  { name: 'watch the processor', script: systemCall('perf_event_open') },
  { name: 'handle page faults', script: systemCall('userfaultfd') },
  { name: 'reach the hypervisor', script: attempt("perl -e 'exit(socket(S,40,1,0)?0:1)'") },
  {
    name: 'fill the disk',
    script: 'for i in 1 2 3 4; do head -c 40M /dev/zero > /build/$i; done; sleep 30',
    ended: /to disk|filled the disk/,
  },
  {
    name: 'fill the disk through /var/tmp',
    script: 'for i in 1 2 3 4; do head -c 40M /dev/zero > /var/tmp/$i; done; sleep 30',
    ended: /to disk|filled the disk/,
  },
  { name: 'fill the memory', script: `perl -e '$x = "x" x (400 << 20); sleep 30'`, ended: /of memory/ },
  { name: 'fork without end', script: 'f() { f | f & }; f; sleep 60', ended: /timed out|of memory/ },
  {
    name: 'never end, deaf to signals',
    script: 'trap "" TERM INT HUP; while :; do sleep 1; done',
    ended: /timed out/,
  },
  { name: 'print without end', script: 'while :; do printf "%065536d" 0; done', ended: /printed more/ },
  {
    name: 'leave a process behind',
    script: '(trap "" TERM HUP; exec 0<&- 1>&- 2>&-; busybox setsid sh -c "sleep 3; touch /build/late") & echo left',
  },
];
