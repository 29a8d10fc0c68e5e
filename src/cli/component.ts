import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `component`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list components: where the spec comes from, overlays, channel',
  show: 'show a component with everything it inherits',
  add: "add components to the project's configuration",
  prepare: "write a component's buildable sources into a folder",
  update: 'find the upstream commit of components and keep it in their locks',
  render: 'write the rendered specs that the project keeps in git',
  query: 'what a spec says after its overlays, macros expanded: packages, dependencies, sources; or the spec itself',
  diff: "show what the overlays change: upstream's files against the rendered ones",
  changed: 'say which components changed between two commits of the project, and which part of them',
  history: 'show which commits of the project changed a component, and what of it',
  build: 'build components, and before them only what they wait for; nothing is published',
  log: "print the log of a component's last build",
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples(['weir component list', 'weir component diff less', 'weir component render --check']),
  );
  return registerVerbs(command, globals, asked, verbs);
}
