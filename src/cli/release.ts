import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `release`. */
const verbs: Readonly<Record<string, string>> = {
  build: 'make every image of the project from one snapshot, and check all of them',
  verify: 'check that all that was published is as it was made, and signed',
  show: 'show the release that was built last: its snapshot, channels and images',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir release build', 'weir release show', 'weir release verify']));
  return registerVerbs(command, globals, asked, verbs);
}
