import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

export async function register(
  command: Command,
  globals: () => GlobalOptions,
  asked: readonly string[],
): Promise<void> {
  command.addHelpText(
    'after',
    examples([
      'weir package list',
      'weir package list --channel base',
      'weir package scriptlets bash',
      'weir package evidence less',
    ]),
  );
  await registerVerbs(command, globals, asked, {
    list: 'list the packages of the last release built, or those that the configuration names',
    scriptlets: 'list the scriptlets of packages and what composing a tree does with each',
    evidence: 'show what a package was built from, and who signed that',
  });
}
