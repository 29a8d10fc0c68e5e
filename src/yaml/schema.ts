import type { z } from 'zod';
import { didYouMean, type Place, WeirError } from '../base/errors.ts';
import { type YamlDocument, type YamlPath, yamlError } from './document.ts';

/** Keys that another tool supports and Weir does not: the last key of their path → what to do instead. */
export type Unsupported = Readonly<Record<string, string>>;

/**
 * The value of a document, checked by a schema. An empty document is an empty table.
 * @throws WeirError with the code of the document (exit 2) and the place, with all further problems attached to the first
 */
export function checkedYaml<S extends z.ZodType>(
  document: YamlDocument,
  schema: S,
  unsupported: Unsupported = {},
): z.output<S> {
  const result = schema.safeParse(document.value ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue): WeirError[] => {
    const where = issue.path.filter((part): part is string | number => typeof part !== 'symbol');
    if (issue.code !== 'unrecognized_keys') {
      const name = where.length === 0 ? '' : `${dotted(where)}: `;
      return [yamlError(document.errors, document.placeOf(where), `${name}${issue.message}`)];
    }
    return issue.keys.map((key) => {
      const known = keysOf(schema, where);
      return unknownKey(document, document.placeOfKey(where, key), [...where, key], unsupported, known);
    });
  });
  const [first, ...others] = problems as [WeirError, ...WeirError[]];
  throw new WeirError(first.code, first.message, {
    ...(first.where === undefined ? {} : { where: first.where }),
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    others,
    exit: 2,
  });
}

function unknownKey(
  { errors }: YamlDocument,
  where: Place,
  path: YamlPath,
  unsupported: Unsupported,
  known: readonly string[],
): WeirError {
  const name = dotted(path);
  const instead = unsupported[String(path.at(-1))];
  if (instead !== undefined) return yamlError(errors, where, `Weir does not support "${name}"`, instead);
  return yamlError(errors, where, `unknown key "${name}"`, didYouMean(String(path.at(-1)), known));
}

function dotted(path: YamlPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** Keys that the schema has at a path. */
function keysOf(schema: unknown, path: YamlPath): string[] {
  let at = inner(schema);
  for (const part of path) at = inner(typeof part === 'number' ? at?.element : at?.shape?.[part]);
  return Object.keys(at?.shape ?? {});
}

interface Definition {
  readonly innerType?: unknown;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
}

function inner(schema: unknown): Definition | undefined {
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def;
  return definition?.innerType === undefined ? definition : inner(definition.innerType);
}
