// `npm run powercuts -- [--count N] [--seed N] [--json]`: cuts the power of builds, and checks what is left.
//
// Takes root and a loop device. Cache, project and results are on an ext4 file system of their own, which is shut down at a
// random time: everything that ext4 has not written is lost, as in a power cut. Not covered: disks that lose what they
// acknowledged, and other file systems.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheRoot } from '../src/base/paths.ts';
import { type Cut, cannotCut, cutPower, prepareSite, removeSite } from './power-cut.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const missing = await cannotCut();
if (missing !== undefined) {
  process.stderr.write(`not checked: ${missing}\n`);
  process.exit(1);
}
const cacheHome = join(cacheRoot(), '..');
const site = await prepareSite(cacheHome, await mkdtemp(join(cacheHome, 'weir-powercuts-')));
const cuts: Cut[] = [];
try {
  for (let number = Number(values.seed); number < Number(values.seed) + Number(values.count); number++) {
    const cut = await cutPower(site, number);
    cuts.push(cut);
    const { after, stage, forgotten, faults } = cut;
    const where = `${String(number).padStart(4)} ${after.toFixed(1).padStart(5)} s ${stage.padEnd(12)}`;
    const line = `${where} ${String(forgotten).padStart(4)} forgotten  ${faults.length === 0 ? 'holds' : faults.join('\n     ')}\n`;
    (values.json ? process.stderr : process.stdout).write(line);
  }
} finally {
  await removeSite(site);
}
const broken = cuts.filter(({ faults }) => faults.length > 0).length;
if (values.json) process.stdout.write(`${JSON.stringify(cuts, null, 2)}\n`);
process.stderr.write(`${cuts.length} power cuts, after ${broken} of them something did not hold\n`);
if (broken > 0) process.exitCode = 1;
