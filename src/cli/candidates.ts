import type { Command, Option } from 'commander';
import { WeirError } from '../base/errors.ts';
import { byKey } from '../base/order.ts';
import type { Project } from '../project/model/project.ts';
import { outputFolder } from '../workspace/output.ts';
import { commandWords, type GlobalOptions, makeProgram } from './program.ts';
import { projectFor } from './workspace.ts';

/** A completion for the word at the cursor. */
export interface Candidate {
  readonly word: string;
  /** One line; may be empty. */
  readonly description: string;
}

type Kind = 'components' | 'groups' | 'images' | 'advisories' | 'releases';

/**
 * The completions of the last of `words`; none if a file is expected or there is no project.
 * @param words the command line after `weir`; the last word is partial or empty
 */
export async function candidates(words: readonly string[], globals: GlobalOptions): Promise<Candidate[]> {
  const before = words.slice(0, -1);
  const begun = words.at(-1) ?? '';
  const program = await makeProgram(commandWords(before), '');
  const { command, used, waiting, directory } = walk(program, before);
  const settings = directory === undefined ? globals : { ...globals, directory };
  const found = await offer();
  return found.filter(({ word }) => word.startsWith(begun));

  async function offer(): Promise<Candidate[]> {
    if (waiting !== undefined) return valuesOf(waiting, settings);
    if (begun.startsWith('-')) {
      const options = [...command.options, ...(command === program ? [] : program.options)];
      return options
        .filter((option) => !option.hidden)
        .map((option) => ({ word: option.long ?? option.short ?? '', description: option.description }));
    }
    if (command.commands.length > 0) {
      const verbs = command.commands.map((each) => ({ word: each.name(), description: each.description() }));
      // `weir cve CVE-2026-1234` needs no verb.
      return command.name() === 'cve' ? [...verbs, ...(await named('advisories', settings))] : verbs;
    }
    const declared = command.registeredArguments;
    const argument = declared[used] ?? (declared.at(-1)?.variadic === true ? declared.at(-1) : undefined);
    if (argument === undefined) return [];
    if (argument.argChoices !== undefined) return argument.argChoices.map((word) => ({ word, description: '' }));
    if (argument.name() === 'file') return [];
    if (argument.name() === 'package') return packages(settings);
    const kind =
      argument.name() === 'image' ? 'images' : (kinds[command.parent?.name() ?? ''] ?? kinds[command.name()]);
    return kind === undefined ? [] : named(kind, settings);
  }
}

/** The kind of names that the verbs of a noun take. */
const kinds: Readonly<Record<string, Kind>> = {
  component: 'components',
  overlay: 'components',
  upstream: 'components',
  divergence: 'components',
  image: 'images',
  advisory: 'advisories',
  cve: 'advisories',
  release: 'releases',
};

function valuesOf(option: Option, globals: GlobalOptions): Promise<Candidate[]> | Candidate[] {
  if (option.argChoices !== undefined) return option.argChoices.map((word) => ({ word, description: '' }));
  if (option.long === '--component') return named('components', globals);
  if (option.long === '--group') return named('groups', globals);
  return [];
}

/** Names of packages in the last release, each with where it comes from. */
function packages(globals: GlobalOptions): Promise<Candidate[]> {
  return fromProject(globals, async (project) => {
    const [{ readRelease }, { parseNevra }] = await Promise.all([
      import('../release/published.ts'),
      import('../repo/metadata.ts'),
    ]);
    const release = await readRelease({ out: outputFolder(project) });
    const found = release?.channels.flatMap(({ packages: those }) => those) ?? [];
    const origins = new Map(found.map(({ nevra, origin }) => [parseNevra(nevra)!.name, origin]));
    return [...origins].sort(byKey).map(([word, description]) => ({ word, description }));
  });
}

/** An invalid project or release has no names to complete. The command itself will report the error. */
async function fromProject(
  globals: GlobalOptions,
  list: (project: Project) => Candidate[] | Promise<Candidate[]>,
): Promise<Candidate[]> {
  try {
    return await list(await projectFor(globals));
  } catch (error) {
    if (error instanceof WeirError) return [];
    throw error;
  }
}

function named(kind: Kind, globals: GlobalOptions): Promise<Candidate[]> {
  const described = (value: object): string => ('description' in value ? String(value.description ?? '') : '');
  return fromProject(globals, async (project) => {
    if (kind === 'advisories') {
      const { loadAdvisories } = await import('../advisory/load.ts');
      const records = await loadAdvisories(project.advisories.path);
      return records.map(({ id, title }) => ({ word: id, description: title }));
    }
    if (kind === 'releases') return releases(project);
    return [...project[kind]].map(([word, value]) => ({ word, description: described(value).split('\n')[0]! }));
  });
}

/** What `weir release diff` accepts, apart from paths. */
async function releases(project: Project): Promise<Candidate[]> {
  const { keptSnapshots } = await import('../release/past-releases.ts');
  const kept = (await keptSnapshots({ out: outputFolder(project) })).filter((name) => !name.startsWith('.'));
  return [
    { word: 'latest', description: 'the last build' },
    { word: 'previous', description: 'the release before the last build' },
    ...kept.map((word) => ({ word, description: 'a snapshot' })),
  ];
}

interface Position {
  /** The innermost command named. */
  readonly command: Command;
  /** Number of arguments given. */
  readonly used: number;
  /** The option that expects the next word as its value. */
  readonly waiting: Option | undefined;
  /** The value of -C. */
  readonly directory: string | undefined;
}

function walk(program: Command, words: readonly string[]): Position {
  let command = program;
  let used = 0;
  let waiting: Option | undefined;
  let directory: string | undefined;
  for (const word of words) {
    if (waiting !== undefined) {
      if (waiting.long === '--directory') directory = word;
      waiting = undefined;
    } else if (word.startsWith('-')) {
      const known = [...command.options, ...program.options].find((each) => each.long === word || each.short === word);
      if (known?.required === true) waiting = known;
    } else {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined) used++;
      else command = next;
    }
  }
  return { command, used, waiting, directory };
}
