import type { Command } from 'commander';
import { isEmptySelection, type Selection } from '../project/select.ts';

/** What commander gives for the options of `addSelection`. */
export interface SelectionOptions {
  readonly component?: readonly string[];
  readonly group?: readonly string[];
  readonly all?: boolean;
}

/** Adds the ways to say which components a command is for: names as arguments, globs, groups, all. */
export function addSelection(command: Command, argument = 'names of components'): Command {
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  return command
    .argument('[names...]', argument)
    .option('-p, --component <glob>', 'components whose name matches (may be repeated)', collect)
    .option('-g, --group <name>', 'components of a component group (may be repeated)', collect)
    .option('-a, --all', 'all components');
}

/** The selection that arguments and options mean. */
export function selectionOf(names: readonly string[], options: SelectionOptions): Selection {
  return {
    names,
    patterns: options.component ?? [],
    groups: options.group ?? [],
    all: options.all === true,
  };
}

/** The same, where naming nothing means all. */
export function selectionOrAll(names: readonly string[], options: SelectionOptions): Selection {
  const selection = selectionOf(names, options);
  return isEmptySelection(selection) ? { ...selection, all: true } : selection;
}
