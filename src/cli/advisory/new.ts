import { relative } from 'node:path';
import { type Command, Option } from 'commander';
import { readAdvisory } from '../../advisory/load.ts';
import type { AdvisoryEvent, Severity } from '../../advisory/record.ts';
import { severities } from '../../advisory/schema.ts';
import { createRecord } from '../../advisory/write.ts';
import { examples, type GlobalOptions, gather, printResult } from '../program.ts';
import { ownConfigurationFor } from '../workspace.ts';
import { plainRecord } from './plain.ts';
import { beginningOption, refuseEmptyOptions, signature, type WhoOptions } from './who.ts';

interface NewOptions extends WhoOptions {
  readonly title: string;
  readonly severity: Severity;
  readonly published: string;
  readonly component?: readonly string[];
  readonly cvss?: string;
  readonly description?: string;
  readonly alias?: readonly string[];
  readonly reference?: readonly string[];
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<id>', 'the CVE')
    .requiredOption('--title <text>', 'one line: what it is, in which software')
    .addOption(new Option('--severity <word>', 'severity, as in updateinfo').choices(severities).makeOptionMandatory())
    .requiredOption('--published <date>', 'the day or moment at which it became public')
    .option('--component <name>', 'a component that may have it (may be repeated)', gather)
    .option('--cvss <vector>', 'CVSS vector, version 3 or 4')
    .option('--description <text>', 'a few sentences')
    .option('--alias <id>', 'its ID in another database (may be repeated)', gather)
    .option('--reference <url>', 'a web page about it (may be repeated)', gather)
    .option('--by <who>', "author of the events; default: git's author")
    .option('--at <date>', 'when it was detected; default: now')
    .addHelpText(
      'after',
      `
Writes advisories/ID.toml. \`weir cve scan\` does so for vulnerabilities in feeds.
${examples(['weir advisory new CVE-2026-1234 --title "bash: stack overflow" --severity important --published 2026-11-01 --component bash'])}`,
    )
    .action(async (id: string, options: NewOptions, self: Command) => {
      refuseEmptyOptions(self);
      const settings = globals();
      const { project } = await ownConfigurationFor(settings);
      const { title, severity, cvss, description, alias: aliases, reference: references } = options;
      const who = options.component === undefined ? undefined : await signature(project.root, options);
      const events: AdvisoryEvent[] =
        who === undefined
          ? []
          : (options.component ?? []).map((component) => ({ type: 'detected', ...who, component }));
      const header = {
        ...{ id, title, severity, published: beginningOption(options.published) },
        ...(cvss === undefined ? {} : { cvss }),
        ...(description === undefined ? {} : { description }),
        ...(aliases === undefined ? {} : { aliases }),
        ...(references === undefined ? {} : { references }),
      };
      const path = await createRecord(project.advisories.path, header, events);
      printResult(settings, plainRecord(readAdvisory(path)), relative(process.cwd(), path));
    });
}
