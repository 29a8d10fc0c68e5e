import { readFileSync } from 'node:fs';
import { type Place, systemCode, WeirError } from '../base/errors.ts';
import { parseYaml, type YamlPath, yamlError } from '../yaml/document.ts';

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

const errors = { code: 'invalid-kiwi-config' };
const limits = { mostAliases: 100, mostBytes: 4 << 20 };

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
  const { value, placeOf, placeOfKey } = parseYaml(text, file, errors, limits);
  const refuse = (place: Place, message: string, hint?: string): WeirError => yamlError(errors, place, message, hint);
  if (value === null) return { without: [] };
  if (!isTable(value)) throw refuse(placeOf([]), 'the file must be a table of sections');
  const without: string[] = [];
  let maxSize: number | undefined;
  for (const [section, settings] of Object.entries(value)) {
    if (ofKiwi.includes(section)) {
      without.push(section);
      continue;
    }
    if (section !== 'build_constraints') {
      const known = `known here: ${['build_constraints', ...ofKiwi].join(', ')}`;
      throw refuse(placeOfKey([], section), `Weir does not know the section ${section}`, known);
    }
    if (!Array.isArray(settings)) throw refuse(placeOf([section]), 'build_constraints must be a list');
    for (const [index, item] of settings.entries()) {
      const at: YamlPath = [section, index];
      const keys = isTable(item) ? Object.keys(item) : [];
      const other = keys.find((key) => key !== 'max_size');
      if (other !== undefined || keys.length === 0) {
        const place = other === undefined ? placeOf(at) : placeOfKey(at, other);
        throw refuse(place, 'Weir only knows max_size in build_constraints');
      }
      if (maxSize !== undefined) throw refuse(placeOfKey(at, 'max_size'), 'max_size is said twice');
      maxSize = bytesOf(String((item as { readonly max_size: unknown }).max_size));
      if (maxSize === undefined) {
        const place = placeOf([...at, 'max_size']);
        throw refuse(place, 'max_size must be a number of bytes from 1, or one with m or g');
      }
    }
  }
  return { without, ...(maxSize === undefined ? {} : { maxSize }) };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bytesOf(text: string): number | undefined {
  const match = /^([1-9]\d{0,11})([mg]?)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * { '': 1, m: 2 ** 20, g: 2 ** 30 }[match[2] as '' | 'm' | 'g'];
}
