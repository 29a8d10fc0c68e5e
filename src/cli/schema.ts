import type { Command } from 'commander';
import { overlayFileJsonSchema, projectJsonSchema } from '../project/schema/file.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--overlay-file', 'print the schema of overlay files instead')
    .addHelpText(
      'after',
      `\nEditors find the schema if the first line of a file is #:schema weir.schema.json.\n${examples([
        'weir schema > weir.schema.json',
        'weir schema --overlay-file > overlay.schema.json',
      ])}`,
    )
    .action((options: { overlayFile?: boolean }) => {
      const schema = options.overlayFile === true ? overlayFileJsonSchema() : projectJsonSchema();
      printResult({ ...globals(), json: true }, schema, '');
    });
}
