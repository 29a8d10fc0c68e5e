import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type RunResult, run } from '../../src/base/process.ts';
import { isRoot } from './weir.ts';

/** A root folder that runs with its own init, as under WSL: no kernel, no network, no devices but the harmless ones. */
export interface SystemContainer {
  readonly run: (script: string) => Promise<RunResult>;
  /** Runs on a terminal. Each answer is typed once what comes before it was printed. */
  readonly dialogue: (script: string, answers: readonly (readonly [RegExp, string])[]) => Promise<RunResult>;
  readonly stop: () => Promise<void>;
}

/**
 * In a user namespace with every number as it is outside: set-uid programs work in it, which bubblewrap does not let them. Its
 * capabilities are those that systemd-nspawn leaves, but for what has to do with the kernel.
 */
const startScript = `set -e
root=$1
echo ready
read -r go
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for each in null zero full random urandom tty; do
  : >"$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"
cd "$root"
pivot_root . .
umount -l .
exec </dev/null
echo started
exec env -i container=wsl PATH=/usr/sbin:/usr/bin TERM=linux setpriv --bounding-set -sys_rawio,-sys_module /sbin/init`;

const namespaces = ['--user', '--mount', '--pid', '--ipc', '--uts', '--net', '--cgroup'];

/** Starts it, or says why this host does not let anybody: that is no finding about the root. */
export async function startSystem(root: string): Promise<SystemContainer | { readonly refused: string }> {
  if (!isRoot) return { refused: 'needs root' };
  const hierarchy = await cgroupFolder();
  if (hierarchy === undefined) return { refused: 'needs a cgroup v2 hierarchy' };
  const cgroup = join(hierarchy, `weir-test-${process.pid}`);
  try {
    await mkdir(cgroup);
  } catch (error) {
    return { refused: `needs a cgroup that may be written: ${(error as Error).message}` };
  }
  const joining = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"';
  const unshare = ['unshare', ...namespaces, '--fork', '--kill-child', 'sh', '-c', startScript, 'sh', root];
  const child = spawn('sh', ['-c', joining, 'sh', cgroup, ...unshare], { stdio: ['pipe', 'pipe', 'pipe'] });
  let init: number | undefined;
  const stop = async (): Promise<void> => {
    // With it goes everything that it started. It can be gone already.
    if (init !== undefined) await run(['kill', '-KILL', String(init)]);
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await removeCgroup(cgroup);
  };
  const { waitFor, text } = reading(child);
  if (!(await waitFor(/ready/))) {
    await stop();
    return { refused: `needs namespaces: ${text()}` };
  }
  try {
    for (const map of ['gid_map', 'uid_map']) await writeFile(`/proc/${child.pid}/${map}`, '0 0 65536\n');
  } catch (error) {
    await stop();
    return { refused: `needs users in namespaces: ${(error as Error).message}` };
  }
  child.stdin.end('go\n');
  if (!(await waitFor(/started/))) {
    await stop();
    return { refused: `needs mounts in namespaces: ${text()}` };
  }
  init = Number(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
  const inside = ['nsenter', '--target', String(init), ...namespaces, '--root', '--wd', '--', 'env', '-i'];
  // Until then systemctl takes it for a system without systemd.
  const up = 'until test -S /run/systemd/private; do sleep 0.1; done';
  const environment = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin',
    'HOME=/root',
    'TERM=dumb',
    'LANG=C.UTF-8',
  ];
  const shell = [...inside, ...environment, '/bin/bash', '-c'];
  if ((await run(['timeout', '60', ...shell, up])).code !== 0) {
    await stop();
    throw new Error(`its init does not come up: ${text()}`);
  }
  return {
    run: (script) => run([...shell, script]),
    dialogue: async (script, answers) => {
      const terminal = [
        ...shell,
        'exec systemd-run --pty --quiet --wait --collect --setenv=TERM=dumb -- /bin/bash -c "$1"',
        'bash',
        script,
      ];
      const talk = spawn(terminal[0]!, terminal.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
      const said = reading(talk);
      for (const [prompt, answer] of answers) {
        if (!(await said.waitFor(prompt))) break;
        // What is typed while a program prepares the terminal is lost, or comes before it waits for an interrupt.
        await setTimeout(500);
        talk.stdin.write(answer);
      }
      await said.waitForEnd();
      return { code: talk.exitCode ?? -1, stdout: said.text(), stderr: '' };
    },
    stop,
  };
}

/** What a process prints, and waiting for it: false where the process ends first or is silent for long. */
function reading(child: ChildProcess) {
  let all = '';
  let seen = 0;
  let ended = false;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const each of waiting) each();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      all += chunk.toString();
      wake();
    });
  }
  child.on('close', () => {
    ended = true;
    wake();
  });
  const waitFor = (pattern: RegExp): Promise<boolean> =>
    new Promise((resolve) => {
      const done = (found: boolean) => {
        clearTimeout(timer);
        waiting.delete(look);
        resolve(found);
      };
      const look = () => {
        const match = pattern.exec(all.slice(seen));
        if (match !== null) {
          seen += match.index + match[0].length;
          done(true);
        } else if (ended) done(false);
      };
      const timer = globalThis.setTimeout(() => {
        child.kill('SIGKILL');
        done(false);
      }, 20_000);
      waiting.add(look);
      look();
    });
  // Nothing that is printed matches this, so only the end or the time does.
  const waitForEnd = () => waitFor(/(?!)/);
  return { waitFor, waitForEnd, text: () => all };
}

/** Where this process is in the hierarchy of cgroup v2, which can stand beside one of v1. */
async function cgroupFolder(): Promise<string | undefined> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const mounted = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  const own = /^0::(.*)$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1];
  return mounted === undefined || own === undefined ? undefined : join(mounted, own);
}

/** Processes in it are gone a moment after their init. */
async function removeCgroup(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(dir, entry.name));
  }
  for (let tries = 0; ; tries++) {
    try {
      return await rmdir(dir);
    } catch (error) {
      if (tries === 50) throw error;
      await setTimeout(100);
    }
  }
}
