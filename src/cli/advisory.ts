import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `advisory`. */
const verbs: Readonly<Record<string, string>> = {
  new: 'create the record of a vulnerability',
  event: 'add an event to a record: a decision, an exception, a fix',
  fix: 'from a patch to patched images: overlay, build, snapshot, images, events',
  list: 'list records with the state of each component',
  show: 'show records with all events',
  check: 'check records against the schema, the clock, the project and the repository',
  export: 'write databases for scanners',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples([
      'weir advisory new CVE-2026-1234 --title "bash: …" --severity important --published 2026-11-01 --component bash',
      'weir advisory event CVE-2026-1234 affected --component bash',
      'weir advisory list --state affected',
      'weir advisory check --since origin/main',
    ]),
  );
  return registerVerbs(command, globals, asked, verbs);
}
