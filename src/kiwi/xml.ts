import { isUtf8 } from 'node:buffer';
import { SaxesParser } from 'saxes';
import { type Place, WeirError } from '../base/errors.ts';

/** Where something stands in a file. */
export interface XmlPlace extends Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface XmlAttribute {
  readonly value: string;
  readonly place: XmlPlace;
}

/** An element of an XML document. Comments and processing instructions are dropped. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, XmlAttribute>;
  readonly children: readonly XmlElement[];
  /** The text directly in it, without spaces at its ends. */
  readonly text: string;
  readonly place: XmlPlace;
}

/** Far more than a hand-written file has. */
const deepest = 100;

/**
 * Parses an XML document without a DTD, in UTF-8. Names with a prefix are kept as they are written.
 * @param file for places
 * @throws WeirError `xml-syntax` (exit 2)
 */
export function parseXml(file: string, bytes: Uint8Array): XmlElement {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  const place = places(file, text);
  const refuse = (message: string, at: XmlPlace, hint?: string): WeirError =>
    new WeirError('xml-syntax', message, { where: at, exit: 2, ...(hint === undefined ? {} : { hint }) });
  if (!isUtf8(bytes)) throw refuse('this is not XML: the file is not UTF-8 text', place(text.indexOf('\uFFFD')));

  const parser = new SaxesParser({ position: true });
  const open: Building[] = [];
  let root: XmlElement | undefined;
  // The end of the last name or attribute: what follows begins behind it.
  let last = 0;
  parser.on('error', (error) => {
    throw refuse(error.message.replace(/^(?:[^:]*:)?\d+:\d+: /, ''), place(Math.max(0, parser.position - 1)));
  });
  parser.on('doctype', () => {
    throw refuse('a document type is not supported', place(text.lastIndexOf('<!DOCTYPE', parser.position)));
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding === undefined || /^utf-?8$/i.test(encoding)) return;
    throw refuse(`the encoding ${encoding} is not supported`, place(0), 'write the file in UTF-8');
  });
  parser.on('opentagstart', ({ name }) => {
    last = text.lastIndexOf(`<${name}`, parser.position);
    if (open.length >= deepest) throw refuse(`more than ${deepest} elements in each other`, place(last));
    open.push({ name, attributes: new Map(), children: [], texts: [], place: place(last) });
    last += name.length + 1;
  });
  parser.on('attribute', ({ name, value }) => {
    const start = text.indexOf(name, last);
    open.at(-1)!.attributes.set(name, { value, place: place(start) });
    last = parser.position;
  });
  const characters = (part: string): void => {
    open.at(-1)?.texts.push(part);
  };
  parser.on('text', characters);
  parser.on('cdata', characters);
  parser.on('closetag', () => {
    const { texts, ...element } = open.pop()!;
    const done: XmlElement = { ...element, text: texts.join('').trim() };
    const parent = open.at(-1);
    if (parent === undefined) root = done;
    else parent.children.push(done);
  });
  parser.write(text).close();
  if (root === undefined) throw refuse('the file has no element', place(0));
  return root;
}

interface Building {
  readonly name: string;
  readonly attributes: Map<string, XmlAttribute>;
  readonly children: XmlElement[];
  readonly texts: string[];
  readonly place: XmlPlace;
}

/** Lines and columns, from 1, of offsets in a text. */
function places(file: string, text: string): (offset: number) => XmlPlace {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: Math.max(0, offset - starts[low]!) + 1 };
  };
}

/** An element as XML text, indented, with its attributes in their order. */
export function printXml(element: XmlElement): string {
  return `<?xml version="1.0" encoding="utf-8"?>\n${printElement(element, '')}`;
}

function printElement({ name, attributes, children, text }: XmlElement, indent: string): string {
  const words = [...attributes].map(([key, { value }]) => ` ${key}="${escaped(value)}"`).join('');
  if (children.length === 0) {
    return `${indent}<${name}${words}${text === '' ? '/>' : `>${escaped(text)}</${name}>`}\n`;
  }
  const inner = children.map((child) => printElement(child, `${indent}  `)).join('');
  return `${indent}<${name}${words}>${escaped(text)}\n${inner}${indent}</${name}>\n`;
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"\t\n\r]/g, (char) => names[char] ?? `&#${char.charCodeAt(0)};`);
}
