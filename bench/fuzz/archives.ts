import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readCpio } from '../../src/archive/cpio.ts';
import { bytesReader } from '../../src/archive/read-at.ts';
import { memberReader, readTar } from '../../src/archive/tar.ts';
import { WeirError } from '../../src/base/errors.ts';
import { initrdFiles, initrdModules } from '../../src/lint/initrd-modules.ts';
import { unreadable } from '../../src/lint/rule.ts';
import { editArchive, openArchive, packArchive } from '../../src/overlay/archive.ts';
import { openData, readControl } from '../../src/seed/deb.ts';
import { fileProvides } from '../../src/seed/provides.ts';
import { handMade, pax } from '../../tests/archive/tar-maker.ts';
import type { Target } from './target.ts';

/** A folder with one file of every kind, packed by the host's tar. */
export function packed(work: string, ...options: readonly string[]): Buffer {
  const dir = mkdtempSync(join(work, 'packed-'));
  mkdirSync(join(dir, 'p/usr/lib/deep/er'), { recursive: true });
  writeFileSync(join(dir, 'p/a'), 'text\n'.repeat(200));
  writeFileSync(join(dir, `p/usr/lib/deep/er/${'long-name-'.repeat(12)}`), 'x');
  symlinkSync('../a', join(dir, 'p/usr/link'));
  symlinkSync('y'.repeat(150), join(dir, 'p/usr/far'));
  if (!options.includes('--plain')) {
    linkSync(join(dir, 'p/a'), join(dir, 'p/b'));
    writeFileSync(join(dir, 'p/sparse'), 'begin');
    truncateSync(join(dir, 'p/sparse'), 200_000);
  }
  const argv = ['-c', '--sort=name', '--mtime=@1700000000', '--owner=0', '--group=0', '-C', dir];
  return execFileSync('tar', [...argv, ...options.filter((option) => option !== '--plain'), 'p'], {
    maxBuffer: 1 << 26,
  });
}

/** Recomputes the checksum of everything that looks like a tar header. */
export function repairTar(input: Buffer): Buffer {
  for (let at = 0; at + 512 <= input.length; at += 512) {
    if (input.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    input.fill(0x20, at + 148, at + 156);
    let sum = 0;
    for (let i = at; i < at + 512; i++) sum += input[i]!;
    input.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
  return input;
}

function tarSamples(work: string): Buffer[] {
  const sparse: [string, string][] = [
    ['GNU.sparse.size', '700'],
    ['GNU.sparse.map', '0,3,600,2'],
  ];
  return [
    packed(work, '--format=gnu', '-S'),
    packed(work, '--format=posix', '-S', '--sparse-version=0.0'),
    packed(work, '--format=posix', '-S', '--sparse-version=1.0'),
    packed(work, '--format=ustar', '--plain', '--exclude=far', '--exclude=long-name-*'),
    handMade(pax([['comment', 'c']], 'g'), pax(sparse), { name: 'a', content: 'abcde' }, { name: 'null', type: '3' }),
    handMade(
      pax([
        ['SCHILY.xattr.security.capability', '\x01\0\0\x02'],
        ['size', '3'],
      ]),
      { content: 'abc' },
    ),
  ];
}

const tar: Target = {
  name: 'tar',
  samples: async (work) => tarSamples(work),
  repair: repairTar,
  read: (input) => {
    const read = bytesReader(input);
    for (const member of readTar(read)) {
      const content = memberReader(read, member);
      content(0, 4096);
      content(Math.max(0, member.size - 4096), 4096);
    }
  },
};

const overlayArchive: Target = {
  name: 'overlay-archive',
  samples: async (work) => {
    const plain = [packed(work, '--format=gnu', '--plain'), packed(work, '--format=posix', '--plain')];
    return [...plain, ...plain, gzipSync(plain[0]!)];
  },
  repair: repairTar,
  read: async (input) => {
    const files = new Map([['a.tar', { kind: 'bytes' as const, bytes: input, executable: false }]]);
    const { archive } = await editArchive(await openArchive(files, 'a.tar', {}), { type: 'file-remove', file: '**' });
    packArchive(archive);
  },
};

const control = `Package: demo
Version: 1:2.0-3
Architecture: amd64
Source: demo-src (1.9)
Depends: libc6 (>= 2.41), a | b:any (<<1~), d (= 1:2-3) [amd64]
Description: a demo
 with more lines
 .
`;

const deb: Target = {
  name: 'deb',
  samples: async (work) => [
    handMade({ name: './control', content: control }, { name: './conffiles', content: '/etc/x\n' }),
    packed(work, '--format=gnu', '--plain'),
  ],
  repair: repairTar,
  read: async (input, work) => {
    const file = join(work, 'data.tar');
    writeFileSync(file, input);
    const data = openData(file);
    try {
      for (const member of data.members) {
        if (member.kind === 'file') fileProvides(`/${member.path}`, member.size, memberReader(data.read, member));
      }
    } finally {
      data.close();
    }
    await readControl({ path: file }, file);
  },
};

/** Programs that every host has: the natural input of the ELF reader. */
function programs(): Buffer[] {
  const found = execFileSync(
    'sh',
    ['-c', 'ls /usr/lib/*-linux-gnu/libz.so.1 /lib64/libz.so.1 /bin/true 2>/dev/null; :'],
    {
      encoding: 'utf8',
    },
  );
  return found
    .split('\n')
    .filter((path) => path !== '')
    .map((path) => execFileSync('head', ['-c', '300000', path]));
}

const provides: Target = {
  name: 'provides',
  samples: async () => [
    ...programs(),
    Buffer.from('prefix=/usr\nv=1.2\nName: x\nVersion: $' + '{v}\nLibs: -L$' + '{prefix}/lib\n'),
    Buffer.from('Metadata-Version: 2.1\nName: Some_Thing\nVersion: 1.0-rc1\n'),
    Buffer.from('u nobody 65534 "Nobody" / -\ng users 100\nm nobody users\n'),
  ],
  read: (input) => {
    fileProvides('/usr/lib/libx.so.1', input.length, bytesReader(input));
    // The beginning of a program is enough for readers of text: most of the time would go into decoding it.
    const text = input.subarray(0, 16384);
    for (const path of ['/usr/lib/x.pc', '/x/METADATA', '/usr/lib/sysusers.d/x.conf']) {
      fileProvides(path, text.length, bytesReader(text));
    }
  },
};

function cpio(): Buffer {
  const parts: Buffer[] = [];
  for (const [name, content] of [
    ['.', ''],
    ['usr/lib/a.ko', '\0name=some_module\0license=GPL\0'],
    ['etc/text', 'x'.repeat(300)],
    ['TRAILER!!!', ''],
  ] as const) {
    const numbers = [1, 0o100644, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}${name}\0`;
    for (const part of [head, content]) parts.push(Buffer.from(part), Buffer.alloc(-part.length & 3));
  }
  return Buffer.concat(parts);
}

const initrd: Target = {
  name: 'initrd',
  samples: async () => [
    cpio(),
    Buffer.concat([cpio(), Buffer.alloc(512), gzipSync(cpio())]),
    gzipSync(Buffer.concat([cpio(), cpio()])),
  ],
  read: async (input) => {
    if (input.subarray(0, 5).toString('latin1') === '07070') {
      try {
        for (const _ of readCpio(input));
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
      }
    }
    const noTool = async (kind: string): Promise<Buffer> => {
      throw unreadable(`no ${kind} here`);
    };
    initrdModules(await initrdFiles(input, noTool));
  },
};

export const archiveTargets: readonly Target[] = [tar, overlayArchive, deb, provides, initrd];
