import { type ImageMaking, provenanceStatement } from '../src/audit/provenance.ts';
import { sha256 } from '../src/base/digest.ts';
import { putBytes, type Store } from '../src/engine/store.ts';
import type { RpmSpec } from '../src/rpm/types.ts';
import type { Tree } from '../src/tree/tree.ts';
import { twoPackages } from './audit/fixture.ts';

/** The clock of all golden bytes, seconds since 1970. */
export const epoch = 1_790_000_000;

/** Text that compresses as text does: words in an order that a small generator gives, always the same. */
export function words(length: number): Buffer {
  const list = 'the of root and user mount service device file system kernel module network unit target'.split(' ');
  const parts: string[] = [];
  let state = 1;
  for (let size = 0; size < length; ) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const word = `${list[(state >>> 16) % list.length]!}${state % 7 === 0 ? `-${state % 1000}\n` : ' '}`;
    parts.push(word);
    size += word.length;
  }
  return Buffer.from(parts.join('')).subarray(0, length);
}

/** A tree with one of each that a tar, an ext4 and a layer can hold. */
export async function goldenTree(store: Store): Promise<Tree> {
  const base = { user: 'root', group: 'root', mode: 0o755, mtime: epoch - 1000, packages: ['golden'] };
  const text = async (content: string | Buffer) => ({ kind: 'file' as const, ...(await putBytes(store, content)) });
  const long = `/usr/share/${'a-long-name-'.repeat(12)}`;
  return {
    packages: [],
    entries: [
      { ...base, path: '/', kind: 'directory', mode: 0o555 },
      { ...base, path: '/etc', kind: 'directory' },
      { ...base, path: '/etc/group', mode: 0o644, ...(await text('root:x:0:\nmail:x:12:\n')) },
      { ...base, path: '/etc/late', mode: 0o600, mtime: epoch + 5000, ...(await text('late\n')) },
      {
        ...base,
        path: '/etc/passwd',
        mode: 0o644,
        ...(await text('root:x:0:0::/root:/bin/sh\nmail:x:8:12::/:/bin/false\n')),
      },
      { ...base, path: '/usr', kind: 'directory' },
      { ...base, path: '/usr/bin', kind: 'directory' },
      { ...base, path: '/usr/bin/ping', capabilities: 'cap_net_raw=ep', ...(await text(words(40_000))) },
      { ...base, path: '/usr/bin/pong', hardlink: '/usr/bin/ping', ...(await text(words(40_000))) },
      { ...base, path: '/usr/share', kind: 'directory' },
      { ...base, path: long, mode: 0o644, ...(await text('')) },
      {
        ...base,
        path: '/usr/share/words',
        mode: 0o4644,
        user: 'mail',
        group: 'mail',
        ...(await text(words(1_300_000))),
      },
      { ...base, path: '/usr/share/ünï', mode: 0o777, kind: 'symlink', target: '../bin/ping' },
    ],
  };
}

/** A package as the seed's are. */
export const goldenPackage: RpmSpec = {
  name: 'golden',
  version: '1.0',
  release: '1.wl4',
  arch: 'x86_64',
  summary: 'A package',
  description: 'It is always the same.',
  license: 'MIT',
  buildTime: epoch,
  vendor: 'Weir',
  provides: [{ name: 'gold', flags: '>=', evr: '1' }],
  files: [
    { path: '/usr/bin/golden', kind: 'file', mode: 0o755, mtime: epoch, content: words(300_000) },
    { path: '/usr/bin/alias', kind: 'symlink', mode: 0o777, target: 'golden' },
    { path: '/usr/bin/again', kind: 'file', mode: 0o755, hardlink: '/usr/bin/golden' },
    {
      path: '/etc/golden.conf',
      kind: 'file',
      mode: 0o640,
      flags: { config: 'noreplace' },
      content: Buffer.from('a=b\n'),
    },
    { path: '/var/lib/golden', kind: 'directory', mode: 0o750, user: 'mail', group: 'mail' },
  ],
};

const making: ImageMaking = {
  arch: 'x86_64',
  snapshot: '20260131-0a1b2c3d',
  definition: { type: 'weir', kind: 'container', packages: ['gzip'] },
  inputs: sha256('inputs'),
  toolbox: sha256('toolbox'),
  subjects: [{ name: 'base', sha256: sha256('manifest') }],
};

export const goldenStatement = (): string => JSON.stringify(provenanceStatement(twoPackages, making));
