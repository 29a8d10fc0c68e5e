import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `repo`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list the repositories of the last release built, with their folders',
  compare: 'compare the packages of two repositories, repository sets or snapshots by name and version',
  query: "run dnf on the release's repositories, on the project's inputs, or on other repositories",
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir repo list', 'weir repo query -- repoquery --requires openssh-server']));
  return registerVerbs(command, globals, asked, verbs);
}
