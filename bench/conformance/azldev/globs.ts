import { WeirError } from '../../../src/base/errors.ts';
import { loadProject } from '../../../src/project/load.ts';
import { type Random, randomOf } from '../../fuzz/random.ts';
import { type Azldev, writeProject } from './run.ts';

/** Files by which globs are told apart, in folders of all kinds. */
const paths = [
  'a',
  'b',
  'ab',
  'd/a1',
  'd/b1',
  'd/ab1',
  'd/e/a2',
  'd/e/b2',
  'd/e/f/a3',
  'de/a4',
  'e/d/a5',
  '.h/a6',
  '.hidden',
  'x-y',
  'x.y',
  '[a]',
  '{a}',
  'a!b',
  'A',
  'é',
  'x y',
  'd^e/1',
  'longer-name',
];

/** A random glob, sometimes an invalid one. */
export function makeGlob({ below, pick }: Random): string {
  const part = (): string => {
    const pieces = Array.from({ length: 1 + below(3) }, () =>
      pick([
        ...[
          '*',
          '*',
          '?',
          'a',
          'b',
          '[ab]',
          '[a-z]',
          '[!a]',
          '[^a]',
          '{a,b}',
          '{a*,b?}',
          '{,a}',
          '\\a',
          '\\[',
          '\\{',
          'd',
        ],
        ...[
          '[a-]',
          '[]a]',
          '[',
          '{a',
          ']',
          '}',
          '{a,{b,x}}',
          '.',
          'é',
          '[é]',
          '**',
          ',',
          '!',
          'x[- .]y',
          '[[]',
          '{d/e,e}',
        ],
      ]),
    );
    return pieces.join('');
  };
  const parts = Array.from({ length: 1 + below(3) }, () => pick(['**', 'd', 'e', part(), part(), part()]));
  return parts.join('/');
}

/** The files that a glob finds, or undefined if it is refused. */
export type Found = readonly string[] | undefined;

const name = (index: number): string => `c${index}`;

async function write(dir: string, globs: readonly string[]): Promise<void> {
  const overlay = (tag: number): string =>
    `[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n[[overlays]]\ntype = "spec-set-tag"\ntag = "T${tag}"\nvalue = "1"\ndescription = "d"\n`;
  const tables = globs.map((glob, index) => {
    const files = `overlay-files = [${JSON.stringify(`t/${glob}`)}]\n`;
    return `[components.${name(index)}]\nspec = { type = "local", path = "c.spec" }\n${files}`;
  });
  await writeProject(dir, {
    'azldev.toml': `[project]\ndefault-distro = { name = "d", version = "1" }\n[distros.d.versions.1]\nrelease-ver = "1"\n${tables.join('')}`,
    'c.spec': 'Name: c\n',
    ...Object.fromEntries(paths.map((path, index) => [`t/${path}`, overlay(index)])),
  });
}

const files = (tags: readonly string[]): string[] => tags.map((tag) => paths[Number(tag.slice(1))]!);

/** Halves a list until each half is answered or holds one glob, which is then refused. */
async function answers(
  globs: readonly string[],
  ask: (globs: readonly string[]) => Promise<readonly Found[] | undefined>,
): Promise<readonly Found[]> {
  const found = await ask(globs);
  if (found !== undefined) return found;
  if (globs.length === 1) return [undefined];
  const middle = globs.length >> 1;
  return [...(await answers(globs.slice(0, middle), ask)), ...(await answers(globs.slice(middle), ask))];
}

export interface ComparedGlob {
  readonly glob: string;
  readonly azldev: Found;
  readonly weir: Found;
}

/** What both tools find with many random globs. */
export async function compareGlobs(
  azldev: Azldev,
  dir: string,
  from: number,
  count: number,
  seed: number,
): Promise<ComparedGlob[]> {
  const globs = Array.from({ length: count }, (_, index) => makeGlob(randomOf(seed * 1_000_003 + from + index)));
  const byAzldev = async (some: readonly string[]): Promise<readonly Found[] | undefined> => {
    await write(dir, some);
    const { code, stdout } = await azldev.run(dir, ['-O', 'json', 'component', 'list', '-a']);
    if (code !== 0) return undefined;
    const rows = JSON.parse(stdout) as {
      readonly name: string;
      readonly overlays?: readonly { readonly tag: string }[];
    }[];
    const all = new Map(rows.map((row) => [row.name, files((row.overlays ?? []).map(({ tag }) => tag))]));
    return some.map((_, index) => all.get(name(index)));
  };
  const byWeir = async (some: readonly string[]): Promise<readonly Found[] | undefined> => {
    await write(dir, some);
    try {
      const { components } = await loadProject(dir, { env: {} });
      return some.map((_, index) => {
        const { overlays } = components.get(name(index))!;
        return files(overlays.map((overlay) => ('tag' in overlay ? overlay.tag : '')));
      });
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      return undefined;
    }
  };
  const ours = await answers(globs, byWeir);
  // What Weir accepts is asked in one run, what it refuses one by one: azldev stops at the first that it refuses.
  const accepted = globs.filter((_, index) => ours[index] !== undefined);
  const theirs = new Map<string, Found>();
  for (const [index, found] of (await answers(accepted, byAzldev)).entries()) theirs.set(accepted[index]!, found);
  for (const glob of globs) if (!theirs.has(glob)) theirs.set(glob, (await byAzldev([glob]))?.[0]);
  return globs.map((glob, index) => ({ glob, azldev: theirs.get(glob), weir: ours[index] }));
}

/** Known differences between globs. */
export const globKinds: Readonly<Record<string, (compared: ComparedGlob) => boolean>> = {
  'below-a-file': ({ azldev, weir }) => azldev === undefined && weir !== undefined,
};

export function globKindOf(compared: ComparedGlob): string | undefined {
  const { azldev, weir } = compared;
  if (azldev === undefined && weir === undefined) return 'both refuse';
  if (JSON.stringify(azldev) === JSON.stringify(weir)) return 'same';
  return Object.keys(globKinds).find((kind) => globKinds[kind]!(compared));
}
