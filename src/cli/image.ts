import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `image`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list images: kind, formats, and what is built',
  show: 'show an image that was built: packages, files, digests',
  lint: 'check an image that was built, or any disk or container image, against the rules of where it is to run',
  diff: 'compare two images or two releases: packages, files, sizes',
  push: 'push a container image and its SBOMs to a registry',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir image list', 'weir image show vm-base']));
  return registerVerbs(command, globals, asked, verbs);
}
