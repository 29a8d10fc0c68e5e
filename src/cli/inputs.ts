import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `inputs`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list the RPM repositories that the project builds from, and their locked state',
  update: 'lock repositories in their current state',
  fetch: 'download everything that inputs.lock names, to build offline',
  manifest: 'print the packages that inputs.lock names as a package manifest of dnf5',
  verify: 'check that the cache has everything that inputs.lock names',
  prune: 'drop packages from inputs.lock that nothing uses any more',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir inputs list', 'weir inputs update', 'weir inputs verify']));
  return registerVerbs(command, globals, asked, verbs);
}
