import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `release`. */
const verbs: Readonly<Record<string, string>> = {
  build: 'build all images of the project from one snapshot, and lint them',
  verify: 'verify that everything published is signed and unchanged',
  diff: 'compare two releases: packages, vulnerabilities fixed, images and sizes',
  show: 'show the last release built: its snapshot, channels and images',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir release build', 'weir release show', 'weir release verify']));
  return registerVerbs(command, globals, asked, verbs);
}
