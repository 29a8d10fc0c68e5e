import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { errorJson, formatError } from '../../base/errors.ts';
import { explainOverlays } from '../../component/overlay-explain.ts';
import type { ExplainedStep, FileChange } from '../../overlay/explain.ts';
import { findComponent } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<component>', 'name of the component')
    .option('--sources <dir>', 'folder with the upstream sources, instead of fetching them')
    .addHelpText(
      'after',
      examples([
        'weir overlay explain chrony',
        "weir overlay explain chrony --json | jq -r '.steps[].changes[].diff'",
        'weir overlay explain chrony --sources ~/dist-git/chrony',
      ]),
    )
    .action(async (name: string, options: { sources?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const component = findComponent(workspace.project, name);
      const { error, steps, ...rest } = await explainOverlays(workspace, component, {
        ...(options.sources === undefined ? {} : { sources: resolve(options.sources) }),
      });
      const place = ({ origin }: ExplainedStep): string =>
        `${relative(workspace.project.root, origin.file)}:${origin.line}`;
      const lines = steps.map((step) => stepText(step, place(step)));
      if (lines.length === 0 && error === undefined) lines.push(`${name} has no changes from upstream`);
      const plain = steps.map(({ origin: _origin, ...step }, index) => ({ ...step, place: place(steps[index]!) }));
      const failed = error === undefined ? {} : errorJson(error);
      printResult(settings, { ...rest, steps: plain, ...failed }, lines.join('\n\n'));
      for (const warning of rest.warnings) process.stderr.write(`warning: ${warning}\n`);
      if (error === undefined) return;
      process.stderr.write(`${formatError(error)}\n`);
      process.exitCode = error.exit;
    });
}

function stepText(step: ExplainedStep, place: string): string {
  const { metadata } = step;
  const facts = metadata === undefined ? [] : [metadata.category, metadata.upstreamStatus];
  if (step.inheritedFrom !== undefined) facts.push(`from ${step.inheritedFrom}`);
  const head = step.kind === 'overlay' ? `${step.number}. ${step.type}` : `-  ${step.kind}`;
  return [
    `${head}: ${step.description === '' ? 'no reason given' : step.description}`,
    `   ${[...facts, place].join(', ')}`,
    ...(metadata?.commits ?? []).map((url) => `   commit ${url}`),
    ...(metadata?.bugs ?? []).map((url) => `   bug ${url}`),
    ...step.changes.map(changeText),
    ...(step.changes.length === 0 ? ['   changes nothing'] : []),
  ].join('\n');
}

function changeText({ path, archive, change, from, diff }: FileChange): string {
  const where = archive === undefined ? path : `${path} in ${archive}`;
  if (change === 'renamed') return `   renames ${from} to ${where}`;
  const shown = diff.trimEnd().replace(/^/gm, '   ');
  return diff === '' ? `   ${change}: ${where} (binary)` : shown;
}
