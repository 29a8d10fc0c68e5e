import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `repo`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list the repositories of the release that was built last, with their folders',
  query: "run dnf on the release's repositories, on a project's inputs, or on any others",
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir repo list', 'weir repo query -- repoquery --requires openssh-server']));
  return registerVerbs(command, globals, asked, verbs);
}
