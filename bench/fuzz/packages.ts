import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headerSize, introSize } from '../../src/rpm/header.ts';
import { readPayload } from '../../src/rpm/payload.ts';
import { leadSize, readRpm } from '../../src/rpm/read.ts';
import type { RpmSpec } from '../../src/rpm/types.ts';
import { writeRpm } from '../../tests/rpm/write-rpm.ts';
import type { Target } from './target.ts';

const full: RpmSpec = {
  ...{ name: 'pkg', version: '1.0', release: '1', arch: 'noarch', summary: 'A package', description: 'It is.' },
  ...{ license: 'MIT', buildTime: 1_700_000_000 },
  provides: [{ name: 'other', flags: '=', evr: '1-1' }],
  fileTriggers: [
    { scope: 'trans', when: 'in', prefixes: ['/usr/lib'], interpreter: ['<lua>'], script: 'x', priority: 1 },
  ],
  files: [
    { path: '/usr/bin/tool', kind: 'file', mode: 0o755, content: Buffer.from('#!/bin/sh\nexit 0\n') },
    { path: '/usr/bin/alias', kind: 'symlink', mode: 0o777, target: 'tool' },
    { path: '/usr/bin/same', kind: 'file', mode: 0o755, hardlink: '/usr/bin/tool' },
    { path: '/etc/tool', kind: 'directory', mode: 0o750, group: 'adm' },
    { path: '/etc/tool/c', kind: 'file', mode: 0o640, flags: { config: 'noreplace' }, content: Buffer.from('a=b\n') },
  ],
};

/** Recomputes the digests of the main header in the signature header, found by their length. */
function repairRpm(input: Buffer): Buffer {
  try {
    const start = leadSize + Math.ceil(headerSize(input.subarray(leadSize, leadSize + introSize)) / 8) * 8;
    const main = input.subarray(start, start + headerSize(input.subarray(start, start + introSize)));
    const signature = input.toString('latin1', leadSize, start);
    for (const [algorithm, pattern, from] of [
      ['sha256', /[0-9a-f]{64}(?=\0)/g, 0],
      ['sha3-256', /[0-9a-f]{64}(?=\0)/g, 1],
      ['sha1', /(?<![0-9a-f])[0-9a-f]{40}(?=\0)/g, 0],
    ] as const) {
      const found = [...signature.matchAll(pattern)][from];
      if (found !== undefined) {
        input.write(createHash(algorithm).update(main).digest('hex'), leadSize + found.index, 'latin1');
      }
    }
  } catch {
    // An input without valid headers has no digests either.
  }
  return input;
}

const rpm: Target = {
  name: 'rpm',
  samples: async (work) => {
    const samples: Buffer[] = [];
    for (const [name, spec] of Object.entries({ full, empty: { ...full, files: [] } })) {
      const path = join(work, `${name}.rpm`);
      await writeRpm(path, spec);
      samples.push(readFileSync(path));
    }
    return samples;
  },
  repair: repairRpm,
  read: async (input, work) => {
    const path = join(work, 'input.rpm');
    writeFileSync(path, input);
    for await (const { content } of readPayload(path, await readRpm(path))) content?.resume();
  },
};

export const packageTargets: readonly Target[] = [rpm];
