// Tests of images and components, and the test suites that azldev had before 0.4, as readonly data. Paths are absolute unless noted.

import type { Origin } from '../../toml/place.ts';

export interface PytestSuite {
  readonly workingDir?: string;
  readonly testPaths: readonly string[];
  readonly extraArgs: readonly string[];
  readonly install: 'pyproject' | 'requirements' | 'none';
}

export interface LisaSuite {
  readonly gitUrl: string;
  /** 40 hex digits, or 64. */
  readonly ref: string;
  readonly testCases: readonly string[];
  readonly pipPreInstall: readonly string[];
  readonly pipExtras: readonly string[];
  readonly extraArgs: readonly string[];
}

export interface TestSuite {
  readonly name: string;
  readonly description?: string;
  readonly type: 'pytest' | 'lisa';
  readonly pytest?: PytestSuite;
  readonly lisa?: LisaSuite;
  readonly origin: Origin;
}

/** A commit of a git repository. */
export interface GitSource {
  readonly gitUrl: string;
  /** 40 hex digits, or 64. */
  readonly ref: string;
}

/** Selects LISA test cases by name or metadata. All fields of a criterion must match. */
export interface LisaCriteria {
  readonly name?: string;
  readonly area?: string;
  readonly category?: string;
  readonly priority?: readonly number[];
  readonly tags: readonly string[];
}

export interface LisaTest {
  readonly criteria: readonly LisaCriteria[];
  readonly name?: string;
  readonly testcaseNames: readonly string[];
  readonly source?: GitSource;
  readonly pipPreInstall: readonly string[];
  readonly pipExtras: readonly string[];
  readonly extraArgs: readonly string[];
}

export interface TmtTest {
  readonly source: GitSource;
  readonly plan: string;
}

export interface Test {
  readonly name: string;
  readonly description?: string;
  readonly type: 'pytest' | 'lisa' | 'tmt';
  readonly kind?: 'functional' | 'performance';
  readonly longRunning: boolean;
  readonly metricsEnabled: boolean;
  readonly requiredCapabilities: readonly string[];
  readonly pytest?: PytestSuite;
  readonly lisa?: LisaTest;
  readonly tmt?: TmtTest;
  readonly origin: Origin;
}

export interface TestGroup {
  readonly name: string;
  readonly description?: string;
  readonly tests: readonly string[];
  readonly origin: Origin;
}

/** A test or a group of tests; `skuGroups` only of images. */
export interface TestReference {
  readonly name?: string;
  readonly group?: string;
  readonly skuGroups?: readonly string[];
}

export interface SkuGroup {
  readonly name: string;
  readonly arch?: 'amd64' | 'arm64';
  readonly vmSizes: readonly string[];
  readonly origin: Origin;
}
