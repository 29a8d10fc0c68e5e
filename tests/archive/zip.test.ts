import { describe, expect, it } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readZip, readZipMember } from '../../src/archive/zip.ts';
import { zipOf } from './zip-maker.ts';

function contents(archive: Buffer): Record<string, string> {
  const read = bytesReader(archive);
  return Object.fromEntries(
    [...readZip(read, archive.length)].map((member) => [member.path, readZipMember(read, member, 1 << 20).toString()]),
  );
}

const files = { 'a.json': '{"a":1}'.repeat(50), 'folder/b.json': '', 'ü.json': 'x' };

/** The archive with one byte changed. */
function damaged(archive: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(archive);
  copy[at] = value;
  return copy;
}

describe('a zip archive', () => {
  it.each([false, true])('gives its members (stored: %s)', (stored) => {
    expect(contents(zipOf(files, stored))).toEqual(files);
  });

  it('may be empty', () => {
    expect(contents(zipOf({}))).toEqual({});
  });

  it('may have a comment, even one that looks like an end', () => {
    const archive = zipOf(files);
    const comment = Buffer.from('PK\x05\x06 is no end');
    archive.writeUInt16LE(comment.length, archive.length - 2);
    expect(contents(Buffer.concat([archive, comment]))).toEqual(files);
  });

  it('may have more files than 16 bits count', () => {
    const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`${index}`, '']));
    const archive = zipOf(many, true);
    expect([...readZip(bytesReader(archive), archive.length)].length).toBe(70_000);
  });

  it('marks folders', () => {
    const archive = zipOf({ 'a/': '' });
    expect([...readZip(bytesReader(archive), archive.length)][0]?.isFolder).toBe(true);
  });
});

describe('a damaged zip archive', () => {
  const archive = zipOf(files);
  const directory = archive.indexOf('PK\x01\x02');

  it.each<[string, Buffer, RegExp]>([
    ['that is cut', archive.subarray(0, archive.length - 30), /no directory at the end/],
    ['that is none', Buffer.from('no archive'), /no directory at the end/],
    ['with damaged content', damaged(archive, 40, archive[40]! ^ 0xff), /the content of a\.json is damaged/],
    ['with a damaged header', damaged(archive, 0, 0), /the header of a\.json is damaged/],
    ['with a damaged entry', damaged(archive, directory, 0), /entry 0 of the directory is damaged/],
    ['that is encrypted', damaged(archive, directory + 8, 1), /a\.json is encrypted/],
    ['with another compression', damaged(archive, directory + 10, 12), /compression method 12/],
    ['that is one of several', damaged(archive, archive.length - 18, 1), /one part of several/],
    ['with a member beyond its end', damaged(archive, directory + 45, 0x7f), /beyond the end/],
    ['that claims a huge directory', damaged(archive, archive.length - 7, 0x7f), /limit is 536870912/],
    [
      'that claims more files than it has',
      damaged(archive, archive.length - 12, 9),
      /entry 3 of the directory is damaged/,
    ],
  ])('%s is an error', (_what, bytes, message) => {
    expect(() => contents(bytes)).toThrow(message);
    expect(() => contents(bytes)).toThrow(expect.objectContaining({ code: 'bad-zip' }));
  });

  it('does not decompress to more than its directory says', () => {
    const bomb = zipOf({ 'a.json': '0'.repeat(100_000) });
    const small = Buffer.from(bomb);
    small.writeUInt32LE(10, small.indexOf('PK\x01\x02') + 24);
    expect(() => contents(small)).toThrow(/the content of a\.json is damaged/);
  });

  it('reads no member above the limit', () => {
    const bomb = zipOf({ 'a.json': '0'.repeat(100_000) });
    const read = bytesReader(bomb);
    const [member] = readZip(read, bomb.length);
    expect(() => readZipMember(read, member!, 99_999)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
