import { relative } from 'node:path';
import { type Command, Option } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { allRules } from '../../lint/lint.ts';
import type { LintReport, Target, Verdict } from '../../lint/rule.ts';
import { type LintTarget, lintImage, lintTargets } from '../../release/lint.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly for?: LintTarget;
  readonly rules?: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument(
      '[image]',
      'name of a built image, a disk (raw, qcow2, vhd, vhdx), a .wsl file, or a folder with an OCI layout',
    )
    .addOption(
      new Option('--for <target>', "target platform of a disk (default: from the image's definition)").choices(
        lintTargets,
      ),
    )
    .option('--rules', 'list all rules with their reasons')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      examples([
        'weir image lint vm-base',
        'weir image lint disk.vhd --for azure-gen2',
        'weir image lint container-base --json | jq \'.reports[].verdicts[] | select(.status != "holds")\'',
        'weir image lint --rules',
      ]),
    )
    .action(async (image: string | undefined, options: Options) => {
      const settings = globals();
      if (options.rules === true) {
        const rules = allRules();
        const cells = rules.map(({ id, appliesTo, why }) => [id, targets(appliesTo), why]);
        printResult(settings, rules, table(['RULE', 'FOR', 'WHY'], cells, 'no rules'));
        return;
      }
      if (image === undefined) {
        throw new WeirError('no-image', 'missing argument: image', {
          hint: 'name an image, a file or a folder, or use --rules to list the rules',
          exit: 2,
        });
      }
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const reports = await lintImage(workspace, image, options.for);
      const ok = reports.every((report) => report.ok);
      printResult(settings, { ok, reports }, reports.map(asText).join('\n\n'));
      if (!ok) process.exitCode = 1;
    });
}

/** `container, generic (warning)` */
function targets(appliesTo: Readonly<Partial<Record<Target, string>>>): string {
  return Object.entries(appliesTo)
    .map(([target, severity]) => (severity === 'warning' ? `${target} (warning)` : target))
    .join(', ');
}

/** Maximum findings shown per rule. */
const shown = 5;

function asText({ file, image, format, target, verdicts }: LintReport): string {
  const rows = verdicts.flatMap((verdict): string[][] => {
    const { rule, findings } = verdict;
    const [first = { message: '' }, ...rest] = findings;
    const row = (name: string, result: string, each: { message: string; where?: string }) => [
      name,
      result,
      [each.where, each.message].filter((part) => part !== undefined).join(': '),
    ];
    const more = rest.slice(0, shown - 1).map((each) => row('', '', each));
    const left = findings.length - 1 - more.length;
    return [
      row(rule, word(verdict), first),
      ...more,
      ...(left > 0 ? [['', '', `and ${left} more`]] : []),
      ...[...new Set(findings.map(({ hint }) => hint))].flatMap((hint) =>
        hint === undefined ? [] : [['', '', `hint: ${hint}`]],
      ),
    ];
  });
  const count = (status: Verdict['status'], severity?: string) =>
    verdicts.filter((each) => each.status === status && (severity === undefined || each.severity === severity)).length;
  const sums = [
    `${count('holds')} of ${verdicts.length} rules hold`,
    plural(count('broken', 'error'), 'error'),
    plural(count('broken', 'warning'), 'warning'),
    ...(count('unchecked') === 0 ? [] : [`${count('unchecked')} not checked`]),
  ];
  const title = `${[relative(process.cwd(), file) || '.', ...(image === undefined ? [] : [image])].join(' ')} (${format}) for ${target}`;
  return [title, '', table(['RULE', 'RESULT', 'FINDING'], rows, 'no rules'), '', sums.join(', ')].join('\n');
}

function word({ status, severity }: Verdict): string {
  return status === 'holds' ? 'ok' : status === 'unchecked' ? 'not checked' : severity;
}
