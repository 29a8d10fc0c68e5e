/** A simple command of a shell script, unexpanded. */
export interface ShellCommand {
  /** Name and arguments, quotes removed; variables and substitutions stay as text. */
  readonly words: readonly string[];
  /** Files that it is redirected to, or opened for writing. */
  readonly writes: readonly string[];
  /** Indexes of the words that hold variables or substitutions, whose text is known only when the script runs. */
  readonly expanded?: ReadonlySet<number>;
  /** Set for a part of the script that could not be parsed and may contain commands. */
  readonly unread?: string;
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
 * The simple commands of a POSIX shell or bash script, including commands in substitutions, in the order of the text. Nothing is expanded
 * and control flow is ignored: the commands of both branches of an `if` are listed. Macros of a spec (`%{…}`) stay parts of words. Never
 * fails: a part that could not be parsed and may contain commands (an open quote, deep nesting) is reported as `unread`.
 */
export function shellCommands(script: string, depth = 0): ShellCommand[] {
  const found: ShellCommand[] = [];
  let words: string[] = [];
  let writes: string[] = [];
  let expanded = new Set<number>();
  let expects = 'word' as Expected;
  let cases = 0;
  const documents: Document[] = [];
  let at = 0;

  const finish = (): void => {
    if (words.length > 0 || writes.length > 0) {
      found.push({ words, writes, ...(expanded.size > 0 ? { expanded } : {}) });
    }
    words = [];
    writes = [];
    expanded = new Set();
    expects = 'word';
  };
  const unread = (what: string): void => {
    found.push({ words: [], writes: [], unread: what });
  };
  const substituted = (inner: string): void => {
    if (depth < deepest) for (const each of shellCommands(inner, depth + 1)) found.push(each);
    else unread('a deeply nested substitution');
  };
  const reader: Reader = { substituted, unread };
  const take = ({ text: word, quoted, expands }: Word): void => {
    if (expects === 'output' || expects === 'input' || expects === 'delimiter') {
      if (expects === 'output') writes.push(word);
      else if (expects === 'delimiter') documents.push({ delimiter: word, literal: quoted });
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
      if (expands) expanded.add(words.length);
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
    else if (!keywords.has(word) && !/^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/.test(word)) {
      if (expands) expanded.add(0);
      words.push(word);
    }
  };

  while (at < script.length) {
    const char = script[at]!;
    if (char === '\n') {
      if (expects !== 'pattern' && expects !== 'subject') finish();
      at = afterDocuments(script, at + 1, documents.splice(0), reader);
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
      const word = readWord(script, at, reader);
      const next = script[word.end];
      // `2>` names a descriptor.
      const descriptor = /^\d$/.test(word.text) && (next === '>' || next === '<');
      if (!descriptor) take(word);
      at = word.end;
    }
  }
  finish();
  if (cases > 0) unread('a case without esac');
  return found;

  function redirection(from: number): number {
    const [operator] = /^(?:<<<|<<-?|<&|<>|<|>>|>&|>\||>)/.exec(script.slice(from, from + 3))!;
    const end = from + operator.length;
    if (operator === '<<' || operator === '<<-') expects = 'delimiter';
    else if ((operator === '>&' || operator === '<&') && /[\d-]/.test(script[end] ?? '')) {
      return end + /^[\d-]+/.exec(script.slice(end))![0].length;
    } else expects = operator.includes('>') ? 'output' : 'input';
    return end;
  }
}

/** Receives the text of each command substitution, and the name of each part that could not be parsed. */
interface Reader {
  readonly substituted: (inner: string) => void;
  readonly unread: (what: string) => void;
}

interface Word {
  readonly text: string;
  readonly quoted: boolean;
  /** The word contains a variable or a substitution. */
  readonly expands: boolean;
  readonly end: number;
}

function readWord(script: string, from: number, reader: Reader): Word {
  let text = '';
  let quoted = false;
  let expands = false;
  let at = from;
  let inDouble = false;
  const keep = (end: number): void => {
    text += script.slice(at, end);
    at = end;
  };
  while (at < script.length) {
    const char = script[at]!;
    const next = script[at + 1] ?? '';
    if (!inDouble && metacharacters.test(char)) break;
    if (char === '\\') {
      // In double quotes, a backslash quotes only these.
      if (inDouble && !/[$`"\\\n]/.test(next)) text += char;
      text += next === '\n' ? '' : next;
      at += 2;
    } else if ((char === "'" || (char === '$' && next === "'")) && !inDouble) {
      const open = char === '$' ? at + 1 : at;
      const end = endOf(script, "'", open + 1);
      // bash and dash end $'…\'…' at different places.
      if (open > at && /\\/.test(script.slice(open, end))) reader.unread("a $'…' with a backslash");
      if (end === script.length) reader.unread('an open quote');
      text += script.slice(open + 1, end);
      quoted = true;
      at = end + 1;
    } else if (char === '"') {
      inDouble = !inDouble;
      quoted = true;
      at++;
    } else if (char === '`' || (char === '$' && /[({]/.test(next))) {
      expands = true;
      keep(readExpansion(script, at, reader));
    } else if (char === '%' && /[({]/.test(next)) {
      const end = closing(script, at + 1) + 1;
      if (/[;&|<>\n`]|\$\(/.test(script.slice(at, end))) reader.unread('a macro with commands');
      keep(end);
    } else {
      if (char === '$' && /[\w@*#?$!-]/.test(next)) expands = true;
      keep(at + 1);
    }
  }
  if (inDouble) reader.unread('an open quote');
  // A lone metacharacter never gets here; advancing by one character rules out an endless loop.
  return { text, quoted, expands, end: Math.max(at, from + 1) };
}

/** Reads `$(…)`, `$((…))`, `${…}` or a part in backquotes. @returns the index after it */
function readExpansion(script: string, from: number, reader: Reader): number {
  if (script[from] === '`') {
    const end = endOfBackquotes(script, from + 1);
    if (end === script.length) reader.unread('an open backquote');
    reader.substituted(script.slice(from + 1, end).replace(/\\([`\\$])/g, '$1'));
    return end + 1;
  }
  const end = closing(script, from + 1);
  if (end === script.length) reader.unread('an open substitution');
  const inner = script.slice(from + 2, end);
  const arithmetic = inner.startsWith('(') && inner.endsWith(')') && !/[;\n]/.test(inner);
  if (script[from + 1] === '{' || arithmetic) readText(inner, reader);
  else {
    // The bracket of a pattern may have ended the substitution too early.
    if (/\bcase\b/.test(inner) && !/\besac\b/.test(inner)) reader.unread('a case in a substitution');
    reader.substituted(inner);
  }
  return end + 1;
}

/** Finds the command substitutions in text that is expanded but is not a command: a here-document, a default value, arithmetic. */
function readText(text: string, reader: Reader): void {
  const mayHoldCommands = /[;\n]/.test(text);
  for (let at = 0; at < text.length; ) {
    const char = text[at];
    if (char === '\\') at += 2;
    else if (char === '`' || (char === '$' && text[at + 1] === '(' && text[at + 2] !== '(')) {
      at = readExpansion(text, at, reader);
    } else if (text.startsWith('$((', at)) {
      // Arithmetic is searched for substitutions; text that may not be arithmetic is parsed as commands.
      at = mayHoldCommands ? readExpansion(text, at, reader) : at + 3;
    } else at++;
  }
}

function endOf(script: string, mark: string, from: number): number {
  const end = script.indexOf(mark, from);
  return end < 0 ? script.length : end;
}

function endOfBackquotes(script: string, from: number): number {
  for (let at = from; at < script.length; at++) {
    if (script[at] === '\\') at++;
    else if (script[at] === '`') return at;
  }
  return script.length;
}

/** Index of the bracket that matches the one at `open`, taking quotes and nesting into account; the text's end if there is none. */
function closing(script: string, open: number): number {
  if (script[open - 1] === '%') return closingOfMacro(script, open);
  // A stack of open brackets and quotes, innermost last, each by its closing text.
  const stack: string[] = [script[open] === '(' ? ')' : '}'];
  let quotes = 0;
  for (let at = open + 1; at < script.length; at++) {
    const char = script[at]!;
    const top = stack.at(-1);
    if (char === '\\') at++;
    else if (char === top) {
      stack.pop();
      if (char === '"') quotes--;
      if (stack.length === 0) return at;
    } else if (char === '`') at = endOfBackquotes(script, at + 1);
    else if (char === '$' && /[({]/.test(script[at + 1] ?? '')) stack.push(script[++at] === '(' ? ')' : '}');
    else if (top === '"') continue;
    else if (char === '"') {
      stack.push('"');
      quotes++;
    } else if (char === "'" && (top === ')' || quotes === 0)) at = endOf(script, "'", at + 1);
    else if (char === '#' && top === ')' && /\s/.test(script[at - 1]!)) at = lineEnd(script, at) - 1;
    else if ((char === '(' && top === ')') || (char === '{' && top === '}')) stack.push(char === '(' ? ')' : '}');
  }
  return script.length;
}

function closingOfMacro(script: string, open: number): number {
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

/** A here-document that begins at the next line; a quoted delimiter makes its text literal. */
interface Document {
  readonly delimiter: string;
  readonly literal: boolean;
}

/** Skips the here-documents that begin at a line; the substitutions in them are commands. */
function afterDocuments(script: string, from: number, documents: readonly Document[], reader: Reader): number {
  let at = from;
  for (const { delimiter, literal } of documents) {
    const begin = at;
    let stop = at;
    while (at < script.length) {
      const end = lineEnd(script, at);
      const line = script.slice(at, end).replace(/^\t+/, '');
      at = end + 1;
      if (line === delimiter) break;
      stop = end;
    }
    if (!literal) readText(script.slice(begin, stop), reader);
  }
  return at;
}
