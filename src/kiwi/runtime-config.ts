import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { systemCode, WeirError } from '../base/errors.ts';

/** What matters for Weir of KIWI's runtime configuration. */
export interface KiwiRuntimeConfig {
  /** Limit for the size of the result, in bytes. */
  readonly maxSize?: number;
  /** Sections whose settings are about KIWI's own tools. */
  readonly without: readonly string[];
}

/** KIWI's sections (kiwi.yml of version 10.2) whose settings are about its host, its tools or how it packs its results. */
const ofKiwi = [
  ...['bundle', 'ca_certificates', 'container', 'credentials', 'iso', 'mapper', 'obs', 'oci', 'runtime_checks', 'xz'],
];

/**
 * Reads the file of `kiwi-config-override`: YAML, each section a list of tables with one key. KIWI lets a section replace the
 * same one of the host's files as a whole. Weir has no such files, so these sections are all there is.
 * @throws WeirError (exit 2) `no-file`, `invalid-kiwi-config`
 */
export function readRuntimeConfig(file: string): KiwiRuntimeConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = systemCode(cause);
    const why = code === 'ENOENT' ? 'no such file' : `cannot read the file (${code})`;
    throw new WeirError('no-file', why, { where: { file }, hint: 'kiwi-config-override names it', exit: 2, cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const refuse = (offset: number, message: string, hint?: string): WeirError => {
    const { line, col } = lines.linePos(offset);
    return new WeirError('invalid-kiwi-config', message, {
      where: { file, line: Math.max(1, line), column: Math.max(1, col) },
      ...(hint === undefined ? {} : { hint }),
      exit: 2,
    });
  };
  const [error] = document.errors;
  if (error !== undefined) throw refuse(error.pos[0], `this is not YAML: ${error.message.split('\n')[0]}`);
  const { contents } = document;
  if (contents === null) return { without: [] };
  const at = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;
  if (!isMap(contents)) throw refuse(at(contents), 'the file must be a table of sections');
  const without: string[] = [];
  let maxSize: number | undefined;
  for (const { key, value } of contents.items) {
    const section = isScalar(key) ? String(key.value) : '';
    if (ofKiwi.includes(section)) {
      without.push(section);
      continue;
    }
    if (section !== 'build_constraints') {
      throw refuse(
        at(key),
        `Weir does not know the section ${section}`,
        `known here: ${['build_constraints', ...ofKiwi].join(', ')}`,
      );
    }
    if (!isSeq(value)) throw refuse(at(value), 'build_constraints must be a list');
    for (const item of value.items) {
      const pairs = isMap(item) ? item.items : [];
      const other = pairs.find(({ key: each }) => !(isScalar(each) && each.value === 'max_size'));
      const [pair] = pairs;
      if (pair === undefined || other !== undefined) {
        throw refuse(at(other?.key ?? item), 'Weir only knows max_size in build_constraints');
      }
      if (maxSize !== undefined) throw refuse(at(pair.key), 'max_size is said twice');
      maxSize = bytesOf(isScalar(pair.value) ? String(pair.value.value) : '');
      if (maxSize === undefined)
        throw refuse(at(pair.value), 'max_size must be a number of bytes from 1, or one with m or g');
    }
  }
  return { without, ...(maxSize === undefined ? {} : { maxSize }) };
}

function bytesOf(text: string): number | undefined {
  const match = /^([1-9]\d{0,11})([mg]?)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * { '': 1, m: 2 ** 20, g: 2 ** 30 }[match[2] as '' | 'm' | 'g'];
}
