import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `overlay`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list overlays with their reasons, in the order in which they apply',
  explain: 'show, overlay by overlay, why it is there and the change that it makes',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples(['weir overlay list', 'weir overlay list chrony --json', 'weir overlay explain chrony']),
  );
  return registerVerbs(command, globals, asked, verbs);
}
