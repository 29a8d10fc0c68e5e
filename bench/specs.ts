// Parses and prints every spec below a folder, and checks that nothing is lost: `node specs.ts FOLDER`; prints how many.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpec, specBytes } from '../src/spec/parse.ts';

const folder = process.argv[2]!;
let count = 0;
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.spec')) continue;
  const bytes = readFileSync(join(entry.parentPath, entry.name));
  if (!Buffer.from(specBytes(parseSpec(bytes))).equals(bytes)) throw new Error(`${entry.name} is printed otherwise`);
  count++;
}
process.stdout.write(`${count}\n`);
