import type { Bind } from '../engine/jail.ts';

/** What of a tool's run can hold paths of the host. */
interface WithPaths {
  readonly argv: readonly string[];
  readonly binds?: readonly Bind[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Letters and digits of any script, and marks that no tool's parser gives a meaning. */
const plain = /^[\p{L}\p{M}\p{N}/._+~-]*$/u;

/** Whether a path means the same to every parser: no space, comma, colon, quote, `%`, `#`, `$`, `\` or the like is in it. */
export function isPlain(path: string): boolean {
  return plain.test(path);
}

/** Where folders and files lie inside whose own path is not plain. */
const places = '/mnt/weir';

/**
 * The run with plain paths: mtools takes an image's path apart at `@@` and `:`, qemu-img at `,`, sfdisk and debugfs have rules of
 * their own. Where a bind has the host's path inside too and that path is not plain, it gets a plain one, and so do the
 * arguments, the folder and the variables that name it. Text that goes to a tool's stdin or lies in files is the caller's.
 */
export function withPlainPaths<T extends WithPaths>(tool: T): T {
  const odd = [...new Set((tool.binds ?? []).filter((bind) => bind.to === undefined).map((bind) => bind.from))].filter(
    (path) => !isPlain(path),
  );
  if (odd.length === 0) return tool;
  const inside = new Map(odd.map((path, index) => [path, `${places}/${index}`]));
  // The longest first: a folder and a file in it can both be bound.
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

/** Replaces a path where it stands whole: `/a b` is not in `/a bc`. */
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
