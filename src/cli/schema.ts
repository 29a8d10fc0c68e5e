import type { Command } from 'commander';
import { overlayFileJsonSchema, projectJsonSchema } from '../project/schema/file.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--overlay-file', "the schema of the files that a component's overlay-files names")
    .addHelpText(
      'after',
      `\nEditors find it by a first line such as #:schema weir.schema.json in a file.\n${examples([
        'weir schema > weir.schema.json',
        'weir schema --overlay-file > overlay.schema.json',
      ])}`,
    )
    .action((options: { overlayFile?: boolean }) => {
      const schema = options.overlayFile === true ? overlayFileJsonSchema() : projectJsonSchema();
      printResult({ ...globals(), json: true }, schema, '');
    });
}
