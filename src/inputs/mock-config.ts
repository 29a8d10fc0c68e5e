import { readFileSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import type { Origin } from '../toml/place.ts';
import { defaultEnvironment, isEnabledByMock, pluginDefaults } from './mock-defaults.ts';
import { isText, kindOf, textOf, type Value } from './mock-evaluate.ts';
import { type MockFiles, type MockOptions, readOptions } from './mock-python.ts';
import { type MockRepository, parseIni, repositoriesOf, textsOf } from './mock-repositories.ts';
import { expand } from './mock-template.ts';
import { type FilePosition, maxDepth, mockError, sourceOf } from './mock-text.ts';

/** The parts of a mock configuration that Weir uses. */
export interface MockConfig {
  /** The file that was read. */
  readonly file: string;
  /** Every file that was read: the file itself and its includes, in the order of reading. */
  readonly files: readonly string[];
  readonly root?: string;
  readonly targetArch: string;
  readonly legalHostArches: readonly string[];
  readonly releasever?: string;
  /** The architecture as templates write it into URLs: the target's, unless the configuration says otherwise. */
  readonly repoArch: string;
  /** Arguments of `install` in `chroot_setup_cmd`: package names and `@groups`. */
  readonly setup: readonly string[];
  /** `config_opts['macros']`, names without `%`; values as rpm reads them. */
  readonly macros: Readonly<Record<string, string>>;
  readonly extraChrootDirs: readonly string[];
  /** `config_opts['check']`: whether `%check` runs. */
  readonly check: boolean;
  /** Environment variables that the configuration adds to mock's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Name of the package manager, for example `dnf5`. */
  readonly packageManager: string;
  /** `config_opts['dnf_vars']`. */
  readonly dnfVars: Readonly<Record<string, string>>;
  readonly moduleEnable: readonly string[];
  /** `[main]` of `dnf.conf`. */
  readonly main: Readonly<Record<string, string>>;
  /** All repositories, including disabled ones, in the order of the file. */
  readonly repositories: readonly MockRepository[];
  /** Plugins that the configuration enables, or gives options of its own, by name. Options that are not strings are JSON. */
  readonly plugins: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the configuration sets options that change a buildroot in mock but that Weir does not support. */
  readonly ignored: Readonly<Record<string, Origin>>;
}

export interface MockConfigOptions {
  /** The architecture to build for; the configuration must have the same target. */
  readonly arch: string;
  /** Where includes and `site-defaults.cfg` are; by default the folder of the file (mock's `--configdir`). */
  readonly configDir?: string;
}

const maxFileSize = 1 << 20;

/**
 * Reads a mock configuration and its includes as data; nothing is executed. `site-defaults.cfg` of the configuration
 * folder is read first, as mock does. https://rpm-software-management.github.io/mock/configuration
 * @param file an absolute path
 * @throws WeirError `mock-config`, exit code 2: unsupported syntax, with file, line and column
 */
export function readMockConfig(file: string, options: MockConfigOptions): MockConfig {
  const folder = options.configDir ?? dirname(file);
  const content = readFile(file);
  if (content === undefined) {
    throw new WeirError('mock-config', 'the mock configuration was not found', {
      where: { file },
      hint: 'check mock-config of the distro version',
      exit: 2,
    });
  }
  const defaults = join(folder, 'site-defaults.cfg');
  const defaultsContent = readFile(defaults);
  const files = [
    ...(defaultsContent === undefined ? [] : [{ path: realpathSync(defaults), content: defaultsContent }]),
    { path: realpathSync(file), content },
  ];
  return mockConfigOf(file, files, diskFiles(folder), options.arch);
}

function diskFiles(folder: string): MockFiles {
  // mock looks in its configuration folder only; a project's template can also be beside the file that includes it.
  const includeFolders = (by: string): string[] => [...new Set([resolve(folder), dirname(by)])];
  return {
    includeFolders,
    include: (name, by) => {
      const paths = isAbsolute(name) ? [name] : includeFolders(by).map((each) => join(each, name));
      for (const path of paths) {
        const content = readFile(path);
        if (content !== undefined) return { path: realpathSync(path), content };
      }
      return undefined;
    },
  };
}

function readFile(path: string): string | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    const hint = 'check the path and its permissions';
    throw new WeirError('mock-config', `cannot read: ${reason}`, {
      where: { file: path },
      hint,
      exit: 2,
      cause: error,
    });
  }
  if (content.length <= maxFileSize) return content.toString();
  const hint = `at most ${maxFileSize} bytes`;
  throw new WeirError('mock-config', 'the file is too large for a mock configuration', {
    where: { file: path },
    hint,
    exit: 2,
  });
}

/**
 * Reads a mock configuration from the text of its files.
 * @param file the name that messages and the result use
 * @param files the configuration, preceded by the files that mock reads before it
 */
export function mockConfigOf(
  file: string,
  files: readonly { readonly path: string; readonly content: string }[],
  access: MockFiles,
  arch: string,
): MockConfig {
  const read = readOptions(files, access, arch);
  const taken = new Taken(file, read);
  const targetArch = taken.text('target_arch') ?? '';
  if (targetArch !== arch) {
    const message = `the mock configuration is for ${targetArch}, not for ${arch}`;
    throw mockError(taken.place('target_arch'), message, `set mock-config-${arch} of the distro version`);
  }
  const conf = taken.value('dnf.conf');
  if (conf === undefined || !isText(conf)) {
    const message = "config_opts['dnf.conf'] is not set";
    throw mockError(taken.place('dnf.conf'), message, 'it names the repositories that the buildroot is made from');
  }
  const sections = parseIni(sourceOf(conf));
  const main = sections.find(({ name }) => name === 'main');
  const root = taken.text('root');
  const releasever = taken.text('releasever');
  return {
    file,
    files: read.files,
    ...(root === undefined ? {} : { root }),
    targetArch,
    legalHostArches: taken.list('legal_host_arches'),
    ...(releasever === undefined ? {} : { releasever }),
    repoArch: taken.text('repo_arch') ?? targetArch,
    setup: setupWords(taken),
    macros: macrosOf(taken),
    extraChrootDirs: taken.list('extra_chroot_dirs'),
    check: taken.value('check') !== false,
    environment: Object.fromEntries(
      Object.entries(taken.texts('environment')).filter(([key, value]) => defaultEnvironment[key] !== value),
    ),
    packageManager: taken.text('package_manager') ?? 'dnf',
    dnfVars: taken.texts('dnf_vars'),
    moduleEnable: taken.list('module_enable'),
    main: main === undefined ? {} : textsOf(main),
    repositories: repositoriesOf(sections),
    plugins: pluginsOf(taken),
    ignored: taken.ignored(),
  };
}

/** Options with their templates expanded. */
class Taken {
  readonly #file: string;
  readonly #read: MockOptions;

  constructor(file: string, read: MockOptions) {
    this.#file = file;
    this.#read = read;
  }

  place(key: string): FilePosition {
    return this.#read.setAt.get(key) ?? { file: this.#file, line: 1, column: 1 };
  }

  /** @returns undefined where the option is not set or None */
  value(key: string): Value | undefined {
    const value = this.#read.options.get(key) ?? null;
    return value === null ? undefined : this.#expanded(value, this.place(key), 0);
  }

  text(key: string): string | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : textOf(value, this.place(key)).text;
  }

  /** A list of strings; a string is split at white space. */
  list(key: string): string[] {
    const value = this.value(key) ?? [];
    if (isText(value)) return words(value.text);
    if (Array.isArray(value)) return value.map((item) => textOf(item, this.place(key)).text);
    throw mockError(this.place(key), `config_opts['${key}'] is ${kindOf(value)}`, 'make it a list of strings');
  }

  texts(key: string): Record<string, string> {
    const value = this.value(key) ?? new Map();
    if (!(value instanceof Map)) {
      throw mockError(this.place(key), `config_opts['${key}'] is ${kindOf(value)}`, 'make it a dictionary');
    }
    const place = this.place(key);
    return Object.fromEntries([...value].map(([name, item]: [string, Value]) => [name, textOf(item, place).text]));
  }

  /** The first unset variable in the template of a dictionary's item. */
  unsetIn(key: string, item: string): string | undefined {
    const { options } = this.#read;
    const of = options.get(key);
    const text = of instanceof Map ? of.get(item) : undefined;
    if (text === undefined || !isText(text)) return undefined;
    const names = [...text.text.matchAll(/\{\{[-+]?\s*([A-Za-z_]\w*)/g)].map(([, name]) => name!);
    return names.find((name) => !options.has(name));
  }

  ignored(): Record<string, Origin> {
    const others = [...this.#read.setAt].filter(([key]) => notFollowed.includes(key));
    return Object.fromEntries(others.map(([key, { file, line }]) => [key, { file, line }]));
  }

  #expanded(value: Value, position: FilePosition, depth: number): Value {
    const { options, budget } = this.#read;
    budget.spend(position);
    if (depth > maxDepth) throw mockError(position, `nested more than ${maxDepth} levels deep`);
    if (isText(value)) return expand(value, options, budget);
    if (Array.isArray(value)) return value.map((item) => this.#expanded(item, position, depth + 1));
    if (!(value instanceof Map)) return value;
    return new Map([...value].map(([key, item]) => [key, this.#expanded(item, position, depth + 1)]));
  }
}

/** Options of mock that change a buildroot's content or how a build runs, and that Weir does not support. */
const notFollowed = [
  'additional_packages',
  'copy_host_users',
  'dynamic_buildrequires',
  'dynamic_buildrequires_max_loops',
  'external_buildrequires',
  'files',
  'forcearch',
  'macrofile',
  'module_install',
  'module_setup_commands',
  'more_buildreqs',
  'nspawn_args',
  'post_install',
  'redhat_subscription_required',
  'rpmbuild_arch',
  'rpmbuild_command',
  'rpmbuild_networking',
  'rpmbuild_opts',
  'rpmbuild_timeout',
  'ssl_ca_bundle_path',
  'ssl_extra_certs',
  'use_buildroot_image',
  'use_host_resolv',
  'useradd',
];

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Packages and groups that are installed first into a buildroot. */
function setupWords(taken: Taken): string[] {
  const command = taken.list('chroot_setup_cmd');
  const position = taken.place('chroot_setup_cmd');
  const grouped = command[0] === 'groupinstall' || (command[0] === 'group' && command[1] === 'install');
  const names = command.slice(command[0] === 'group' ? 2 : 1);
  if (command.length > 0 && command[0] !== 'install' && !grouped) {
    const message = `unsupported chroot_setup_cmd: ${command.slice(0, 2).join(' ')}`;
    throw mockError(position, message, 'begin it with "install", then names of packages and @groups');
  }
  const option = names.find((name) => name.startsWith('-'));
  if (option !== undefined) {
    const message = `unsupported option in chroot_setup_cmd: ${option}`;
    throw mockError(position, message, 'set options in [main] of dnf.conf');
  }
  const setup = grouped ? names.map((name) => (name.startsWith('@') ? name : `@${name}`)) : names;
  return [...setup, ...taken.list('chroot_additional_packages')];
}

function macrosOf(taken: Taken): Record<string, string> {
  const macros = new Map<string, string>();
  for (const [name, value] of Object.entries(taken.texts('macros'))) {
    const bare = name.replace(/^%/, '');
    const unset = value === '' ? taken.unsetIn('macros', name) : undefined;
    if (unset !== undefined) {
      const hint = `set config_opts['${unset}'], or give it a |default(...)`;
      throw mockError(taken.place('macros'), `macro ${JSON.stringify(name)} is empty: ${unset} is not set`, hint);
    }
    if (bare === '' || /\s/.test(bare) || value === '') {
      const hint = 'a macro has a name without white space and a value: %{nil} for an empty one';
      throw mockError(taken.place('macros'), `invalid macro ${JSON.stringify(name)}`, hint);
    }
    macros.set(bare, value);
  }
  return Object.fromEntries(macros);
}

function pluginsOf(taken: Taken): Record<string, Record<string, string>> {
  const position = taken.place('plugin_conf');
  const conf = taken.value('plugin_conf');
  if (!(conf instanceof Map)) throw mockError(position, "config_opts['plugin_conf'] is no dictionary");
  const plugins: [string, Record<string, string>][] = [];
  for (const [key, enabled] of conf) {
    const name = /^(.+)_enable$/.exec(key)?.[1];
    if (name === undefined || enabled !== true) continue;
    const options = plainOf(conf.get(`${name}_opts`) ?? null);
    if (isEnabledByMock(name) && JSON.stringify(options) === JSON.stringify(pluginDefaults[name] ?? {})) continue;
    const entries = options !== null && typeof options === 'object' ? Object.entries(options) : [];
    plugins.push([name, Object.fromEntries(entries.map(([option, value]) => [option, optionText(value)]))]);
  }
  return Object.fromEntries(plugins);
}

/** A value in a form that JSON can represent. */
function plainOf(value: Value): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(plainOf);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plainOf(item)]));
  return isText(value) ? value.text : null;
}

function optionText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
