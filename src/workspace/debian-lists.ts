import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import type { Seed } from '../project/model/release.ts';
import { ContentsIndex, ContentsReader, PathFinder } from '../seed/lazy/contents.ts';
import { type DebianIndex, PackagesReader } from '../seed/lazy/debian-index.ts';
import { freshLists, listFiles, readList } from '../toolbox/apt-lists.ts';
import { contentsApt, seedApt, type Workspace } from './workspace.ts';

/** Debian's indexes of a suite. */
export interface DebianLists {
  readonly index: DebianIndex;
  /** Downloads and indexes the Contents lists on the first call. */
  readonly contents: () => Promise<ContentsIndex>;
  /** Packages with a file that the index leaves out; reads the lists. */
  readonly ownersOfPath: (path: string) => Promise<readonly string[]>;
}

/** Opens the indexes of the seed's suite. */
export async function debianLists(workspace: Workspace, seed: Seed): Promise<DebianLists> {
  const { engine, arch } = workspace;
  const apt = await seedApt(workspace, seed);
  await freshLists(apt);
  const reader = new PackagesReader();
  for (const file of await listFiles(apt, 'Packages')) await readList(apt, file, (lines) => reader.add(lines));
  const multiarch = `${arch}-linux-gnu`;
  const open = async () => {
    const own = await contentsApt(workspace, seed);
    await freshLists(own);
    const files = await listFiles(own, 'Contents-deb');
    const lists: string[] = [];
    for (const file of files) lists.push(await fileDigest(file));
    return { own, files, lists };
  };
  let opened: ReturnType<typeof open> | undefined;
  const files = (): ReturnType<typeof open> => {
    opened ??= open();
    return opened;
  };
  const read = async (): Promise<ContentsIndex> => {
    const { own, files: paths, lists } = await files();
    const result = await perform(engine, {
      kind: 'debian-contents',
      code: codeDigest(import.meta.url),
      inputs: { lists, multiarch },
      run: async (work) => {
        const contents = new ContentsReader(multiarch);
        for (const path of paths) await readList(own, path, (lines) => contents.add(lines));
        const index = join(work, 'index');
        await writeFile(index, contents.text());
        return { files: { index } };
      },
    });
    return new ContentsIndex(await readOutput(engine, result, 'index'));
  };
  let index: Promise<ContentsIndex> | undefined;
  return {
    index: reader.done(),
    contents: () => {
      index ??= read();
      return index;
    },
    ownersOfPath: async (path) => {
      const { own, files: paths, lists } = await files();
      const result = await perform(engine, {
        kind: 'debian-path',
        code: codeDigest(import.meta.url),
        inputs: { lists, path },
        run: async () => {
          const finder = new PathFinder(path);
          for (const each of paths) await readList(own, each, (lines) => finder.add(lines));
          return { value: finder.owners() };
        },
      });
      return result.value as string[];
    },
  };
}
