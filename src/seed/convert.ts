import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapLimit } from '../base/files.ts';
import { type Action, type ActionResult, type Engine, recall, record, recordBlobs } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { withScratch } from '../engine/scratch.ts';
import { type Blob, blobFile, uncheckedBlobPath } from '../engine/store.ts';
import type { Zstd } from '../toolbox/zstd.ts';
import { converterCode, type PackedPackage, packPackage, type SeedPackage } from './convert-package.ts';
import { controlCode, type DebControl, type DebFile, readControl, unpackDebs } from './deb.ts';
import type { Mapping } from './mapping.ts';
import { type Demotion, type PackagePlan, planSeed, type SeedPlan } from './plan.ts';

/** The RPMs made from a set of Debian packages. */
export interface Seed {
  /** Sorted by name; `path` is in the content store. To read it, use the store's functions. */
  readonly packages: readonly (SeedPackage & { readonly path: string })[];
  /** Requirements that the set cannot meet and that became recommendations. */
  readonly demotions: readonly Demotion[];
  /** Debian packages that were left out. */
  readonly ignored: readonly string[];
}

/** The recorded form of a seed: everything except the paths, which depend on the cache. */
interface SeedRecord {
  readonly packages: readonly SeedPackage[];
  readonly demotions: readonly Demotion[];
  readonly ignored: readonly string[];
}

/**
 * Converts Debian packages to RPMs, one action each, keyed by the debs' digests and everything in the mapping and the rest of the
 * set that affects the package. The whole set is recorded too, so that an unchanged seed is one cache hit. Works on two batches at a time: dpkg-deb and the compression keep the other cores busy.
 * @param clock build time of the RPMs and upper limit for file times, in seconds since 1970
 * @throws WeirError `bad-deb`, `seed-path`
 */
export async function convertSeed(
  engine: Engine,
  mapping: Mapping,
  debs: readonly DebFile[],
  clock: number,
  zstd: Zstd,
  parallel = 2,
): Promise<Seed> {
  const all = {
    kind: 'seed-set',
    code: codeDigest(import.meta.url),
    inputs: {
      defaults: mapping.defaults,
      rules: [...mapping.packages],
      debs: debs.map(({ path: _path, ...deb }) => deb),
      clock,
      zstd: zstd.digest,
    },
  };
  const before = await recall(engine, all);
  if (before !== undefined) return seedOf(engine, before.value as SeedRecord, before.files);
  const controls = await readControls(engine, debs, parallel);
  const plan = planSeed(
    mapping,
    debs.map((file, i) => ({ file, control: controls[i]! })),
  );
  const { files, packages } = await convertPlans(engine, plan.packages, clock, zstd, parallel);
  const made: SeedRecord = { packages, demotions: plan.demotions, ignored: plan.ignored };
  await recordBlobs(engine, all, files, made);
  return seedOf(engine, made, files);
}

/**
 * Makes the RPMs of plans, one action each, in the order of the plans.
 * @throws WeirError `bad-deb`, `seed-path`
 */
export async function convertPlans(
  engine: Engine,
  plans: SeedPlan['packages'],
  clock: number,
  zstd: Zstd,
  parallel = 2,
): Promise<{ readonly packages: readonly SeedPackage[]; readonly files: Readonly<Record<string, Blob>> }> {
  const jobs = plans.map(
    (entry): Job => ({
      ...entry,
      action: {
        kind: 'seed-convert',
        code: converterCode(),
        inputs: { plan: entry.plan, debs: entry.debs.map((deb) => deb.sha256), clock, zstd: zstd.digest },
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
        await checkedDebs(
          engine,
          batch.flatMap((job) => job.debs),
        ),
        'data',
        work,
      );
      const packed: PackedPackage[] = [];
      for (const { plan: each, debs: own } of batch) {
        const archives = tars.splice(0, own.length);
        packed.push(await packPackage(each, archives, join(work, `${each.name}.cpio`), clock));
        for (const path of archives) await rm(path);
      }
      await zstd.compress(packed.map(({ archive }) => archive));
      for (const [index, { plan: each, action }] of batch.entries()) {
        const { archive, write } = packed[index]!;
        const out = join(work, `${each.name}.rpm`);
        const value = await write(out, `${archive}.zst`);
        done.set(each.name, await record(engine, action, { rpm: out }, value));
        for (const path of [out, archive, `${archive}.zst`]) await rm(path);
      }
    }),
  );
  const names = jobs.map((job) => job.plan.name);
  const files = Object.fromEntries(names.map((name) => [name, done.get(name)!.files.rpm!]));
  return { files, packages: names.map((name) => done.get(name)!.value as SeedPackage) };
}

/** @param files the RPMs by name */
function seedOf({ store }: Engine, made: SeedRecord, files: Readonly<Record<string, Blob>>): Seed {
  const packages = made.packages.map((pkg) => ({ ...pkg, path: uncheckedBlobPath(store, files[pkg.name]!.digest) }));
  return { ...made, packages };
}

interface Job {
  readonly plan: PackagePlan;
  readonly debs: readonly DebFile[];
  readonly action: Pick<Action, 'kind' | 'code' | 'inputs'>;
}

/** Packages per batch: enough to amortise starting programs, few enough to limit the unpacked size. */
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

/** The same packages, verified if they are in the content store. @throws WeirError `bad-blob` */
function checkedDebs(engine: Engine, debs: readonly DebFile[]): Promise<DebFile[]> {
  return mapLimit(debs, 2, async (deb) => {
    const inStore = deb.path === uncheckedBlobPath(engine.store, deb.sha256);
    return inStore ? { ...deb, path: await blobFile(engine.store, deb.sha256) } : deb;
  });
}

/** The control archives of packages, one action each. @throws WeirError `bad-deb` */
export async function readControls(engine: Engine, debs: readonly DebFile[], parallel = 2): Promise<DebControl[]> {
  const action = (file: DebFile) => ({ kind: 'seed-control', code: controlCode(), inputs: { deb: file.sha256 } });
  const known = await mapLimit(debs, 4, (file) => recall(engine, action(file)));
  const todo = debs.filter((_file, index) => known[index] === undefined);
  const batches: DebFile[][] = [];
  for (let at = 0; at < todo.length; at += 50) batches.push(todo.slice(at, at + 50));
  const read = new Map<DebFile, DebControl>();
  await mapLimit(batches, parallel, (batch) =>
    withScratch(engine.scratch, async (work) => {
      const tars = await unpackDebs(await checkedDebs(engine, batch), 'control', work);
      for (const [index, file] of batch.entries()) {
        const control = await readControl(file, tars[index]!);
        await record(engine, action(file), {}, control);
        read.set(file, control);
      }
    }),
  );
  return debs.map((file, index) => (known[index]?.value as DebControl | undefined) ?? read.get(file)!);
}
