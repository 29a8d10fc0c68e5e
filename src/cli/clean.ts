import type { Command } from 'commander';
import { cacheParts } from '../base/paths.ts';
import { clean, usage } from '../workspace/clean.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from './program.ts';
import { workspaceFor } from './workspace.ts';

/** By name, because the cache may also have folders that are not Weir's. */
const descriptions: Readonly<Record<string, string>> = cacheParts;

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--prune', 'remove toolboxes that are not in the lock, and buildroots and repositories older than a week')
    .option('--cache', 'remove the whole cache; the next build starts from scratch')
    .option('--out', 'remove the output folder')
    .option('--out-dir <dir>', 'path of the output folder')
    .addHelpText('after', examples(['weir clean', 'weir clean --prune', 'weir clean --cache --out']))
    .action(async (options: { prune?: boolean; cache?: boolean; out?: boolean; outDir?: string }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings), options.outDir);
      const { prune = false, cache = false, out = false } = options;
      if (prune || cache || out) {
        const removed = await clean(workspace, { prune, cache, out });
        printResult(settings, { removed }, removed.map((path) => `removed ${path}`).join('\n') || 'nothing to remove');
        return;
      }
      const found = await usage(workspace);
      const rows = [...found.cache, found.out].map((part) => [
        part.name,
        String(part.megabytes),
        descriptions[part.name] ?? part.path,
      ]);
      const total = found.cache.reduce((sum, part) => sum + part.megabytes, 0);
      const text = `${table(['PART', 'MB', 'WHAT'], rows, '')}\n\ncache ${workspace.cache}: ${total} MB; nothing removed (see weir clean --help)`;
      printResult(settings, found, text);
    });
}
