import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { lastLines, tail } from '../base/process.ts';
import { type ActionResult, perform, uncheckedOutputPath } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { buildLimits } from '../engine/limits.ts';
import { outputFiles } from '../engine/outputs.ts';
import { runSandboxed } from '../engine/sandbox.ts';
import { takeOut } from '../engine/store.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import { written } from '../rpm/dependencies.ts';
import { readRpm } from '../rpm/read.ts';
import { type BuildContext, type Buildroot, logFolder, macroOptions } from './buildroot.ts';
import type { BuildInput } from './specquery.ts';

/** The result of building a component. */
export interface Built {
  readonly component: string;
  /** Binary packages, including debuginfo. */
  readonly packages: readonly RepoPackage[];
  readonly source: RepoPackage;
  /** The root that it was built in. */
  readonly buildroot: Pick<Buildroot, 'digest' | 'packages'>;
  /** Path of the whole build log. */
  readonly log: string;
  /** Seconds that the build took when it was run, not read from the cache. */
  readonly seconds: number;
  readonly cached: boolean;
}

/**
 * All build requirements of the spec, including new ones that `%generate_buildrequires` printed and the buildroot lacks. The component has
 * to be built again in a buildroot with them, where the section may print more.
 */
export interface MoreRequires {
  /** In dnf's syntax. */
  readonly requires: readonly string[];
}

export interface BuildOptions {
  /** Skips `%check`. */
  readonly noCheck?: boolean;
}

/**
 * Builds binary, source and debug packages with rpmbuild in a sandbox without network. The result depends only on the sources,
 * the buildroot's packages, the architecture and the clock. Built packages and missing requirements are cached; a failure is not.
 * @throws WeirError `build-failed` with the log's last lines, `missing-buildrequires` if the root lacks a package that the spec names
 */
export async function buildComponent(
  context: BuildContext,
  buildroot: Buildroot,
  input: BuildInput,
  options: BuildOptions = {},
): Promise<Built | MoreRequires> {
  const { noCheck = false } = options;
  const { environment = {} } = context;
  const result = await perform(context.engine, {
    kind: 'rpmbuild',
    code: codeDigest(import.meta.url),
    inputs: {
      ...{ root: buildroot.digest, arch: context.arch, clock: context.clock, spec: input.spec, files: input.files },
      ...(noCheck ? { noCheck } : {}),
      macros: context.macros ?? {},
      ...(Object.keys(environment).length === 0 ? {} : { environment }),
    },
    run: (work) => rpmbuild(context, buildroot, input, { noCheck, work }),
  });
  return Array.isArray(result.value) ? described(context, buildroot, input, result) : (result.value as MoreRequires);
}

type Described = Omit<RepoPackage, 'rpm' | 'origin'> & { readonly file: string; readonly isSource: boolean };

async function rpmbuild(
  context: BuildContext,
  buildroot: Buildroot,
  input: BuildInput,
  { noCheck, work }: { readonly noCheck: boolean; readonly work: string },
): Promise<{ files: Record<string, string>; value: Described[] | MoreRequires }> {
  const top = join(work, 'builddir');
  for (const folder of ['SOURCES', 'SPECS', 'BUILD', 'RPMS', 'SRPMS'])
    await mkdir(join(top, folder), { recursive: true });
  for (const [name, digest] of Object.entries(input.files)) {
    await takeOut(context.engine.store, digest, join(top, name === input.spec ? 'SPECS' : 'SOURCES', name));
  }
  const log = join(work, 'build.log');
  const limits = { ...buildLimits, ...context.toolbox.limits };
  const outcome = await runSandboxed(context.toolbox.jail, {
    code: 'untrusted',
    limits,
    root: await buildroot.open(),
    binds: [{ from: top, to: '/builddir', writable: true }],
    argv: [
      'rpmbuild',
      '-ba',
      ...(noCheck ? ['--nocheck'] : []),
      '--target',
      context.arch,
      ...macroOptions(context),
      '--define',
      '_topdir /builddir',
      '--define',
      '_build_id_links compat',
      // Overrides the distribution's macros, so that no package contains the wall clock or the host name.
      '--define',
      'use_source_date_epoch_as_buildtime 1',
      '--define',
      'build_mtime_policy clamp_to_source_date_epoch',
      '--define',
      '_buildhost weir',
      `/builddir/SPECS/${input.spec}`,
    ],
    env: { ...context.environment, SOURCE_DATE_EPOCH: String(context.clock), HOME: '/builddir' },
    cwd: '/builddir',
    log,
  });
  if (outcome.code === missingRequires) {
    // rpmbuild writes this package only if %generate_buildrequires ran: it has the spec's own requirements and the printed ones.
    const [asking] = outputFiles([join(top, 'SRPMS')], '.buildreqs.nosrc.rpm', limits.disk);
    if (asking !== undefined) return { files: { log }, value: { requires: await requirementsIn(asking) } };
  }
  if (outcome.code !== 0) throw await buildError(context, input, log, outcome.code);
  const files: Record<string, string> = { log };
  const packages: Described[] = [];
  for (const file of outputFiles([join(top, 'RPMS'), join(top, 'SRPMS')], '.rpm', limits.disk)) {
    const name = file.split('/').at(-1)!;
    files[name] = file;
    const pkg = await readRpm(file);
    const { name: rpmName, epoch, version, release, arch, sourceRpm, isSource } = pkg;
    packages.push({
      file: name,
      name: rpmName,
      epoch,
      version,
      release,
      arch: isSource ? 'src' : arch,
      sourceRpm,
      isSource,
    });
  }
  return { files, value: packages };
}

/** Exit code of rpmbuild if build requirements are missing. */
const missingRequires = 11;

/** A source package's build requirements in dnf's syntax: `name`, `name >= version`. */
async function requirementsIn(sourcePackage: string): Promise<string[]> {
  const { requires } = await readRpm(sourcePackage);
  const needed = requires.filter(({ name }) => !name.startsWith('rpmlib('));
  return [...new Set(needed.map(written))].sort();
}

async function buildError(context: BuildContext, input: BuildInput, log: string, code: number): Promise<WeirError> {
  // The scratch folder is removed, but the user needs the log of a failure.
  const kept = join(logFolder(context.cache), `${input.name}.failed.log`);
  await mkdir(logFolder(context.cache), { recursive: true });
  await copyFile(log, kept);
  const text = await tail(log, 65_536);
  const lacking = /Failed build dependencies:\n([\s\S]*?)(?:\n\S|$)/.test(text);
  const section = /^error: Bad exit status from \S+ \((%\w+)\)/m.exec(text)?.[1];
  const more = {
    where: { component: input.name },
    details: lastLines(text, 15),
    hint: `see the full log: ${kept}`,
  };
  if (lacking) {
    return new WeirError('missing-buildrequires', 'build dependencies are missing from the buildroot', more);
  }
  return new WeirError(
    'build-failed',
    `rpmbuild failed with exit code ${code}${section === undefined ? '' : ` in ${section}`}`,
    more,
  );
}

function described(context: BuildContext, buildroot: Buildroot, input: BuildInput, result: ActionResult): Built {
  const all = (result.value as Described[]).map(({ file, isSource, ...pkg }) => ({
    isSource,
    pkg: { ...pkg, rpm: result.files[file]!.digest, origin: input.name } satisfies RepoPackage,
  }));
  const source = all.find((each) => each.isSource)?.pkg;
  if (source === undefined) throw new TypeError(`${input.name}: rpmbuild wrote no source package`);
  return {
    component: input.name,
    packages: all.filter((each) => !each.isSource).map((each) => each.pkg),
    source,
    buildroot: { digest: buildroot.digest, packages: buildroot.packages },
    log: uncheckedOutputPath(context.engine, result, 'log'),
    seconds: result.seconds,
    cached: result.cached,
  };
}
