import { WeirError } from '../base/errors.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { RetryOptions } from '../sources/git-run.ts';
import { expansions, macroChoices } from '../spec/choices.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { sectionsOf, tags, tagValue } from '../spec/query.ts';
import {
  type ChangelogEntry,
  changelogItems,
  entryTime,
  formatEntry,
  magicComments,
  withoutMacros,
} from './changelog.ts';
import { replaceLines } from './line-edits.ts';
import { type AskVersions, factsOf, type SpecFacts, specFacts } from './spec-facts.ts';
import { updateTag } from './tag-edits.ts';
import { appendLines, prependLines } from './text-edits.ts';
import { evrOf, type ProjectChange, type UpstreamRelease, upstreamRelease } from './upstream-history.ts';

/** The inputs of release numbers and changelogs. */
export interface ReleaseHistory {
  /** Commits of the project that changed the component, newest first. */
  readonly commits: readonly ProjectChange[];
  /** The release and changelog by upstream's git merged with the project's commits, if upstream has git and the spec needs it. */
  readonly upstream?: UpstreamRelease;
  /** Earlier changelog entries, from dist-git's `changelog` file. */
  readonly changelog?: string;
  /** Version of the spec after overlays, if rpm was run. */
  readonly facts?: SpecFacts;
}

const autorelease = /%(?:\{\??autorelease(?:[}\s]|$)|autorelease(?:\s|$))/;
const staticRelease = /^(\d+)(%\{\??dist\})?$/;
const autochangelog = /^\s*%(\{\??autochangelog\}|autochangelog)\s*$/;

/** Whether a Release value calls rpmautospec's macro, in any of its forms. */
export function usesAutorelease(release: string): boolean {
  return autorelease.test(release);
}

/** Whether a Release is rpmautospec's macro, directly or through macros of the spec, in any branch. */
export function callsAutorelease(release: string, spec: Spec): boolean {
  return usesAutorelease(release) || (expansions(release, macroChoices(spec)) ?? []).some(usesAutorelease);
}

/** The parts of rpmautospec that a spec uses. A spec that rpmautospec already processed, which defines the macro, uses none. */
function features(spec: Spec): { readonly autorelease: boolean; readonly autochangelog: boolean } {
  const text = printSpec(spec);
  const uses = autorelease.test(text.replace(/^\s*(#|%dnl).*$/gm, ''));
  const changelogs = sectionsOf(spec, '%changelog', undefined);
  const lines = changelogs.flatMap(({ start, end }) => spec.lines.slice(start, end));
  // If a spec leaves the release number to rpmautospec and has no changelog, rpmautospec writes the changelog too.
  const wants = lines.some(({ text: line }) => autochangelog.test(line)) || (uses && changelogs.length === 0);
  return {
    autorelease: uses && !/^\s*%(?:define|global)\s+autorelease\s*\(/m.test(text),
    autochangelog: wants,
  };
}

/**
 * The history needed for a spec's release number and changelog; upstream's git is only read if the spec needs it.
 * @param changelog the `changelog` file after overlays
 * @throws WeirError `git-failed`, `offline`
 */
export async function releaseHistory(
  spec: Spec,
  component: ResolvedComponent,
  fetched: FetchedSources,
  commits: readonly ProjectChange[],
  changelog: string | undefined,
  options: RetryOptions & { readonly askVersions?: AskVersions } = {},
): Promise<ReleaseHistory> {
  const uses = features(spec);
  const { repository, commit } = fetched.origin;
  const needed = uses.autorelease || uses.autochangelog || commits.length > 0;
  const [facts] = needed ? await factsOf([printSpec(spec)], options.askVersions) : [];
  const own = { commits, ...(changelog === undefined ? {} : { changelog }), ...(facts === undefined ? {} : { facts }) };
  if (!(uses.autorelease || uses.autochangelog)) return own;
  if (repository === undefined || commit === undefined || component.spec?.type !== 'upstream') return own;
  const upstream = await upstreamRelease(repository, commit, `${component.spec.name}.spec`, {
    ...options,
    changes: commits,
    changelog: uses.autochangelog,
    final: facts!,
    finalChangelog: changelog ?? null,
  });
  return { ...own, upstream };
}

/**
 * Sets a spec's release number. `static`: the project's commits raise the number, and the changelog lists them.
 * `auto`: as the spec's Release requires. `autorelease` and `manual`: the number is not raised. If the spec uses
 * `%autorelease`, the macro is defined so that it counts upstream's and the project's commits, and `%autochangelog` is
 * expanded, because nothing else does that without rpmautospec.
 * @throws WeirError `release-form` if the Release cannot be raised
 */
export function applyRelease(spec: Spec, component: ResolvedComponent, history: ReleaseHistory): Spec {
  const { calculation } = component.release;
  const release = tagValue(spec, 'Release');
  const uses = features(spec);
  const called = release !== undefined && callsAutorelease(release, spec);
  let result = spec;
  const raises = calculation === 'auto' || calculation === 'static';
  if (release !== undefined && raises && !called) {
    result = raise(spec, component, release, history);
  } else if (release !== undefined && calculation === 'static') {
    throw new WeirError('release-form', `the Release of ${component.name} is %autorelease, not a number`, {
      where: { component: component.name, file: component.origin.file, line: component.origin.line },
      hint: 'set release.calculation = "autorelease"',
      exit: 2,
    });
  }
  if (uses.autochangelog) result = writeChangelog(result, history.facts ?? specFacts(printSpec(spec)), history);
  if (uses.autorelease) {
    // If upstream has no git, its content counts as one commit.
    const number = history.upstream?.number ?? 1 + history.commits.length;
    result = prependLines(result, [autoreleaseMacro(number)], {});
  }
  return result;
}

function raise(spec: Spec, component: ResolvedComponent, release: string, history: ReleaseHistory): Spec {
  const { commits: changes } = history;
  if (changes.length === 0) return spec;
  const match = staticRelease.exec(release);
  if (match === null || tags(spec, { name: 'Release', package: '' }).length > 1) {
    throw new WeirError(
      'release-form',
      `the Release of ${component.name}, ${release}, cannot be raised automatically`,
      {
        where: { component: component.name, file: component.origin.file, line: component.origin.line },
        hint: 'set release.calculation = "manual", and the Release by a spec-set-tag overlay',
        exit: 2,
      },
    );
  }
  const before = BigInt(match[1]!);
  const raised = updateTag(spec, 'Release', `${before + BigInt(changes.length)}${match[2] ?? ''}`);
  return addEntries(raised, history.facts ?? specFacts(printSpec(spec)), before, changes);
}

/** The macro with rpmautospec's options: `-p` pre-release, `-e` extra version, `-s` snapshot, `-b` base, `-n` no dist. */
function autoreleaseMacro(number: number): string {
  return (
    `%define autorelease(e:s:pb:n) %{?-p:0.}%[${number} + %{?-b*}%{!?-b:1} - 1]` +
    '%{?-e:.%{-e*}}%{?-s:.%{-s*}}%{!?-n:%{?dist}}'
  );
}

/** Entries of the project's commits, newest first; none is older than those below it. */
function entriesOf(
  changes: readonly ProjectChange[],
  notBefore: number,
  evr: (nth: number) => string | undefined,
): string[] {
  let newest = notBefore;
  const entries: string[] = [];
  for (const [index, { time, author, email, message }] of changes.toReversed().entries()) {
    if (magicComments(message).skipChangelog) continue;
    newest = Math.max(newest, time);
    const made = evr(index + 1);
    const entry: ChangelogEntry = {
      time: newest,
      author: withoutMacros(`${author} <${email}>`),
      items: changelogItems(message),
      ...(made === undefined ? {} : { evr: made }),
    };
    entries.push(formatEntry(entry));
  }
  return entries.reverse();
}

/** Adds an entry for each raise to the top of a handwritten changelog; without a changelog, none is started. */
function addEntries(spec: Spec, facts: SpecFacts, before: bigint, changes: readonly ProjectChange[]): Spec {
  const [section] = sectionsOf(spec, '%changelog', undefined);
  if (section === undefined) return spec;
  const lines = spec.lines.slice(section.start, section.end).map(({ text }) => text);
  if (lines.some((line) => autochangelog.test(line))) return spec;
  const top = lines.find((line) => line.startsWith('*')) ?? '';
  const known = facts.version !== undefined && !facts.version.includes('%');
  const entries = entriesOf(changes, entryTime(top) ?? Number.NEGATIVE_INFINITY, (nth) =>
    known ? `${facts.version}-${before + BigInt(nth)}` : undefined,
  );
  if (entries.length === 0) return spec;
  return replaceLines(spec, section.start, section.start, [entries.join('\n\n').concat('\n')].flatMap(toLines));
}

function toLines(text: string): string[] {
  return text.split('\n');
}

/** Expands `%autochangelog` to the entries of commits. */
function writeChangelog(spec: Spec, facts: SpecFacts, history: ReleaseHistory): Spec {
  const text = (history.upstream?.changelog ?? ownChangelog(facts, history)).join('\n\n');
  const lines = text === '' ? [] : toLines(text);
  const sections = sectionsOf(spec, '%changelog', undefined);
  if (sections.length === 0) return appendLines(spec, ['', '%changelog', ...lines], {});
  let result = spec;
  for (const section of sections.toReversed()) {
    for (let line = section.end - 1; line >= section.start; line--) {
      if (autochangelog.test(spec.lines[line]!.text)) result = replaceLines(result, line, line + 1, lines);
    }
  }
  return result;
}

/** If upstream has no git: the project's commits, then the `changelog` file. */
function ownChangelog(facts: SpecFacts, { commits, changelog = '' }: ReleaseHistory): string[] {
  const before = changelog.trim();
  const entries = entriesOf(commits, entryTime(before) ?? Number.NEGATIVE_INFINITY, (nth) => evrOf(facts, 1 + nth));
  return before === '' ? entries : [...entries, before];
}
