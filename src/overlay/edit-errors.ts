// The words of errors about edits that find nothing to change.

import { WeirError } from '../base/errors.ts';
import type { Section, Spec } from '../spec/parse.ts';

export function noMatch(message: string, details: readonly (string | undefined)[] = []): WeirError {
  return new WeirError('overlay-no-match', message, {
    details: details.filter((detail) => detail !== undefined),
    hint: 'upstream may have changed: compare the overlay with the upstream spec, and change or remove it',
    exit: 2,
  });
}

export function packageLabel(packageName: string): string {
  return packageName === '' ? 'the main package' : `package ${packageName}`;
}

export function lineLabel(spec: Spec, section: Pick<Section, 'header'>): string {
  return `line ${section.header + 1}: ${shortened(spec.lines[section.header]!.text.trim())}`;
}

export function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
