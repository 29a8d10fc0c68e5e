import { readFileSync, writeFileSync } from 'node:fs';

// Loaded into Weir's process by bench/run.ts, through NODE_OPTIONS: leaves what the process used in a file. Its peak memory is
// its own, without the tools that it runs; their CPU is counted apart.
process.on('exit', () => {
  const file = process.env.WEIR_BENCH_USAGE;
  if (file === undefined) return;
  const own = process.resourceUsage();
  // proc_pid_stat(5): cutime and cstime, the 16th and 17th field, are the CPU of children that were waited for.
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticksPerSecond = 100;
  const usage = {
    ownSeconds: (own.userCPUTime + own.systemCPUTime) / 1e6,
    childSeconds: (Number(fields[13]) + Number(fields[14])) / ticksPerSecond,
    peakMegabytes: own.maxRSS / 1024,
  };
  writeFileSync(file, JSON.stringify(usage));
});
