/*
 * Commands that only print, unless an option or a program in their own language writes files. These functions return true only if it is
 * certain that nothing is written: for text that they do not understand, they return false.
 */

/** @param args without the command's name */
export function sortOnlyPrints(args: readonly string[]): boolean {
  // -T and --compress-program name other files and programs; any other option with "o" in a cluster is taken for -o.
  return !args.some((word) => /^-(?:[^-]*[oT]|-(?:o|c[^h]|t))/.test(word));
}

/** `uniq IN OUT` writes its second operand. */
export function uniqOnlyPrints(args: readonly string[]): boolean {
  return args.filter((word, at) => !/^-./.test(word) && !/^-[fsw]$/.test(args[at - 1] ?? '')).length <= 1;
}

export function findOnlyPrints(args: readonly string[]): boolean {
  return !args.some((word) => /^-(?:delete|exec|ok|fprint|fls)/.test(word));
}

/**
 * awk prints to files and commands by `>` and `|`, and starts commands by `system`. A `>` before any print compares.
 * @param isExpanded whether the word at an index has a part that is known only when the script runs
 */
export function awkOnlyPrints(args: readonly string[], isExpanded: (index: number) => boolean): boolean {
  let at = 0;
  for (; at < args.length && /^-./.test(args[at]!); at++) {
    const option = args[at]!;
    if (option === '--') {
      at++;
      break;
    }
    // Other options read programs from files or are extensions that write some.
    if (!/^-[Fv]/.test(option)) return false;
    if (option.length === 2) at++;
  }
  const program = args[at];
  if (program === undefined) return true;
  if (isExpanded(at)) return false;
  // "@" loads extensions and calls functions by a name in a variable.
  return !/system|@/.test(program) && !/print[\s\S]*>/.test(program) && !/\|/.test(program.replaceAll('||', ''));
}

/**
 * sed writes by `-i`, the commands `w`, `W` and `e`, and the flags `w` and `e` of `s`.
 * @param isExpanded whether the word at an index has a part that is known only when the script runs
 */
export function sedOnlyPrints(args: readonly string[], isExpanded: (index: number) => boolean): boolean {
  const operands: number[] = [];
  const scripts: string[] = [];
  let explicit = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === '--') {
      for (at++; at < args.length; at++) operands.push(at);
    } else if (/^-[nErsuz]*e$|^--expression$/.test(word)) {
      explicit = true;
      at++;
      if (isExpanded(at)) return false;
      scripts.push(args[at] ?? '');
    } else if (/^-[nErsuz]*e|^--expression=/.test(word)) {
      explicit = true;
      if (isExpanded(at)) return false;
      scripts.push(word.replace(/^-[nErsuz]*e|^--expression=/, ''));
    } else if (/^-./.test(word)) {
      if (
        !/^-(?:[nErsuz]+|-(?:quiet|silent|regexp-extended|posix|unbuffered|null-data|separate|sandbox))$/.test(word)
      ) {
        return false;
      }
    } else operands.push(at);
  }
  if (!explicit && operands.length > 0) {
    const first = operands[0]!;
    if (isExpanded(first)) return false;
    scripts.push(args[first]!);
  }
  return sedScriptOnlyPrints(scripts.join('\n'));
}

function sedScriptOnlyPrints(script: string): boolean {
  let at = 0;
  /** Moves past a regular expression or a replacement, up to its delimiter. */
  const skipTo = (delimiter: string, inPattern: boolean): boolean => {
    for (; at < script.length; at++) {
      if (script[at] === '\\') at++;
      else if (script[at] === '[' && inPattern) {
        const end = script.indexOf(']', at + 2);
        // Versions of sed differ in whether a delimiter in brackets ends the pattern.
        if (end < 0 || script.slice(at, end).includes(delimiter)) return false;
      } else if (script[at] === delimiter) {
        at++;
        return true;
      }
    }
    return false;
  };
  const skip = (what: RegExp): string => {
    what.lastIndex = at;
    const text = what.exec(script)?.[0] ?? '';
    at += text.length;
    return text;
  };
  const skipAddress = (): boolean => {
    if (skip(/\$|[+~]?\d+(?:~\d+)?/y) !== '') return true;
    if (script[at] === '/' || script[at] === '\\') {
      const delimiter = script[at] === '/' ? '/' : (script[at + 1] ?? '/');
      at += script[at] === '/' ? 1 : 2;
      if (!skipTo(delimiter, true)) return false;
      skip(/[IM]*/y);
    }
    return true;
  };
  for (;;) {
    skip(/[\s;]*/y);
    if (at >= script.length) return true;
    if (!skipAddress()) return false;
    if (skip(/\s*,\s*/y) !== '' && !skipAddress()) return false;
    skip(/[\s!]*/y);
    const command = script[at++];
    switch (command) {
      case 's':
      case 'y': {
        const delimiter = script[at++];
        if (delimiter === undefined || !skipTo(delimiter, command === 's')) return false;
        if (!skipTo(delimiter, false)) return false;
        if (command === 's') skip(/[gpiImM\d]*/y);
        break;
      }
      case 'a':
      case 'i':
      case 'c':
        skip(/(?:\\[\s\S]|[^\\\n])*/y);
        break;
      case 'b':
      case 't':
      case 'T':
        skip(/[^;}\n]*/y);
        break;
      case ':':
        skip(/[^;\n]*/y);
        break;
      case 'r':
      case 'R':
      case '#':
        skip(/[^\n]*/y);
        break;
      case 'q':
      case 'Q':
      case 'l':
      case 'L':
        skip(/[ \t]*\d*/y);
        break;
      default:
        // The other harmless commands have no arguments; every remaining command writes, or is unknown.
        if (command === undefined || !'{}=dDgGhHnNpPxzF'.includes(command)) return false;
    }
    // The command must end here: remaining flags are ones that write.
    if (command !== '{' && !/^(?:[ \t]*(?:[;\n}#]|$))/.test(script.slice(at, at + 200))) return false;
  }
}
