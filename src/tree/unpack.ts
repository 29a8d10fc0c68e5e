import type { Readable } from 'node:stream';
import { type Digest, sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { type Engine, perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { blobFile, putBytesNow, putStream } from '../engine/store.ts';
import { readPayload } from '../rpm/payload.ts';
import { readRpm } from '../rpm/read.ts';
import { packageScripts } from '../rpm/scripts.ts';
import type { RpmFile, RpmPackage } from '../rpm/types.ts';
import { classifyScript, runsAtInstall } from './scriptlets.ts';
import type { Entry, TreePackage } from './tree.ts';

/** The content of a package for a tree. File contents are in the content store. */
export interface Unpacked {
  readonly package: TreePackage;
  readonly entries: readonly Entry[];
}

/** Files up to this size in bytes are hashed in memory and written in one call: most files of a distribution are small. */
const smallFile = 1 << 20;

/** Unpacks an RPM from the content store into the content store, once: later calls read the cached list. */
export async function unpackRpm(engine: Engine, rpm: Digest): Promise<Unpacked> {
  const result = await perform(engine, {
    kind: 'unpack-rpm',
    code: codeDigest(import.meta.url),
    inputs: { rpm },
    run: async () => ({ value: await unpack(engine, rpm) }),
  });
  return result.value as Unpacked;
}

/** A blob in the content store. In a hard-link set only one member has content, in rpm's payloads the last. */
interface Content {
  readonly digest: Digest;
  readonly size: number;
}

async function unpack(engine: Engine, rpm: Digest): Promise<Unpacked> {
  const path = await blobFile(engine.store, rpm);
  const pkg = await readRpm(path);
  const where = { package: `${pkg.name}-${pkg.version}-${pkg.release}.${pkg.arch}` };
  const contents = new Map<string, Content>();
  const firstOfSet = new Map<number, string>();
  for await (const { file, content } of readPayload(path, pkg)) {
    if (file.kind !== 'file' || content === undefined) continue;
    const blob = await putContent(engine, file, content);
    if (file.digest !== undefined && pkg.fileDigestAlgorithm === 'sha256' && blob.digest !== file.digest) {
      throw new WeirError('bad-rpm', `${file.path} does not match the package's header`, {
        where,
        hint: 'the package is damaged; delete it from the cache or the repository and download it again',
      });
    }
    contents.set(file.path, blob);
  }
  const entries: Entry[] = [];
  const ofSet = new Map<number, Content>();
  for (const { path: name, inode } of pkg.files) {
    const content = contents.get(name);
    if (content !== undefined && !ofSet.has(inode)) ofSet.set(inode, content);
  }
  for (const file of pkg.files) {
    if (file.flags.ghost === true) continue;
    const entry = toEntry(pkg, file, contents.get(file.path) ?? ofSet.get(file.inode), firstOfSet);
    if (entry !== undefined) entries.push(entry);
  }
  const { name, epoch, version, release, arch } = pkg;
  const scriptlets = packageScripts(pkg)
    .filter((script) => runsAtInstall(script.name))
    .map((script) => ({ name: script.name, ...classifyScript(script) }));
  return { package: { name, epoch, version, release, arch, rpm, scriptlets }, entries };
}

async function putContent(engine: Engine, file: RpmFile, content: Readable): Promise<Content> {
  if (file.size > smallFile) return putStream(engine.store, content);
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk as Buffer);
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  return putBytesNow(engine.store, bytes, sha256(bytes));
}

function toEntry(
  pkg: RpmPackage,
  file: RpmFile,
  known: Content | undefined,
  firstOfSet: Map<number, string>,
): Entry | undefined {
  const base = {
    path: file.path,
    mode: file.mode & 0o7777,
    user: file.user,
    group: file.group,
    mtime: file.mtime,
    packages: [pkg.name],
  };
  switch (file.kind) {
    case 'directory':
      return { ...base, kind: 'directory' };
    case 'symlink':
      return { ...base, kind: 'symlink', target: file.target ?? '' };
    case 'file': {
      const first = firstOfSet.get(file.inode);
      if (known === undefined) {
        throw new WeirError('bad-rpm', `${file.path} is in the header but not in the payload`, {
          where: { package: pkg.name },
        });
      }
      if (first === undefined) firstOfSet.set(file.inode, file.path);
      const capabilities =
        file.capabilities === undefined || file.capabilities === '' ? {} : { capabilities: file.capabilities };
      return { ...base, kind: 'file', ...known, ...capabilities, ...(first === undefined ? {} : { hardlink: first }) };
    }
    case 'other':
      return undefined;
  }
}
