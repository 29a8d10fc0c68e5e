/** A section of a PE file. */
export interface PeSection {
  readonly name: string;
  readonly content: Buffer;
}

export interface PeFile {
  /** `x86_64`, `aarch64`, or the machine number. */
  readonly machine: string;
  readonly sections: readonly PeSection[];
}

const machines = new Map([
  [0x8664, 'x86_64'],
  [0xaa64, 'aarch64'],
]);

/**
 * Reads the sections of a PE file (Microsoft's "PE Format"), the format of EFI programs and unified kernel images. Undefined
 * if it is not one, or ends within a section. A section's content has its size in memory: the rest in the file is
 * padding.
 */
export function readPe(bytes: Buffer): PeFile | undefined {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const start = bytes.readUInt32LE(0x3c);
  if (start + 24 > bytes.length || bytes.toString('latin1', start, start + 4) !== 'PE\0\0') return undefined;
  const machine = bytes.readUInt16LE(start + 4);
  const count = bytes.readUInt16LE(start + 6);
  const table = start + 24 + bytes.readUInt16LE(start + 20);
  if (table + count * 40 > bytes.length) return undefined;
  const sections: PeSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * 40;
    const size = Math.min(bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 16));
    const offset = bytes.readUInt32LE(at + 20);
    if (offset + size > bytes.length) return undefined;
    const name = bytes.toString('latin1', at, at + 8).replace(/\0.*$/s, '');
    sections.push({ name, content: bytes.subarray(offset, offset + size) });
  }
  return { machine: machines.get(machine) ?? `machine 0x${machine.toString(16)}`, sections };
}

/** The text of a section without padding NULs. */
export function sectionText({ sections }: PeFile, name: string): string | undefined {
  const content = sections.find((section) => section.name === name)?.content;
  if (content === undefined) return undefined;
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end--;
  return content.toString('utf8', 0, end).trim();
}
