import type { CaseCounts, TestOutcome } from './outcome.ts';

/** The `<testsuite>` elements of a JUnit report, with their text. */
function suitesOf(xml: string): string[] {
  return [...xml.matchAll(/<testsuite[\s>][\s\S]*?<\/testsuite>|<testsuite\s[^>]*\/>/g)].map(([suite]) => suite);
}

/** The counts that a JUnit report states, or undefined if it has no suite. */
export function countsOf(xml: string): CaseCounts | undefined {
  const suites = suitesOf(xml);
  if (suites.length === 0) return undefined;
  const sum = (name: string): number =>
    suites.reduce((total, suite) => {
      const tag = suite.slice(0, suite.indexOf('>'));
      return total + Number(new RegExp(`\\s${name}="(\\d{1,9})"`).exec(tag)?.[1] ?? 0);
    }, 0);
  return { tests: sum('tests'), failures: sum('failures'), errors: sum('errors'), skipped: sum('skipped') };
}

/**
 * One JUnit report of all tests: of each the suites that it reported, under its own name. A test that was skipped or could not
 * run is a suite with one case that says so; it stands beside the reported ones if these have neither failure nor error.
 */
export function junitReport(outcomes: readonly TestOutcome[]): string {
  const suites = outcomes.flatMap((outcome) => {
    const reported = outcome.report === undefined ? [] : suitesOf(outcome.report);
    const suites = reported.map((suite) => renamed(suite, outcome.name));
    const { failures = 0, errors = 0 } = countsOf(outcome.report ?? '') ?? {};
    const isSaid = outcome.state === 'passed' || failures + errors > 0;
    return suites.length > 0 && isSaid ? suites : [...suites, ownSuite(outcome)];
  });
  return `<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`;
}

function renamed(suite: string, name: string): string {
  return suite.replace(/^<testsuite(?:(\s[^>]*?)?)\sname="[^"]*"/, (_, before: string | undefined) => {
    return `<testsuite${before ?? ''} name="${escaped(name)}"`;
  });
}

function ownSuite({ name, state, reason = '' }: TestOutcome): string {
  const element = { skipped: 'skipped', failed: 'failure', 'not checked': 'error', passed: undefined }[state];
  const count = (which: string): number => (element === which ? 1 : 0);
  const head = `<testsuite name="${escaped(name)}" tests="1" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}">`;
  const said = element === undefined ? '' : `<${element} message="${escaped(reason)}"></${element}>`;
  return `${head}<testcase classname="weir" name="${escaped(name)}">${said}</testcase></testsuite>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for XML 1.0, which has no control characters. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '').replace(/[&<>"]/g, (char) => entities[char]!);
}
