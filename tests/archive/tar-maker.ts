/** A member written by hand, which covers what tar itself would refuse to write. */
export interface HandMade {
  readonly name?: string;
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly link?: string;
  /** Overrides the size field, which defaults to the length of the content. */
  readonly size?: string;
  readonly magic?: string;
  /** Bytes to write into the header, by offset. */
  readonly patch?: Readonly<Record<number, string>>;
}

/** An archive with exactly these headers. */
export function handMade(...members: readonly HandMade[]): Buffer {
  const parts = members.flatMap((member) => {
    const { name = 'a', type = '0', content = '', link = '', magic = 'ustar\x0000' } = member;
    const bytes = Buffer.from(content as string);
    const head = Buffer.alloc(512);
    const put = (text: string, at: number) => head.write(text, at, 'latin1');
    put(name, 0);
    put('0000644\0', 100);
    put('0000000\0', 108);
    put('0000000\0', 116);
    put(member.size ?? bytes.length.toString(8).padStart(11, '0'), 124);
    put('14371573213', 136);
    put('        ', 148);
    put(type, 156);
    put(link, 157);
    put(magic, 257);
    for (const [at, text] of Object.entries(member.patch ?? {})) put(text, Number(at));
    const sum = head.reduce((total, byte) => total + byte, 0);
    put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A pax extended header. */
export function pax(records: readonly (readonly [string, string])[], type = 'x'): HandMade {
  const lines = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return `${length}${rest}`;
  });
  return { name: 'pax', type, content: Buffer.from(lines.join(''), 'latin1') };
}
