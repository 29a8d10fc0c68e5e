// The inputs of a component by its source files.

import { canonicalJson, sha256 } from '../base/digest.ts';
import type { SourceFile, SourceOrigin } from '../project/model/component.ts';
import { type Parts, short } from './input-parts.ts';

type SourceKey = keyof SourceFile;

type OriginKey = SourceOrigin extends infer O ? (O extends O ? keyof O : never) : never;

/** How each field of a source file is used; `unless-hashed`: a hash identifies the file, however it is made. */
export const sourceFileDecisions: {
  readonly [K in SourceKey]: 'value' | 'origin' | { readonly not: string };
} = {
  filename: 'value',
  hash: 'value',
  hashType: 'value',
  replaceUpstream: 'value',
  origin: 'origin',
  replaceReason: { not: 'the reason, not the change' },
};

/** How each field of a source file's origin is used. */
export const sourceOriginDecisions: { readonly [K in OriginKey]: 'value' | 'unless-hashed' } = {
  type: 'value',
  uri: 'unless-hashed',
  script: 'unless-hashed',
  packages: 'unless-hashed',
  inputs: 'unless-hashed',
};

export function sourceFilePart(file: SourceFile, parts: Parts): void {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(file)) {
    if (sourceFileDecisions[key as SourceKey] === 'value') fields[key] = value;
  }
  for (const [key, value] of Object.entries(file.origin)) {
    const decision = sourceOriginDecisions[key as OriginKey];
    if (decision === 'value' || (decision === 'unless-hashed' && file.hash === undefined)) {
      fields[`origin.${key}`] = value;
    }
  }
  const hash = file.hash === undefined ? '' : ` ${file.hashType} ${short(file.hash)}`;
  parts.add({
    name: `source file ${file.filename}`,
    digest: sha256(canonicalJson(fields)),
    value: `${file.origin.type}${hash}`,
  });
}
