import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `upstream`. */
const verbs: Readonly<Record<string, string>> = {
  status: 'show what lies between the pinned commits and upstream, and what it means for the overlays',
  update: 'move pins to newer upstream commits, render, and write a report',
  'give-back': 'turn overlays that upstream could take into a series of patches',
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText('after', examples(['weir upstream status', 'weir upstream status curl --details']));
  return registerVerbs(command, globals, asked, verbs);
}
