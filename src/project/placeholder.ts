import { globError } from '../base/glob.ts';

/** Stands for the name of a component in `overlay-files` of the project's `default-component-config`. */
export const placeholder = '{component}';

/** Why a pattern with the placeholder is invalid; undefined if it is valid. */
export function placeholderError(pattern: string): string | undefined {
  const parts = pattern.split('/');
  const at = parts.indexOf(placeholder);
  if (pattern.split(placeholder).length > 2) return `${placeholder} may be there only once`;
  if (at < 0) return `${placeholder} must be a whole part of the path, between slashes`;
  if (/[*?[{\\]/.test(parts.slice(0, at).join('/'))) return `no wildcard may precede ${placeholder}`;
  if (parts.slice(at + 1).join('') === '') return `${placeholder} names a folder, so the files in it must follow`;
  return globError(pattern.replace(placeholder, '*'));
}
