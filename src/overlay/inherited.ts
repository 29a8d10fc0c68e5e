import type { Origin } from '../toml/place.ts';

const header = /^\s*\[{1,2}\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*\]{1,2}\s*(?:#.*)?$/;

/**
 * Where a component inherits an overlay from, as a phrase; undefined for the component's own overlays and for overlay files.
 * @param text of the file that contains the origin
 */
export function inheritedFrom(text: string, origin: Pick<Origin, 'line'>): string | undefined {
  const lines = text.split('\n').slice(0, origin.line);
  const table = lines.findLast((line) => header.test(line));
  const keys = (header.exec(table ?? '')?.[1]?.match(/[A-Za-z0-9_-]+|"[^"]*"|'[^']*'/g) ?? []).map((key) =>
    key.replace(/^["']|["']$/g, ''),
  );
  const [first, second, third, fourth] = keys;
  if (first === 'default-component-config') return "the project's default-component-config";
  if (first === 'component-groups') return `component group ${second ?? ''}`.trim();
  if (first === 'distros' && third === 'versions') return `distro ${second ?? ''} ${fourth ?? ''}`.trim();
  return undefined;
}
