/** A simple command of a shell script, unexpanded. */
export interface ShellCommand {
  /** Name and arguments, quotes removed; variables and substitutions stay as text. */
  readonly words: readonly string[];
  /** Files that its output is redirected to. */
  readonly writes: readonly string[];
}

/** Words that begin or end a compound command; a command may follow. */
const keywords = new Set([
  'if',
  'then',
  'elif',
  'else',
  'fi',
  'while',
  'until',
  'do',
  'done',
  'esac',
  '{',
  '}',
  '!',
  'time',
]);

/** Characters that end a word outside quotes. */
const metacharacters = /[\s;&|()<>]/;

/** What the next word is: part of the command, the list of a `for`, the word of a `case`, a pattern, a redirection's file. */
type Expected = 'word' | 'list' | 'subject' | 'pattern' | 'output' | 'input' | 'delimiter';

/** Nested substitutions deeper than this are left as text. */
const deepest = 20;

/**
 * The simple commands of a POSIX shell or bash script, with those in substitutions, in the order of the text. No expansion and no
 * control flow: commands of both branches of an `if` are there. Macros of a spec (`%{…}`) stay parts of words. Every text has an
 * answer; one that a shell would reject has some answer.
 */
export function shellCommands(script: string, depth = 0): ShellCommand[] {
  const found: ShellCommand[] = [];
  let words: string[] = [];
  let writes: string[] = [];
  let expects = 'word' as Expected;
  let cases = 0;
  const delimiters: string[] = [];
  let at = 0;

  const finish = (): void => {
    if (words.length > 0 || writes.length > 0) found.push({ words, writes });
    words = [];
    writes = [];
    expects = 'word';
  };
  const substituted = (inner: string): void => {
    if (depth < deepest) found.push(...shellCommands(inner, depth + 1));
  };
  const take = (word: string, quoted: boolean): void => {
    if (expects === 'output' || expects === 'input' || expects === 'delimiter') {
      if (expects === 'output') writes.push(word);
      else if (expects === 'delimiter') delimiters.push(word);
      expects = 'word';
      return;
    }
    if (expects === 'subject') {
      if (word === 'in') expects = 'pattern';
      return;
    }
    if (expects === 'pattern' && word !== 'esac') return;
    if (expects === 'list') return;
    if (words.length > 0 || quoted) {
      words.push(word);
      return;
    }
    if (word === 'for' || word === 'select') expects = 'list';
    else if (word === 'case') {
      expects = 'subject';
      cases++;
    } else if (word === 'esac') {
      cases = Math.max(0, cases - 1);
      expects = 'word';
    } else if (word === 'function') expects = 'input';
    else if (!keywords.has(word) && !/^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/.test(word)) words.push(word);
  };

  while (at < script.length) {
    const char = script[at]!;
    if (char === '\n') {
      if (expects !== 'pattern' && expects !== 'subject') finish();
      at = afterDocuments(script, at + 1, delimiters.splice(0));
    } else if (/\s/.test(char)) at++;
    else if (char === '\\' && script[at + 1] === '\n') at += 2;
    else if (char === '#') at = lineEnd(script, at);
    else if (char === ';') {
      const ends = script.startsWith(';;', at) && cases > 0;
      finish();
      if (ends) expects = 'pattern';
      at += ends ? 2 : 1;
    } else if (char === '&' && script[at + 1] === '>') {
      expects = 'output';
      at += script[at + 2] === '>' ? 3 : 2;
    } else if (char === '&' || char === '|') {
      if (expects !== 'pattern') finish();
      at++;
    } else if (char === '(' || char === ')') {
      if (char === ')' && expects === 'pattern') expects = 'word';
      // `name()` defines a function; its body follows.
      else if (char === '(' && script[at + 1] === ')' && words.length === 1) {
        words = [];
        at++;
      } else if (expects !== 'pattern') finish();
      at++;
    } else if (char === '<' || char === '>') at = redirection(at);
    else {
      const word = readWord(script, at, substituted);
      const next = script[word.end];
      // `2>` names a descriptor.
      const descriptor = /^\d$/.test(word.text) && (next === '>' || next === '<');
      if (!descriptor) take(word.text, word.quoted);
      at = word.end;
    }
  }
  finish();
  return found;

  function redirection(from: number): number {
    const [operator] = /^(?:<<<|<<-?|<&|<>|<|>>|>&|>\||>)/.exec(script.slice(from, from + 3))!;
    const end = from + operator.length;
    if (operator === '<<' || operator === '<<-') expects = 'delimiter';
    else if ((operator === '>&' || operator === '<&') && /[\d-]/.test(script[end] ?? '')) {
      return end + /^[\d-]+/.exec(script.slice(end))![0].length;
    } else expects = operator.startsWith('>') ? 'output' : 'input';
    return end;
  }
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
  readonly end: number;
}

/** Reads one word. @param substituted receives the text of each command substitution in it */
function readWord(script: string, from: number, substituted: (inner: string) => void): Word {
  let text = '';
  let quoted = false;
  let at = from;
  let inDouble = false;
  while (at < script.length) {
    const char = script[at]!;
    if (!inDouble && metacharacters.test(char)) break;
    if (char === '\\') {
      text += script[at + 1] === '\n' ? '' : (script[at + 1] ?? '');
      at += 2;
    } else if (char === "'" && !inDouble) {
      const end = endOf(script, "'", at + 1);
      text += script.slice(at + 1, end);
      quoted = true;
      at = end + 1;
    } else if (char === '"') {
      inDouble = !inDouble;
      quoted = true;
      at++;
    } else if (char === '`') {
      const end = endOf(script, '`', at + 1);
      substituted(script.slice(at + 1, end));
      text += script.slice(at, end + 1);
      at = end + 1;
    } else if ((char === '$' || char === '%') && /[({]/.test(script[at + 1] ?? '')) {
      const end = closing(script, at + 1);
      if (char === '$' && script[at + 1] === '(' && script[at + 2] !== '(') substituted(script.slice(at + 2, end));
      text += script.slice(at, end + 1);
      at = end + 1;
    } else {
      text += char;
      at++;
    }
  }
  // A lone metacharacter never gets here; this keeps the walk going whatever the text.
  return { text, quoted, end: Math.max(at, from + 1) };
}

function endOf(script: string, mark: string, from: number): number {
  const end = script.indexOf(mark, from);
  return end < 0 ? script.length : end;
}

/** Index of the bracket that closes the one at `open`; the text's end if none does. */
function closing(script: string, open: number): number {
  const [begin, end] = script[open] === '(' ? ['(', ')'] : ['{', '}'];
  let depth = 0;
  for (let at = open; at < script.length; at++) {
    const char = script[at];
    if (char === '\\') at++;
    else if (char === begin) depth++;
    else if (char === end && --depth === 0) return at;
  }
  return script.length;
}

function lineEnd(script: string, from: number): number {
  const end = script.indexOf('\n', from);
  return end < 0 ? script.length : end;
}

/** Skips the here-documents that begin at a line. */
function afterDocuments(script: string, from: number, delimiters: readonly string[]): number {
  let at = from;
  for (const delimiter of delimiters) {
    while (at < script.length) {
      const end = lineEnd(script, at);
      const line = script.slice(at, end).replace(/^\t+/, '');
      at = end + 1;
      if (line === delimiter) break;
    }
  }
  return at;
}
