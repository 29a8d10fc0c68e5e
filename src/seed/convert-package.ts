import { createReadStream } from 'node:fs';
import { bytesReader, fileReader, type ReadAt } from '../archive/read-at.ts';
import type { Digest } from '../base/digest.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { written } from '../rpm/dependencies.ts';
import { verifyAll } from '../rpm/tags.ts';
import type { Dependency, FileContent, RpmSpec, RpmSpecFile } from '../rpm/types.ts';
import { formatEvr } from '../rpm/version.ts';
import { packRpm } from '../rpm/write.ts';
import { type DebData, openData } from './deb.ts';
import { isElf } from './elf.ts';
import { type Bytes, type Item, layOut, type Stretch } from './layout.ts';
import { licenseExpression } from './license.ts';
import type { PackagePlan } from './plan.ts';
import { fileProvides, moreProvides } from './provides.ts';

/** An RPM of the seed. */
export interface SeedPackage {
  readonly name: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  /** `name-[epoch:]version-release.arch` */
  readonly nevra: string;
  /** Debian source package and its version; empty for packages of our own. */
  readonly source: string;
  readonly sourceVersion: string;
  /** File name of the source package, as in the RPM's header. */
  readonly sourceRpm: string;
  /** Debian packages that the RPM is made of, as `name=version`. */
  readonly debs: readonly string[];
  readonly license: string;
  /** SHA-256 of the RPM file. */
  readonly digest: string;
  /** Size of the RPM file in bytes. */
  readonly size: number;
  readonly files: number;
}

/** Digest of the code that makes an RPM from a plan. */
export function converterCode(): Digest {
  return codeDigest(import.meta.url);
}

/** A seed package whose payload is ready to be compressed. */
export interface PackedPackage {
  /** Path of the uncompressed payload. */
  readonly archive: string;
  /** Writes the RPM. @param payload the compressed archive */
  readonly write: (out: string, payload: string) => Promise<SeedPackage>;
}

/**
 * Makes the payload of one RPM.
 * @param tars the unpacked archives of the plan's debs, in the same order; no longer needed afterwards
 * @throws WeirError `bad-deb`, `seed-path`
 */
export async function packPackage(
  plan: PackagePlan,
  tars: readonly string[],
  archive: string,
  clock: number,
): Promise<PackedPackage> {
  const data: DebData[] = [];
  try {
    for (const tar of tars) data.push(openData(tar));
    return await pack(plan, data, archive, clock);
  } finally {
    for (const { close } of data) close();
  }
}

async function pack(
  plan: PackagePlan,
  data: readonly DebData[],
  archive: string,
  clock: number,
): Promise<PackedPackage> {
  const items = layOut(
    plan,
    data.map((deb) => deb.members),
  );
  const provides: Dependency[] = [...plan.dependencies.provides];
  let copyright: string | undefined;
  const files: RpmSpecFile[] = [];
  for (const item of items.values()) {
    const read = item.bytes === undefined ? undefined : reader(item.bytes, data);
    const size = item.bytes === undefined ? 0 : sizeOf(item.bytes);
    let mode = item.mode;
    if (read !== undefined) {
      const found = fileProvides(item.path, size, read);
      provides.push(...found);
      if (plan.python !== undefined) provides.push(...moreProvides(item.path, found, plan.python));
      // rpm's dependency generator, like Fedora, expects shared libraries to be executable; Debian's are not.
      if (/\.so(\.[^/]*)?$/.test(item.path) && isElf(read(0, 4))) mode |= 0o111;
      if (item.license === true && copyright === undefined && size < 8 << 20) copyright = read(0, size).toString();
    }
    files.push(rpmFile({ ...item, mode }, data, clock));
  }
  const license = plan.license ?? licenseExpression(copyright);
  const { epoch, version, release } = plan.evr;
  const spec: RpmSpec = {
    ...plan.dependencies,
    provides: [...new Map(provides.map((dependency) => [written(dependency), dependency])).values()],
    name: plan.name,
    ...(epoch === 0 ? {} : { epoch }),
    version,
    release,
    arch: plan.arch,
    summary: plan.summary,
    description: plan.description,
    license,
    vendor: plan.vendor,
    ...(plan.url === undefined ? {} : { url: plan.url }),
    ...(plan.vcs === undefined ? {} : { vcs: plan.vcs }),
    sourceRpm: plan.sourceRpm,
    buildTime: clock,
    files,
    fileTriggers: (plan.rule.triggers ?? []).map((trigger) => ({
      scope: 'trans' as const,
      when: trigger.when,
      prefixes: trigger.prefixes,
      interpreter: [trigger.interpreter ?? '<lua>'],
      script: trigger.script,
      priority: trigger.priority ?? 1_000_000,
    })),
  };
  const rpm = await packRpm(spec, archive);
  const write = async (out: string, payload: string): Promise<SeedPackage> => {
    const written = await rpm.write(out, payload);
    return { ...described(plan, license), digest: written.digest, size: written.fileSize, files: files.length };
  };
  return { archive, write };
}

function described(plan: PackagePlan, license: string): Omit<SeedPackage, 'digest' | 'size' | 'files'> {
  const { epoch, version, release } = plan.evr;
  return {
    name: plan.name,
    epoch,
    version,
    release,
    arch: plan.arch,
    nevra: `${plan.name}-${formatEvr(plan.evr)}.${plan.arch}`,
    source: plan.source,
    sourceVersion: plan.sourceVersion,
    sourceRpm: plan.sourceRpm,
    debs: plan.debs.map((deb) => `${deb.name}=${deb.version}`),
    license,
  };
}

function sizeOf(bytes: Bytes): number {
  if ('text' in bytes) return Buffer.byteLength(bytes.text);
  return 'parts' in bytes ? bytes.parts.reduce((sum, part) => sum + part.size, 0) : bytes.size;
}

function reader(bytes: Bytes, data: readonly DebData[]): ReadAt {
  if ('text' in bytes) return bytesReader(Buffer.from(bytes.text));
  if ('parts' in bytes) return bytesReader(joined(bytes.parts, data));
  return fileReader(data[bytes.archive]!.fd, bytes.offset, bytes.size);
}

function joined(parts: readonly Stretch[], data: readonly DebData[]): Buffer {
  return Buffer.concat(parts.map(({ archive, offset, size }) => fileReader(data[archive]!.fd, offset, size)(0, size)));
}

const wholeLimit = 4 << 20;

/** Small files are passed as bytes, because a stream costs more than the file; large ones are streamed. */
function content(bytes: Bytes, data: readonly DebData[]): FileContent {
  if ('text' in bytes) return Buffer.from(bytes.text);
  if ('parts' in bytes) return () => joined(bytes.parts, data);
  const { archive, offset, size } = bytes;
  const { fd } = data[archive]!;
  if (size <= wholeLimit) return () => fileReader(fd, offset, size)(0, size);
  return () =>
    createReadStream('', { fd, start: offset, end: offset + size - 1, autoClose: false, highWaterMark: 1 << 20 });
}

/** Bits of RPMVERIFY_* (rpm's rpmvf.h) by their names in the mapping. */
const verifyBits = { digest: 1, size: 2, owner: 8 | 16, mtime: 32, mode: 64 } as const;

function rpmFile(item: Item, data: readonly DebData[], clock: number): RpmSpecFile {
  const flags = {
    ...(item.config === undefined
      ? {}
      : { config: item.config === 'noreplace' ? ('noreplace' as const) : ('' as const) }),
    ...(item.license === true ? { license: true } : {}),
    ...(item.ghost === true ? { ghost: true } : {}),
  };
  const skipped = (item.noVerify ?? []).reduce((mask, name) => mask | verifyBits[name], 0);
  return {
    path: item.path,
    kind: item.kind,
    mode: item.mode,
    user: item.user,
    group: item.group,
    mtime: Math.min(item.mtime ?? clock, clock),
    ...(item.target === undefined ? {} : { target: item.target }),
    ...(item.capabilities === undefined ? {} : { capabilities: item.capabilities }),
    ...(item.hardlink === undefined ? {} : { hardlink: item.hardlink }),
    ...(item.bytes === undefined || item.ghost === true ? {} : { content: content(item.bytes, data) }),
    ...(skipped === 0 ? {} : { verify: (verifyAll & ~skipped) >>> 0 }),
    flags,
  };
}
