import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `cache`. */
const verbs: Readonly<Record<string, string>> = {
  verify: 'verify the cache: hash every blob and check every seal',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir cache verify', 'weir cache verify --repair', 'weir clean']));
  return registerVerbs(command, globals, asked, verbs);
}
