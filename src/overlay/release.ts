import { dirname } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { run } from '../base/process.ts';
import type { Project, ResolvedComponent } from '../project/model.ts';
import { type HistoryCommit, historyOf } from '../sources/git.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { sectionsOf, tags, tagValue } from '../spec/query.ts';
import { prependLines, replaceLines, updateTag } from './spec-edits.ts';

/** What release numbers and changelogs are made of. */
export interface ReleaseHistory {
  /** Commits of the project that changed the component, newest first. */
  readonly commits: readonly HistoryCommit[];
  /** Upstream commits since its Version last changed; 1 where upstream has no git. */
  readonly upstreamCommits?: number;
  /** Changelog entries from before, as dist-git's `changelog` file has them. */
  readonly changelog?: string;
}

const autorelease = /%(?:\{\??autorelease(?:[}\s]|$)|autorelease(?:\s|$))/;
const staticRelease = /^(\d+)(%\{\??dist\})?$/;

/** Whether a Release value calls rpmautospec's macro, in any of its forms. */
export function usesAutorelease(release: string): boolean {
  return autorelease.test(release);
}

/**
 * Gives a spec its release number. `static`: the number is raised by the project's commits. `autorelease`: the macro is
 * defined so that it counts upstream's and the project's commits. `auto`: what the spec's Release asks for. `manual`:
 * nothing. `%autochangelog` is written out wherever it stands.
 * @throws WeirError `release-form` where the Release can't be raised
 */
export function applyRelease(spec: Spec, component: ResolvedComponent, history: ReleaseHistory): Spec {
  const { calculation } = component.release;
  if (calculation === 'manual') return spec;
  const release = tagValue(spec, 'Release');
  const usesMacro = autorelease.test(printSpec(spec).replace(/^\s*(#|%dnl).*$/gm, ''));
  let result = spec;
  if (release !== undefined && calculation !== 'autorelease' && !usesAutorelease(release)) {
    result = raise(spec, component, release, history.commits.length);
  } else if (release !== undefined && calculation === 'static') {
    throw new WeirError('release-form', `the Release of ${component.name} is %autorelease, not a number`, {
      where: { component: component.name, file: component.origin.file, line: component.origin.line },
      hint: 'set release.calculation = "autorelease"',
      exit: 2,
    });
  }
  result = writeChangelog(result, history);
  if (usesMacro) {
    const number = (history.upstreamCommits ?? 1) + history.commits.length;
    result = prependLines(result, [autoreleaseMacro(number)], {});
  }
  return result;
}

function raise(spec: Spec, component: ResolvedComponent, release: string, by: number): Spec {
  if (by === 0) return spec;
  const match = staticRelease.exec(release);
  if (match === null || tags(spec, { name: 'Release', package: '' }).length > 1) {
    throw new WeirError('release-form', `the Release of ${component.name}, ${release}, can't be raised by itself`, {
      where: { component: component.name, file: component.origin.file, line: component.origin.line },
      hint: 'set release.calculation = "manual", and the Release by a spec-set-tag overlay',
      exit: 2,
    });
  }
  return updateTag(spec, 'Release', `${BigInt(match[1]!) + BigInt(by)}${match[2] ?? ''}`);
}

/** The macro with rpmautospec's options: `-p` pre-release, `-e` extra version, `-s` snapshot, `-b` base, `-n` no dist. */
function autoreleaseMacro(number: number): string {
  return (
    `%define autorelease(e:s:pb:n) %{?-p:0.}%[${number} + %{?-b*}%{!?-b:1} - 1]` +
    '%{?-e:.%{-e*}}%{?-s:.%{-s*}}%{!?-n:%{?dist}}'
  );
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A changelog entry's date, in UTC. */
function changelogDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = String(date.getUTCDate()).padStart(2, '0');
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${date.getUTCFullYear()}`;
}

/** `%autochangelog` as entries of the project's commits, then those from before. */
function writeChangelog(spec: Spec, history: ReleaseHistory): Spec {
  const plain = (text: string): string => text.replaceAll('%', '%%');
  const entries = history.commits.map(
    (commit) =>
      `* ${changelogDate(commit.time)} ${plain(commit.author)} <${plain(commit.email)}>\n- ${plain(commit.subject)}`,
  );
  const before = history.changelog?.trim() ?? '';
  if (before !== '') entries.push(before);
  let result = spec;
  for (const section of sectionsOf(spec, '%changelog', undefined).toReversed()) {
    for (let line = section.end - 1; line >= section.start; line--) {
      if (!/^\s*%(\{\??autochangelog\}|autochangelog)\s*$/.test(spec.lines[line]!.text)) continue;
      result = replaceLines(result, line, line + 1, entries.length === 0 ? [] : [entries.join('\n\n')]);
    }
  }
  return result;
}

/** Gives the commits of the project that changed a component; the caller may put its own in place. */
export type HistorySource = (component: ResolvedComponent) => Promise<readonly HistoryCommit[]>;

/** A source of histories that knows none: release numbers stay as upstream has them. */
export const noHistory: HistorySource = () => Promise.resolve([]);

/**
 * Reads histories from the project's git repository. What belongs to a component: its local spec's folder, the sources of its
 * overlays, and configuration files that name no other component. In a shared file a change can't be told to be one
 * component's, so it counts for none.
 */
export async function gitHistory(project: Project): Promise<HistorySource> {
  const found = await run(['git', '-C', project.root, 'rev-parse', '--absolute-git-dir', '--show-toplevel']).catch(
    () => undefined,
  );
  const [gitDir, top] = found?.code === 0 ? found.stdout.trim().split('\n') : [];
  if (gitDir === undefined || top === undefined) return noHistory;
  const owners = new Map<string, number>();
  for (const component of project.components.values()) {
    for (const file of configurationFiles(component)) owners.set(file, (owners.get(file) ?? 0) + 1);
  }
  return async (component) => {
    const paths = [...configurationFiles(component)].filter((file) => owners.get(file) === 1 && file !== project.file);
    if (component.spec?.type === 'local') paths.push(dirname(component.spec.path));
    for (const overlay of component.overlays) if ('source' in overlay) paths.push(overlay.source);
    const inside = paths.filter((path) => path.startsWith(`${top}/`)).map((path) => path.slice(top.length + 1));
    if (inside.length === 0) return [];
    return (
      (await historyOf(
        gitDir,
        'HEAD',
        [...new Set(inside)].map((path) => `:(top,literal)${path}`),
      )) ?? []
    );
  };
}

function configurationFiles(component: ResolvedComponent): Set<string> {
  return new Set([component.origin.file, ...component.overlays.map((overlay) => overlay.origin.file)]);
}
