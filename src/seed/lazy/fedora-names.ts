import { compareText } from '../../base/order.ts';
import { compareVersions } from '../../rpm/version.ts';
import type { DebianIndex } from './debian-index.ts';

/**
 * Debian's names for a package with this Fedora name, by the packaging rules of both, most likely first: `libfoo-dev` for `foo-devel`,
 * `libfoo-bar-perl` for `perl-Foo-Bar`. Only names that exist in the index.
 */
export function debianNames(fedora: string, index: DebianIndex): string[] {
  const name = fedora.replace(/\((?:x86-64|aarch-64|x86-32)\)$/, '').toLowerCase();
  const plain = name.replaceAll('_', '-');
  const exists = (each: string): boolean => index.get(each) !== undefined || index.providers(each).length > 0;
  const guesses: string[] = [fedora, name, plain];
  const development = /^(.+?)-(?:devel|static|headers)$/.exec(plain)?.[1];
  for (const [pattern, made] of languages) {
    const match = pattern.exec(plain);
    if (match !== null) guesses.push(...made(match[1]!));
  }
  if (development !== undefined) guesses.push(...developmentNames(development, index));
  const kept = /^(.+)-(libs|tools|utils|common|data|core|cli|client|server|runtime)$/.exec(plain);
  if (kept !== null) {
    const [, stem, part] = kept;
    if (part === 'tools' || part === 'utils') guesses.push(`${stem}-tools`, `${stem}-utils`, `${stem}-bin`, stem!);
    if (part === 'core' || part === 'cli' || part === 'client') guesses.push(stem!);
    if (part === 'libs') guesses.push(...libraryNames(stem!, index));
  }
  if (plain.endsWith('-fonts')) guesses.push(`fonts-${plain.slice(0, -6)}`);
  if (plain.startsWith('lib') && development === undefined) guesses.push(...libraryNames(plain, index));
  return [...new Set(guesses)].filter(exists);
}

/**
 * Packages of a crate: `crate(foo/feature)` is in `librust-foo-dev`, or for an older version in `librust-foo-0.3-dev`. Features are
 * virtual names.
 */
export function crateNames(name: string, index: DebianIndex): string[] {
  const match = /^crate\(([A-Za-z0-9_-]+)(?:\/([A-Za-z0-9_.+-]+))?\)$/.exec(name);
  if (match === null) return [];
  const stem = `librust-${match[1]!.toLowerCase().replaceAll('_', '-')}`;
  const feature = match[2]?.toLowerCase().replaceAll('_', '-');
  const all = [`${stem}-dev`, ...index.matching(`${stem}-`, /^\d[\d.]*-dev$/).sort(newestFirst)];
  const split = feature === undefined ? [] : [`${stem}+${feature}-dev`];
  const hasFeature = (each: string): boolean =>
    feature === undefined || feature === 'default' || index.get(each)?.provides.includes(`+${feature}-dev`) === true;
  return [...split, ...all.filter((each) => index.get(each) !== undefined && hasFeature(each))];
}

/** Fedora's name pattern for packages of a language, and Debian's name for the text that its first group matches. */
const languages: readonly (readonly [RegExp, (stem: string) => readonly string[]])[] = [
  [/^python3?-(.+)$/, (stem) => [`python3-${stem}`, `python3-${stem.replace(/^python-/, '')}`]],
  [/^perl-(.+)$/, (stem) => [`lib${stem}-perl`, `${stem}-perl`]],
  [/^rubygem-(.+)$/, (stem) => [`ruby-${stem}`]],
  [/^nodejs-(.+)$/, (stem) => [`node-${stem}`]],
  [/^golang-(.+)-devel$/, (stem) => [`golang-${stem}-dev`]],
  [/^ghc-(.+)-devel$/, (stem) => [`libghc-${stem}-dev`]],
  [/^ghc-(.+)-prof$/, (stem) => [`libghc-${stem}-prof`]],
  [/^ocaml-(.+)-devel$/, (stem) => [`lib${stem}-ocaml-dev`, `lib${stem.replace(/^ocaml-/, '')}-ocaml-dev`]],
  [/^ocaml-(.+)$/, (stem) => [`lib${stem}-ocaml`, `lib${stem}-ocaml-dev`, `${stem}-ocaml`]],
  [/^php-(?:pecl-|pear-)?(.+)$/, (stem) => [`php-${stem}`]],
  [/^r-(.+?)(?:-devel)?$/, (stem) => [`r-cran-${stem}`, `r-bioc-${stem}`]],
  [/^lua-(.+)$/, (stem) => [`lua-${stem}`]],
  [/^emacs-(.+)$/, (stem) => [`elpa-${stem}`]],
  [/^erlang-(.+)$/, (stem) => [`erlang-${stem}`]],
  [/^tcl-(.+)$/, (stem) => [`tcl-${stem}`, stem]],
  [/^java-(\d+)-openjdk-devel$/, (stem) => [`openjdk-${stem}-jdk-headless`]],
  [/^java-(\d+)-openjdk(?:-headless)?$/, (stem) => [`openjdk-${stem}-jre-headless`]],
  [/^clang(\d*)$/, (stem) => [`clang-${stem}`]],
  [/^llvm(\d*)-devel$/, (stem) => (stem === '' ? ['llvm-dev'] : [`llvm-${stem}-dev`])],
];

/** A development package: Debian puts `lib` before the name, and often the version of the library after it. */
function developmentNames(stem: string, index: DebianIndex): string[] {
  const bare = stem.replace(/^lib/, '');
  const spaced = bare.replace(/(\d+)$/, '-$1');
  const direct = [
    `${stem}-dev`,
    `lib${bare}-dev`,
    `${bare}-dev`,
    `lib${spaced}-dev`,
    `lib${bare.replaceAll('-', '')}-dev`,
  ];
  const versioned = index.matching(`lib${bare}`, /^[-.]?[0-9][0-9.]*(?:-[0-9.]+)?-dev$/);
  return [...direct, ...versioned.sort(newestFirst)];
}

/** A library's own package carries its soname's version: `libfoo1`, `libfoo2t64`. */
export function libraryNames(stem: string, index: DebianIndex): string[] {
  const bare = stem.replace(/^lib/, '');
  return index.matching(`lib${bare}`, /^-?[0-9][0-9.-]*(?:t64)?$/).sort(newestFirst);
}

function newestFirst(a: string, b: string): number {
  return compareVersions(b, a) || compareText(a, b);
}
