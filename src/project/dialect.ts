import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { type DiskInputs, noteFile } from '../toml/disk-inputs.ts';
import { originOf, problem } from '../toml/document.ts';
import { contradictions, type Evidence, evidenceIn, type FormatVersion, formatVersions } from './evidence.ts';
import type { ConfigDocument } from './include.ts';
import type { Dialect, DialectSign } from './model/project.ts';
import type { Configuration } from './resolve.ts';

/**
 * The dialect of a project, by its content: azldev's files do not name the version that they are for, but some keys exist only
 * in some versions (`evidence.ts`). The file `.azldev-version`, with which azldev's users pin the tool, counts too, unless it
 * names a commit. Without any sign the newest rules apply: they read every older project the same way. Lock files prove nothing:
 * 1.0 writes them too, unless it is told to keep pins.
 * A project of Weir's may use the keys of every version.
 */
export function dialectOf(rootFile: string, documents: readonly ConfigDocument[], inputs?: DiskInputs): Dialect {
  const evidence = evidenceIn(documents);
  const signs = firstOfEach(evidence).map(signOf);
  const because = (): string => signs.map(({ key, file, line }) => `${key} in ${basename(file)}:${line}`).join(', ');
  const specified = documents.find(({ data }) => data['spec-version'] !== undefined);
  if (specified !== undefined) {
    const said = `spec-version = "${specified.data['spec-version']}" in ${basename(specified.path)}`;
    return { name: 'distro-toml 0.1', because: said, signs };
  }
  if (basename(rootFile) !== 'azldev.toml') return { name: 'weir', because: 'the root file is weir.toml', signs };
  const pinned = pinnedVersion(join(dirname(rootFile), '.azldev-version'), inputs);
  if (pinned !== undefined) return { name: nameOf(pinned, pinned), because: `.azldev-version pins ${pinned}`, signs };
  const { from, to } = rangeOf(evidence);
  if (signs.length === 0) return { name: 'azldev 1.0', because: 'no key of an older or newer version', signs };
  return { name: nameOf(from, to), because: because(), signs };
}

/**
 * Keys that no version of azldev knows together with newer ones of the same project, each with the places of those, and keys
 * that the version in `.azldev-version` does not know. A project
 * of Weir's may have them all; so may one of the specification, which has rules of its own.
 */
export function contradictionsOf({ project, collected }: Configuration): WeirError[] {
  if (!project.dialect.name.startsWith('azldev')) return [];
  const evidence = evidenceIn(collected.documents);
  const found = contradictions(evidence).map(({ old, newer }) => {
    const details = newer.map(({ key, versions, document, path }) => {
      const { file, line, column } = problem(document, path, '', '').where ?? {};
      return `${[file, line, column].join(':')}: ${key} is of ${versions}`;
    });
    return problem(old.document, old.path, 'dialects', `${old.key} is of ${old.versions}, but other keys are newer`, {
      details,
      hint: 'no version of azldev reads both: use the newer form, or remove the newer keys',
    });
  });
  const pinned = pinnedVersion(join(dirname(project.file), '.azldev-version'), undefined);
  if (pinned === undefined) return found;
  const at = formatVersions.indexOf(pinned);
  const foreign = evidence.filter(
    ({ from, to }) =>
      (from !== undefined && formatVersions.indexOf(from) > at) ||
      (to !== undefined && formatVersions.indexOf(to) < at),
  );
  const pins = foreign.map(({ key, versions, document, path }) =>
    problem(document, path, 'dialects', `${key} is of ${versions}, but .azldev-version pins ${pinned}`, {
      hint: 'pin a version that reads the key, or remove the key',
    }),
  );
  return [...found, ...pins];
}

/** The versions that a project can be for, as far as its keys tell. If they contradict each other, the newest counts. */
function rangeOf(evidence: readonly Evidence[]): { readonly from: FormatVersion; readonly to: FormatVersion } {
  const index = (version: FormatVersion): number => formatVersions.indexOf(version);
  const from = Math.max(0, ...evidence.flatMap((one) => (one.from === undefined ? [] : [index(one.from)])));
  const last = formatVersions.length - 1;
  const to = Math.min(last, ...evidence.flatMap((one) => (one.to === undefined ? [] : [index(one.to)])));
  return { from: formatVersions[from]!, to: formatVersions[Math.max(from, to)]! };
}

function nameOf(from: FormatVersion, to: FormatVersion): Dialect['name'] {
  if (from === 'after 1.0') return 'azldev after 1.0';
  if (from === '1.0') return 'azldev 1.0';
  if (from === '0.4') return 'azldev 0.4';
  return to === '0.2' || to === '0.3' ? 'azldev 0.3' : 'azldev 0.2 to 0.4';
}

/** The first place of each kind of sign. */
function firstOfEach(evidence: readonly Evidence[]): Evidence[] {
  const found = new Map<string, Evidence>();
  for (const one of evidence) if (!found.has(one.key)) found.set(one.key, one);
  return [...found.values()];
}

function signOf({ key, versions, document, path }: Evidence): DialectSign {
  const { file, line } = originOf(document, path);
  return { key, versions, file, line };
}

/** The version of the format that a pin stands for, or undefined if the file does not exist or names a commit or a branch. */
function pinnedVersion(path: string, inputs: DiskInputs | undefined): FormatVersion | undefined {
  let bytes: Buffer | undefined;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(error, path);
  }
  noteFile(inputs, path, bytes);
  const [, version] = /^v?(\d+\.\d+)(\.|$)/.exec(bytes?.toString('utf8').trim() ?? '') ?? [];
  if (version === undefined) return undefined;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 0) return major > 1 || minor > 0 ? 'after 1.0' : '1.0';
  return minor >= 4 ? '0.4' : minor === 3 ? '0.3' : '0.2';
}

function unreadable(error: unknown, path: string): WeirError {
  const where = { file: path };
  return new WeirError('unreadable', `cannot read the file (${systemCode(error)})`, { where, exit: 2, cause: error });
}
