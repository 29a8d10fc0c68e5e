import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache();
// Not for child processes.
delete process.env.NODE_COMPILE_CACHE;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const { runCommand } = await import('./program.ts');
  return runCommand(argv, version());
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const code = await main(process.argv.slice(2));
// After a signal: do not wait for pending work.
if (code > 128) process.exit(code);
process.exitCode = code;
