import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeAtomic } from '../../base/files.ts';
import { junitReport } from '../../release/test/junit.ts';
import type { TestOutcome } from '../../release/test/outcome.ts';
import { type ImageTests, testImage } from '../../release/test/run-tests.ts';
import { examples, type GlobalOptions, gather, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly imagePath?: string;
  readonly test?: readonly string[];
  readonly junitXml?: string;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<image>', 'name of the image')
    .option('-i, --image-path <path>', "the image's file or folder; default: its last build")
    .option('-t, --test <name>', 'run only this test (may be repeated)', gather)
    .option('--junit-xml <file>', 'write a JUnit report of all tests')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Runs the tests that the image lists in tests.tests: pytest suites in their own
Python environment (with this machine's python3), tmt plans in a virtual machine
(with this machine's tmt). A test whose required capabilities the image lacks is
skipped. What could not run is "not checked", and the exit code is 1.
${examples([
  'weir image test vm-base',
  'weir image test vm-base -i vm.qcow2 --test boots --junit-xml report.xml',
  'weir image test container-base --json | jq \'.tests[] | select(.state != "passed")\'',
])}`,
    )
    .action(async (name: string, options: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const tested = await testImage(workspace, name, { file: options.imagePath, only: options.test ?? [] });
      if (options.junitXml !== undefined) await writeAtomic(resolve(options.junitXml), junitReport(tested.tests));
      const tests = tested.tests.map(({ report: _report, ...rest }) => rest);
      printResult(settings, { ...tested, tests }, () => asText(tested));
      if (!tested.ok) process.exitCode = 1;
    });
}

function asText({ tests, path }: ImageTests): string {
  const rows = tests.map((test) => [test.name, test.type, test.state, casesText(test), test.reason ?? '']);
  const more = tests.flatMap(({ name, state, details = [], log }) =>
    state === 'passed' || details.length === 0
      ? []
      : ['', `${name}:`, ...details.map((line) => `  ${line}`), ...(log === undefined ? [] : [`  log: ${log}`])],
  );
  return [
    relative(process.cwd(), path) || '.',
    '',
    table(['TEST', 'TYPE', 'RESULT', 'CASES', 'WHY'], rows, 'no tests'),
    ...more,
  ].join('\n');
}

function casesText({ cases }: TestOutcome): string {
  if (cases === undefined) return '-';
  const { tests, failures, errors, skipped } = cases;
  const passed = tests - failures - errors - skipped;
  return [
    `${passed} passed`,
    ...(failures + errors > 0 ? [`${failures + errors} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ].join(', ');
}
