import { defaultTriggerPriority, type PackageScript, type ScriptName } from '../rpm/scripts.ts';
import type { ScriptFlag } from '../rpm/types.ts';
import { argumentWords } from './header.ts';
import type { Section, Spec } from './parse.ts';
import { expandPlain, plainMacros } from './query.ts';

/** A script in a spec, unexpanded but for the spec's own plain macros in its header. */
export interface SpecScript extends PackageScript {
  /** The package as the section names it: `''` is the main one; `wholeName` says whether it is a suffix. */
  readonly package: string;
  readonly wholeName: boolean;
  /** Index of the header's line. */
  readonly line: number;
  /** The macro that makes it: `%ldconfig_scriptlets`. */
  readonly madeBy?: string;
}

const names: Readonly<Record<string, ScriptName>> = {
  '%pre': 'pre',
  '%post': 'post',
  '%preun': 'preun',
  '%postun': 'postun',
  '%pretrans': 'pretrans',
  '%posttrans': 'posttrans',
  '%preuntrans': 'preuntrans',
  '%postuntrans': 'postuntrans',
  '%verifyscript': 'verifyscript',
  '%trigger': 'triggerin',
  '%triggerin': 'triggerin',
  '%triggerun': 'triggerun',
  '%triggerprein': 'triggerprein',
  '%triggerpostun': 'triggerpostun',
  '%filetrigger': 'filetriggerin',
  '%filetriggerin': 'filetriggerin',
  '%filetriggerun': 'filetriggerun',
  '%filetriggerpostun': 'filetriggerpostun',
  '%transfiletrigger': 'transfiletriggerin',
  '%transfiletriggerin': 'transfiletriggerin',
  '%transfiletriggerun': 'transfiletriggerun',
  '%transfiletriggerpostun': 'transfiletriggerpostun',
};

/**
 * The scripts of a spec in the order of the file, of every branch of every conditional (rpm-scriptlets(7)). Their text is that of
 * the spec: macros are not expanded.
 */
export function specScripts(spec: Spec): SpecScript[] {
  const macros = plainMacros(spec);
  return spec.sections.flatMap((section) => {
    const name = names[section.key];
    if (name === undefined) return [];
    const options = optionsOf(expandPlain(section.arguments, macros));
    return [
      {
        name,
        package: expandPlain(section.package, macros),
        wholeName: section.wholeName,
        interpreter: options.interpreter ?? ['/bin/sh'],
        // A section that a macro makes has its body from the macro, which `-p` leaves empty.
        script: section.maker !== undefined && options.interpreter !== undefined ? '' : bodyOf(spec, section),
        ...(options.flags.length === 0 ? {} : { flags: options.flags }),
        ...(options.on === undefined ? {} : { on: options.on }),
        ...(name.includes('filetrigger') ? { priority: options.priority ?? defaultTriggerPriority } : {}),
        line: section.header,
        ...(section.maker === undefined ? {} : { madeBy: section.maker.macro }),
      },
    ];
  });
}

interface Options {
  interpreter?: readonly string[];
  flags: ScriptFlag[];
  priority?: number;
  on?: readonly string[];
}

function optionsOf(text: string): Options {
  const options: Options = { flags: [] };
  // A program with arguments is in quotes.
  const quoted = /(?<=^|\s)-p\s*"([^"]*)"/.exec(text);
  if (quoted !== null) options.interpreter = quoted[1]!.trim().split(/\s+/);
  const words = argumentWords(quoted === null ? text : text.replace(quoted[0], ''));
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === '--') {
      options.on = conditions(words.slice(index + 1));
      break;
    }
    if (word === '-p') options.interpreter = [words[++index] ?? ''];
    else if (word === '-P') options.priority = Number(words[++index] ?? '');
    else if (word === '-n') index++;
    else if (word === '-e') options.flags.push('expand');
    else if (word === '-q') options.flags.push('qformat');
  }
  return options;
}

/** `a, b >= 2 c` as its conditions: a comparison belongs to the name before it. */
function conditions(words: readonly string[]): string[] {
  const found: string[] = [];
  for (const word of words.flatMap((each) => each.split(',')).filter((each) => each !== '')) {
    if (/^(?:[<>=]=?)$/.test(word) || /[<>=]$/.test(found.at(-1) ?? ''))
      found.push(`${found.pop() ?? ''} ${word}`.trim());
    else found.push(word);
  }
  return found;
}

/** The body without the lines of conditionals and rpm's own comments. */
function bodyOf(spec: Spec, section: Section): string {
  const lines: string[] = [];
  for (let line = section.start; line < section.end; line++) {
    const role = spec.roles[line];
    if (role === 'if' || role === 'branch' || role === 'endif' || role === 'dnl') continue;
    lines.push(spec.lines[line]!.text);
  }
  return lines.join('\n').trim();
}
