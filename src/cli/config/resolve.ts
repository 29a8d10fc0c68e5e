import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { componentOfKey, partAt, resolvedTables } from '../../project/resolve.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { printPart, printTables } from '../../project/toml.ts';
import { leaves, plain, type Traced } from '../../project/trace.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { configurationFor } from '../workspace.ts';

interface ResolveOptions extends SelectionOptions {
  readonly key?: string;
  readonly origins?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--key <key>', 'print only this part, such as components.curl.build')
    .option('--origins', 'show for each value where it comes from and which values it overrides');
  addSelection(command, 'components; default: the whole configuration')
    .addHelpText(
      'after',
      examples([
        'weir config resolve curl --origins',
        'weir config resolve --key components.curl.spec --origins',
        "weir config resolve -p 'python3*' --json",
        'weir config resolve --key distros.fedora',
      ]),
    )
    .action(async (names: string[], options: ResolveOptions) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      const selected = !isEmptySelection(selection);
      if (selected && options.key !== undefined) {
        throw new WeirError('two-selections', '--key and a selection of components exclude each other', { exit: 2 });
      }
      const configuration = await configurationFor(settings);
      const { project } = configuration;
      const asked = options.key === undefined ? undefined : componentOfKey(project, options.key);
      const components = selected ? selectComponents(project, selection) : asked === undefined ? undefined : [asked];
      const tables = resolvedTables(configuration, components);
      const { path, value } = options.key === undefined ? { path: [], value: tables } : partAt(tables, options.key);
      const print = { origins: options.origins === true, root: project.root };
      const json = options.origins === true ? originRows(path, value) : plain(value);
      const text = settings.json ? '' : path.length === 0 ? printTables(tables, print) : printPart(path, value, print);
      printResult(settings, json, text);
    });
}

/** Every value with its origins, the strongest first. */
function originRows(path: readonly string[], value: Traced): unknown[] {
  return [...leaves(value, path)].map((leaf) => ({
    path: leaf.path,
    value: leaf.value,
    said: leaf.said.toReversed().map(({ value: said, by }) => ({ value: said, ...by })),
  }));
}
