import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { removeTree } from '../../src/engine/scratch.ts';
import { commitsBetween } from '../../src/sources/git-range.ts';
import { openGitStore, openRepository } from '../../src/sources/git-store.ts';
import { treeChanges } from '../../src/sources/tree-changes.ts';
import { type Repository, repositoryAt } from './git-repository.ts';

async function made() {
  const root = mkdtempSync(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  const made = repositoryAt(join(root, 'git'));
  const open = () => openRepository(openGitStore(join(root, 'cache')), made.dir);
  return { made, open };
}

/** A history with merges, two roots, and a branch of its own. */
function history({ git, commit }: Repository): string[] {
  const merge = (branch: string): void =>
    void git('merge', '-q', '--no-ff', '--allow-unrelated-histories', '-m', 'merge', branch);
  commit({ a: '1' });
  git('checkout', '-q', '-b', 'side');
  commit({ b: '1' });
  commit({ b: '2' });
  git('checkout', '-q', 'f1');
  commit({ a: '2' });
  merge('side');
  commit({ a: '3' });
  git('checkout', '-q', 'side');
  commit({ b: '3' });
  git('checkout', '-q', '--orphan', 'other');
  git('rm', '-q', '-r', '-f', '.');
  commit({ 'c/d': '1' });
  git('checkout', '-q', 'f1');
  merge('side');
  merge('other');
  git('checkout', '-q', '-b', 'apart', 'f1~2');
  commit({ e: '1' });
  return git('rev-list', '--all').split('\n');
}

it('the commits between two others are those of git, across merges', async () => {
  const { made: repository, open } = await made();
  const all = history(repository);
  const opened = await open();
  expect(all.length).toBeGreaterThanOrEqual(11);
  for (const from of all) {
    for (const to of all) {
      const { relation, commits } = await commitsBetween(opened, from, to);
      const listed = repository.git('rev-list', '--topo-order', `${from}..${to}`);
      const expected = listed === '' ? [] : listed.split('\n');
      expect(commits.map(({ id }) => id).sort()).toEqual(expected.sort());
      const back = repository.git('rev-list', `${to}..${from}`);
      const wanted = from === to ? 'same' : back === '' ? 'newer' : listed === '' ? 'older' : 'apart';
      expect({ from, to, relation }).toEqual({ from, to, relation: wanted });
      const seen = new Set<string>();
      // Each before its parents.
      for (const { id, parents } of commits) {
        for (const parent of parents) expect(seen).not.toContain(parent);
        seen.add(id);
      }
    }
  }
}, 300_000);

it('the files that differ are those of git diff', async () => {
  const { made: repository, open } = await made();
  const remove = (name: string): void => rmSync(join(repository.dir, name), { recursive: true });
  const commits = [
    repository.commit({ a: '1', 'd/e': '1', 'd/f/g': '1', 'x/y': '1', 'ü b': '1' }),
    repository.commit({ a: '2', 'd/f/g': '2', 'new/file': '1', 'run.sh': 'x' }),
  ];
  for (const name of ['d/e', 'x', 'new']) remove(name);
  commits.push(repository.commit({ x: 'a file in place of a folder' }));
  for (const name of ['x', 'ü b']) remove(name);
  commits.push(repository.commit({ 'x/z': 'and back' }));
  const opened = await open();
  for (const from of commits) {
    for (const to of commits) {
      const [before, after] = [from, to].map((id) => repository.git('rev-parse', `${id}^{tree}`));
      const found = await treeChanges(opened, before!, after!);
      const text = found.map((change) => {
        const letter = change.before === undefined ? 'A' : change.after === undefined ? 'D' : 'M';
        return `${letter}\t${change.path}`;
      });
      const listed = repository.git('-c', 'core.quotePath=false', 'diff', '--name-status', '--no-renames', from, to);
      expect(text).toEqual(listed === '' ? [] : listed.split('\n'));
    }
  }
});
