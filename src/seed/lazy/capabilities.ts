import type { Dependency } from '../../rpm/types.ts';
import { rangesOverlap, type VersionRange } from '../../rpm/version.ts';

/** What a set of packages provides: names with versions, and paths. */
export class Capabilities {
  readonly #provides = new Map<string, VersionRange[]>();
  readonly #paths = new Set<string>();

  /** @param paths of the package's files */
  add(provides: readonly Dependency[], paths: readonly string[]): void {
    for (const { name, flags, evr } of provides) {
      const ranges = this.#provides.get(name) ?? [];
      ranges.push({ flags, ...(evr === undefined ? {} : { evr }) });
      this.#provides.set(name, ranges);
    }
    for (const path of paths) this.#paths.add(path);
  }

  has(wanted: Dependency): boolean {
    if (wanted.flags === '' && this.#paths.has(wanted.name)) return true;
    const ranges = this.#provides.get(wanted.name);
    return ranges?.some((range) => rangesOverlap(range, wanted)) === true;
  }
}
