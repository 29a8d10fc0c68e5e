/**
 * Compares two Debian versions, `[epoch:]upstream[-revision]`, as dpkg does (deb-version(7), "Sorting algorithm").
 * @returns -1, 0 or 1
 */
export function compareDebianVersions(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  const left = parsed(a);
  const right = parsed(b);
  return (
    sign(left.epoch - right.epoch) ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

interface DebianVersion {
  readonly epoch: number;
  readonly upstream: string;
  /** Empty if there is none, which is the same as `0`. */
  readonly revision: string;
}

function parsed(version: string): DebianVersion {
  const epoch = /^(\d+):/.exec(version)?.[1];
  const rest = epoch === undefined ? version : version.slice(epoch.length + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: Number(epoch ?? 0),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** In turn a part without digits, by `order`, then a part of digits, by value; what is missing is empty or 0. */
function compareParts(a: string, b: string): -1 | 0 | 1 {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a[i]!)) || (j < b.length && !isDigit(b[j]!))) {
      const order = sign(orderOf(a[i]) - orderOf(b[j]));
      if (order !== 0) return order;
      i++;
      j++;
    }
    const left = digitsAt(a, i);
    const right = digitsAt(b, j);
    i += left.length;
    j += right.length;
    const order = compareDigits(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

function digitsAt(text: string, from: number): string {
  let end = from;
  while (end < text.length && isDigit(text[end]!)) end++;
  return text.slice(from, end);
}

/** As text, for numbers of any length. */
function compareDigits(a: string, b: string): -1 | 0 | 1 {
  const left = a.replace(/^0+/, '');
  const right = b.replace(/^0+/, '');
  return sign(left.length - right.length) || (left < right ? -1 : left > right ? 1 : 0);
}

/** `~` comes before the end of the part, which a digit is, too; then letters, then all else. */
function orderOf(character: string | undefined): number {
  if (character === undefined || isDigit(character)) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

function sign(value: number): -1 | 0 | 1 {
  return value < 0 ? -1 : value > 0 ? 1 : 0;
}
