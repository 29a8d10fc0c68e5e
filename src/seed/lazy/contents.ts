import { compareText } from '../../base/order.ts';

/** Debian's library folder of an architecture, such as `x86_64-linux-gnu`. */
export type Multiarch = string;

/**
 * The capability that a file of a Debian package provides, by its path: the key of the contents index. Programs, sonames of libraries, and the
 * names that rpm's generators give to pkg-config modules, Perl modules, Python distributions, CMake packages, gems and Go packages.
 * @param path without the first `/`
 * @returns undefined for files that builds do not require by name
 */
export function capabilityOf(path: string, multiarch: Multiarch): { key: string; version?: string } | undefined {
  const merged = /^(bin|sbin|lib)\//.test(path) ? `usr/${path}` : path;
  const name = merged.slice(merged.lastIndexOf('/') + 1);
  if (merged.startsWith('usr/bin/') || merged.startsWith('usr/sbin/')) {
    return merged.split('/').length === 3 ? { key: `/${merged}` } : undefined;
  }
  if (name.endsWith('.pc')) {
    const folder = merged.slice(0, -name.length - 1);
    const isOurs = ['usr/lib/pkgconfig', 'usr/share/pkgconfig', `usr/lib/${multiarch}/pkgconfig`].includes(folder);
    return isOurs ? { key: `pkgconfig(${name.slice(0, -3)})` } : undefined;
  }
  if (name.endsWith('.pm')) {
    const match =
      /^usr\/(?:share\/perl5|share\/perl\/[\d.]+|lib\/[^/]+\/perl5?\/[\d.]+|lib\/[^/]+\/perl-base)\/(.+)\.pm$/.exec(
        merged,
      );
    return match === null ? undefined : { key: `perl(${match[1]!.replaceAll('/', '::')})` };
  }
  if (name.endsWith('.gemspec')) {
    const match = /^(.+)-(\d[^-]*)\.gemspec$/.exec(name);
    const isOurs = match !== null && merged.startsWith('usr/share/rubygems-integration/');
    return isOurs ? { key: `rubygem(${match[1]})`, version: match[2]! } : undefined;
  }
  if (merged.startsWith(goSources)) {
    const folder = merged.slice(goSources.length, -name.length - 1);
    return name.endsWith('.go') && folder !== '' ? { key: `golang(${folder})` } : undefined;
  }
  if (merged.startsWith('usr/lib/python3/dist-packages/')) {
    const match = /^usr\/lib\/python3\/dist-packages\/([^/]+?)-(\d[^-/]*)(?:-[^/]*)?\.(?:dist|egg)-info(?:\/|$)/.exec(
      merged,
    );
    if (match === null) return undefined;
    return { key: `python3dist(${match[1]!.toLowerCase().replaceAll(/[-_.]+/g, '-')})`, version: match[2]! };
  }
  if (name.endsWith('.cmake')) {
    const match = /^(?:(.+)Config|(.+)-config)\.cmake$/.exec(name);
    const isOurs = /^usr\/(?:lib|share)\//.test(merged) && isOfArch(merged, multiarch);
    return match === null || !isOurs ? undefined : { key: `cmake(${match[1] ?? match[2]})` };
  }
  const soname = /^lib[^/]*\.so\.[^/]*$/.test(name) && isLibraryFolder(merged.slice(0, -name.length - 1), multiarch);
  if (soname) return { key: `soname ${name}` };
  return undefined;
}

const goSources = 'usr/share/gocode/src/';

function isLibraryFolder(folder: string, multiarch: Multiarch): boolean {
  return folder === 'usr/lib' || folder === `usr/lib/${multiarch}`;
}

/** Whether a path is not in the library folder of another architecture. */
function isOfArch(path: string, multiarch: Multiarch): boolean {
  const folder = /^usr\/lib\/([^/]+-linux-gnu[^/]*)\//.exec(path)?.[1];
  return folder === undefined || folder === multiarch;
}

/** Collects the index of Contents lists that are read in blocks of whole lines: `PATH  SECTION/PACKAGE,…`. */
export class ContentsReader {
  readonly #multiarch: Multiarch;
  readonly #owners = new Map<string, Set<string>>();

  constructor(multiarch: Multiarch) {
    this.#multiarch = multiarch;
  }

  add(lines: string): void {
    let at = 0;
    for (let end = lines.indexOf('\n'); end >= 0; end = lines.indexOf('\n', at)) {
      if (mayProvide(lines, at, end)) this.#take(lines.slice(at, end));
      at = end + 1;
    }
  }

  #take(line: string): void {
    const match = /^(.*\S)\s+(\S+)$/.exec(line);
    if (match === null) return;
    const found = capabilityOf(match[1]!, this.#multiarch);
    if (found === undefined) return;
    const owners = this.#owners.get(found.key) ?? new Set();
    for (const owner of match[2]!.split(',')) {
      const name = owner.slice(owner.lastIndexOf('/') + 1);
      owners.add(found.version === undefined ? name : `${name}=${found.version}`);
    }
    this.#owners.set(found.key, owners);
  }

  /** The text of the index: a line for each key, sorted, with its owners after a tab. */
  text(): string {
    return [...this.#owners]
      .map(([key, owners]) => `${key}\t${[...owners].sort(compareText).join(',')}\n`)
      .sort()
      .join('');
  }
}

/** A fast filter: of millions of lines, only those that match are parsed. */
function mayProvide(text: string, start: number, end: number): boolean {
  if (text.startsWith('usr/share/doc/', start) || text.startsWith('usr/share/icons/', start)) return false;
  if (text.startsWith('usr/bin/', start) || text.startsWith('usr/sbin/', start)) return true;
  if (text.startsWith('usr/lib/python3/dist-packages/', start)) return within(text, '-info', start, end);
  if (text.startsWith('bin/', start) || text.startsWith('sbin/', start)) return true;
  return (
    within(text, '.pc ', start, end) ||
    within(text, '.pm ', start, end) ||
    within(text, '.cmake ', start, end) ||
    within(text, '.gemspec ', start, end) ||
    text.startsWith(goSources, start) ||
    within(text, '.so.', start, end)
  );
}

function within(text: string, part: string, start: number, end: number): boolean {
  return text.slice(start, end).includes(part);
}

/** A package that has the file of a capability; the version is that of the file's name, for Python distributions and gems. */
export interface Owner {
  readonly name: string;
  readonly version?: string;
}

/** The index of Contents lists: which packages have the file that provides a capability. Searched in its text. */
export class ContentsIndex {
  readonly #text: string;

  /** @param text of `ContentsReader` */
  constructor(text: string) {
    this.#text = text;
  }

  owners(key: string): Owner[] {
    const wanted = `${key}\t`;
    let [low, high] = [0, this.#text.length];
    while (low < high) {
      const middle = this.#text.lastIndexOf('\n', ((low + high) >> 1) - 1) + 1;
      const start = Math.max(middle, low);
      const end = this.#text.indexOf('\n', start);
      const line = this.#text.slice(start, end);
      if (line.startsWith(wanted)) return line.slice(wanted.length).split(',').map(owner);
      // Compares as `sort` does: by UTF-16 code units, not by locale.
      if (line < wanted) low = end + 1;
      else high = start;
    }
    return [];
  }
}

function owner(text: string): Owner {
  const [name = '', version] = text.split('=');
  return { name, ...(version === undefined ? {} : { version }) };
}

/** Finds the owners of one path in Contents lists that are read in blocks of whole lines. */
export class PathFinder {
  readonly #starts: readonly string[];
  readonly #found = new Set<string>();

  /** @param path absolute, below `/usr` where Debian may list it without */
  constructor(path: string) {
    const plain = path.slice(1);
    const unmerged = /^usr\/(?:bin|sbin|lib)\//.test(plain) ? [plain.slice('usr/'.length)] : [];
    this.#starts = [plain, ...unmerged].map((each) => `\n${each} `);
  }

  add(lines: string): void {
    const text = `\n${lines}`;
    for (const start of this.#starts) {
      const at = text.indexOf(start);
      if (at < 0) continue;
      // A longer path may start with this one and a blank.
      const owners = /^\s*(\S+)$/.exec(text.slice(at + start.length, text.indexOf('\n', at + 1)))?.[1];
      for (const owner of owners?.split(',') ?? []) this.#found.add(owner.slice(owner.lastIndexOf('/') + 1));
    }
  }

  owners(): string[] {
    return [...this.#found].sort(compareText);
  }
}
