// The inputs of a component by its overlays.

import { relative } from 'node:path';
import { canonicalJson, sha256 } from '../base/digest.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { type InputPart, type Parts, short } from './input-parts.ts';

type OverlayKey = Overlay extends infer O ? (O extends O ? keyof O : never) : never;

/** How each field of an overlay is used: its value in the digest, the content of the file that it names, or not at all. */
export const overlayDecisions: { readonly [K in OverlayKey]: 'value' | 'content' | { readonly not: string } } = {
  type: 'value',
  tag: 'value',
  value: 'value',
  package: 'value',
  section: 'value',
  lines: 'value',
  regex: 'value',
  replacement: 'value',
  file: 'value',
  archive: 'value',
  source: 'content',
  description: { not: 'the reason, not the change' },
  metadata: { not: 'the reason, not the change' },
  origin: { not: 'where it is written' },
};

export function overlayPart(overlay: Overlay, number: number, parts: Parts): void {
  const { project, files } = parts.context;
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(overlay)) {
    if (overlayDecisions[key as OverlayKey] === 'value') fields[key] = value;
  }
  const name = `overlay ${number} (${overlay.type})`;
  const where = `${relative(project.root, overlay.origin.file)}:${overlay.origin.line}`;
  const said = summary(overlay);
  if (!('source' in overlay)) {
    parts.add({ name, digest: sha256(canonicalJson(fields)), value: said, where });
    return;
  }
  const withContent = async (): Promise<readonly InputPart[]> => {
    const content = await files.file(overlay.source);
    const digest = sha256(canonicalJson({ ...fields, source: content }));
    return [{ name, digest, value: `${said} (${short(content)})`, where }];
  };
  parts.later(withContent());
}

/** An overlay in a few words. */
function summary(overlay: Overlay): string {
  const scope = [
    'section' in overlay ? overlay.section : undefined,
    'package' in overlay ? overlay.package : undefined,
    'archive' in overlay ? overlay.archive : undefined,
  ];
  const of = scope.filter((part) => part !== undefined && part !== '').join(' ');
  return oneLine(`${of === '' ? '' : `${of}: `}${change(overlay)}`);
}

function change(overlay: Overlay): string {
  switch (overlay.type) {
    case 'spec-add-tag':
    case 'spec-insert-tag':
    case 'spec-set-tag':
    case 'spec-update-tag':
      return `${overlay.tag}: ${overlay.value}`;
    case 'spec-remove-tag':
      return overlay.value === undefined ? overlay.tag : `${overlay.tag}: ${overlay.value}`;
    case 'spec-prepend-lines':
    case 'spec-append-lines':
      return overlay.lines.join(' ⏎ ');
    case 'file-prepend-lines':
      return `${overlay.file}: ${overlay.lines.join(' ⏎ ')}`;
    case 'spec-search-replace':
      return `/${overlay.regex}/ → ${overlay.replacement}`;
    case 'file-search-replace':
      return `${overlay.file}: /${overlay.regex}/ → ${overlay.replacement}`;
    case 'spec-remove-section':
    case 'spec-remove-subpackage':
      return '';
    case 'file-rename':
      return `${overlay.file} → ${overlay.replacement}`;
    case 'patch-add':
    case 'patch-remove':
    case 'file-add':
    case 'file-remove':
      return overlay.file;
  }
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/: $/, '').trim();
  return line.length <= 100 ? line : `${line.slice(0, 99)}…`;
}
