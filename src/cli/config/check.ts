import { relative } from 'node:path';
import type { Command } from 'commander';
import { formatError, type WeirError } from '../../base/errors.ts';
import { contradictionsOf } from '../../project/dialect.ts';
import type { Project } from '../../project/model/project.ts';
import type { Configuration } from '../../project/resolve.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { configurationFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .addHelpText(
      'after',
      `
Says which dialect of the format the project is in, and by which of its keys.
Keys that no single version of azldev knows together are errors.
${examples(['weir config check', 'weir config check --json'])}`,
    )
    .action(async () => {
      const settings = globals();
      const configuration = await configurationFor(settings);
      checkDialect(settings, configuration);
    });
}

function checkDialect(settings: GlobalOptions, configuration: Configuration): void {
  const { project } = configuration;
  const found = contradictionsOf(configuration);
  const { name, because, signs } = project.dialect;
  const json = { file: project.file, dialect: name, because, signs, differences: found.map(plainFinding) };
  printResult(settings, json, () => dialectLines(project).join('\n'));
  for (const each of settings.json ? [] : found) process.stderr.write(`${formatError(each)}\n`);
  if (found.length > 0) process.exitCode = 1;
}

function dialectLines({ dialect, file, project, root }: Project): string[] {
  const name = (path: string): string => relative(process.cwd(), path) || path;
  return [
    `project  ${name(file)}`,
    `dialect  ${dialect.name}: ${dialect.because}`,
    ...dialect.signs.map((sign) => `         ${sign.key}: ${sign.versions} (${name(sign.file)}:${sign.line})`),
    ...(project.pinFolder === undefined ? [] : [`pins     ${relative(root, project.pinFolder)}; locks are ignored`]),
  ];
}

/** A finding as JSON. */
function plainFinding({ code, message, where, hint, details }: WeirError): Record<string, unknown> {
  return {
    code,
    message,
    ...where,
    ...(hint === undefined ? {} : { hint }),
    ...(details.length === 0 ? {} : { details }),
  };
}
