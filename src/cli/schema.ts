import type { Command } from 'commander';
import { projectJsonSchema } from '../project/schema/file.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir schema > weir.schema.json'])).action(() => {
    printResult({ ...globals(), json: true }, projectJsonSchema(), '');
  });
}
