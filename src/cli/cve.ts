import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `cve`. */
const verbs: Readonly<Record<string, string>> = {
  scan: 'compare vulnerability feeds with the shipped packages, and open records',
  show: 'show all about one vulnerability: packages, images, exceptions, the clock',
  clock: 'show how long fixes took, by severity',
};

export async function register(
  command: Command,
  globals: () => GlobalOptions,
  asked: readonly string[],
): Promise<void> {
  command.addHelpText(
    'after',
    examples(['weir cve scan --feed nvdcve-2.0-2026.json.gz', 'weir cve CVE-2026-1234', 'weir cve clock']),
  );
  // `weir cve CVE-2026-1234` is short for `weir cve show CVE-2026-1234`.
  if (/^[A-Za-z]+-/.test(asked[0] ?? '')) {
    const { register: show } = await import('./cve/show.ts');
    show(command, globals);
  } else await registerVerbs(command, globals, asked, verbs);
}
