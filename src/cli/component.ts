import type { Command } from 'commander';
import { examples, type GlobalOptions, registerVerbs } from './program.ts';

/** Each is a file in the folder `component`. */
const verbs: Readonly<Record<string, string>> = {
  list: 'list components with their spec source, overlays and channel',
  show: 'show a component with all inherited settings',
  add: "add components to the project's configuration",
  prepare: 'write the buildable sources of a component to a folder',
  update: 'find the upstream commits of components and write them to their locks',
  render: 'write the rendered specs, which the project keeps in git',
  query: 'show packages, dependencies and sources of the rendered spec with macros expanded, or the spec itself',
  diff: 'show what the overlays change, as a diff from the upstream files to the rendered ones',
  changed: 'list components that changed between two commits of the project, and which part of them',
  history: 'show which commits of the project changed a component, and what they changed',
  build: 'build components and the components that they need; publishes nothing',
  log: "print the log of a component's last build",
};

export function register(command: Command, globals: () => GlobalOptions, asked: readonly string[]): Promise<void> {
  command.addHelpText(
    'after',
    examples(['weir component list', 'weir component diff less', 'weir component render --check']),
  );
  return registerVerbs(command, globals, asked, verbs);
}
