import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `image`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list images with their kind, formats and build',
  show: 'show a built image: packages, files, digests',
  lint: 'check a built image, or any disk or container image, against the rules of its target platform',
  diff: 'compare two images or two releases: packages, files, sizes',
  test: 'run the tests that the project names for an image: pytest suites and tmt plans',
  customize: 'derive an image from one of the project by a configuration of Image Customizer',
  'inject-files': 'put files, such as signed boot loaders, into the partitions of a disk',
  import: 'print a KIWI description as an image definition of Weir',
  push: 'push a container image and its SBOMs to a registry',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir image list', 'weir image show vm-base']));
  return registerVerbs(command, globals, asked, verbs);
}
