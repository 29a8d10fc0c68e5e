import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import { isPackageWord } from '../rpm/names.ts';
import { streamTool, type Toolbox } from '../toolbox/tool.ts';
import { badMetadata } from './repomd.ts';

/** A package of an input repository. */
export interface IndexedPackage extends RepoPackage {
  /** Bytes of the file. */
  readonly size: number;
  /** URL of the file relative to the repository. */
  readonly location: string;
}

/** Size limit of a package's entry; Fedora's largest has about 2 MB. */
const largestEntry = 64 << 20;
/** Fedora's primary metadata has about 300 MB uncompressed. */
const largestPrimary = 8 * 2 ** 30;

/**
 * Writes the index of a repository's packages: a line for each, with name, epoch, version, release, architecture, SHA-256, bytes,
 * location and source package, separated by tabs, in the order of the metadata.
 *
 * Nothing else is read from `primary.xml`: dnf5 resolves requirements. The text is scanned, not parsed into a document, because it has
 * hundreds of megabytes.
 * @param primary `primary.xml`, compressed with gzip, zstd or xz as its name says, or not
 * @param repository its id, for errors
 * @throws WeirError `bad-metadata`
 */
export async function writePackageIndex(
  toolbox: Toolbox,
  primary: { readonly path: string; readonly name: string },
  repository: string,
  target: string,
): Promise<number> {
  const output = createWriteStream(target, { flags: 'wx' });
  let count = 0;
  const put = async (text: string): Promise<void> => {
    if (!output.write(text)) await once(output, 'drain');
  };
  await scanPackages(toolbox, primary, repository, async (entry) => {
    count++;
    await put(`${indexLine(entry, repository)}\n`);
  });
  output.end();
  await once(output, 'finish');
  return count;
}

async function scanPackages(
  toolbox: Toolbox,
  primary: { readonly path: string; readonly name: string },
  repository: string,
  onPackage: (entry: string) => Promise<void>,
): Promise<void> {
  const bad = (message: string): WeirError => badMetadata(repository, `${primary.name}: ${message}`);
  const input = opened(toolbox, primary);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let total = 0;
  let ended = false;
  try {
    for await (const chunk of input.stream) {
      const bytes = chunk as Buffer;
      total += bytes.length;
      if (total > largestPrimary) throw bad(`it has more than ${largestPrimary} bytes`);
      text += decoder.decode(bytes, { stream: true });
      let at = 0;
      for (;;) {
        const start = text.indexOf('<package ', at);
        if (start < 0) break;
        const end = text.indexOf('</package>', start);
        if (end < 0) {
          at = start;
          break;
        }
        await onPackage(text.slice(start, end));
        at = end + '</package>'.length;
      }
      text = text.slice(at);
      if (text.length > largestEntry) throw bad('a package has an entry of more than 64 MiB');
      if (!ended && text.includes('</metadata>')) ended = true;
    }
    await input.done();
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw bad(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!ended) throw bad('it is truncated');
}

function opened(
  toolbox: Toolbox,
  { path, name }: { readonly path: string; readonly name: string },
): { readonly stream: Readable; readonly done: () => Promise<void> } {
  const nothing = async (): Promise<void> => {};
  if (name.endsWith('.xz')) {
    const tool = streamTool(toolbox, { argv: ['xz', '-dc', path], binds: [{ from: path }] });
    return {
      stream: tool.stdout,
      done: async () => {
        if ((await tool.done) !== 0) throw new Error(tool.stderr().trim());
      },
    };
  }
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  const unpacker = name.endsWith('.zst') ? createZstdDecompress() : name.endsWith('.gz') ? createGunzip() : undefined;
  if (unpacker === undefined) return { stream: file, done: nothing };
  file.on('error', (error) => unpacker.destroy(error));
  return { stream: file.pipe(unpacker), done: nothing };
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[name as string] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}

/** The text of the first element with this name. */
function element(entry: string, name: string): string | undefined {
  const start = entry.indexOf(`<${name}>`);
  if (start < 0) return undefined;
  const end = entry.indexOf('<', start + name.length + 2);
  return end < 0 ? undefined : unescaped(entry.slice(start + name.length + 2, end).trim());
}

/** The start tag of the first element with this name. */
function startTag(entry: string, name: string): string {
  const start = entry.indexOf(`<${name} `);
  return start < 0 ? '' : entry.slice(start, entry.indexOf('>', start) + 1);
}

function attribute(tag: string, name: string): string | undefined {
  const start = tag.indexOf(` ${name}="`);
  if (start < 0) return undefined;
  const from = start + name.length + 3;
  return unescaped(tag.slice(from, tag.indexOf('"', from)));
}

function indexLine(entry: string, repository: string): string {
  const name = element(entry, 'name');
  const arch = element(entry, 'arch');
  const evr = startTag(entry, 'version');
  const epoch = attribute(evr, 'epoch') ?? '0';
  const version = attribute(evr, 'ver');
  const release = attribute(evr, 'rel');
  const bad = (message: string): WeirError =>
    badMetadata(repository, `package ${JSON.stringify((name ?? '').slice(0, 100))}: ${message}`);
  for (const [what, word] of Object.entries({ name, version, release, arch })) {
    if (word === undefined || !isPackageWord(word)) throw bad(`invalid or missing ${what}`);
  }
  if (!/^\d{1,9}$/.test(epoch)) throw bad('invalid epoch');
  const checksum = startTag(entry, 'checksum');
  const at = entry.indexOf(checksum) + checksum.length;
  const digest = entry.slice(at, entry.indexOf('<', at)).trim();
  const kind = attribute(checksum, 'type');
  if (kind !== 'sha256' || !/^[0-9a-f]{64}$/.test(digest)) {
    throw bad(`its checksum is ${kind ?? 'missing'}, but must be sha256`);
  }
  const location = startTag(entry, 'location');
  const href = attribute(location, 'href') ?? '';
  const base = attribute(location, 'xml:base');
  if (href === '' || /[\t\n]/.test(href) || href.startsWith('/') || href.split('/').includes('..')) {
    throw bad('invalid or missing location');
  }
  if (base !== undefined && !/^(https?|file):\/\/[^\s]+$/.test(base)) throw bad('invalid xml:base');
  const size = attribute(startTag(entry, 'size'), 'package') ?? '';
  if (!/^\d{1,15}$/.test(size)) throw bad('invalid or missing size');
  const source = element(entry, 'rpm:sourcerpm') ?? '';
  const url = base === undefined ? href : `${base.replace(/\/+$/, '')}/${href}`;
  return [name, Number(epoch), version, release, arch, digest, size, url, source].join('\t');
}

/** The packages of an index file; entries are parsed only when used. */
export class PackageIndex {
  readonly names = new Set<string>();
  readonly #lines = new Map<string, string>();
  readonly #twice = new Set<string>();
  readonly #repository: string;

  constructor(text: string, repository: string) {
    this.#repository = repository;
    let at = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      const line = text.slice(at, end);
      at = end + 1;
      const [name, epoch, version, release, arch, rpm] = line.split('\t', 6);
      if (rpm === undefined) throw new TypeError(`${repository}: the package index has an invalid line`);
      const id = nevra({ name: name!, epoch: Number(epoch), version: version!, release: release!, arch: arch! });
      this.names.add(name!);
      const known = this.#lines.get(id);
      if (known === undefined) this.#lines.set(id, line);
      else if (known.split('\t', 6)[5] !== rpm) this.#twice.add(id);
    }
  }

  /** All packages of this name, in the order of the repository. Scans the whole index, so it is meant for a few lookups. */
  versionsOf(name: string): IndexedPackage[] {
    const found: IndexedPackage[] = [];
    for (const [id, line] of this.#lines) if (line.startsWith(`${name}\t`)) found.push(this.find(id)!);
    return found;
  }

  /** All packages, in the order of the repository. @throws WeirError `ambiguous-package`; see `find` */
  all(): IndexedPackage[] {
    return [...this.#lines.keys()].map((id) => this.find(id)!);
  }

  get size(): number {
    return this.#lines.size;
  }

  /**
   * The package with this NEVRA.
   * @throws WeirError `ambiguous-package` if the repository lists two files with this NEVRA but different content
   */
  find(id: string): IndexedPackage | undefined {
    const line = this.#lines.get(id);
    if (line === undefined) return undefined;
    if (this.#twice.has(id)) {
      throw new WeirError(
        'ambiguous-package',
        `repository ${this.#repository} lists ${id} twice, with different content`,
        {
          hint: 'the repository is damaged: it is undefined which file is meant',
        },
      );
    }
    const [name, epoch, version, release, arch, rpm, size, location, sourceRpm] = line.split('\t');
    return {
      name: name!,
      epoch: Number(epoch),
      version: version!,
      release: release!,
      arch: arch!,
      rpm: rpm! as Digest,
      sourceRpm: sourceRpm!,
      origin: this.#repository,
      size: Number(size),
      location: location!,
    };
  }
}
