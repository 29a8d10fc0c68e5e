// Parses and prints every spec below a folder and checks that it round-trips: `node specs.ts FOLDER`; prints the number.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpec, specBytes } from '../src/spec/parse.ts';

const folder = process.argv[2]!;
let count = 0;
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.spec')) continue;
  const bytes = readFileSync(join(entry.parentPath, entry.name));
  if (!Buffer.from(specBytes(parseSpec(bytes))).equals(bytes)) throw new Error(`${entry.name} does not round-trip`);
  count++;
}
process.stdout.write(`${count}\n`);
