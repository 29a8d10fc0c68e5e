import { WeirError } from '../base/errors.ts';

export type SourceHashType = 'MD5' | 'SHA256' | 'SHA512';

/** A file that dist-git lists by hash only; the lookaside has the content. */
export interface LookasideFile {
  readonly filename: string;
  readonly hashType: SourceHashType;
  /** Lower-case hex. */
  readonly hash: string;
}

const hexLength: Readonly<Record<SourceHashType, number>> = { MD5: 32, SHA256: 64, SHA512: 128 };

/**
 * Parses a dist-git `sources` file: lines `SHA512 (name) = hash`, as BSD's checksum tools write them, or the old
 * `md5  name` of md5sum. Blank lines and lines that begin with `#` are skipped.
 * @throws WeirError `bad-sources` (exit 2) with line and column
 */
export function parseSourcesFile(text: string, file: string): LookasideFile[] {
  const found: LookasideFile[] = [];
  const lines = new Map<string, number>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const indent = raw.length - raw.trimStart().length;
    const fail = (column: number, message: string, hint?: string): never => {
      throw new WeirError('bad-sources', message, {
        where: { file, line: index + 1, column: indent + column + 1 },
        details: [line],
        ...(hint === undefined ? {} : { hint }),
        exit: 2,
      });
    };
    const entry = parseLine(line, fail);
    const { filename } = entry;
    const before = lines.get(filename);
    if (before !== undefined) fail(line.indexOf(filename), `${filename} is listed twice, first in line ${before}`);
    lines.set(filename, index + 1);
    found.push(entry);
  }
  return found;
}

type Fail = (column: number, message: string, hint?: string) => never;

function parseLine(line: string, fail: Fail): LookasideFile {
  const modern = /^(\S+)(\s+\()(.*)(\)\s+=\s+)(.*)$/.exec(line);
  if (modern !== null) {
    const [, type = '', open = '', filename = '', close = '', hash = ''] = modern;
    const nameAt = type.length + open.length;
    if (type !== 'MD5' && type !== 'SHA256' && type !== 'SHA512') {
      return fail(0, `${type} is not a hash that Weir knows`, 'there are MD5, SHA256 and SHA512');
    }
    checkName(filename, nameAt, fail);
    checkHash(hash, type, nameAt + filename.length + close.length, fail);
    return { filename, hashType: type, hash: hash.toLowerCase() };
  }
  const old = /^([0-9a-fA-F]+)(\s+\*?)(\S.*)$/.exec(line);
  if (old !== null) {
    const [, hash = '', gap = '', filename = ''] = old;
    checkHash(hash, 'MD5', 0, fail);
    checkName(filename, hash.length + gap.length, fail);
    return { filename, hashType: 'MD5', hash: hash.toLowerCase() };
  }
  return fail(0, 'invalid line in a sources file', 'a line is "SHA512 (name) = hash", or "md5  name"');
}

function checkHash(hash: string, type: SourceHashType, at: number, fail: Fail): void {
  const odd = hash.search(/[^0-9a-fA-F]/);
  if (odd >= 0) fail(at + odd, `${JSON.stringify(hash[odd])} is not a hex digit`);
  if (hash.length !== hexLength[type]) {
    fail(at, `${type} has ${hexLength[type]} hex digits, not ${hash.length}`);
  }
}

function checkName(filename: string, at: number, fail: Fail): void {
  const plain = filename !== '' && filename !== '.' && filename !== '..' && !/[/\0]/.test(filename);
  if (!plain) fail(at, `${JSON.stringify(filename)} is not a plain file name`);
}

/** The text of a `sources` file, in the order given. */
export function formatSourcesFile(files: readonly LookasideFile[]): string {
  return files.map((one) => `${one.hashType} (${one.filename}) = ${one.hash}\n`).join('');
}
