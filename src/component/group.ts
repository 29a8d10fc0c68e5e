import { totalmem } from 'node:os';
import { WeirError } from '../base/errors.ts';
import type { Built, MoreRequires } from '../build/rpmbuild.ts';
import type { SpecFacts } from '../build/specquery.ts';
import { UnmetError } from '../repo/resolve.ts';
import { reachable, shortestCycle, tangles } from './order.ts';
import { causesOf, type Failure, type Outcome } from './outcome.ts';
import { likelyPackages, requiredNames } from './requirement.ts';
import type { Run } from './run.ts';

/** Rounds of `%generate_buildrequires` before a component fails, as in mock. */
const mostRounds = 10;

/** Memory reserved for an expensive build: as many of them run at the same time as fit into memory, at least one. */
const expensiveBytes = 16 * 2 ** 30;
const mostExpensive = Math.max(1, Math.floor(totalmem() / expensiveBytes));

interface Node {
  readonly name: string;
  readonly facts: SpecFacts;
  /** Requirements that `%generate_buildrequires` printed so far. */
  readonly generated: string[];
  rounds: number;
  running: boolean;
}

/** The buildroots of a group, and which components it builds for requirements. */
export interface GroupSettings {
  /** Packages of the buildroot in which specs are parsed. */
  readonly root: readonly string[];
  /** Built components whose packages every buildroot of the group may have. */
  readonly base: readonly string[];
  /** Whether a component is built for other components' requirements, even if the inputs may meet them. */
  readonly builds: (maker: string) => boolean;
}

/**
 * Components that are built together: a growing dependency graph. A component waits for the components of the group that provide the
 * requirements of its spec. Further requirements are found when its buildroot is resolved, or reported by `%generate_buildrequires`; the
 * components that provide them join the group.
 */
export class Group {
  readonly #run: Run;
  readonly #settings: GroupSettings;
  readonly #nodes = new Map<string, Node>();
  readonly #seen = new Set<string>();
  readonly #waits = new Map<string, Set<string>>();
  /** Edge of the graph (two names with a blank between) → the requirements for which the first component waits for the second. */
  readonly #because = new Map<string, Set<string>>();
  /** Edges that cannot be cut: resolving has shown that no repository meets their requirement. */
  readonly #firm = new Set<string>();
  #early = new Set<string>();
  #bug: { readonly error: unknown } | undefined;

  constructor(run: Run, settings: GroupSettings) {
    this.#run = run;
    this.#settings = settings;
  }

  /** Names of all components in the group. */
  get names(): readonly string[] {
    return [...this.#seen];
  }

  /** Parses specs and adds the components, with all components that they wait for. @throws UnmetError if the buildroot cannot be resolved */
  async add(names: Iterable<string>): Promise<void> {
    const run = this.#run;
    const settings = this.#settings;
    let next = [...names].filter((name) => !this.#seen.has(name));
    while (next.length > 0) {
      for (const name of next) this.#seen.add(name);
      const facts = await run.steps.query(next, settings.root, run.builtOf(settings.base));
      const fresh: Node[] = [];
      for (const name of next) {
        const node = this.#enter(name, facts.get(name)!);
        if (node !== undefined) fresh.push(node);
      }
      await this.#growFor(fresh.flatMap(({ facts }) => facts.buildRequires));
      const more = new Set<string>();
      for (const node of fresh) {
        for (const maker of await this.#link(node, node.facts.buildRequires, false)) {
          if (!this.#seen.has(maker)) more.add(maker);
        }
      }
      next = run.stopped ? [] : [...more];
    }
    await this.#untangle();
    const expensive = [...this.#nodes.keys()].filter((name) => run.steps.hints(name).expensive);
    this.#early = reachable(this.#waits, expensive);
  }

  /** Requests, all at once, packages from the inputs for requirements that no component provides. */
  async #growFor(needs: readonly string[]): Promise<void> {
    if (this.#run.steps.grow === undefined) return;
    const open: string[] = [];
    for (const need of new Set(needs)) {
      if ((await this.#run.makersOf(need, false, this.#settings.builds)).length === 0) open.push(need);
    }
    await this.#run.grow(open);
  }

  #enter(name: string, facts: SpecFacts | Failure): Node | undefined {
    if ('error' in facts) {
      this.#run.fail(name, facts);
      return undefined;
    }
    this.#run.learn(name, facts);
    if (facts.excluded !== undefined) {
      this.#run.settle(name, { state: 'skipped', why: facts.excluded });
      return undefined;
    }
    const node = { name, facts, generated: [], rounds: 0, running: false };
    this.#nodes.set(name, node);
    this.#waits.set(name, new Set());
    return node;
  }

  /**
   * Makes a component wait for the components that provide its requirements.
   * @param lacking whether the inputs do not meet the requirements
   * @returns components that it did not wait for before
   */
  async #link(node: Node, needs: readonly string[], lacking: boolean): Promise<string[]> {
    const waits = this.#waits.get(node.name)!;
    const { base, builds } = this.#settings;
    const added: string[] = [];
    for (const need of needs) {
      const makers = await this.#run.makersOf(need, lacking, builds);
      for (const maker of makers) {
        if (maker === node.name || base.includes(maker) || this.#run.outcomes.get(maker)?.state === 'skipped') continue;
        if (!waits.has(maker)) added.push(maker);
        waits.add(maker);
        const edge = `${node.name} ${maker}`;
        this.#because.set(edge, (this.#because.get(edge) ?? new Set()).add(need));
        if (lacking) this.#firm.add(edge);
      }
    }
    return added;
  }

  /**
   * Breaks cycles of components that wait for each other: if the inputs provide what a component requires of another one, it is built
   * with the inputs' packages. The components of remaining cycles fail; the error names the shortest cycle.
   */
  async #untangle(): Promise<void> {
    const { report, outcomes } = this.#run;
    const pending = (): Map<string, Set<string>> => new Map([...this.#waits].filter(([name]) => !outcomes.has(name)));
    const groups = tangles(pending());
    // So far, inputs that provide packages on demand got no requests for requirements that components provide.
    await this.#run.grow(groups.flatMap((group) => this.#needsWithin(group)));
    for (const group of groups) {
      const members = new Set(group);
      const cycle = shortestCycle(this.#waits, group);
      let cut = 0;
      for (const name of group) {
        const waits = this.#waits.get(name)!;
        for (const other of [...waits].filter((each) => members.has(each))) {
          if (this.#firm.has(`${name} ${other}`) || !this.#mayBeInInputs(name, other)) continue;
          waits.delete(other);
          cut++;
        }
      }
      if (cut > 0 && cycle !== undefined) {
        report.note(
          `${group.length} components need each other (${cycle.join(' → ')}): they are built with the inputs' packages`,
        );
      }
    }
    const left = pending();
    for (const group of tangles(left)) this.#failCycle(shortestCycle(left, group)!, group);
  }

  /** Requirements between members of a cycle that packages of the inputs may provide instead. */
  #needsWithin(group: readonly string[]): string[] {
    const edges = group.flatMap((name) => group.map((other) => `${name} ${other}`));
    const needs = edges.flatMap((edge) => (this.#firm.has(edge) ? [] : [...(this.#because.get(edge) ?? [])]));
    return [...new Set(needs)];
  }

  /** Whether the inputs probably provide everything that `name` requires of `other`. A wrong guess shows up when the buildroot is resolved. */
  #mayBeInInputs(name: string, other: string): boolean {
    const { inInputs } = this.#run.steps;
    const has = (each: string): boolean => inInputs(each) || likelyPackages(each).some(inInputs);
    const needs = [...this.#because.get(`${name} ${other}`)!];
    return needs.every((need) => inInputs(need) || requiredNames(need).every(has));
  }

  #failCycle(cycle: readonly string[], members: readonly string[]): void {
    for (const name of members) {
      if (this.#run.outcomes.has(name)) continue;
      const error = new WeirError('build-cycle', `build dependency cycle: ${cycle.join(' → ')}`, {
        where: { component: name },
        hint: 'remove one of the build requirements with an overlay, or add a repository that has one of the packages',
      });
      this.#run.fail(name, { class: 'cycle', error });
    }
  }

  /** Builds until nothing more can be built. Failures are outcomes; only bugs in Weir are thrown. */
  async build(): Promise<void> {
    const running = new Set<Promise<void>>();
    for (;;) {
      this.#settleWaiting();
      for (const node of this.#startable(running.size)) {
        node.running = true;
        const job: Promise<void> = this.#attempt(node)
          .catch((error: unknown) => {
            this.#bug ??= { error };
          })
          .finally(() => {
            node.running = false;
            running.delete(job);
          });
        running.add(job);
      }
      if (running.size === 0) break;
      await Promise.race(running);
    }
    if (this.#bug !== undefined) throw this.#bug.error;
    for (const name of this.#nodes.keys()) {
      if (!this.#run.outcomes.has(name)) this.#run.settle(name, { state: 'stopped' });
    }
  }

  /** The next components to start, beginning with those that an expensive component waits for. @param running how many builds are running */
  #startable(running: number): Node[] {
    const run = this.#run;
    if (run.stopped || this.#bug !== undefined) return [];
    const ready = [...this.#nodes.values()].filter(
      ({ name, running: busy }) =>
        !busy &&
        !run.outcomes.has(name) &&
        [...this.#waits.get(name)!].every((other) => run.outcomes.get(other)?.state === 'built'),
    );
    ready.sort((a, b) => Number(this.#early.has(b.name)) - Number(this.#early.has(a.name)));
    const isExpensive = ({ name }: Node): boolean => run.steps.hints(name).expensive;
    let expensive = [...this.#nodes.values()].filter((node) => node.running && isExpensive(node)).length;
    const chosen: Node[] = [];
    for (const node of ready) {
      if (running + chosen.length >= run.jobs) break;
      if (isExpensive(node) && expensive++ >= mostExpensive) continue;
      chosen.push(node);
    }
    return chosen;
  }

  /** Settles components that wait for a failed component, and those that wait for them, until nothing changes (a fixed point). */
  #settleWaiting(): void {
    const { outcomes } = this.#run;
    let changed = true;
    while (changed) {
      changed = false;
      for (const { name, running } of this.#nodes.values()) {
        if (running || outcomes.has(name)) continue;
        const waits = this.#waits.get(name)!;
        const causes = new Set<string>();
        for (const other of waits) {
          const outcome = outcomes.get(other);
          if (outcome?.state === 'skipped') waits.delete(other);
          for (const cause of outcome === undefined ? [] : causesOf(other, outcome)) causes.add(cause);
        }
        if (causes.size === 0) continue;
        this.#run.settle(name, { state: 'waiting', waitsFor: [...causes].sort() });
        changed = true;
      }
    }
  }

  async #attempt(node: Node): Promise<void> {
    const run = this.#run;
    const { name, facts, generated } = node;
    // The buildroot has packages of the components that it waits for and no others, even if others are built already. Otherwise its
    // digest, would depend on timing.
    const visible = [...new Set([...this.#settings.base, ...reachable(this.#waits, this.#waits.get(name)!)])];
    const built = run.builtOf(visible);
    const root = [...new Set([...run.availableRoot(built), ...facts.buildRequires, ...generated])].sort();
    run.report.started(name);
    let result: Built | MoreRequires | Failure;
    try {
      result = await run.steps.build(name, root, built);
    } catch (error) {
      if (!(error instanceof UnmetError)) throw error;
      const known = await this.#resolveAgain(node, error);
      if (known !== undefined) run.fail(name, { class: 'buildrequires', error: known });
      return;
    }
    if ('error' in result) run.fail(name, result);
    else if ('packages' in result) run.settle(name, builtOutcome(result, run.steps.hints(name).expected));
    else await this.#nextRound(node, result.requires, root);
  }

  /**
   * Looks for missing requirements of a buildroot in components and inputs: components first if their packages replace those of the inputs.
   * @returns the error if nothing was found
   */
  async #resolveAgain(node: Node, error: UnmetError): Promise<UnmetError | undefined> {
    const run = this.#run;
    if (run.steps.replacesInputs && (await this.#wait(node, error.unmet, true))) return undefined;
    const { again, lookedUp } = await run.grow(error.unmet, node.name);
    if (again || (!run.steps.replacesInputs && (await this.#wait(node, error.unmet, true)))) return undefined;
    return lookedUp.length === 0 ? error : error.with(lookedUp);
  }

  async #nextRound(node: Node, requires: readonly string[], root: readonly string[]): Promise<void> {
    const asked = requires.filter((need) => !root.includes(need));
    node.generated.push(...asked);
    if (asked.length > 0 && ++node.rounds <= mostRounds) {
      await this.#wait(node, asked, false);
      await this.#growFor(asked);
      return;
    }
    const [what, hint] =
      asked.length === 0
        ? [
            `%generate_buildrequires still reports requirements that are already in the buildroot: ${requires.join(', ')}`,
            'check its conditions: rpmbuild does not see them as met',
          ]
        : [
            `%generate_buildrequires still reports new requirements after ${mostRounds} rounds: ${asked.join(', ')}`,
            'see %generate_buildrequires in the spec: its output must not grow without end',
          ];
    const error = new WeirError('missing-buildrequires', what, { where: { component: node.name }, hint });
    this.#run.fail(node.name, { class: 'buildrequires', error });
  }

  /** Makes a component wait for the components that build its `needs`, too. @returns whether there is anything new to wait for */
  async #wait(node: Node, needs: readonly string[], lacking: boolean): Promise<boolean> {
    const makers = await this.#link(node, needs, lacking);
    await this.add(makers);
    return makers.length > 0;
  }
}

function builtOutcome(built: Built, expected: string | undefined): Outcome {
  return { state: 'built', built, ...(expected === undefined ? {} : { unexpected: expected }) };
}
