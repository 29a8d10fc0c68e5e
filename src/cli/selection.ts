import type { Command } from 'commander';
import { isEmptySelection, type Selection } from '../project/select.ts';

/** The values of the options of `addSelection`. */
export interface SelectionOptions {
  readonly component?: readonly string[];
  readonly group?: readonly string[];
  readonly all?: boolean;
}

/** Adds the ways to select components: names as arguments, globs, groups, all. */
export function addSelection(command: Command, argument = 'names of components'): Command {
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  return command
    .argument('[names...]', argument)
    .option('-p, --component <glob>', 'components whose name matches (may be repeated)', collect)
    .option('-g, --group <name>', 'components of a component group (may be repeated)', collect)
    .option('-a, --all', 'all components');
}

/** The selection in arguments and options. */
export function selectionOf(names: readonly string[], options: SelectionOptions): Selection {
  return {
    names,
    patterns: options.component ?? [],
    groups: options.group ?? [],
    all: options.all === true,
  };
}

/** Like `selectionOf`, but without a selection it means all components. */
export function selectionOrAll(names: readonly string[], options: SelectionOptions): Selection {
  const selection = selectionOf(names, options);
  return isEmptySelection(selection) ? { ...selection, all: true } : selection;
}
