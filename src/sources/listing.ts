import { WeirError } from '../base/errors.ts';

export type SourceHashType = 'MD5' | 'SHA256' | 'SHA512';

/** A file that dist-git names by its hash only; the lookaside has the content. */
export interface LookasideFile {
  readonly filename: string;
  readonly hashType: SourceHashType;
  /** lower-case hex */
  readonly hash: string;
}

const hexLength: Readonly<Record<SourceHashType, number>> = { MD5: 32, SHA256: 64, SHA512: 128 };

/**
 * Reads a dist-git `sources` file: lines `SHA512 (name) = hash`, or the old `md5  name`.
 * @throws WeirError `bad-sources` with the line
 */
export function parseSourcesFile(text: string, file: string): LookasideFile[] {
  const found: LookasideFile[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const modern = /^([A-Z0-9]+)\s+\(([^)]+)\)\s+=\s+([a-fA-F0-9]+)$/.exec(line);
    const old = /^([a-fA-F0-9]{32})\s+\*?(\S.*)$/.exec(line);
    const bad = (message: string): WeirError =>
      new WeirError('bad-sources', message, { where: { file, line: index + 1 }, details: [line], exit: 2 });
    const [type, filename, hash] = modern !== null ? modern.slice(1) : ['MD5', old?.[2], old?.[1]];
    if (filename === undefined || hash === undefined) throw bad('this is no line of a sources file');
    if (type !== 'MD5' && type !== 'SHA256' && type !== 'SHA512') throw bad(`${type} is not a hash that Weir knows`);
    if (hash.length !== hexLength[type]) throw bad(`${type} has ${hexLength[type]} hex digits, not ${hash.length}`);
    if (filename.includes('/') || filename === '.' || filename === '..' || filename.includes('\0')) {
      throw bad(`${filename} is not a plain file name`);
    }
    if (found.some((one) => one.filename === filename)) throw bad(`${filename} is listed twice`);
    found.push({ filename, hashType: type, hash: hash.toLowerCase() });
  }
  return found;
}

/** The text of a `sources` file, in the order given. */
export function formatSourcesFile(files: readonly LookasideFile[]): string {
  return files.map((one) => `${one.hashType} (${one.filename}) = ${one.hash}\n`).join('');
}
