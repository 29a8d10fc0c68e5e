import type { Built, MoreRequires } from '../build/rpmbuild.ts';
import type { SpecFacts } from '../build/specquery.ts';
import { type Failure, failedOutcome, isFailure, type Outcome } from './outcome.ts';
import { likelyPackages, requiredNames } from './requirement.ts';

/** The steps of a build in order. Components are identified by name; `visible` are the built components whose packages a buildroot may have. */
export interface BuildSteps {
  /** Packages that every buildroot has. */
  readonly buildRoot: readonly string[];
  /** Whether the inputs have a package of that name, as far as this is known without resolving. */
  readonly inInputs: (name: string) => boolean;
  /** Whether the project's packages take precedence over the same packages in the inputs, so that the components of required packages are built first. */
  readonly replacesInputs: boolean;
  /** Components, selected or not, whose specs have a package of this name or with this `Provides`, by the text of the specs, without rpm. */
  readonly makersOf: (name: string) => Promise<readonly string[]>;
  /** Names and `Provides` of a component's packages, from the text of its spec. */
  readonly namesOf: (component: string) => Promise<readonly string[]>;
  /** Parses specs with rpm, in a buildroot with these packages. @throws UnmetError if the buildroot cannot be resolved */
  readonly query: (
    names: readonly string[],
    root: readonly string[],
    visible: readonly Built[],
  ) => Promise<ReadonlyMap<string, SpecFacts | Failure>>;
  /** Builds one component, in a buildroot with these packages. @throws UnmetError if the buildroot cannot be resolved */
  readonly build: (
    name: string,
    root: readonly string[],
    visible: readonly Built[],
  ) => Promise<Built | MoreRequires | Failure>;
  /**
   * Requests more packages from the inputs: a seed converts Debian packages on demand.
   * @param name the component whose buildroot could not be resolved; without it, the requirements are only looked up, for later buildroots
   */
  readonly grow?: (requirements: readonly string[], name?: string) => Promise<Grown>;
  /** Build hints of a component. @returns `expected`: why the build is expected to fail */
  readonly hints: (name: string) => { readonly expensive: boolean; readonly expected?: string };
}

/** The result of requesting more packages from the inputs. */
export interface Grown {
  /** Whether there are new packages for the component, so that its buildroot should be resolved again. */
  readonly again: boolean;
  /** For each requirement that is not met, what was looked up. */
  readonly lookedUp: readonly string[];
}

export interface ScheduleOptions {
  /** How many components are built at the same time. */
  readonly jobs: number;
  /** After a failure, builds all components that do not wait for the failed one; otherwise nothing is started after the first failure. */
  readonly keepGoing: boolean;
  readonly report: Report;
}

/** Callbacks for the progress line. */
export interface Report {
  readonly started: (name: string) => void;
  readonly settled: (name: string, outcome: Outcome) => void;
  readonly note: (text: string) => void;
}

/** The outcome of every selected component and of every component that it waits for, and what rpm reports about the parsed specs. */
export interface Schedule {
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly facts: ReadonlyMap<string, SpecFacts>;
}

/** The state of a run of `buildInOrder` that all its groups share. */
export class Run implements Schedule {
  readonly outcomes = new Map<string, Outcome>();
  readonly facts = new Map<string, SpecFacts>();
  readonly steps: BuildSteps;
  readonly report: Report;
  readonly jobs: number;
  /** Whether no further build may be started. */
  stopped = false;
  readonly #keepGoing: boolean;
  /** Package name → the component that builds it; if several do, the one read last. */
  readonly #makers = new Map<string, string>();
  /** Name in `Provides` → the component with the package that provides it; if several do, the one read last. */
  readonly #providers = new Map<string, string>();

  constructor(steps: BuildSteps, { jobs, keepGoing, report }: ScheduleOptions) {
    this.steps = steps;
    this.report = report;
    this.jobs = jobs;
    this.#keepGoing = keepGoing;
  }

  settle(name: string, outcome: Outcome): void {
    this.outcomes.set(name, outcome);
    this.report.settled(name, outcome);
    if (isFailure(outcome) && !this.#keepGoing) this.stopped = true;
  }

  fail(name: string, failure: Failure): void {
    this.settle(name, failedOutcome(failure, this.steps.hints(name).expected));
  }

  /** Records what rpm reports about a spec. */
  learn(name: string, facts: SpecFacts): void {
    this.facts.set(name, facts);
    for (const each of facts.packages) this.#makers.set(each, name);
    for (const each of facts.provides) this.#providers.set(each, name);
  }

  /** Requests missing packages from the inputs. @param name the component whose buildroot could not be resolved */
  async grow(requirements: readonly string[], name?: string): Promise<Grown> {
    if (requirements.length === 0) return { again: false, lookedUp: [] };
    return (await this.steps.grow?.(requirements, name)) ?? { again: false, lookedUp: [] };
  }

  builtOf(names: readonly string[]): Built[] {
    return names.flatMap((name) => {
      const outcome = this.outcomes.get(name);
      return outcome?.state === 'built' ? [outcome.built] : [];
    });
  }

  /** The `build-root` packages that are available so far: the first builds add the distribution's own packages. */
  availableRoot(built: readonly Built[]): string[] {
    const { buildRoot, inInputs } = this.steps;
    const packages = new Set(built.flatMap((each) => each.packages.map((pkg) => pkg.name)));
    return buildRoot.filter((name) => inInputs(name) || packages.has(name));
  }

  /**
   * Components with a package that provides a requirement.
   * @param lacking no repository provides it, so any component of the project may be built for it
   * @param builds whether a component may be built for a requirement that a repository provides
   */
  async makersOf(requirement: string, lacking: boolean, builds: (name: string) => boolean): Promise<string[]> {
    const { makersOf, replacesInputs } = this.steps;
    const found = new Set<string>();
    for (const name of requiredNames(requirement)) {
      const makers = await this.#makersOfName(name, makersOf, lacking || replacesInputs);
      const guessed = makers.length > 0 || (!lacking && replacesInputs) ? [] : likelyPackages(name);
      for (const guess of guessed) {
        if (makers.length === 0) makers.push(...(await this.#makersOfName(guess, makersOf, lacking)));
      }
      for (const maker of makers) if (lacking || builds(maker)) found.add(maker);
    }
    return [...found];
  }

  /** Components with packages that provide these requirements, which no repository provides. */
  async makersOfAll(requirements: readonly string[]): Promise<string[]> {
    const found = new Set<string>();
    for (const requirement of requirements) {
      for (const maker of await this.makersOf(requirement, true, () => true)) found.add(maker);
    }
    return [...found];
  }

  /** @param others also searches the text of specs that rpm has not parsed */
  async #makersOfName(name: string, makersOf: BuildSteps['makersOf'], others: boolean): Promise<string[]> {
    const known = this.#makers.get(name) ?? this.#providers.get(name);
    if (known !== undefined) return [known];
    return others ? (await makersOf(name)).filter((maker) => !this.facts.has(maker)) : [];
  }
}
