import type { Comparison } from '../rpm/types.ts';
import { formatEvr } from '../rpm/version.ts';

/** One paragraph of a Debian control file: field names in lower case, continuation lines joined with `\n`. */
export type Stanza = ReadonlyMap<string, string>;

/**
 * Parses paragraphs of `Field: value` lines as in deb822(5). Skips comments, and lines that are neither a field nor a
 * continuation, because it also reads hand-written copyright files.
 */
export function parseStanzas(text: string): Stanza[] {
  const stanzas: Stanza[] = [];
  let current = new Map<string, string>();
  let field: string | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.trim() === '') {
      if (current.size > 0) stanzas.push(current);
      current = new Map();
      field = undefined;
    } else if (line.startsWith('#')) {
      // a comment
    } else if (line.startsWith(' ') || line.startsWith('\t')) {
      if (field !== undefined) current.set(field, `${current.get(field)}\n${line.slice(1)}`);
    } else {
      const colon = line.indexOf(':');
      field = colon > 0 ? line.slice(0, colon).toLowerCase() : undefined;
      if (field !== undefined) current.set(field, line.slice(colon + 1).trim());
    }
  }
  if (current.size > 0) stanzas.push(current);
  return stanzas;
}

/** Debian's version comparisons: `<<` and `>>` are strict. */
export type DebianOperator = '<<' | '<=' | '=' | '>=' | '>>';

/** One alternative of a dependency field. */
export interface Relation {
  readonly name: string;
  readonly operator?: DebianOperator;
  /** Debian version; present if and only if `operator` is. */
  readonly version?: string;
}

const relationPattern =
  /^([A-Za-z0-9][A-Za-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\))?\s*(?:\[[^\]]*\])?$/;

/**
 * Parses a dependency field: clauses that must all hold, each with its alternatives. Drops `:any` and other architecture
 * qualifiers, because a seed has one architecture, and skips what it cannot parse.
 */
export function parseRelations(field: string | undefined): Relation[][] {
  if (field === undefined) return [];
  const all: Relation[][] = [];
  for (const clause of field.split(',')) {
    const alternatives: Relation[] = [];
    for (const part of clause.split('|')) {
      const match = relationPattern.exec(part.trim().replaceAll(/\s+/g, ' '));
      if (match === null) continue;
      const [, name, operator, version] = match;
      if (operator === undefined) alternatives.push({ name: name! });
      else {
        // `<` and `>` are old spellings of `<=` and `>=`.
        const strict = operator === '<' ? '<=' : operator === '>' ? '>=' : (operator as DebianOperator);
        alternatives.push({ name: name!, operator: strict, version: version! });
      }
    }
    if (alternatives.length > 0) all.push(alternatives);
  }
  return all;
}

/** A version in RPM's parts, always with a release. */
export interface PackageEvr {
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
}

/**
 * Converts a Debian version to RPM's three parts. Without a revision the release is `0`; dpkg also treats the two alike. A
 * character that RPM forbids in a version (a `-` within the upstream part, `:`) becomes `.`.
 */
export function rpmVersion(debian: string): PackageEvr {
  const colon = debian.indexOf(':');
  const epoch = colon > 0 && /^\d+$/.test(debian.slice(0, colon)) ? Number(debian.slice(0, colon)) : 0;
  const rest = colon > 0 && /^\d+$/.test(debian.slice(0, colon)) ? debian.slice(colon + 1) : debian;
  const dash = rest.lastIndexOf('-');
  return {
    epoch,
    version: allowed(dash < 0 ? rest : rest.slice(0, dash)),
    release: dash < 0 ? '0' : allowed(rest.slice(dash + 1)),
  };
}

/** An empty part is `0`, as in dpkg. */
function allowed(part: string): string {
  if (part === '') return '0';
  return part.replaceAll(/[^A-Za-z0-9._+~^]/g, '.');
}

/**
 * The EVR of a constraint, always with a release: RPM compares only what both sides have, so `> 2.41` would not match 2.41-12,
 * as it does in Debian.
 */
export function constraintEvr(debian: string): string {
  return formatEvr(rpmVersion(debian));
}

export function rpmComparison(operator: DebianOperator): Exclude<Comparison, ''> {
  return operator === '<<' ? '<' : operator === '>>' ? '>' : operator;
}

/** RPM's name of a Debian architecture; `all` is `noarch`. */
export function rpmArch(debian: string): string {
  const names: Readonly<Record<string, string>> = { all: 'noarch', amd64: 'x86_64', arm64: 'aarch64' };
  return names[debian] ?? debian;
}
