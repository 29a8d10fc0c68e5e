import { type Command, Option } from 'commander';
import { type ClassedScript, componentScripts, rpmFileScripts, specFileScripts } from '../../component/scriptlets.ts';
import { selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'package files (.rpm), spec files (.spec), components; default: all components')
    .addOption(new Option('--class <class>', 'only scriptlets of this class').choices(['finaliser', 'run', 'refused']))
    .addHelpText(
      'after',
      examples([
        'weir package scriptlets bash',
        'weir package scriptlets ./foo-1-1.x86_64.rpm',
        'weir package scriptlets --class run --json',
      ]),
    )
    .action(async (names: string[], options: SelectionOptions & { class?: string }) => {
      const settings = globals();
      const scripts: ClassedScript[] = [];
      const components: string[] = [];
      for (const name of names) {
        if (name.endsWith('.rpm')) scripts.push(...(await rpmFileScripts(name)));
        else if (name.endsWith('.spec')) scripts.push(...(await specFileScripts(name)));
        else components.push(name);
      }
      const selection = selectionOf(components, options);
      const all = selection.all || (names.length === 0 && selection.patterns.length + selection.groups.length === 0);
      if (all || components.length + selection.patterns.length + selection.groups.length > 0) {
        const project = await projectFor(settings);
        const found = await componentScripts(project, selectComponents(project, { ...selection, all }));
        scripts.push(...found.scripts);
        if (found.missing.length > 0) tellMissing(settings, found.missing);
      }
      const shown = scripts.filter((each) => options.class === undefined || each.class === options.class);
      printResult(settings, shown, () => asTable(shown));
    });
}

function tellMissing(settings: GlobalOptions, missing: readonly string[]): void {
  const named = missing.slice(0, 3).join(', ');
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
  progressFor(settings).note('scriptlets', `no rendered spec: ${named}${more}; weir component render writes them`);
}

function asTable(scripts: readonly ClassedScript[]): string {
  const rows = scripts.map((each) => [
    each.package,
    `%${each.script}`,
    each.class,
    each.atInstall ? each.reason : `${each.reason} (not at installation)`,
  ]);
  const counts = ['finaliser', 'run', 'refused'].map(
    (name) => `${scripts.filter((each) => each.class === name).length} ${name}`,
  );
  const list = table(['PACKAGE', 'SCRIPTLET', 'CLASS', 'BY'], rows, 'no scriptlets');
  return scripts.length === 0 ? list : `${list}\n\n${scripts.length} scriptlets: ${counts.join(', ')}`;
}
