import { type Document, originOf, problem, suggestion } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import type { Problems } from '../toml/problems.ts';
import type { Collected, Entry } from './collect.ts';
import { defined, filled } from './merge.ts';
import type {
  GitSource,
  LisaCriteria,
  LisaTest,
  PytestSuite,
  SkuGroup,
  Test,
  TestGroup,
  TestReference,
} from './model/test.ts';
import type { RawTest, RawTestReference } from './schema/test.ts';

/** The tests. Problems are `invalid-test`. */
export function testsOf(collected: Collected, problems: Problems): Map<string, Test> {
  return loaded(collected.tests, problems, testOf);
}

/** The groups of tests. Problems are `unknown-test`. */
export function testGroupsOf(collected: Collected, problems: Problems): Map<string, TestGroup> {
  return loaded(collected.testGroups, problems, (name, { raw, document, path }) => {
    const tests = (raw.tests ?? []).map((test, index) => {
      checkKnown(collected.tests, test.name, document, [...path, 'tests', index, 'name'], 'test', 'tests');
      return test.name;
    });
    return defined({
      name,
      description: filled(raw.description),
      tests,
      origin: originOf(document, path),
    }) as TestGroup;
  });
}

/** The groups of sizes of machines. */
export function skuGroupsOf(collected: Collected, problems: Problems): Map<string, SkuGroup> {
  return loaded(collected.skuGroups, problems, (name, { raw, document, path }) => {
    const vmSizes = raw['vm-sizes'] ?? [];
    return defined({ name, arch: raw.arch, vmSizes, origin: originOf(document, path) }) as SkuGroup;
  });
}

/** References to tests at a path; each as `testReferenceOf`. */
export function testReferencesOf(
  collected: Collected,
  document: Document,
  path: TomlPath,
  raw: readonly RawTestReference[],
): TestReference[] {
  return raw.map((reference, index) => testReferenceOf(collected, document, [...path, index], reference));
}

/**
 * A reference to a test or to a group of tests.
 * @throws WeirError (exit 2) `invalid-test` for one that names neither or both; `unknown-test`, `unknown-test-group`, `unknown-sku-group`
 */
export function testReferenceOf(
  collected: Collected,
  document: Document,
  at: TomlPath,
  raw: RawTestReference,
): TestReference {
  const [name, group] = [filled(raw.name), filled(raw.group)];
  if ((name === undefined) === (group === undefined)) {
    const message = name === undefined ? 'missing "name" or "group"' : 'both "name" and "group" are set';
    throw problem(document, at, 'invalid-test', `${message} in a reference to a test`, { hint: 'set one of them' });
  }
  if (name !== undefined) checkKnown(collected.tests, name, document, [...at, 'name'], 'test', 'tests');
  if (group !== undefined)
    checkKnown(collected.testGroups, group, document, [...at, 'group'], 'test group', 'test-groups');
  const skuGroups = raw['sku-groups'] ?? [];
  for (const [index, each] of skuGroups.entries()) {
    checkKnown(collected.skuGroups, each, document, [...at, 'sku-groups', index], 'SKU group', 'sku-groups');
  }
  return defined({ name, group, skuGroups: skuGroups.length === 0 ? undefined : skuGroups }) as TestReference;
}

/** Loads each table; one with an error is left out. */
export function loaded<R, T>(
  entries: ReadonlyMap<string, Entry<R>>,
  problems: Problems,
  load: (name: string, entry: Entry<R>) => T,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [name, entry] of entries) {
    const one = problems.attempt(() => load(name, entry));
    if (one !== undefined) found.set(name, one);
  }
  return found;
}

function checkKnown(
  known: ReadonlyMap<string, unknown>,
  name: string,
  document: Document,
  path: TomlPath,
  what: string,
  table: string,
): void {
  if (known.has(name)) return;
  const hint = suggestion(name, known.keys()) ?? `add a table [${table}.${name}]`;
  throw problem(document, path, `unknown-${what.toLowerCase().replaceAll(' ', '-')}`, `unknown ${what} "${name}"`, {
    hint,
  });
}

const frameworks = ['pytest', 'lisa', 'tmt'] as const;

/**
 * Checks the tables of a test or of a suite: no other than that of its type, and a folder to install from.
 * @param isNeeded whether it must have the table of its type
 * @throws WeirError (exit 2) with the code
 */
export function checkTables(
  {
    raw,
    document,
    path,
  }: Entry<Pick<RawTest, 'type' | 'pytest'> & { readonly lisa?: unknown; readonly tmt?: unknown }>,
  what: 'test' | 'suite',
  code: string,
  isNeeded: boolean,
): void {
  const { type, pytest } = raw;
  const other = frameworks.find((each) => each !== type && raw[each] !== undefined);
  if (other !== undefined) {
    throw problem(document, [...path, other], code, `a ${what} of type "${type}" cannot have a table "${other}"`);
  }
  if (isNeeded && raw[type] === undefined) {
    throw problem(document, path, code, `a ${what} of type "${type}" needs a table "${type}"`);
  }
  const install = pytest?.install || 'none';
  if (install !== 'none' && filled(pytest?.['working-dir']) === undefined) {
    throw problem(document, [...path, 'pytest', 'install'], code, `install = "${install}" needs "working-dir"`);
  }
}

function testOf(name: string, { raw, document, path }: Entry<RawTest>): Test {
  const { type } = raw;
  checkTables({ raw, document, path }, 'test', 'invalid-test', true);
  return defined({
    name,
    description: filled(raw.description),
    type,
    kind: raw.kind,
    longRunning: raw['long-running'] ?? false,
    metricsEnabled: raw['metrics-enabled'] ?? false,
    requiredCapabilities: raw['required-capabilities'] ?? [],
    pytest: raw.pytest && pytestOf(raw.pytest),
    lisa: raw.lisa && lisaOf(document, [...path, 'lisa'], raw.lisa),
    tmt: raw.tmt && { source: gitOf(raw.tmt.source), plan: raw.tmt.plan },
    origin: originOf(document, path),
  }) as Test;
}

/** The settings of pytest, of a test or of a suite. */
export function pytestOf(raw: NonNullable<RawTest['pytest']>): PytestSuite {
  return defined({
    workingDir: filled(raw['working-dir']),
    testPaths: raw['test-paths'] ?? [],
    extraArgs: raw['extra-args'] ?? [],
    install: raw.install || 'none',
  });
}

/** How the test cases of LISA are chosen; a test has one of them. */
const selectors = ['criteria', 'name', 'testcase-name', 'testcase-names'] as const;

function lisaOf(document: Document, path: TomlPath, raw: NonNullable<RawTest['lisa']>): LisaTest {
  const chosen = selectors.filter((key) => {
    const value = raw[key];
    return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
  });
  if (chosen.length !== 1) {
    const message =
      chosen.length === 0
        ? 'does not say which test cases run'
        : `has ${chosen.map((key) => `"${key}"`).join(' and ')}`;
    throw problem(document, path, 'invalid-test', `the table "lisa" ${message}`, {
      hint: `set one of ${selectors.join(', ')}`,
    });
  }
  const single = filled(raw['testcase-name']);
  const { criteria } = raw;
  return defined({
    criteria: (criteria === undefined ? [] : Array.isArray(criteria) ? criteria : [criteria]).map(criteriaOf),
    name: filled(raw.name),
    testcaseNames: raw['testcase-names'] ?? (single === undefined ? [] : [single]),
    source: raw.source && gitOf(raw.source),
    pipPreInstall: raw['pip-pre-install'] ?? [],
    pipExtras: raw['pip-extras'] ?? [],
    extraArgs: raw['extra-args'] ?? [],
  }) as LisaTest;
}

type RawCriteria = Exclude<NonNullable<NonNullable<RawTest['lisa']>['criteria']>, readonly unknown[]>;

function criteriaOf({ name, area, category, priority, tags = [] }: RawCriteria): LisaCriteria {
  const several = priority === undefined ? undefined : [priority].flat();
  return defined({ name: filled(name), area: filled(area), category: filled(category), priority: several, tags });
}

function gitOf(raw: { readonly 'git-url': string; readonly ref: string }): GitSource {
  return { gitUrl: raw['git-url'], ref: raw.ref.toLowerCase() };
}
