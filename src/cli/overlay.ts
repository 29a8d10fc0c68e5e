import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `overlay`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list overlays with their reasons, in order of application',
  explain: 'show the reason and the changes of each overlay',
  check: 'find overlays without a reason, without effect, or already merged upstream',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples([
      'weir overlay list chrony --json',
      'weir overlay explain chrony',
      'weir overlay check --fail-on taken-in',
    ]),
  );
  return registerVerbs(command, globals, asked, verbs);
}
