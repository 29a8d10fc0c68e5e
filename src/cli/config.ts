import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `config`. */
const verbs: Readonly<Record<string, string>> = {
  show: 'show a summary of the project and its files; with --json, the whole resolved project',
  check: 'check which dialect of the format a project is in, or check it against the draft Distro TOML specification',
  resolve: 'print the configuration after includes, merging and inheritance, as TOML',
  dump: 'print the configuration after includes and merging, as TOML',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples([
      'weir config show',
      'weir -C my-distro config check',
      'weir config resolve --key components.curl --origins',
    ]),
  );
  return registerVerbs(command, globals, asked, verbs);
}
