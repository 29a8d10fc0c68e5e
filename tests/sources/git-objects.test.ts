import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeTree } from '../../src/engine/scratch.ts';
import { type GitObject, openReader, parseCommit, parseTree } from '../../src/sources/git-objects.ts';
import { failure } from '../base/failure.ts';
import { type Repository, repositoryAt } from './git-repository.ts';

function repository(): Repository {
  const root = mkdtempSync(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  return repositoryAt(join(root, 'r'));
}

const object = (type: GitObject['type'], bytes: string | Buffer): GitObject => ({
  id: createHash('sha1').update(bytes).digest('hex'),
  type,
  bytes: Buffer.from(bytes),
});

describe('a commit', () => {
  const head = (more = ''): string =>
    `tree ${'a'.repeat(40)}\nparent ${'b'.repeat(40)}\nparent ${'c'.repeat(40)}\nauthor Ann <ann@x> 1600000000 +0200\ncommitter Carl C <> -5 -0700\n${more}\n`;

  it('has author, time and message', () => {
    expect(parseCommit(object('commit', `${head()}Subject\n\nBody: parent x\n`))).toMatchObject({
      tree: 'a'.repeat(40),
      parents: ['b'.repeat(40), 'c'.repeat(40)],
      author: 'Ann',
      email: 'ann@x',
      authorTime: 1_600_000_000,
      time: -5,
      message: 'Subject\n\nBody: parent x\n',
    });
  });

  it('can be signed, without a message, or without an author', () => {
    const signed = head('gpgsig -----BEGIN PGP SIGNATURE-----\n \n tree of lies\n -----END PGP SIGNATURE-----\n');
    expect(parseCommit(object('commit', `${signed}x`))).toMatchObject({ tree: 'a'.repeat(40), message: 'x' });
    expect(parseCommit(object('commit', head().trimEnd())).message).toBe('');
    const nobody = `tree ${'a'.repeat(40)}\nauthor  <> 1 +0000\ncommitter  <> 2 +0000\n\n`;
    expect(parseCommit(object('commit', nobody))).toMatchObject({ author: '', email: '', parents: [], time: 2 });
  });

  it('is decoded by its encoding, and as UTF-8 if that is unknown', () => {
    const latin = Buffer.from(`${head('encoding ISO-8859-1\n').replace('Ann', 'Andr\xe9')}d\xe9j\xe0\n`, 'latin1');
    expect(parseCommit(object('commit', latin))).toMatchObject({ author: 'André', message: 'déjà\n' });
    expect(parseCommit(object('commit', `${head('encoding klingon\n')}é`)).message).toBe('é');
  });

  it('can end within its header and have unusual author names', () => {
    const people = `author A < B <a@x> 1 +0000\ncommitter x> <c> y <d> 7 +0000`;
    for (const encoding of ['latin1', 'utf-16le', 'utf-7']) {
      const text = `tree ${'a'.repeat(40)}\n${people}\nencoding ${encoding}`;
      expect(parseCommit(object('commit', text))).toMatchObject({ author: 'A', email: ' B <a@x', time: 7 });
    }
  });

  it('with a very long name is parsed quickly', () => {
    for (const name of ['<'.repeat(300_000), '> 1'.repeat(100_000), '<> '.repeat(100_000), ' <'.repeat(150_000)]) {
      const text = `tree ${'a'.repeat(40)}\nauthor ${name}\ncommitter C <c@x> 1 +0000\n\n`;
      expect(parseCommit(object('commit', text)).time).toBe(1);
    }
  });

  it.each(['', 'nonsense', 'tree x\n\n', `author a <b> 1 +0000\n\n`])('is rejected if invalid: %j', (text) => {
    expect(() => parseCommit(object('commit', text))).toThrow(expect.objectContaining({ code: 'git-failed' }));
    expect(() => parseCommit(object('blob', head()))).toThrow(expect.objectContaining({ code: 'git-failed' }));
  });
});

describe('a tree', () => {
  const entry = (mode: string, name: string): Buffer =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.alloc(20, 7)]);

  it.each([
    ['100644', 'file'],
    ['100664', 'file'],
    ['0100644', 'file'],
    ['100755', 'executable'],
    ['40000', 'folder'],
    ['040000', 'folder'],
    ['120000', 'link'],
    ['160000', 'submodule'],
  ])('has %s as %s', (mode, kind) => {
    expect(parseTree(object('tree', Buffer.concat([entry(mode, 'a b'), entry(mode, 'c')])))).toEqual([
      { mode: kind, name: Buffer.from('a b'), id: '07'.repeat(20) },
      { mode: kind, name: Buffer.from('c'), id: '07'.repeat(20) },
    ]);
  });

  it('that is truncated or damaged throws only a WeirError', () => {
    const whole = Buffer.concat([entry('100644', 'a'), entry('40000', 'b')]);
    for (let length = 1; length < whole.length; length++) {
      if (length === entry('100644', 'a').length) continue;
      expect(() => parseTree(object('tree', whole.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: 'git-failed' }),
      );
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          parseTree(object('tree', Buffer.from(bytes)));
        } catch (error) {
          expect(error).toMatchObject({ code: 'git-failed' });
        }
      }),
    );
  });
});

describe('a reader', () => {
  it('answers in order, whatever the sizes', async () => {
    const made = repository();
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, `${i}`.repeat(i ** 3)]));
    made.commit(files);
    const reader = openReader(join(made.dir, '.git'));
    const names = Object.keys(files);
    const read = await Promise.all(names.flatMap((name) => [`HEAD:${name}`, `HEAD:no-${name}`]).map(reader.read));
    expect(read.map((one) => one?.bytes.toString())).toEqual(names.flatMap((name) => [files[name], undefined]));
    expect(await reader.read('two\nlines')).toBeUndefined();
    reader.close();
    expect(await failure(reader.read('HEAD'))).toMatchObject({ code: 'git-failed' });
  });

  it('answers pending requests before it closes', async () => {
    const made = repository();
    made.commit({ a: 'a' });
    const reader = openReader(join(made.dir, '.git'));
    const asked = [reader.read('HEAD:a'), reader.read('HEAD:b')];
    reader.close();
    expect((await Promise.all(asked)).map((one) => one?.type)).toEqual(['blob', undefined]);
  });

  it('reports an ambiguous short name, and continues', async () => {
    const made = repository();
    made.commit({ a: 'a' });
    const seen = new Map<string, string>();
    let short = '';
    for (let turn = 0; short === ''; turn++) {
      const content = String(turn);
      const start = object('blob', `blob ${content.length}\0${content}`).id.slice(0, 4);
      const other = seen.get(start);
      seen.set(start, content);
      if (other === undefined) continue;
      short = start;
      made.commit({ b: content, c: other });
    }
    const reader = openReader(join(made.dir, '.git'));
    expect((await failure(reader.read(short))).code).toBe('ambiguous-commit');
    expect((await reader.read('HEAD:a'))?.bytes.toString()).toBe('a');
    reader.close();
  });

  it('does not keep an idle process alive, and is stopped with the other children', () => {
    const made = repository();
    made.commit({ a: 'a' });
    const source = join(import.meta.dirname, '../../src');
    const script = join(made.dir, 'script.mjs');
    writeFileSync(
      script,
      `import { stopChildren } from '${source}/base/process.ts';
       import { openReader } from '${source}/sources/git-objects.ts';
       const git = '${join(made.dir, '.git')}';
       const [idle, stopped] = [openReader(git), openReader(git)];
       console.log((await idle.read('HEAD:a')).bytes.toString());
       if (process.argv[2] === 'stop') {
         stopChildren('SIGKILL');
         await stopped.read('HEAD:a').catch((error) => console.log(error.code));
         try { openReader(git); } catch (error) { console.log(error.code); }
       }`,
    );
    const run = (...argv: string[]): string =>
      execFileSync(process.execPath, [script, ...argv], { encoding: 'utf8', timeout: 20_000 });
    expect(run()).toBe('a\n');
    expect(run('stop')).toBe('a\ninterrupted\ninterrupted\n');
  });

  it('fails without a repository, and does not return a damaged object', async () => {
    expect((await failure(openReader(join(tmpdir(), 'no-such-folder')).read('HEAD'))).code).toBe('git-failed');
    const made = repository();
    made.commit({ a: 'a' });
    const id = made.git('rev-parse', 'HEAD:a');
    const path = join(made.dir, '.git/objects', id.slice(0, 2), id.slice(2));
    chmodSync(path, 0o644);
    writeFileSync(path, 'x');
    const reader = openReader(join(made.dir, '.git'));
    expect(await reader.read('HEAD:a')).toBeUndefined();
    expect((await reader.read('HEAD'))?.type).toBe('commit');
    reader.close();
  });
});
