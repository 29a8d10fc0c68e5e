import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache();
// It is for this process alone, not for what it starts.
delete process.env.NODE_COMPILE_CACHE;

/** First words of the command line: each is a file beside this one that is imported only when it is asked for. */
const commands: Readonly<Record<string, string>> = {
  build: 'make the distribution: packages, signed repository, images',
  boot: 'start an image in QEMU, or check that it comes up well',
  component: 'list, render, compare and build components',
  overlay: 'list what the distribution changes, and why',
  package: 'list the packages of the release',
  repo: 'list the repositories of the release',
  image: 'list images and show what is in them',
  config: 'show the resolved project',
  schema: 'print the JSON Schema of the configuration',
  toolbox: 'show or run the tools that Weir works with',
  clean: 'show what the cache holds, and remove it',
};

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const { runCommand } = await import('./program.ts');
  return runCommand(argv, commands, version());
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const code = await main(process.argv.slice(2));
// By a signal: whatever still runs is of no use to anybody.
if (code > 128) process.exit(code);
process.exitCode = code;
