import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { sourceContext } from '../../component/sources.ts';
import { selectComponents } from '../../project/select.ts';
import { type GiveBack, giveBack } from '../../upstream/give-back.ts';
import { examples, type GlobalOptions, gather, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly output?: string;
  readonly overlay?: readonly string[];
  readonly author?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<component>', 'name of the component')
    .option('-o, --output <dir>', 'folder for the patches, which does not exist yet (default: COMPONENT-patches)')
    .option('--overlay <number>', 'only this overlay, whatever its upstream status (may be repeated)', gather)
    .option('--author <author>', 'author as "NAME <EMAIL>", instead of the one that git knows')
    .addHelpText(
      'after',
      `
Writes the overlays whose upstream-status is "upstreamable" as patches, one
each, against the newest commit of the dist-git's branch: the description is
the commit message. The patches are applied once with git am, and upstream with
them is compared with the component as it is today.
${examples([
  'weir upstream give-back chrony',
  'weir upstream give-back chrony --overlay 3 -o patches',
  'weir upstream give-back chrony --author "Ann Example <ann@example.org>"',
])}`,
    )
    .action(async (name: string, options: Options) => {
      const settings = globals();
      const author = options.author === undefined ? undefined : parseAuthor(options.author);
      const overlays = options.overlay?.map(parseNumber);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const [component] = selectComponents(workspace.project, { names: [name], patterns: [], groups: [], all: false });
      const result = await giveBack(workspace, component!, await sourceContext(workspace), {
        folder: options.output ?? join(process.cwd(), `${component!.name}-patches`),
        ...(overlays === undefined ? {} : { overlays }),
        ...(author === undefined ? {} : { author }),
      });
      printResult(settings, result, () => words(result));
      if (result.effect.state === 'differs') {
        process.stderr.write('error: upstream with the patches differs from the component as it is today\n');
        process.exitCode = 1;
      }
    });
}

function words({ folder, patches, am, kept, effect, branch, base }: GiveBack): string {
  const where = relative(process.cwd(), folder) || '.';
  const lines = patches.map(({ file, overlay, type }) => `${join(where, file)}  overlay ${overlay} (${type})`);
  for (const { overlay, type, place, reason } of kept)
    lines.push(`not given: overlay ${overlay} (${type}, ${place}): ${reason}`);
  const target = `${base.slice(0, 12)}${branch === undefined ? '' : `, the newest commit of ${branch}`}`;
  const options = am.length === 0 ? '' : ` ${am.join(' ')}`;
  lines.push(`${plural(patches.length, 'patch')} for ${target}; git am${options} applies them`);
  if (effect.state === 'same')
    lines.push('upstream with them, and without these overlays, gives the same sources as today');
  else if (effect.state === 'not-checked') lines.push(`effect not checked: ${effect.reason}`);
  else lines.push('upstream with them, and without these overlays, differs from today:', effect.diff.trimEnd());
  return lines.join('\n');
}

function parseAuthor(text: string): { readonly name: string; readonly email: string } {
  const match = /^([^<>\n]*[^<>\s]) <([^<>\s]+@[^<>\s]+)>$/.exec(text);
  if (match !== null) return { name: match[1]!, email: match[2]! };
  throw new WeirError('bad-author', `invalid author ${JSON.stringify(text)}`, {
    hint: 'write it as "Ann Example <ann@example.org>"',
    exit: 2,
  });
}

function parseNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new WeirError('no-overlay', `invalid overlay number ${JSON.stringify(text)}`, {
    hint: 'overlays are numbered from 1: see weir overlay list',
    exit: 2,
  });
}
