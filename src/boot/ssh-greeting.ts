import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Retries until sshd greets or the machine is gone. QEMU accepts connections at any time, so only a greeting counts. */
export async function sshGreeting(port: number, signal: AbortSignal): Promise<string | undefined> {
  while (!signal.aborted) {
    const line = await readGreeting(port, signal);
    if (line?.startsWith('SSH-') === true) return line;
    await pause(500, signal);
  }
  return undefined;
}

function readGreeting(port: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (line: string | undefined): void => {
      socket.destroy();
      signal.removeEventListener('abort', stop);
      resolve(line);
    };
    const stop = (): void => done(undefined);
    signal.addEventListener('abort', stop);
    socket.setTimeout(20_000, stop);
    socket.on('error', stop);
    socket.on('close', stop);
    socket.once('data', (data) => done(data.toString('latin1').split(/\r?\n/)[0]));
  });
}

/** Sleeps until the time is over or the signal aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
