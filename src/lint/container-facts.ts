import type { DiskReaders } from './disk-facts.ts';
import { installedPackages } from './disk-facts.ts';
import type { Files } from './files.ts';
import type { Problem } from './layout-json.ts';
import { once } from './rule.ts';

/** One image of a layout folder: of one platform. */
export interface OpenImage {
  /** Name and platform, as findings show them. */
  readonly name: string;
  /** What is wrong with blobs, digests and sizes. */
  readonly problems: readonly Problem[];
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string;
  /** @throws WeirError `unreadable` where a part of it is missing */
  readonly root: () => Files;
}

/** What rules ask of a container image. */
export interface ContainerFacts {
  readonly image: OpenImage;
  readonly root: () => Promise<Files>;
  readonly packages: () => Promise<readonly string[]>;
}

export function containerFacts(image: OpenImage, packages: DiskReaders['packages']): ContainerFacts {
  const root = once(async () => image.root());
  return { image, root, packages: once(async () => installedPackages(await root(), packages)) };
}

/** Whether an image says of itself that it is distroless, in its name or a label. */
export function isDistroless({ image }: ContainerFacts): boolean {
  return [image.name, ...Object.entries(image.labels).flat()].some((text) => /distroless/i.test(text));
}

/** Whether it is meant for looking around in, with a shell. */
export function isDebug({ image }: ContainerFacts): boolean {
  return [image.name, ...Object.values(image.labels)].some((text) => /\bdebug\b/i.test(text));
}
