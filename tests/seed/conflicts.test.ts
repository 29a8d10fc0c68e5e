import { describe, expect, it } from 'vitest';
import type { RpmFile } from '../../src/rpm/types.ts';
import { fileConflicts } from '../../src/seed/conflicts.ts';

function file(path: string, more: Partial<RpmFile> = {}): RpmFile {
  const base = {
    kind: 'file',
    mode: 0o644,
    user: 'root',
    group: 'root',
    mtime: 0,
    size: 1,
    verify: 0,
    inode: 1,
  } as const;
  return { path, ...base, digest: 'd', flags: {}, ...more };
}

function between(a: RpmFile, b: RpmFile): string[] {
  return fileConflicts([
    { name: 'a', files: [a] },
    { name: 'b', files: [b] },
  ]).map((conflict) => `${conflict.path} ${conflict.packages.join(' ')}: ${conflict.why}`);
}

describe('file conflicts', () => {
  it.each<[Partial<RpmFile>, Partial<RpmFile>, string[]]>([
    [{}, { mtime: 5 }, []],
    [{}, { digest: 'e' }, ['/x a b: contents']],
    [{}, { mode: 0o755 }, ['/x a b: modes 644 and 755']],
    [{}, { group: 'kvm' }, ['/x a b: owners root:root and root:kvm']],
    [{}, { kind: 'directory' }, ['/x a b: file and directory']],
    [{ flags: { ghost: true } }, { digest: 'e' }, []],
    [{ kind: 'symlink', target: 'p' }, { kind: 'symlink', target: 'q' }, ['/x a b: targets p and q']],
    [{ kind: 'symlink', target: 'p' }, { kind: 'symlink', target: 'p' }, []],
    [{ kind: 'directory', size: 1 }, { kind: 'directory', size: 2 }, []],
  ])('%j and %j', (a, b, expected) => {
    expect(between(file('/x', a), file('/x', b))).toEqual(expected);
  });

  it('are none between different paths', () => {
    expect(between(file('/x'), file('/y', { digest: 'e' }))).toEqual([]);
  });
});
