import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { lastLines } from '../base/process.ts';
import { perform } from '../engine/action.ts';
import { runSandboxed, withScratch } from '../engine/sandbox.ts';
import { takeOut } from '../engine/store.ts';
import type { BuildContext, Buildroot } from './buildroot.ts';

/** A component that is ready to build: its rendered spec and every source file, in the content store. */
export interface BuildInput {
  readonly name: string;
  /** File name of the spec, one of `files`. */
  readonly spec: string;
  /** File name → SHA-256. */
  readonly files: Readonly<Record<string, string>>;
}

/** What rpm says of a spec, macros expanded. */
export interface SpecFacts {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  /** As dnf takes them: `gcc`, `pkgconfig(zlib) >= 1.2`. */
  readonly buildRequires: readonly string[];
  /** Names of the binary packages. */
  readonly packages: readonly string[];
  /** Names that the binary packages provide, from the spec alone: no generated ones. */
  readonly provides: readonly string[];
}

/** Asks rpmspec, inside a buildroot so that the distribution's macros count. @throws WeirError `bad-spec` */
export async function querySpec(context: BuildContext, buildroot: Buildroot, input: BuildInput): Promise<SpecFacts> {
  const result = await perform(context.engine, {
    kind: 'query-spec',
    version: 1,
    // Small files can be read by macros in the spec; archives cannot matter to what it says.
    inputs: { root: buildroot.digest, arch: context.arch, spec: input.spec, files: input.files },
    run: async () => ({ value: await query(context, buildroot, input) }),
  });
  return result.value as SpecFacts;
}

async function query(context: BuildContext, buildroot: Buildroot, input: BuildInput): Promise<SpecFacts> {
  return withScratch(context.engine.scratch, async (work) => {
    for (const [name, digest] of Object.entries(input.files))
      await takeOut(context.engine.store, digest, join(work, name));
    await writeFile(join(work, '.query'), script);
    const result = await runSandboxed(context.toolbox.jail, {
      root: await buildroot.open(),
      binds: [{ from: work, to: '/tmp/sources' }],
      argv: ['sh', '/tmp/sources/.query', context.arch, input.spec],
      env: { SOURCE_DATE_EPOCH: String(context.clock) },
    });
    if (result.code !== 0) {
      const line = /line (\d+)/.exec(result.stderr)?.[1];
      throw new WeirError('bad-spec', `rpm cannot read ${input.spec}`, {
        where: { component: input.name, ...(line === undefined ? {} : { file: input.spec, line: Number(line) }) },
        details: lastLines(result.stderr, 6),
      });
    }
    return parseFacts(result.stdout);
  });
}

const script = `set -e
cd /tmp/sources
q="rpmspec -q --target $1 --define '_sourcedir /tmp/sources'"
eval "$q --srpm --qf 'N %{NAME}\\nV %{VERSION}\\nR %{RELEASE}\\n'" "$2"
eval "$q --buildrequires" "$2" | sed 's/^/B /'
eval "$q --qf 'P %{NAME}\\n[D %{PROVIDENAME}\\n]'" "$2"
`;

function parseFacts(output: string): SpecFacts {
  const of = (key: string): string[] =>
    output
      .split('\n')
      .filter((line) => line.startsWith(`${key} `))
      .map((line) => line.slice(2).trim());
  const unique = (values: string[]): string[] => [...new Set(values)].sort();
  return {
    name: of('N')[0] ?? '',
    version: of('V')[0] ?? '',
    release: of('R')[0] ?? '',
    buildRequires: unique(of('B').filter((name) => !name.startsWith('rpmlib('))),
    packages: unique(of('P')),
    provides: unique([...of('P'), ...of('D')]),
  };
}
