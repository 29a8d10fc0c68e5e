import { didYouMean, WeirError } from '../../base/errors.ts';
import type { Image, ImageCapabilities } from '../../project/model/image.ts';
import type { Project } from '../../project/model/project.ts';
import type { PytestSuite, TmtTest } from '../../project/model/test.ts';
import type { Origin } from '../../toml/place.ts';

/** A test of an image, as it would run. */
export interface PlannedTest {
  readonly name: string;
  readonly type: 'pytest' | 'lisa' | 'tmt';
  readonly pytest?: PytestSuite | undefined;
  readonly tmt?: TmtTest | undefined;
  /** Required capabilities that the image does not have. */
  readonly lacks: readonly string[];
  readonly origin: Origin;
}

/**
 * The tests of an image, each once, in the order in which it names them; groups are expanded. A project of azldev's before 0.4 has test
 * suites instead.
 * @param only names of tests to run; all by default
 * @throws WeirError `no-tests`, `unknown-test` (exit 2)
 */
export function plannedTests(project: Project, image: Image, only: readonly string[]): PlannedTest[] {
  const groups = image.tests.flatMap(({ name, group }) =>
    name === undefined ? (project.testGroups.get(group ?? '')?.tests ?? []) : [name],
  );
  const has = new Set(capabilityNames(image.capabilities));
  const tests = [...new Set(groups)].map((name): PlannedTest => {
    const { type, pytest, tmt, requiredCapabilities, origin } = project.tests.get(name)!;
    return { name, type, pytest, tmt, lacks: requiredCapabilities.filter((each) => !has.has(each)), origin };
  });
  const suites = image.testSuites.map((name): PlannedTest => {
    const { type, pytest, origin } = project.testSuites.get(name)!;
    return { name, type, pytest, lacks: [], origin };
  });
  const all = [...tests, ...suites];
  if (all.length === 0) {
    throw new WeirError('no-tests', `image ${image.name} names no tests`, {
      where: image.origin,
      hint: 'set tests.tests = [{ name = "…" }] in the image, and add the table [tests.…]',
      exit: 2,
    });
  }
  for (const name of only) {
    if (all.some((test) => test.name === name)) continue;
    const names = all.map((test) => test.name);
    throw new WeirError('unknown-test', `image ${image.name} has no test ${name}`, {
      hint: didYouMean(name, names) ?? `its tests: ${names.join(', ')}`,
      exit: 2,
    });
  }
  return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
}

/** Names of the capabilities that an image has, as the configuration writes them. */
export function capabilityNames(capabilities: ImageCapabilities): string[] {
  return Object.entries(capabilities)
    .filter(([, has]) => has === true)
    .map(([name]) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
}

/** An argument of a test with `{image-path}`, `{image-name}`, `{capabilities}` and `{properties}` filled in. */
export function filledArgument(
  argument: string,
  image: Pick<Image, 'name' | 'capabilities' | 'properties'>,
  path: string,
): string {
  const values: Readonly<Record<string, string>> = {
    'image-path': path,
    'image-name': image.name,
    capabilities: capabilityNames(image.capabilities).join(','),
    properties: JSON.stringify(image.properties),
  };
  // In one pass: a value may contain braces.
  return argument.replace(/\{(image-path|image-name|capabilities|properties)\}/g, (_, name: string) => values[name]!);
}
