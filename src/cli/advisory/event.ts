import { Argument, type Command, Option } from 'commander';
import { recordsNamed } from '../../advisory/load.ts';
import type { AdvisoryEvent } from '../../advisory/record.ts';
import { eventTypes, justifications } from '../../advisory/schema.ts';
import { appendEvents } from '../../advisory/write.ts';
import { examples, type GlobalOptions, gather, printResult } from '../program.ts';
import { ownConfigurationFor } from '../workspace.ts';
import { plainRecord } from './plain.ts';
import { refuseEmptyOptions, signature, type WhoOptions } from './who.ts';

/** The fields of events, as the options that set them. */
type EventOptions = WhoOptions & Readonly<Record<string, string | readonly string[] | undefined>>;

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<id>', 'the CVE, or another ID of the same vulnerability')
    .addArgument(new Argument('<type>', 'what happened').choices(eventTypes))
    .option('--component <name>', 'the component that it is about')
    .option('--note <text>', 'why, in a few words')
    .addOption(
      new Option('--justification <word>', 'not-affected: the reason, in terms of VEX').choices(justifications),
    )
    .option('--first <version>', 'affected: first affected version')
    .option('--last <version>', 'affected: last affected version')
    .option('--action <text>', 'affected: what users should do until there is a fix')
    .option('--overlay <file>', 'fix-pending: the overlay with the fix')
    .option('--in <nevra>', 'fixed: a package of the build with the fix (may be repeated)', gather)
    .option('--owner <who>', 'exception: who is responsible')
    .option('--reason <text>', 'exception, disputed: why')
    .option('--expires <date>', 'exception: its last day')
    .option('--snapshot <name>', 'published, image: the snapshot')
    .option('--image <name>', 'image, verified: the image')
    .option('--digest <digest>', 'image, verified: digest of the image')
    .option('--scanner <name>', 'verified: name and version of the scanner')
    .option('--by <who>', "author of the event; default: git's author")
    .option('--at <date>', 'when it happened; default: now')
    .addHelpText(
      'after',
      `
Adds the event at the end of the record. Events are never changed: a new decision
is a new event.
${examples([
  'weir advisory event CVE-2026-1234 triaged --component bash --note "the parser is reachable"',
  'weir advisory event CVE-2026-1234 not-affected --component bash --justification vulnerable_code_not_present',
  'weir advisory event CVE-2026-1234 exception --component bash --owner "Jane Doe" --reason "no fix yet" --expires 2027-01-31',
])}`,
    )
    .action(async (id: string, type: string, options: EventOptions, self: Command) => {
      refuseEmptyOptions(self);
      const settings = globals();
      const { project } = await ownConfigurationFor(settings);
      const { at: _, by: __, ...fields } = options;
      const event = { type, ...(await signature(project.root, options)), ...fields } as AdvisoryEvent;
      const { component } = fields;
      const folder = project.advisories.path;
      const [known] = await recordsNamed(folder, [id]);
      const record = await appendEvents(folder, known!.id, [event]);
      printResult(
        settings,
        plainRecord(record),
        `${record.id}: ${type}${component === undefined ? '' : ` ${component}`}`,
      );
    });
}
