import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { type Place, WeirError } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';
import { parseYaml, type YamlDocument, yamlError } from '../../yaml/document.ts';
import { checkedYaml, type Unsupported } from '../../yaml/schema.ts';

/** A YAML file that fits its schema, with the places of its values. */
export interface YamlFile<T> extends Pick<YamlDocument, 'placeOf'> {
  readonly data: T;
}

const errors = { code: 'bad-image-config' };
/** More than a hand-written file has. */
const limits = { mostAliases: 100, mostBytes: 4 << 20 };

/**
 * Reads a YAML or JSON file.
 * @throws WeirError `bad-image-config` (exit 2) with the place, and all further problems behind the first; `not-readable`
 */
export async function readYaml<S extends z.ZodType>(
  path: string,
  schema: S,
  unsupported?: Unsupported,
): Promise<YamlFile<z.output<S>>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const known = diskError(error, path);
    if (known instanceof WeirError) throw known;
    throw new WeirError('not-readable', 'cannot read the file', { where: { file: path }, exit: 2, cause: error });
  });
  const document = parseYaml(text, path, errors, limits);
  return { data: checkedYaml(document, schema, unsupported), placeOf: document.placeOf };
}

/** An error about a value of a YAML file. */
export function problem(where: Place, message: string, hint?: string): WeirError {
  return yamlError(errors, where, message, hint);
}
