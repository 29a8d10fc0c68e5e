import { type Random, randomOf } from './random.ts';

/** Numbers and names that tend to break parsers, in the notations of the formats. */
const words = [
  ...['0', '-1', '1', '7', '00000000000', '77777777777', '-0000001000', '0000zzzz', 'ffffffff', '7fffffff', '80000000'],
  ...['9007199254740991', '9007199254740993', '99999999999999999999', '4294967296', '1e308', 'NaN', 'Infinity', '1.5'],
  ...[
    '../',
    '/',
    '//',
    './',
    '..',
    '.',
    '../../../../etc/x',
    '\0',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '\\',
    '"',
    "'",
    '%',
    '{',
    '}',
  ],
  ...['(', ')', '[', ']', '<', '>', '=', ':', ',', '@', '#', '$', '&', '*', '?', '%{', '%(', '%[', '${', '<!--', ']]>'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'null',
    'true',
    '{}',
    '[]',
    '[[',
    '""',
    '\ufeff',
    'é',
    '\u2028',
    '\ud800',
  ],
];

const bytes = [0, 1, 0x20, 0x2f, 0x30, 0x37, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff];

/** Applies one mutation to the bytes; the result may be longer or shorter. */
function change(before: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random.below(before.length + 1);
  const length = Math.min(before.length - at, 1 + random.below(random.pick([2, 8, 64, 600])));
  const replaced = (middle: Uint8Array, cut = length): Buffer =>
    Buffer.concat([before.subarray(0, at), middle, before.subarray(at + cut)]);
  switch (random.below(12)) {
    case 0: {
      const copy = Buffer.from(before);
      if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.below(8));
      return copy;
    }
    case 1: {
      const copy = Buffer.from(before);
      if (at < copy.length) copy[at] = random.pick(bytes);
      return copy;
    }
    case 2:
      return Buffer.from(before).fill(random.pick(bytes), at, at + length);
    case 3: {
      // Overwrites, so that fields keep their offsets.
      const copy = Buffer.from(before);
      copy.write(random.pick(words), Math.min(at, Math.max(0, copy.length - 1)));
      return copy;
    }
    case 4:
      return replaced(Buffer.from(random.pick(words)), 0);
    case 5:
      return replaced(Buffer.from(random.pick(words).repeat(1 + random.below(300))), random.below(2) * length);
    case 6:
      return replaced(Buffer.alloc(0));
    case 7: {
      const from = random.below(before.length);
      return replaced(before.subarray(from, from + random.pick([16, 512, 1024])), 0);
    }
    case 8: {
      const other = random.pick(others);
      const from = random.below(other.length);
      return replaced(other.subarray(from, from + random.pick([16, 512, 4096])), 0);
    }
    case 9:
      return Buffer.from(before.subarray(0, at));
    case 10: {
      const number = Buffer.alloc(4);
      number.writeUInt32BE(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, before.length, at]));
      const copy = Buffer.from(before);
      (random.below(2) === 0 ? number : number.reverse()).copy(copy, Math.min(at - (at % 4), copy.length));
      return copy;
    }
    default: {
      // Replaces a number in the text.
      const copy = before.toString('latin1');
      const digits = [...copy.slice(at, at + 2048).matchAll(/\d+/g)];
      if (digits.length === 0) return before;
      const found = random.pick(digits);
      const start = at + found.index;
      const word = random.pick(words);
      return Buffer.concat([before.subarray(0, start), Buffer.from(word), before.subarray(start + found[0].length)]);
    }
  }
}

/** Limit for an input, like the readers' own inputs: unlimited growth finds nothing more. */
const largest = 1 << 20;

/** The input for a seed, made from samples: the same samples and seed give the same bytes. */
export function inputOf(seed: number, samples: readonly Buffer[]): Buffer {
  const random = randomOf(seed);
  let input = random.pick(samples);
  const changes = 1 + random.below(random.pick([1, 3, 10]));
  for (let done = 0; done < changes; done++) input = change(input, samples, random).subarray(0, largest);
  return Buffer.from(input);
}
