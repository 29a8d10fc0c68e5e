import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { removeTree } from '../../src/engine/scratch.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import type { Overlay } from '../../src/project/model/overlay.ts';

type WithoutBase<T> = T extends unknown ? Omit<T, 'description' | 'origin' | 'metadata'> : never;
export type OverlayData = WithoutBase<Overlay>;

/** An overlay that needs no words of its own. */
export function overlay(data: OverlayData): Overlay {
  return { description: 'because', origin: { file: '/p/demo.toml', line: 7 }, ...data } as Overlay;
}

/** A component with nothing set but what the test says. */
export function component(part: Partial<ResolvedComponent> = {}): ResolvedComponent {
  return {
    name: 'demo',
    spec: undefined,
    overlays: [],
    build: {
      with: [],
      without: [],
      defines: {},
      undefines: [],
      emitUpstreamProvenance: false,
      check: { skip: false },
      failure: { expected: false },
      expensive: false,
    },
    release: { calculation: 'auto' },
    render: { skipFileFilter: false },
    sourceFiles: [],
    packages: {},
    publish: {},
    tests: [],
    groups: [],
    origin: { file: '/p/demo.toml', line: 1 },
    ...part,
  };
}

/** A folder with these files, removed when the test ends. */
export async function folder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(dir));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}
