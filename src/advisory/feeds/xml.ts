import { printXml, type XmlElement } from '../../kiwi/xml.ts';

const nowhere = { file: '', line: 1, column: 1 };

/** An element to print. @param content its text, or its children; undefined ones are left out */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  content: string | readonly (XmlElement | undefined)[] = [],
): XmlElement {
  return {
    name,
    attributes: new Map(
      Object.entries(attributes).map(([key, value]) => [key, { value: printable(value), place: nowhere }] as const),
    ),
    children: typeof content === 'string' ? [] : content.filter((child) => child !== undefined),
    text: typeof content === 'string' ? printable(content) : '',
    place: nowhere,
  };
}

export { printXml };

/** XML 1.0 has no control characters, and no halves of characters. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
  return text.toWellFormed().replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '');
}
