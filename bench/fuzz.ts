import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { targets } from './fuzz/run.ts';

const help = `npm run fuzz -- [--reader NAME]… [--count N] [--seconds N] [--seed N] [--jobs N] [--save FILE]

Runs every reader of untrusted files on mutated copies of real ones. It must read or reject them. Any other error, more than
2 seconds of CPU time or 500 MB of memory stops the run and prints the number of the input. The same reader, that number as the
seed and a count of 1 reproduce the input; --save writes it to a file.

readers: ${targets.map(({ name }) => name).join(', ')}
`;

const { values } = parseArgs({
  options: {
    reader: { type: 'string', multiple: true },
    count: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    save: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function whole(option: 'count' | 'seconds' | 'seed' | 'jobs'): number {
  const number = Number(values[option]);
  if (Number.isSafeInteger(number) && number >= (option === 'seed' ? 0 : 1)) return number;
  throw new Error(`invalid --${option} ${values[option]}: not a whole number`);
}

/** @returns whether the reader passed */
async function fuzz(name: string): Promise<boolean> {
  const script = join(import.meta.dirname, 'fuzz', 'child.ts');
  const save = values.save === undefined ? [] : [values.save];
  const numbers = [whole('seed'), whole('count'), whole('seconds')].map(String);
  const argv = ['--max-old-space-size=320', script, name, ...numbers, ...save];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) process.stderr.write(`${name}: stopped (${signal ?? `exit code ${code}`})\n`);
  return code === 0;
}

if (values.help) process.stdout.write(help);
else {
  const unknown = values.reader?.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) throw new Error(`unknown reader ${unknown}\n${help}`);
  const waiting = values.reader ?? targets.map(({ name }) => name);
  const failed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      if (!(await fuzz(name))) failed.push(name);
    }
  };
  await Promise.all(Array.from({ length: whole('jobs') }, worker));
  if (failed.length > 0) process.exitCode = 1;
}
