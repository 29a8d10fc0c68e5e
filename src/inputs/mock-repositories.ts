import type { Origin } from '../toml/place.ts';
import { type FilePosition, mockError, positionIn, type Source } from './mock-text.ts';

/** A repository of `config_opts['dnf.conf']`. `$releasever`, `$basearch` and other dnf variables are left as they are. */
export interface MockRepository {
  /** The section's name. */
  readonly id: string;
  readonly name?: string;
  readonly baseUrls: readonly string[];
  readonly metalink?: string;
  readonly mirrorlist?: string;
  /** URLs of `gpgkey`. */
  readonly gpgKeys: readonly string[];
  readonly gpgCheck: boolean;
  readonly repoGpgCheck: boolean;
  readonly enabled: boolean;
  readonly priority?: number;
  readonly cost?: number;
  /** Patterns of `excludepkgs`, `exclude` and `includepkgs`: package names or NEVRAs with shell wildcards. */
  readonly excludes: readonly string[];
  readonly includes: readonly string[];
  readonly skipIfUnavailable: boolean;
  readonly moduleHotfixes: boolean;
  /** Every option of the section as text. */
  readonly options: Readonly<Record<string, string>>;
  /** The section's heading. */
  readonly origin: Origin;
}

/** A section of an INI file of dnf. Options by name; if a name occurs twice, the last counts. */
export interface IniSection {
  readonly name: string;
  readonly position: FilePosition;
  readonly options: ReadonlyMap<string, IniOption>;
}

export interface IniOption {
  readonly value: string;
  readonly position: FilePosition;
}

/**
 * Parses an INI file as libdnf5 does: `key = value` in a section, lines that begin with white space continue the value,
 * `#` and `;` in the first column begin a comment. Sections with the same name are merged.
 * https://dnf5.readthedocs.io/en/latest/dnf5.conf.5.html
 */
export function parseIni(source: Source): IniSection[] {
  const sections = new Map<string, IniSection & { readonly options: Map<string, IniOption> }>();
  let section: ReturnType<typeof sections.get>;
  let option: { readonly key: string; readonly lines: string[]; readonly position: FilePosition } | undefined;
  const finish = (): void => {
    if (option === undefined) return;
    section!.options.set(option.key, { value: unquoted(option.lines.join('\n')), position: option.position });
    option = undefined;
  };
  let start = 0;
  for (const line of source.text.split('\n')) {
    const position = positionIn(source, start);
    start += line.length + 1;
    if (line === '' || line.startsWith('#') || line.startsWith(';')) {
      finish();
      continue;
    }
    const text = line.trim();
    if (text === '') {
      option?.lines.push('');
      continue;
    }
    if (text.startsWith('[')) {
      finish();
      const name = sectionName(text, position);
      section = sections.get(name) ?? { name, position, options: new Map() };
      sections.set(name, section);
    } else if (section === undefined) {
      throw iniError(
        position,
        'there is no [section] before this line',
        'begin with [main] or with the name of a repository',
      );
    } else if (/^\s/.test(line)) {
      if (option === undefined) {
        throw iniError(position, 'this line continues no option', 'begin it in the first column');
      }
      option.lines.push(text);
    } else {
      finish();
      const equals = line.indexOf('=');
      const key = line.slice(0, equals < 0 ? undefined : equals).trim();
      if (equals < 0)
        throw iniError(position, `missing "=" after ${JSON.stringify(key.slice(0, 80))}`, 'write option=value');
      if (key === '') throw iniError(position, 'missing option name before "="', 'write option=value');
      option = { key, lines: [line.slice(equals + 1).trim()], position };
    }
  }
  finish();
  return [...sections.values()];
}

function iniError(position: FilePosition, message: string, hint: string): Error {
  return mockError(position, `invalid dnf.conf: ${message}`, hint);
}

function sectionName(text: string, position: FilePosition): string {
  // A name can hold a list or range in brackets of its own.
  const [, name, after] = /^\[((?:[^[\]]|\[[^[\]]*\])*)\](.*)$/.exec(text) ?? [];
  if (name === undefined) throw iniError(position, 'missing "]"', 'write [name]');
  if (name === '') throw iniError(position, 'the section has no name', 'write [main] or the name of a repository');
  if (!/^\s*([#;].*)?$/.test(after!)) throw iniError(position, `unexpected text after [${name}]`, 'remove it');
  return name;
}

function unquoted(value: string): string {
  const text = value.replace(/\n+$/, '');
  const quote = text[0];
  return text.length > 1 && (quote === '"' || quote === "'") && text.endsWith(quote) ? text.slice(1, -1) : text;
}

/** @returns undefined where the option is not set */
function booleanOf(section: IniSection, key: string): boolean | undefined {
  const option = section.options.get(key);
  if (option === undefined) return undefined;
  const value = option.value.toLowerCase();
  if (['1', 'yes', 'true', 'on'].includes(value)) return true;
  if (['0', 'no', 'false', 'off'].includes(value)) return false;
  throw iniError(option.position, `${key}: expected a boolean, found ${JSON.stringify(option.value)}`, 'use 1 or 0');
}

function numberOf(section: IniSection, key: string): number | undefined {
  const option = section.options.get(key);
  if (option === undefined) return undefined;
  const number = /^[+-]?\d{1,9}$/.test(option.value) ? Number(option.value) : undefined;
  if (number !== undefined) return number;
  throw iniError(
    option.position,
    `${key}: expected a whole number, found ${JSON.stringify(option.value)}`,
    'use digits',
  );
}

/** Items of a list, separated by white space or commas. */
function listOf(section: IniSection, ...keys: readonly string[]): string[] {
  return keys.flatMap((key) => section.options.get(key)?.value.split(/[\s,]+/) ?? []).filter((item) => item !== '');
}

function textOf(section: IniSection, key: string): string | undefined {
  const value = section.options.get(key)?.value;
  return value === '' ? undefined : value;
}

/** The repositories of a dnf.conf, in their order. Options that a repository leaves out come from `[main]`. */
export function repositoriesOf(sections: readonly IniSection[]): MockRepository[] {
  const main = sections.find(({ name }) => name === 'main');
  return sections.filter((section) => section !== main).map((section) => repositoryOf(section, main));
}

function repositoryOf(section: IniSection, main: IniSection | undefined): MockRepository {
  const inherited = (key: string, byDefault: boolean): boolean =>
    booleanOf(section, key) ?? (main === undefined ? undefined : booleanOf(main, key)) ?? byDefault;
  const name = textOf(section, 'name');
  const metalink = textOf(section, 'metalink');
  const mirrorlist = textOf(section, 'mirrorlist');
  const priority = numberOf(section, 'priority');
  const cost = numberOf(section, 'cost');
  return {
    id: section.name,
    ...(name === undefined ? {} : { name }),
    baseUrls: listOf(section, 'baseurl'),
    ...(metalink === undefined ? {} : { metalink }),
    ...(mirrorlist === undefined ? {} : { mirrorlist }),
    gpgKeys: listOf(section, 'gpgkey'),
    // Unsigned packages are accepted only if the configuration says so.
    gpgCheck: booleanOf(section, 'pkg_gpgcheck') ?? inherited('gpgcheck', true),
    repoGpgCheck: inherited('repo_gpgcheck', false),
    enabled: booleanOf(section, 'enabled') ?? true,
    ...(priority === undefined ? {} : { priority }),
    ...(cost === undefined ? {} : { cost }),
    // Patterns in [main] exclude packages of every repository.
    excludes: [main, section].flatMap((each) => (each === undefined ? [] : listOf(each, 'excludepkgs', 'exclude'))),
    includes: listOf(section, 'includepkgs'),
    skipIfUnavailable: inherited('skip_if_unavailable', false),
    moduleHotfixes: booleanOf(section, 'module_hotfixes') ?? false,
    options: textsOf(section),
    origin: { file: section.position.file, line: section.position.line },
  };
}

/** The options of a section as text. */
export function textsOf(section: IniSection): Record<string, string> {
  return Object.fromEntries([...section.options].map(([key, { value }]) => [key, value]));
}
