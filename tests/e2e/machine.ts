import type { ChildProcess } from 'node:child_process';
import { shared, startWeir } from './weir.ts';

/** A machine that `weir boot` has started, its console on a pipe. */
export interface StartedMachine {
  readonly process: ChildProcess;
  /** On this host's loopback, leads to the guest's port 22. */
  readonly sshPort: number;
  /** All that came on the console so far. */
  readonly said: () => string;
}

/** Starts an image of the shared release. @param words the image's name, and options of `weir boot` */
export async function startMachine(words: readonly string[]): Promise<StartedMachine> {
  const process = startWeir(['-C', shared.project, 'boot', ...words, '--out', shared.out], {});
  let said = '';
  process.stdout!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const sshPort = await new Promise<number>((resolve, reject) => {
    process.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const match = /ssh -p (\d+)/.exec(said);
      if (match !== null) resolve(Number(match[1]));
    });
    process.once('exit', () => reject(new Error(said)));
  });
  return { process, sshPort, said: () => said };
}
