import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Test files that take minutes, the longest first: at the end of a run one worker would be left alone with them. */
const longest = [
  'fix',
  'kubernetes',
  'azure',
  'tamper',
  'boot',
  'hosts',
  'hypervisors',
  'reproduce',
  'inputs',
  'faults',
];

function rank(file: TestSpecification): number {
  const place = longest.indexOf(basename(file.moduleId, '.test.ts'));
  return file.moduleId.includes('/e2e/') && place >= 0 ? place : longest.length;
}

/** Runs the longest test files first; all others in vitest's own order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
