import { type Command, Option } from 'commander';
import { advisoryJsonSchema } from '../advisory/schema.ts';
import { overlayFileJsonSchema, projectJsonSchema } from '../project/schema/file.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .addOption(new Option('--overlay-file', 'print the schema of overlay files instead').conflicts('advisory'))
    .option('--advisory', 'print the schema of advisory records instead')
    .addHelpText(
      'after',
      `\nEditors find the schema if the first line of a file is #:schema weir.schema.json.\n${examples([
        'weir schema > weir.schema.json',
        'weir schema --overlay-file > overlay.schema.json',
        'weir schema --advisory > advisory.schema.json',
      ])}`,
    )
    .action((options: { overlayFile?: boolean; advisory?: boolean }) => {
      const schema =
        options.advisory === true
          ? advisoryJsonSchema()
          : options.overlayFile === true
            ? overlayFileJsonSchema()
            : projectJsonSchema();
      printResult({ ...globals(), json: true }, schema, '');
    });
}
