import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesReader, fileReader, type ReadAt } from '../archive/read-at.ts';
import { mapLimit } from '../base/files.ts';
import { type Action, type ActionResult, type Engine, outputPath, recall, record } from '../engine/action.ts';
import { withScratch } from '../engine/sandbox.ts';
import { verifyAll } from '../rpm/tags.ts';
import type { Dependency, FileContent, RpmSpecFile } from '../rpm/types.ts';
import { formatEvr } from '../rpm/version.ts';
import { writeRpm } from '../rpm/write.ts';
import { type DebControl, type DebData, type DebFile, openData, readControl, unpackDebs } from './deb.ts';
import { isElf } from './elf.ts';
import { type Bytes, type Item, layOut, type Stretch } from './layout.ts';
import { licenseExpression } from './license.ts';
import type { Mapping } from './mapping.ts';
import { type Demotion, type PackagePlan, planSeed, written } from './plan.ts';
import { fileProvides } from './provides.ts';

/** Raise it when the same plan gives another RPM. */
const converterVersion = 3;

/** An RPM of the seed. */
export interface SeedPackage {
  readonly name: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  /** `name-[epoch:]version-release.arch` */
  readonly nevra: string;
  /** Debian source package and version; empty for our own. */
  readonly source: string;
  readonly sourceVersion: string;
  /** File name of the source package, as the RPM's header has it. */
  readonly sourceRpm: string;
  /** Debian packages it is made of, as `name=version`. */
  readonly debs: readonly string[];
  readonly license: string;
  /** SHA-256 of the RPM file */
  readonly digest: string;
  /** bytes of the RPM file */
  readonly size: number;
  readonly files: number;
}

/** Everything that a set of Debian packages became. */
export interface Seed {
  /** Sorted by name; `path` is the RPM in the content store. */
  readonly packages: readonly (SeedPackage & { readonly path: string })[];
  /** Requirements that the set cannot fulfil and that became recommendations. */
  readonly demotions: readonly Demotion[];
  /** Debian packages that do not come in. */
  readonly ignored: readonly string[];
}

/**
 * Turns Debian packages into RPMs, each an action: keyed by the debs' digests and by all that the mapping and the rest
 * of the set say about that package. Works on two batches at a time, as dpkg-deb and the compression keep the other cores busy.
 * @param clock build time of the RPMs and the latest time that a file has, seconds since 1970
 * @throws WeirError `bad-deb`, `seed-path`
 */
export async function convertSeed(
  engine: Engine,
  mapping: Mapping,
  debs: readonly DebFile[],
  clock: number,
  parallel = 2,
): Promise<Seed> {
  const controls = await readControls(engine, debs, parallel);
  const plan = planSeed(
    mapping,
    debs.map((file, i) => ({ file, control: controls[i]! })),
  );
  const jobs = plan.packages.map(
    (entry): Job => ({
      ...entry,
      action: {
        kind: 'seed-convert',
        version: converterVersion,
        inputs: { plan: entry.plan, debs: entry.debs.map((deb) => deb.sha256), clock },
      },
    }),
  );
  const done = new Map<string, ActionResult>();
  const todo: Job[] = [];
  for (const job of jobs) {
    const known = await recall(engine, job.action);
    if (known === undefined) todo.push(job);
    else done.set(job.plan.name, known);
  }
  await mapLimit(await batched(todo), parallel, (batch) =>
    withScratch(engine.scratch, async (work) => {
      const tars = await unpackDebs(
        batch.flatMap((job) => job.debs),
        'data',
        work,
      );
      for (const { plan: each, debs: own, action } of batch) {
        const started = performance.now();
        const out = join(work, `${each.name}.rpm`);
        const archives = tars.splice(0, own.length);
        const value = await convertUnpacked(each, archives, out, clock);
        const seconds = (performance.now() - started) / 1000;
        done.set(each.name, await record(engine, action, { rpm: out }, value, seconds));
        for (const path of [out, ...archives]) await rm(path);
      }
    }),
  );
  const packages = jobs.map(({ plan: { name } }) => {
    const result = done.get(name)!;
    return { ...(result.value as SeedPackage), path: outputPath(engine, result, 'rpm') };
  });
  return { packages, demotions: plan.demotions, ignored: plan.ignored };
}

interface Job {
  readonly plan: PackagePlan;
  readonly debs: readonly DebFile[];
  readonly action: Pick<Action, 'kind' | 'version' | 'inputs'>;
}

/** Packages that are unpacked in one go: a few, for the start of a program to count little, and not much to hold unpacked. */
const batchPackages = 12;
const batchBytes = 8 << 20;

async function batched(jobs: readonly Job[]): Promise<Job[][]> {
  const batches: Job[][] = [];
  let bytes = 0;
  for (const job of jobs) {
    let size = 0;
    for (const deb of job.debs) size += (await stat(deb.path)).size;
    const last = batches.at(-1);
    if (last === undefined || last.length === batchPackages || bytes + size > batchBytes) {
      batches.push([job]);
      bytes = size;
    } else {
      last.push(job);
      bytes += size;
    }
  }
  return batches;
}

async function readControls(engine: Engine, debs: readonly DebFile[], parallel: number): Promise<DebControl[]> {
  const action = (file: DebFile) => ({ kind: 'seed-control', version: 1, inputs: { deb: file.sha256 } });
  const known = await mapLimit(debs, 4, (file) => recall(engine, action(file)));
  const todo = debs.filter((_file, index) => known[index] === undefined);
  const batches: DebFile[][] = [];
  for (let at = 0; at < todo.length; at += 50) batches.push(todo.slice(at, at + 50));
  const read = new Map<DebFile, DebControl>();
  await mapLimit(batches, parallel, (batch) =>
    withScratch(engine.scratch, async (work) => {
      const tars = await unpackDebs(batch, 'control', work);
      for (const [index, file] of batch.entries()) {
        const control = await readControl(file, tars[index]!);
        await record(engine, action(file), {}, control);
        read.set(file, control);
      }
    }),
  );
  return debs.map((file, index) => (known[index]?.value as DebControl | undefined) ?? read.get(file)!);
}

/**
 * Writes one RPM. @param debs the plan's, in its order @param scratch folder for the unpacked archives, which
 * are removed again @throws WeirError `bad-deb`, `seed-path`
 */
export function convertPackage(
  plan: PackagePlan,
  debs: readonly Pick<DebFile, 'path'>[],
  out: string,
  clock: number,
  scratch: string,
): Promise<SeedPackage> {
  return withScratch(scratch, async (work) => convertUnpacked(plan, await unpackDebs(debs, 'data', work), out, clock));
}

async function convertUnpacked(
  plan: PackagePlan,
  tars: readonly string[],
  out: string,
  clock: number,
): Promise<SeedPackage> {
  const data: DebData[] = [];
  try {
    for (const tar of tars) data.push(openData(tar));
    return await write(plan, data, out, clock);
  } finally {
    for (const archive of data) archive.close();
  }
}

async function write(plan: PackagePlan, data: readonly DebData[], out: string, clock: number): Promise<SeedPackage> {
  const items = layOut(
    plan,
    data.map((archive) => archive.members),
  );
  const provides: Dependency[] = [...plan.dependencies.provides];
  let copyright: string | undefined;
  const files: RpmSpecFile[] = [];
  for (const item of items.values()) {
    const read = item.bytes === undefined ? undefined : reader(item.bytes, data);
    const size = item.bytes === undefined ? 0 : sizeOf(item.bytes);
    let mode = item.mode;
    if (read !== undefined) {
      provides.push(...fileProvides(item.path, size, read));
      // rpm's dependency generator, like Fedora, expects libraries to be executable; Debian's are not.
      if (/\.so(\.[^/]*)?$/.test(item.path) && isElf(read(0, 4))) mode |= 0o111;
      if (item.license === true && copyright === undefined) copyright = read(0, size).toString();
    }
    files.push(rpmFile({ ...item, mode }, data, clock));
  }
  const license = plan.license ?? licenseExpression(copyright);
  const { epoch, version, release } = plan.evr;
  const rpm = await writeRpm(out, {
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
  });
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
    digest: rpm.digest,
    size: rpm.fileSize,
    files: files.length,
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

/** Small files are handed over whole, as a stream costs more than the file; large ones are streamed. */
function content(bytes: Bytes, data: readonly DebData[]): FileContent {
  if ('text' in bytes) return Buffer.from(bytes.text);
  if ('parts' in bytes) return () => joined(bytes.parts, data);
  const { archive, offset, size } = bytes;
  const { fd } = data[archive]!;
  if (size <= wholeLimit) return () => fileReader(fd, offset, size)(0, size);
  return () =>
    createReadStream('', { fd, start: offset, end: offset + size - 1, autoClose: false, highWaterMark: 1 << 20 });
}

/** Bits of RPMVERIFY_* (rpm's rpmvf.h) by the name that the mapping has for them. */
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
