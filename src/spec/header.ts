/** The parts of a section's header. */
export interface SectionHeader {
  /** As written, with its `%`. */
  readonly name: string;
  /** `name` in lower case. */
  readonly key: string;
  /** The text after the name, trimmed and unexpanded. */
  readonly arguments: string;
  /** The package as the header names it, unexpanded: the argument of `-n`, else the bare one; `''` is the main one. */
  readonly package: string;
  /** Whether `package` is a whole name (`-n`) and not a suffix of the main one's. */
  readonly wholeName: boolean;
}

/** Sections that belong to one package. The rest (%prep, %build, …) belong to the whole spec. */
const packageSections = new Set(
  (
    '%package %description %files %pre %post %preun %postun %pretrans %posttrans %preuntrans %postuntrans ' +
    '%verifyscript %trigger %triggerin %triggerun %triggerprein %triggerpostun ' +
    '%filetrigger %filetriggerin %filetriggerun %filetriggerpostun ' +
    '%transfiletrigger %transfiletriggerin %transfiletriggerun %transfiletriggerpostun'
  ).split(' '),
);

/** RPM's section names (build/parseSpec.c of rpm 6), lower case. */
export const sectionNames: ReadonlySet<string> = new Set([
  ...packageSections,
  ...'%prep %generate_buildrequires %conf %build %install %check %clean'.split(' '),
  ...'%changelog %sepolicy %end %patchlist %sourcelist'.split(' '),
]);

/** The header on a line, in any case, or undefined. As for rpm (isPart in build/parseSpec.c), an indented one is text. */
export function parseHeader(text: string): SectionHeader | undefined {
  if (text.charCodeAt(0) !== 0x25) return undefined;
  let end = 1;
  for (let code = text.charCodeAt(end); isLetter(code) || code === 0x5f; code = text.charCodeAt(end)) end++;
  // The name ends at a blank or at the end of the line.
  if (!fitsName(text.charCodeAt(1), end) || (end < text.length && !isBlank(text.charCodeAt(end)))) {
    return undefined;
  }
  const name = text.slice(0, end);
  const key = name.toLowerCase();
  if (!sectionNames.has(key)) return undefined;
  const rest = text.slice(end).trim();
  const named = packageSections.has(key) ? packageArgument(rest) : { package: '', wholeName: false };
  return { name, key, arguments: rest, ...named };
}

/** First letter of a section's name in lower case → a bit for each length that a name with it has, with its `%`. */
const nameLengths = new Uint32Array(128);
for (const name of sectionNames) nameLengths[name.charCodeAt(1)]! |= 1 << name.length;

/** For speed: most lines that begin with a percent sign are no header, and few have the letter and the length of one. */
function fitsName(first: number, length: number): boolean {
  return length < 32 && first < 128 && ((nameLengths[first | 0x20]! >>> length) & 1) === 1;
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** `-n X` wins, else the first bare word; `-f`, `-p`, `-l` and `-P` take a word, and `--` ends the options. */
function packageArgument(rest: string): { package: string; wholeName: boolean } {
  const words = argumentWords(rest);
  let bare: string | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === '--' || word.startsWith('#')) break;
    if (word === '-n') return { package: words[index + 1] ?? '', wholeName: true };
    if (word.startsWith('-n') && word.length > 2) return { package: word.slice(2), wholeName: true };
    if (/^-[fplP]$/.test(word)) index++;
    else if (!word.startsWith('-')) bare ??= word;
  }
  return { package: bare ?? '', wholeName: false };
}

/** Words separated by blanks; a macro in brackets is never split. */
export function argumentWords(text: string): string[] {
  const words: string[] = [];
  let start = -1;
  let close = 0;
  let open = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (depth > 0) {
      if (code === open) depth++;
      else if (code === close) depth--;
    } else if (code in closing && text[index - 1] === '%') {
      depth = 1;
      open = code;
      close = closing[code]!;
    }
    if (depth === 0 && isBlank(code)) {
      if (start >= 0) words.push(text.slice(start, index));
      start = -1;
    } else if (start < 0) {
      start = index;
    }
  }
  if (start >= 0) words.push(text.slice(start));
  return words;
}

/** Character codes of opening brackets → of the closing ones. */
const closing: Readonly<Record<number, number>> = { 123: 0x7d, 40: 0x29, 91: 0x5d };

/** The characters that `\s` matches. */
export function isBlank(code: number): boolean {
  return code <= 0x20
    ? code === 0x20 || (code >= 0x09 && code <= 0x0d)
    : code >= 0x80 && /\s/.test(String.fromCharCode(code));
}
