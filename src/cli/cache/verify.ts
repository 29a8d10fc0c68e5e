import type { Command } from 'commander';
import { cacheRoot } from '../../base/paths.ts';
import { plural } from '../../base/plural.ts';
import { inStage } from '../../base/progress.ts';
import { openEngine } from '../../engine/engine.ts';
import { type CacheReport, checkCache } from '../../release/cache-check.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option(
      '--repair',
      'remove faulty parts and everything that depends on them; the next run rebuilds or fetches them',
    )
    .addHelpText('after', examples(['weir cache verify', 'weir cache verify --repair --json']))
    .action(async (options: { repair?: boolean }) => {
      const settings = globals();
      const progress = progressFor(settings);
      const cache = cacheRoot();
      const engine = await openEngine(cache, (text) => progress.note('cache', text));
      const report = await inStage(progress, 'cache', async ({ update }) => {
        const result = await checkCache({ cache, engine }, { repair: options.repair === true, say: update });
        return { result, summary: `${result.blobs} blobs`, cached: false };
      });
      printResult(settings, report, linesOf(report).join('\n'));
      if (!report.ok && !report.repaired) process.exitCode = 1;
    });
}

function linesOf(report: CacheReport): string[] {
  const { blobs, actions, roots, repositories, faults, repaired, notChecked } = report;
  const lines = faults.map(({ path, fault, message }) => `${fault.padEnd(7)}  ${path}: ${message}`);
  lines.push(...notChecked.map((text) => `not checked  ${text}`));
  const sum = `${blobs} blobs, ${actions} results, ${roots} roots, ${repositories} repositories:`;
  if (faults.length === 0) return [...lines, `${sum} all unchanged`];
  return [...lines, `${sum} ${plural(faults.length, 'fault')}${repaired ? ', removed' : ''}`];
}
