import { isDeepStrictEqual } from 'node:util';
import { WeirError } from '../base/errors.ts';
import { parseDocument, problem } from '../toml/document.ts';
import { fileSchema } from './schema/file.ts';
import { keyText, quotedText } from './toml.ts';

type Value = string | readonly Value[] | { readonly [key: string]: Value };

/** An overlay in the keys of the file. */
export type NewOverlay = Readonly<Record<string, Value>>;

/**
 * Adds overlays of a component at the end of a file's text; everything else stays byte for byte.
 * @param path of the file, for messages
 * @throws WeirError (exit 2) `cant-add` if the file writes the component's overlays in a way that leaves no place for a table
 */
export function withOverlays(path: string, text: string, component: string, overlays: readonly NewOverlay[]): string {
  const before = parseDocument(path, text, fileSchema, { reasons: 'optional' }).data;
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const tables = overlays.map((overlay) => overlayTable(component, overlay));
  const edited = `${text === '' || text.endsWith('\n') ? text : `${text}${end}`}${tables.join('').replaceAll('\n', end)}`;
  const refused = (): WeirError =>
    problem(
      { path, text },
      ['components', component],
      'cant-add',
      `cannot add an overlay of ${component} to this file`,
      {
        details: tables.join('').trim().split('\n'),
        hint: `write the overlays of ${component} as [[components.${keyText(component)}.overlays]] tables, or add the lines above by hand`,
      },
    );
  let after: typeof before;
  try {
    after = parseDocument(path, edited, fileSchema, { reasons: 'optional' }).data;
  } catch (error) {
    if (error instanceof WeirError) throw refused();
    throw error;
  }
  const table = before.components?.[component];
  const added = { ...table, overlays: [...(table?.overlays ?? []), ...overlays] };
  const expected = { ...before, components: { ...before.components, [component]: added } };
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(after)), JSON.parse(JSON.stringify(expected)))) throw refused();
  return edited;
}

function overlayTable(component: string, overlay: NewOverlay): string {
  const lines = Object.entries(overlay).map(([key, value]) => `${keyText(key)} = ${valueText(value)}`);
  return `\n[[components.${keyText(component)}.overlays]]\n${lines.join('\n')}\n`;
}

function valueText(value: Value): string {
  if (typeof value === 'string') return quotedText(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${keyText(key)} = ${valueText(inner)}`)
    .join(', ')} }`;
}
