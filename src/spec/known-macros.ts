import type { Call } from './expand.ts';
import { argumentWords } from './header.ts';

/** A macro of a macro package that generates sections. */
export interface KnownMacro {
  /** Option letters, as in its definition. */
  readonly options: string;
  /** Whether a call generates at least one section. */
  readonly certain: boolean | ((call: Call) => boolean);
  readonly headers: (call: Call) => readonly string[];
}

const headersFor = (names: readonly string[], ...packages: readonly string[]): string[] =>
  packages.flatMap((one) => names.map((name) => `%${name} ${one}`));
const whole = ['package', 'description', 'files'];
const fixed = (options: string, certain: boolean, headers: readonly string[]): KnownMacro => ({
  options,
  certain,
  headers: () => headers,
});

/** `a,b c` as extras; `name+extra` packages with description and files. */
const extras: KnownMacro = {
  options: 'n:i:f:FaAv:',
  certain: (call) => extraNames(call, false).length > 0,
  headers: (call) =>
    headersFor(
      call.options.has('F') ? ['package', 'description'] : whole,
      ...extraNames(call, true).map((extra) => `-n ${call.options.get('n') ?? '*'}+${extra}`),
    ),
};
const optional = /%\{[?!]+\w+:([^{}]*)\}/g;
/**
 * Extras are separated by commas and blanks: `a,b%{?with_x:,c} d`. Other macros in brackets are one word.
 * @param all whether to include those in a condition
 */
function extraNames({ words }: Call, all: boolean): string[] {
  return words
    .map((word) => word.replace(optional, all ? '$1' : ''))
    .flatMap((word) => argumentWords(word.replace(/%\{[^{}]*\}|,/g, (part) => (part === ',' ? ' ' : part))));
}
const scriptlets = (...names: readonly string[]): KnownMacro => ({
  options: 'n:',
  certain: false,
  headers: ({ options, words }) =>
    headersFor(names, `${options.has('n') ? `-n ${options.get('n')}` : ''} ${words.join(' ')} -p /sbin/ldconfig`),
});
/** What they generate depends on the targets that the spec builds for. */
const mingwDebug = (...targets: readonly string[]): KnownMacro =>
  fixed('', false, headersFor(whole, ...targets.map((target) => `-n ${target}-*-debuginfo`)));
const fontFiles: KnownMacro = {
  options: 'n:f:',
  certain: true,
  headers: ({ options }) => [options.has('n') ? `%files -n *-${options.get('n')}-fonts` : '%files'],
};
const fontMeta: KnownMacro = {
  options: 'n:s:d:z:a',
  certain: true,
  headers: ({ options }) => headersFor(whole, `-n ${options.get('n') ?? '*-fonts-all'}`),
};
const haskellLibrary: KnownMacro = {
  options: 'c:dhl:mopx',
  certain: true,
  headers: ({ options, words }) => {
    const name = `-n ghc-${(words[0] ?? '*').replace(/-(?:[0-9][0-9.]*|%\{[^{}]*\}|%\w+)$/, '')}`;
    return headersFor(whole, ...(options.has('m') ? [] : [name, `${name}-doc`, `${name}-prof`]), `${name}-devel`);
  },
};

/**
 * Macros of Fedora's and openSUSE's macro packages that generate sections. Package names are known as far as the call
 * contains them.
 */
export const knownMacros: ReadonlyMap<string, KnownMacro> = new Map(
  Object.entries({
    // pyproject-rpm-macros, python-rpm-macros
    pyproject_extras_subpkg: extras,
    python_extras_subpkg: extras,
    // go-rpm-macros: names come from %gometa
    gopkg: fixed('', true, headersFor(['package', 'description'], '-n *-devel')),
    godevelpkg: fixed('', true, headersFor(['package', 'description'], '-n *-devel')),
    goaltpkg: fixed('', true, headersFor(['package', 'description'], '-n *-devel')),
    gopkgfiles: fixed('', true, headersFor(['files'], '-n *-devel')),
    godevelfiles: fixed('', true, headersFor(['files'], '-n *-devel')),
    goaltfiles: fixed('', true, headersFor(['files'], '-n *-devel')),
    // fonts-rpm-macros, fontpackages: names come from %fontfamily and the like
    fontpkg: fixed('az:', true, headersFor(['package', 'description'], '-n *-fonts')),
    fontfiles: fixed('az:', true, headersFor(['files'], '-n *-fonts')),
    fontmetapkg: fontMeta,
    _font_pkg: fontFiles,
    // ghc-rpm-macros
    ghc_lib_subpackage: haskellLibrary,
    ghc_lib_package: fixed('', true, headersFor(whole, '-n ghc-*-devel')),
    ghc_devel_package: fixed('', true, headersFor(['package'], '-n ghc-*-devel')),
    ghc_devel_description: fixed('', true, headersFor(['description'], '-n ghc-*-devel')),
    ghc_devel_files: fixed('', true, headersFor(['files'], '-n ghc-*-devel')),
    // mingw-filesystem
    mingw_debug_package: mingwDebug('mingw32', 'mingw64', 'ucrt64'),
    mingw32_debug_package: mingwDebug('mingw32'),
    mingw64_debug_package: mingwDebug('mingw64'),
    ucrt64_debug_package: mingwDebug('ucrt64'),
    // javapackages-tools
    javadoc_package: fixed('', true, headersFor(whole, 'javadoc')),
    // rpm itself
    debug_package: fixed('', true, headersFor(whole, 'debuginfo')),
    // redhat-rpm-config; nothing if the system's ldconfig has file triggers
    ldconfig_scriptlets: scriptlets('post', 'postun'),
    ldconfig_post: scriptlets('post'),
    ldconfig_postun: scriptlets('postun'),
    // kernel-rpm-macros, python-rpm-macros and rpm-config-SUSE
    kernel_module_package: fixed('', true, headersFor(whole, '-n *-kmp-*')),
    python_subpackages: fixed('', true, headersFor(whole, '-n python*')),
    lang_package: fixed('', true, headersFor(whole, 'lang')),
  }),
);
