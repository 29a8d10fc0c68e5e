import { WeirError } from '../base/errors.ts';
import { parallel } from './file-list.ts';
import { type Header, headerNumbers, headerText, headerTexts } from './header.ts';
import { bitsComparison, fileTriggerTags, scriptBits, scriptletTags, triggerBits, triggerTags } from './tags.ts';
import type { FileTrigger, RpmPackage, ScriptFlag, Scriptlet, ScriptletKind, Trigger } from './types.ts';

/** rpm's default priority of a file trigger. */
export const defaultTriggerPriority = 1_000_000;

const shell = '/bin/sh';

/** Reads the scriptlets of a main header (rpm's docs/manual/tags.md, "Basic scriptlets"). */
export function readScriptlets(main: Header): Scriptlet[] {
  return (Object.keys(scriptletTags) as ScriptletKind[]).flatMap((kind) => {
    const { body, program, flags } = scriptletTags[kind];
    if (!main.has(body) && !main.has(program)) return [];
    const interpreter = headerTexts(main, program);
    return [
      {
        kind,
        interpreter: interpreter.length === 0 ? [shell] : interpreter,
        script: headerText(main, body) ?? '',
        ...scriptFlags(headerNumbers(main, flags)[0]),
      },
    ];
  });
}

/** Reads the triggers on packages of a main header (rpm's docs/manual/tags.md, "Triggers"). @throws WeirError `bad-rpm` */
export function readTriggers(main: Header): Trigger[] {
  return indexed(main, triggerTags, 'triggers').map(({ conditions, when, ...script }) => ({
    when,
    conditions: conditions.map(({ name, version, bits }) => {
      const flags = version === '' ? '' : bitsComparison(bits);
      return { name, flags, ...(flags === '' ? {} : { evr: version }) };
    }),
    ...script,
  }));
}

/** Reads the file triggers of a main header (rpm's docs/manual/tags.md, "File triggers"). @throws WeirError `bad-rpm` */
export function readFileTriggers(main: Header, scope: FileTrigger['scope']): FileTrigger[] {
  const tags = fileTriggerTags[scope];
  const priorities = headerNumbers(main, tags.priority);
  return indexed(main, tags, 'file triggers').map(({ conditions, when, ...script }, index) => {
    if (when === 'prein') throw new WeirError('bad-rpm', 'a file trigger cannot run before the files are installed');
    return {
      scope,
      when,
      prefixes: conditions.map(({ name }) => name),
      priority: priorities[index] ?? defaultTriggerPriority,
      ...script,
    };
  });
}

interface TriggerTags {
  readonly script: number;
  readonly program: number;
  readonly scriptFlags: number;
  readonly name: number;
  readonly index: number;
  readonly version: number;
  readonly flags: number;
}

interface IndexedScript {
  readonly when: Trigger['when'];
  readonly conditions: readonly { readonly name: string; readonly version: string; readonly bits: number }[];
  readonly interpreter: readonly string[];
  readonly script: string;
  readonly flags?: readonly ScriptFlag[];
}

/** The scripts of a kind of trigger, each with the conditions that name its index. */
function indexed(main: Header, tags: TriggerTags, what: string): IndexedScript[] {
  const scripts = headerTexts(main, tags.script);
  if (scripts.length === 0) return [];
  const programs = parallel(headerTexts(main, tags.program), scripts.length, `interpreters of ${what}`);
  const allFlags = headerNumbers(main, tags.scriptFlags);
  const names = headerTexts(main, tags.name);
  const indexes = parallel(headerNumbers(main, tags.index), names.length, `indexes of ${what}`);
  const bits = parallel(headerNumbers(main, tags.flags), names.length, `flags of ${what}`);
  // File triggers of some writers have no versions, because a path has none.
  const versions = headerTexts(main, tags.version);
  const byScript = new Map<number, IndexedScript['conditions'][number][]>();
  for (const [at, name] of names.entries()) {
    const condition = { name, version: versions[at] ?? '', bits: bits[at]! };
    const list = byScript.get(indexes[at]!);
    if (list === undefined) byScript.set(indexes[at]!, [condition]);
    else list.push(condition);
  }
  return scripts.map((script, index) => {
    const conditions = byScript.get(index) ?? [];
    const program = programs[index]!;
    return {
      when: moment(conditions[0]?.bits ?? 0),
      conditions,
      interpreter: [program === '' ? shell : program],
      script,
      ...scriptFlags(allFlags[index]),
    };
  });
}

function moment(bits: number): Trigger['when'] {
  if (bits & triggerBits.prein) return 'prein';
  if (bits & triggerBits.in) return 'in';
  return bits & triggerBits.un ? 'un' : 'postun';
}

function scriptFlags(bits: number | undefined): { readonly flags?: readonly ScriptFlag[] } {
  const flags = (Object.keys(scriptBits) as ScriptFlag[]).filter((flag) => ((bits ?? 0) & scriptBits[flag]) !== 0);
  return flags.length === 0 ? {} : { flags };
}

/** The name of a script's section in a spec, without `%`. */
export type ScriptName =
  | Exclude<ScriptletKind, 'verify'>
  | 'verifyscript'
  | `trigger${Trigger['when']}`
  | `${'' | 'trans'}filetrigger${FileTrigger['when']}`;

/** A script of any kind. */
export interface PackageScript {
  readonly name: ScriptName;
  readonly interpreter: readonly string[];
  readonly script: string;
  readonly flags?: readonly ScriptFlag[];
  /** Packages, with versions, or path prefixes that activate a trigger. */
  readonly on?: readonly string[];
  /** Priority of a file trigger. */
  readonly priority?: number;
}

/** Every script of a package: scriptlets, triggers and file triggers, in the order of the header. */
export function packageScripts(pkg: Pick<RpmPackage, 'scriptlets' | 'triggers' | 'fileTriggers'>): PackageScript[] {
  const common = ({ interpreter, script, flags }: Omit<Scriptlet, 'kind'>): Omit<PackageScript, 'name'> => ({
    interpreter,
    script,
    ...(flags === undefined ? {} : { flags }),
  });
  return [
    ...pkg.scriptlets.map((each) => ({
      name: each.kind === 'verify' ? ('verifyscript' as const) : each.kind,
      ...common(each),
    })),
    ...pkg.triggers.map((each) => ({
      name: `trigger${each.when}` as const,
      ...common(each),
      on: each.conditions.map(({ name, flags, evr }) => (flags === '' ? name : `${name} ${flags} ${evr}`)),
    })),
    ...pkg.fileTriggers.map((each) => ({
      name: `${each.scope === 'trans' ? 'transfiletrigger' : 'filetrigger'}${each.when}` as const,
      ...common(each),
      on: each.prefixes,
      priority: each.priority,
    })),
  ];
}
