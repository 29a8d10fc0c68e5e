import type { Bind } from '../engine/jail.ts';

/** The parts of a tool run that can contain paths of the host. */
interface WithPaths {
  readonly argv: readonly string[];
  readonly binds?: readonly Bind[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Letters and digits of any script, and punctuation without a special meaning in any tool. */
const plain = /^[\p{L}\p{M}\p{N}/._+~-]*$/u;

/** Whether every parser reads a path literally: it has no space, comma, colon, quote, `%`, `#`, `$`, `\` or the like. */
export function isPlain(path: string): boolean {
  return plain.test(path);
}

/** Where folders and files appear inside the sandbox if their own path is not plain. */
const places = '/mnt/weir';

/**
 * Replaces paths that tools would misparse: mtools splits an image's path at `@@` and `:`, qemu-img at `,`; sfdisk and debugfs
 * have their own rules. A bind that keeps the host's path inside the sandbox gets a plain one if the host's is not, and so do
 * the arguments, the working folder and the variables that mention it. Text in stdin or in files is up to the caller.
 */
export function withPlainPaths<T extends WithPaths>(tool: T): T {
  const odd = [...new Set((tool.binds ?? []).filter((bind) => bind.to === undefined).map((bind) => bind.from))].filter(
    (path) => !isPlain(path),
  );
  if (odd.length === 0) return tool;
  const inside = new Map(odd.map((path, index) => [path, `${places}/${index}`]));
  // Longest first: a folder and a file in it can both be bound.
  const longest = odd.sort((a, b) => b.length - a.length);
  const translate = (text: string): string =>
    longest.reduce((said, path) => replacePath(said, path, inside.get(path)!), text);
  return {
    ...tool,
    argv: tool.argv.map(translate),
    ...(tool.binds === undefined
      ? {}
      : {
          binds: tool.binds.map((bind) =>
            bind.to === undefined && inside.has(bind.from) ? { ...bind, to: inside.get(bind.from)! } : bind,
          ),
        }),
    ...(tool.cwd === undefined ? {} : { cwd: translate(tool.cwd) }),
    ...(tool.env === undefined
      ? {}
      : { env: Object.fromEntries(Object.entries(tool.env).map(([name, value]) => [name, translate(value)])) }),
  };
}

/** Replaces a path only if it occurs as a whole: `/a b` is not in `/a bc`. */
function replacePath(text: string, path: string, by: string): string {
  let found = '';
  let at = 0;
  for (let next = text.indexOf(path); next >= 0; next = text.indexOf(path, next + 1)) {
    if (next < at) continue;
    const end = next + path.length;
    const whole = end === text.length || !/^[\p{L}\p{M}\p{N}._+~-]/u.test(text.slice(end, end + 2));
    const begins = next === 0 || !/[\p{L}\p{M}\p{N}._+~/-]$/u.test(text.slice(0, next));
    if (!whole || !begins) continue;
    found += text.slice(at, next) + by;
    at = end;
  }
  return found + text.slice(at);
}
