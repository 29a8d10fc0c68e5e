// Parses and prints each spec below a folder, one at a time, and checks that the bytes are the same: `node specs.ts FOLDER`. Prints the
// number of specs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpec, specBytes } from '../src/spec/parse.ts';

function roundTrip(folder: string): number {
  let count = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) count += roundTrip(path);
    if (!entry.isFile() || !entry.name.endsWith('.spec')) continue;
    const bytes = readFileSync(path);
    if (Buffer.compare(specBytes(parseSpec(bytes)), bytes) !== 0) throw new Error(`${path}: printed bytes differ`);
    count++;
  }
  return count;
}

process.stdout.write(`${roundTrip(process.argv[2]!)}\n`);
