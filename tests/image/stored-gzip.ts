import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Gzip } from '../../src/image/gzip.ts';
import { store } from '../../src/overlay/compression.ts';

/** gzip without compression: the same bytes on every Node, without the toolbox. */
export const storedGzip: Gzip = async (input, file) => writeFile(file, store(await buffer(input), 'gzip'));
