import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { readPayload } from '../../src/rpm/payload.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { filesBelow, newFolder, releaseRecord, shared, tools } from './weir.ts';

let toolbox: Toolbox;
let record: ReleaseRecord;
beforeAll(async () => {
  toolbox = await tools();
  record = await releaseRecord();
});

const latest = join(shared.out, 'repo/4.0/latest');

test('rpmkeys verifies every digest and signature with just the published key', async () => {
  const db = await newFolder('rpmkeys');
  await mkdir(join(db, 'keys'));
  const rpms = (await filesBelow(latest)).filter((name) => name.endsWith('.rpm')).map((name) => join(latest, name));
  expect(rpms.length).toBe(record.channels.reduce((sum, channel) => sum + channel.packages.length, 0));
  const binds = [{ from: shared.out }, { from: db, writable: true }];
  const rpmkeys = ['rpmkeys', '--dbpath', join(db, 'keys')];
  await runTool(toolbox, { argv: [...rpmkeys, '--import', join(latest, 'RPM-GPG-KEY')], binds });
  const { stdout } = await runTool(toolbox, { argv: [...rpmkeys, '-K', ...rpms], binds });
  expect(
    stdout
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(': digests signatures OK')),
  ).toEqual([]);
  expect(stdout.trim().split('\n')).toHaveLength(rpms.length);
});

test('every component has a source package, and compiled ones debug information', async () => {
  const published = record.channels.flatMap((channel) => channel.packages);
  for (const component of record.components) {
    const own = published.filter((pkg) => pkg.origin === component.name).map((pkg) => pkg.nevra);
    expect(
      own.some((name) => name.endsWith('.src')),
      component.name,
    ).toBe(true);
    if (own.some((name) => name.endsWith('.x86_64'))) {
      expect(
        own.some((name) => name.includes('-debuginfo-')),
        component.name,
      ).toBe(true);
      expect(
        own.some((name) => name.includes('-debugsource-')),
        component.name,
      ).toBe(true);
    }
  }
});

/** Facts of a 64-bit little-endian ELF file, as the System V ABI and its GNU extensions lay it out. */
function elfFacts(elf: Buffer): {
  dynamic: boolean;
  relro: boolean;
  executableStack: boolean;
  now: boolean;
  pie: boolean;
  debug: boolean;
} {
  const programs = Number(elf.readBigUInt64LE(32));
  const facts = {
    dynamic: elf.readUInt16LE(16) === 3,
    relro: false,
    executableStack: true,
    now: false,
    pie: false,
    debug: false,
  };
  for (let index = 0; index < elf.readUInt16LE(56); index++) {
    const at = programs + index * elf.readUInt16LE(54);
    const [type, flags] = [elf.readUInt32LE(at), elf.readUInt32LE(at + 4)];
    if (type === 0x6474e552) facts.relro = true;
    if (type === 0x6474e551) facts.executableStack = (flags & 1) !== 0;
    if (type !== 2) continue;
    const offset = Number(elf.readBigUInt64LE(at + 8));
    for (let entry = offset; elf.readBigInt64LE(entry) !== 0n; entry += 16) {
      const [tag, value] = [elf.readBigInt64LE(entry), elf.readBigUInt64LE(entry + 8)];
      if (tag === 24n || (tag === 30n && (value & 8n) !== 0n)) facts.now = true;
      if (tag === 0x6ffffffbn) {
        facts.now ||= (value & 1n) !== 0n;
        facts.pie = (value & 0x08000000n) !== 0n;
      }
    }
  }
  facts.debug = elf.includes('.debug_info\0');
  return facts;
}

describe('binaries of components are hardened', () => {
  test.each(['dos2unix', 'gzip', 'hostname', 'less', 'logrotate', 'chrony', 'bzip2'])('%s', async (name) => {
    const file = (await filesBelow(latest)).find((each) => new RegExp(`/${name}-\\d[^/]*\\.x86_64\\.rpm$`).test(each));
    const path = join(latest, file!);
    const programs: Record<string, ReturnType<typeof elfFacts>> = {};
    for await (const { file: entry, content } of readPayload(path, await readRpm(path))) {
      if (content === undefined) continue;
      const bytes = await buffer(content);
      if (/^\/usr\/s?bin\//.test(entry.path) && bytes.subarray(0, 4).toString('latin1') === '\x7fELF')
        programs[entry.path] = elfFacts(bytes);
    }
    expect(Object.keys(programs).length).toBeGreaterThan(0);
    for (const [program, facts] of Object.entries(programs)) {
      expect(facts, program).toEqual({
        dynamic: true,
        pie: true,
        relro: true,
        now: true,
        executableStack: false,
        debug: false,
      });
    }
  });
});
