import { closeSync, openSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesReader, fileReader } from '../../src/archive/read-at.ts';
import { type ElfInfo, elfProvides, elfRequires, isElf, readElf } from '../../src/seed/elf.ts';

function readFile(path: string): ElfInfo | undefined {
  const fd = openSync(path, 'r');
  try {
    return readElf(fileReader(fd));
  } finally {
    closeSync(fd);
  }
}

/** The C library of this process. */
function loadedLibrary(name: RegExp): string {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((text) => name.test(text));
  return line!.slice(line!.indexOf('/'));
}

describe('a dynamic program', () => {
  it('lists its requirements (node itself)', () => {
    const info = readFile(process.execPath)!;
    expect(info.bits).toBe(64);
    expect(info.interpreter).toMatch(/ld-linux/);
    expect(info.needed).toContain('libc.so.6');
    const requires = elfRequires(info);
    expect(requires).toContain('libc.so.6()(64bit)');
    expect(requires.some((name) => /^libc\.so\.6\(GLIBC_2\.\d+\)\(64bit\)$/.test(name))).toBe(true);
    expect(elfProvides(info)).toEqual([]);
  });
});

describe('a shared library', () => {
  it('provides its soname and its symbol versions (libc)', () => {
    const info = readFile(loadedLibrary(/\/libc\.so\.6|\/libc-2/))!;
    expect(info.soname).toBe('libc.so.6');
    const provides = elfProvides(info);
    expect(provides[0]).toBe('libc.so.6()(64bit)');
    expect(provides).toContain('libc.so.6(GLIBC_2.17)(64bit)');
    // the base version is the name of the library itself
    expect(provides).not.toContain('libc.so.6(libc.so.6)(64bit)');
    expect(provides).not.toContain('rtld(GNU_HASH)');
  });

  it('provides rtld(GNU_HASH) if it is the loader', () => {
    const info = readFile(loadedLibrary(/\/ld-(linux|2)/))!;
    expect(elfProvides(info)).toContain('rtld(GNU_HASH)');
  });
});

describe('a file that is not ELF', () => {
  it('is ignored', () => {
    expect(isElf(Buffer.from('#!/b'))).toBe(false);
    expect(readElf(bytesReader(Buffer.from('#!/bin/sh\n')))).toBeUndefined();
    expect(readElf(bytesReader(Buffer.from('\x7fELF')))).toBeUndefined();
  });

  it('never throws, however damaged', () => {
    const fd = openSync(loadedLibrary(/\/ld-(linux|2)/), 'r');
    const start = Buffer.from(fileReader(fd)(0, 300_000));
    closeSync(fd);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1200), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        fc.nat(300_000),
        (changes, length) => {
          const bytes = Buffer.from(start);
          for (const [at, value] of changes) bytes[at] = value;
          readElf(bytesReader(bytes.subarray(0, length)));
        },
      ),
      { numRuns: 200 },
    );
  });
});
