import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path/posix';
import { bytesReader } from '../../archive/read-at.ts';
import { readMember, readTar } from '../../archive/tar.ts';
import { type Engine, recall, record } from '../../engine/action.ts';
import { codeDigest } from '../../engine/code-digest.ts';
import { withScratch } from '../../engine/scratch.ts';
import { type DebFile, unpackDebs } from '../deb.ts';

/** Symlinks, path to target relative to it. */
export type Links = Readonly<Record<string, string>>;

/** Generic names that many packages can provide, such as `editor`: which package does is chosen by the system, not by a package. */
const roles =
  /^(?:editor|pager|vi|view|ex|awk|nawk|www-browser|infobrowser|mailx?|nc|netcat|cc|c\+\+|c89|c99|cpp|ld|x-.*)$/;

/**
 * The links that a maintainer script's `update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]…` would
 * make. The script is read, not run: commands with shell variables are left out, and so are generic names such as `editor`.
 */
export function alternativesIn(script: string): Links {
  const links: Record<string, string> = {};
  for (const line of script.replaceAll(/\\\n/g, ' ').split('\n')) {
    const at = line.search(/\bupdate-alternatives\s/);
    if (at < 0 || line.trimStart().startsWith('#')) continue;
    const words = line.slice(at).split(/[;&|]/)[0]!.trim().split(/\s+/);
    for (const [index, word] of words.entries()) {
      if (word !== '--install' && word !== '--slave') continue;
      const [link = '', , path = ''] = words.slice(index + 1, index + 4);
      const isPlain = [link, path].every((each) => /^\/[A-Za-z0-9_.+/@:-]+$/.test(each) && !each.includes('/../'));
      if (!isPlain || !/^\/usr\/(?:s?bin|lib|libexec|include)\//.test(link)) continue;
      if (!roles.test(link.slice(link.lastIndexOf('/') + 1))) links[link] = relative(dirname(link), path);
    }
  }
  return links;
}

const mostOfScript = 1 << 20;

/** The alternatives of packages, by Debian name. @throws WeirError `bad-deb` */
export async function readAlternatives(engine: Engine, debs: readonly DebFile[]): Promise<Map<string, Links>> {
  const action = ({ sha256 }: DebFile) => ({
    kind: 'seed-alternatives',
    code: codeDigest(import.meta.url),
    inputs: { deb: sha256 },
  });
  const all = new Map<string, Links>();
  const todo: DebFile[] = [];
  for (const deb of debs) {
    const known = await recall(engine, action(deb));
    if (known === undefined) todo.push(deb);
    else all.set(deb.name, known.value as Links);
  }
  for (let at = 0; at < todo.length; at += 50) {
    const batch = todo.slice(at, at + 50);
    await withScratch(engine.scratch, async (work) => {
      const tars = await unpackDebs(batch, 'control', work);
      for (const [index, deb] of batch.entries()) {
        const links = alternativesIn(await postinst(tars[index]!));
        await record(engine, action(deb), {}, links);
        all.set(deb.name, links);
      }
    });
  }
  return all;
}

async function postinst(tar: string): Promise<string> {
  const read = bytesReader(await readFile(tar));
  for (const member of readTar(read)) {
    if (member.path === 'postinst') return readMember(read, member, mostOfScript).toString();
  }
  return '';
}
