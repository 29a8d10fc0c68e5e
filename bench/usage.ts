import { readFileSync, writeFileSync } from 'node:fs';

// Loaded into Weir's process by bench/run.ts through NODE_OPTIONS: writes the process's resource usage to a file. The peak
// memory excludes the tools it runs; their CPU time is counted separately.
process.on('exit', () => {
  const file = process.env.WEIR_BENCH_USAGE;
  if (file === undefined) return;
  const own = process.resourceUsage();
  // proc_pid_stat(5): cutime and cstime, the 16th and 17th field, are the CPU time of children that were waited for.
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
