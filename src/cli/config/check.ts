import { relative } from 'node:path';
import { type Command, Option } from 'commander';
import { formatError, formatPlace, type WeirError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { contradictionsOf } from '../../project/dialect.ts';
import type { Project } from '../../project/model/project.ts';
import type { Configuration } from '../../project/resolve.ts';
import { specificationDifferences, specificationRevisions } from '../../project/specification.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { configurationFor } from '../workspace.ts';

interface CheckOptions {
  readonly spec?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .addOption(
      new Option('--spec <revision>', 'list what differs from the draft Distro TOML specification').choices(
        specificationRevisions,
      ),
    )
    .addHelpText(
      'after',
      `
Says which dialect of the format the project is in, and by which of its keys.
Keys that no single version of azldev knows together are errors, and so is
a KIWI description of an image that is missing or that Weir cannot read.

With --spec, checks the project against the draft specification instead, and
prints each difference with its place. Exit code 1 if there are any.
${examples(['weir config check', 'weir config check --spec 0.1', "weir config check --spec 0.1 --json | jq '.differences[].code'"])}`,
    )
    .action(async ({ spec }: CheckOptions) => {
      const settings = globals();
      const configuration = await configurationFor(settings);
      if (spec === undefined) await checkDialect(settings, configuration);
      else await checkDraft(settings, configuration, spec);
    });
}

async function checkDialect(settings: GlobalOptions, configuration: Configuration): Promise<void> {
  const { project } = configuration;
  // A project that says that it follows the specification contradicts itself by keys which that does not have.
  const { kiwiFaults } = await import('../../release/image/kiwi.ts');
  const contradictions =
    project.dialect.name === 'distro-toml 0.1'
      ? specificationDifferences(configuration).filter(({ code }) => code === 'foreign-key')
      : contradictionsOf(configuration);
  const found = [...contradictions, ...kiwiFaults(project)];
  const { name, because, signs } = project.dialect;
  const json = { file: project.file, dialect: name, because, signs, differences: found.map(plainFinding) };
  printResult(settings, json, () => dialectLines(project).join('\n'));
  for (const each of settings.json ? [] : found) process.stderr.write(`${formatError(each)}\n`);
  if (found.length > 0) process.exitCode = 1;
}

function dialectLines({ dialect, file, project, root }: Project): string[] {
  return [
    `project  ${shownPath(file)}`,
    `dialect  ${dialect.name}: ${dialect.because}`,
    ...dialect.signs.map((sign) => `         ${sign.key}: ${sign.versions} (${shownPath(sign.file)}:${sign.line})`),
    ...(project.pinFolder === undefined ? [] : [`pins     ${relative(root, project.pinFolder)}; locks are ignored`]),
  ];
}

async function checkDraft(settings: GlobalOptions, configuration: Configuration, revision: string): Promise<void> {
  const { checkSpecification } = await import('../../component/specification.ts');
  const { differences, unchecked } = await checkSpecification(configuration);
  const json = {
    file: configuration.project.file,
    dialect: configuration.project.dialect.name,
    specification: revision,
    differences: differences.map(plainFinding),
    unchecked,
  };
  printResult(settings, json, () => differences.map(line).join('\n'));
  if (!settings.quiet) {
    process.stderr.write(
      `${plural(differences.length, 'difference')} from revision ${revision} of the specification\n`,
    );
    if (unchecked > 0) process.stderr.write(`not checked: the specs of ${plural(unchecked, 'upstream component')}\n`);
  }
  if (differences.length > 0) process.exitCode = 1;
}

/** One line a difference, so that editors and `grep` can follow it. */
function line({ code, message, where = {}, hint }: WeirError): string {
  const file = where.file === undefined ? {} : { file: shownPath(where.file) };
  return `${formatPlace({ ...where, ...file })}: ${code}: ${message}${hint === undefined ? '' : ` (${hint})`}`;
}

function shownPath(path: string): string {
  return relative(process.cwd(), path) || path;
}

/** A finding as JSON. */
function plainFinding({ code, message, where, hint, details }: WeirError): Record<string, unknown> {
  const more = { ...(hint === undefined ? {} : { hint }), ...(details.length === 0 ? {} : { details }) };
  return { code, message, ...where, ...more };
}
