import type { DiskReaders } from './disk-facts.ts';
import { installedPackages } from './disk-facts.ts';
import type { Files } from './files.ts';
import type { Problem } from './layout-json.ts';
import { once } from './rule.ts';

/** One image of a layout folder, for one platform. */
export interface OpenImage {
  /** Name and platform, for findings. */
  readonly name: string;
  /** Faults of blobs, digests and sizes. */
  readonly problems: readonly Problem[];
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string;
  /** @throws WeirError `unreadable` if a part is missing */
  readonly root: () => Files;
}

/** The facts about a container image that rules need. */
export interface ContainerFacts {
  readonly image: OpenImage;
  readonly root: () => Promise<Files>;
  readonly packages: () => Promise<readonly string[]>;
}

export function containerFacts(image: OpenImage, packages: DiskReaders['packages']): ContainerFacts {
  const root = once(async () => image.root());
  return { image, root, packages: once(async () => installedPackages(await root(), packages)) };
}

/** Whether the image's name or a label says that it is distroless. */
export function isDistroless({ image }: ContainerFacts): boolean {
  return [image.name, ...Object.entries(image.labels).flat()].some((text) => /distroless/i.test(text));
}

/** Whether it is a debug variant with a shell. */
export function isDebug({ image }: ContainerFacts): boolean {
  return [image.name, ...Object.values(image.labels)].some((text) => /\bdebug\b/i.test(text));
}
