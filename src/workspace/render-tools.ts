import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { queryLimits } from '../engine/limits.ts';
import { runSandboxed } from '../engine/sandbox.ts';
import { withScratch } from '../engine/scratch.ts';
import type { RenderTools } from '../overlay/render.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from './workspace.ts';

/** The toolbox programs for rendering; the toolbox is opened only when one is needed. */
export function renderTools(workspace: ProjectWorkspace): RenderTools {
  let toolbox: Promise<Toolbox> | undefined;
  const open = (): Promise<Toolbox> => {
    toolbox ??= toolboxStage(workspace, 'core');
    return toolbox;
  };
  return {
    unxz: async (bytes) => unxz(await open(), workspace.engine.scratch, bytes),
    versions: async (specs) => versions(workspace, await open(), specs),
  };
}

function unxz(toolbox: Toolbox, scratch: string, bytes: Uint8Array): Promise<Uint8Array> {
  return withScratch(scratch, async (dir) => {
    const packed = join(dir, 'archive.xz');
    await writeFile(packed, bytes);
    await runTool(toolbox, { argv: ['xz', '-dk', '--', packed], binds: [{ from: dir, writable: true }] });
    return readFile(join(dir, 'archive'));
  });
}

/** `[epoch:]version` of each spec as rpm expands it, with rpm's own macros only. */
async function versions(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  specs: readonly string[],
): Promise<readonly (string | undefined)[]> {
  const { engine, arch } = workspace;
  const result = await perform(engine, {
    kind: 'spec-versions',
    code: codeDigest(import.meta.url),
    inputs: { toolbox: toolbox.digest, arch, specs: specs.map((text) => sha256(text)) },
    run: () =>
      withScratch(engine.scratch, async (work) => {
        const folder = join(work, 'specs');
        await mkdir(folder);
        for (const [index, text] of specs.entries()) await writeFile(join(folder, `${index}.spec`), text);
        await writeFile(join(folder, 'ask'), askScript);
        const { stdout } = await runSandboxed(toolbox.jail, {
          code: 'untrusted',
          limits: queryLimits,
          root: toolbox.root,
          binds: [{ from: folder, to: '/tmp/specs' }],
          argv: ['sh', '/tmp/specs/ask', arch, String(specs.length)],
        });
        const found = new Map([...stdout.matchAll(/^V(\d+) ([^\s%]+)$/gm)].map(([, index, value]) => [index, value]));
        return { value: specs.map((_, index) => found.get(String(index)) ?? null) };
      }),
  });
  return (result.value as readonly (string | null)[]).map((version) => version ?? undefined);
}

/** Arguments: architecture, number of specs. A spec that rpm cannot read prints nothing. */
const askScript = `cd /tmp/specs
n=0
while test $n -lt $2; do
  rpmspec -q --srpm --target $1 --define 'autorelease 1' --define 'autochangelog %{nil}' \\
    --qf "V$n %|EPOCH?{%{EPOCH}:}|%{VERSION}\\\\n" $n.spec 2>/dev/null
  n=$((n + 1))
done
exit 0
`;
