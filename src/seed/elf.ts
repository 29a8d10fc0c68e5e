import type { ReadAt } from '../archive/read-at.ts';

/** An ELF file's information for the dynamic linker. */
export interface ElfInfo {
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** `e_machine`: 62 is x86-64, 183 is AArch64. */
  readonly machine: number;
  /** A shared object or position-independent program (`ET_DYN`). */
  readonly shared: boolean;
  readonly interpreter: string | undefined;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  /** Symbol versions that it defines, without the base version. */
  readonly defines: readonly string[];
  /** Symbol versions that it needs, by the library that defines them. */
  readonly needs: readonly { readonly library: string; readonly versions: readonly string[] }[];
  /** `DT_GNU_HASH` without `DT_HASH`: loads only with a linker that supports GNU hashes. */
  readonly gnuHashOnly: boolean;
}

/** The first bytes of every ELF file. */
export function isElf(start: Buffer): boolean {
  return start.length >= 4 && start.readUInt32BE(0) === 0x7f454c46;
}

const dt = {
  needed: 1n,
  hash: 4n,
  strtab: 5n,
  strsz: 10n,
  soname: 14n,
  gnuHash: 0x6ffffef5n,
  verdef: 0x6ffffffcn,
  verdefnum: 0x6ffffffdn,
  verneed: 0x6ffffffen,
  verneednum: 0x6fffffffn,
};

/**
 * Reads the dynamic section of a little-endian ELF file (System V ABI, and the GNU symbol versioning sections of the
 * Linux Standard Base). @returns undefined if the file is not dynamic ELF or is damaged
 */
export function readElf(read: ReadAt): ElfInfo | undefined {
  const head = read(0, 64);
  if (!isElf(head) || head.length < 52 || head[5] !== 1) return undefined;
  const bits = head[4] === 2 ? 64 : 32;
  if (bits === 64 && head.length < 64) return undefined;
  const wide = bits === 64;
  const phoff = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const phentsize = head.readUInt16LE(wide ? 54 : 42);
  const phnum = head.readUInt16LE(wide ? 56 : 44);
  const table = read(phoff, phentsize * phnum);
  if (table.length < phentsize * phnum || phentsize < (wide ? 56 : 32) || phentsize > 1024) return undefined;

  const loads: { readonly address: number; readonly offset: number; readonly size: number }[] = [];
  let dynamic: { readonly offset: number; readonly size: number } | undefined;
  let interpreter: string | undefined;
  for (let i = 0; i < phnum; i++) {
    const at = i * phentsize;
    const type = table.readUInt32LE(at);
    const offset = wide ? Number(table.readBigUInt64LE(at + 8)) : table.readUInt32LE(at + 4);
    const address = wide ? Number(table.readBigUInt64LE(at + 16)) : table.readUInt32LE(at + 8);
    const size = wide ? Number(table.readBigUInt64LE(at + 32)) : table.readUInt32LE(at + 16);
    if (type === 1) loads.push({ address, offset, size });
    else if (type === 2) dynamic = { offset, size };
    else if (type === 3) interpreter = cString(read(offset, Math.min(size, 4096)), 0);
  }
  if (dynamic === undefined || dynamic.size > 1 << 20) return undefined;

  const section = read(dynamic.offset, dynamic.size);
  const entry = wide ? 16 : 8;
  const values = new Map<bigint, bigint>();
  const neededAt: number[] = [];
  for (let at = 0; at + entry <= section.length; at += entry) {
    const tag = wide ? section.readBigUInt64LE(at) : BigInt(section.readUInt32LE(at));
    const value = wide ? section.readBigUInt64LE(at + 8) : BigInt(section.readUInt32LE(at + 4));
    if (tag === 0n) break;
    if (tag === dt.needed && neededAt.length < mostNames) neededAt.push(Number(value));
    else values.set(tag, value);
  }
  const inFile = (address: number): { readonly offset: number; readonly left: number } | undefined => {
    const load = loads.find((part) => address >= part.address && address < part.address + part.size);
    if (load === undefined) return undefined;
    return { offset: load.offset + address - load.address, left: load.size - (address - load.address) };
  };
  const strings = inFile(Number(values.get(dt.strtab) ?? 0n));
  if (strings === undefined) return undefined;
  const pool = read(strings.offset, Math.min(Number(values.get(dt.strsz) ?? 0n), strings.left, 1 << 26));
  const name = (at: number | bigint | undefined): string => (at === undefined ? '' : cString(pool, Number(at)));
  const records = (address: bigint | undefined): Buffer => {
    const place = address === undefined ? undefined : inFile(Number(address));
    return place === undefined ? Buffer.alloc(0) : read(place.offset, Math.min(place.left, 1 << 20));
  };
  const soname = values.get(dt.soname);
  return {
    bits,
    machine: head.readUInt16LE(18),
    shared: head.readUInt16LE(16) === 3,
    interpreter,
    soname: soname === undefined ? undefined : name(soname),
    needed: neededAt.map(name),
    defines: readDefined(records(values.get(dt.verdef)), Number(values.get(dt.verdefnum) ?? 0n), name),
    needs: readNeeded(records(values.get(dt.verneed)), Number(values.get(dt.verneednum) ?? 0n), name),
    gnuHashOnly: values.has(dt.gnuHash) && !values.has(dt.hash),
  };
}

/** Limits for libraries or versions in one file and for the length of a name, beyond any real file. */
const mostNames = 16_384;
const longestName = 4096;

function cString(bytes: Buffer, at: number): string {
  if (!(at >= 0 && at < bytes.length)) return '';
  const within = bytes.subarray(at, at + longestName);
  const end = within.indexOf(0);
  return within.toString('latin1', 0, end < 0 ? within.length : end);
}

const baseVersion = 1;

/** `Elfxx_Verdef` with its first `Elfxx_Verdaux`, which has the name of the version. */
function readDefined(bytes: Buffer, count: number, name: (at: number) => string): string[] {
  const versions: string[] = [];
  let at = 0;
  for (let i = 0; i < Math.min(count, mostNames) && at + 20 <= bytes.length; i++) {
    const aux = at + bytes.readUInt32LE(at + 12);
    if ((bytes.readUInt16LE(at + 2) & baseVersion) === 0 && aux + 4 <= bytes.length) {
      versions.push(name(bytes.readUInt32LE(aux)));
    }
    const next = bytes.readUInt32LE(at + 16);
    if (next === 0) break;
    at += next;
  }
  return versions;
}

/** `Elfxx_Verneed`, one per library, with its list of `Elfxx_Vernaux`. */
function readNeeded(bytes: Buffer, count: number, name: (at: number) => string): ElfInfo['needs'] {
  const needs: { library: string; versions: string[] }[] = [];
  let at = 0;
  let left = mostNames;
  for (let i = 0; i < count && at + 16 <= bytes.length && left > 0; i++) {
    const versions: string[] = [];
    left--;
    let aux = at + bytes.readUInt32LE(at + 8);
    for (let j = 0; j < bytes.readUInt16LE(at + 2) && aux + 16 <= bytes.length && left > 0; j++, left--) {
      versions.push(name(bytes.readUInt32LE(aux + 8)));
      const next = bytes.readUInt32LE(aux + 12);
      if (next === 0) break;
      aux += next;
    }
    needs.push({ library: name(bytes.readUInt32LE(at + 4)), versions });
    const next = bytes.readUInt32LE(at + 12);
    if (next === 0) break;
    at += next;
  }
  return needs;
}

function marker(info: ElfInfo): string {
  return info.bits === 64 ? '(64bit)' : '';
}

/**
 * Provides of a shared library as rpm's generator writes them: `libz.so.1()(64bit)` and one for each symbol version. The
 * program interpreter also provides `rtld(GNU_HASH)`, which everything linked with GNU hashes requires.
 */
export function elfProvides(info: ElfInfo): string[] {
  if (!info.shared || info.soname === undefined || info.soname === '') return [];
  const bits = marker(info);
  const names = [`${info.soname}()${bits}`];
  for (const version of info.defines) names.push(`${info.soname}(${version})${bits}`);
  if (/^ld(-linux.*)?\.so|^ld-linux/.test(info.soname)) names.push('rtld(GNU_HASH)');
  return names;
}

/** Requires of a dynamic program or library as rpm's generator writes them. */
export function elfRequires(info: ElfInfo): string[] {
  const bits = marker(info);
  const names = new Set<string>();
  for (const library of info.needed) names.add(`${library}()${bits}`);
  for (const { library, versions } of info.needs) {
    for (const version of versions) names.add(`${library}(${version})${bits}`);
  }
  if (info.gnuHashOnly) names.add('rtld(GNU_HASH)');
  return [...names];
}
