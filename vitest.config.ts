import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/longest-first.ts';

// Two projects: `unit` runs in milliseconds and needs nothing but npm; `e2e` runs the real tools.
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/e2e/**'],
          setupFiles: ['tests/fuzz-seed.ts'],
          // For what hangs: a busy machine may take its time.
          testTimeout: 180_000,
          // What a test prepares is no part of what it says: a busy machine may take its time.
          hookTimeout: 120_000,
          // Vitest would leave a core free, which on two halves the speed.
          maxWorkers: availableParallelism(),
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/e2e/setup.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 1_200_000,
          // Two: a boot keeps one processor busy, a build rarely more.
          maxWorkers: 2,
        },
      },
    ],
  },
});
