import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, writeAtomic } from '../base/files.ts';
import { cachePath, cacheRoot, installRoot } from '../base/paths.ts';
import { inStage, type Progress } from '../base/progress.ts';
import type { Engine } from '../engine/action.ts';
import { openEngine } from '../engine/engine.ts';
import type { LoadOptions } from '../project/load.ts';
import type { Project } from '../project/model/project.ts';
import type { Architecture, ReleaseConfig, Seed } from '../project/model/release.ts';
import { defaultRelease } from '../project/release-default.ts';
import { type Apt, debianArch, openApt } from '../toolbox/apt.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { openToolbox, type ToolSet, toolboxFromFolder } from '../toolbox/toolbox.ts';
import { outputFolder } from './output.ts';
import { openProject } from './project.ts';

/** The context for work on specs and sources: the project and the caches. */
export interface ProjectWorkspace {
  readonly project: Project;
  readonly engine: Engine;
  readonly cache: string;
  /** The output folder. */
  readonly out: string;
  readonly arch: Architecture;
  readonly progress: Progress;
  /** Ignores a lock that is missing or is for another commit than the configuration. */
  readonly skipLockValidation?: boolean;
}

/** The context of commands: the project, the caches, the release with its clock, and access to the tools. */
export interface Workspace extends ProjectWorkspace {
  readonly release: ReleaseConfig;
  /** Seconds since 1970; the single clock of the release. */
  readonly clock: number;
  /** Further RPM repositories to build from: `[ID=]URL`. */
  readonly repositories?: readonly string[];
}

export interface WorkspaceOptions {
  readonly directory: string;
  /** Further configuration files, and how strictly to read them. */
  readonly load?: LoadOptions;
  /** Output folder; defaults to `[project] output-dir`, then to `out` beside the project's folder. */
  readonly out?: string;
  readonly progress: Progress;
}

/** Loads the project and opens the caches; downloads nothing. */
export async function openProjectWorkspace(options: WorkspaceOptions): Promise<ProjectWorkspace> {
  const cache = cacheRoot();
  refuseLineBreak(cache, "the cache's folder", 'set XDG_CACHE_HOME to another folder');
  refuseLineBreak(resolve(options.directory), "the project's folder", 'move the project');
  const project = await openProject(options.directory, options.load);
  // Absolute, because tools run in other folders.
  const out = outputFolder(project, options.out);
  refuseLineBreak(out, 'the output folder', 'use another folder with --out');
  return {
    project,
    engine: await openEngine(cache, (text) => options.progress.note('cache', text)),
    cache,
    out,
    arch: project.release?.architectures[0] ?? 'x86_64',
    progress: options.progress,
  };
}

/**
 * Rejects early what git, debugfs and apt would fail on with a confusing error: they read paths by line. Every other character
 * works. @throws WeirError `bad-path` (exit 2)
 */
function refuseLineBreak(path: string, what: string, hint: string): void {
  if (!/[\n\r]/.test(path)) return;
  throw new WeirError('bad-path', `${what} has a line break in its path: ${JSON.stringify(path)}`, { hint, exit: 2 });
}

/** Opens the workspace with the project's release, or the default one. @throws WeirError `no-release` */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const workspace = await openProjectWorkspace(options);
  const release = workspace.project.release ?? defaultRelease(workspace.project);
  return { ...workspace, release, clock: release.epoch };
}

/** The private apt of a suite, with the mirror that the project names. @param from the suites of packages and of sources */
function privateApt(
  { project, cache }: ProjectWorkspace,
  from: Pick<Seed, 'suite' | 'sourceSuite' | 'allowExpired'>,
  arch: Architecture,
  contents = false,
): Promise<Apt> {
  const { suite, sourceSuite, allowExpired } = from;
  const { mirror } = project.toolbox;
  const name = contents ? `${suite}-contents-${arch}` : `${suite}-${sourceSuite}-${arch}`;
  return openApt(cachePath(cache, 'apt', name), {
    ...{ suite, sourceSuite, allowExpired, arch: debianArch(arch), contents },
    ...(mirror === undefined ? {} : { mirror }),
  });
}

/** The private apt that downloads the seed. */
export function seedApt(workspace: ProjectWorkspace, seed: Seed): Promise<Apt> {
  return privateApt(workspace, seed, workspace.arch);
}

/** The private apt that downloads the lists of files in the seed's suite. */
export function contentsApt(workspace: ProjectWorkspace, seed: Seed): Promise<Apt> {
  return privateApt(workspace, seed, workspace.arch, true);
}

/** What the weaker sandboxes, which must be requested by name, do not isolate. */
const weakerJails: Readonly<Record<Toolbox['jail']['kind'], string | undefined>> = {
  bubblewrap: undefined,
  'bubblewrap-root': "no user namespace: Weir's own tools run as the host's root, with few capabilities",
  chroot: 'no security boundary: builds see the network and other processes; build only code that you trust',
};

/** The toolbox stage: opens the tools, downloading them if necessary. */
export async function toolboxStage(workspace: ProjectWorkspace, set: ToolSet): Promise<Toolbox> {
  const { project, cache, engine, progress } = workspace;
  const folder = project.toolbox.root;
  const { limits } = project.toolbox;
  if (folder !== undefined) return { ...(await toolboxFromFolder(engine, folder, cache)), limits };
  return inStage(progress, set === 'core' ? 'toolbox' : `toolbox/${set}`, async (stage) => {
    const host: Architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const sourceSuite = project.seed?.sourceSuite ?? project.toolbox.suite;
    const report = await openToolbox(engine, {
      set,
      cache,
      lock: await toolboxLock(workspace),
      openApt: () => privateApt(workspace, { ...project.toolbox, sourceSuite }, host),
      onProgress: stage.update,
    });
    if (report.relocked !== undefined) stage.note(`toolbox.lock rewritten: ${report.relocked}`);
    if (report.changed !== undefined) {
      stage.note(`unpacked again, because files had been modified: ${report.changed.slice(0, 3).join(', ')}`);
    }
    const weaker = weakerJails[report.toolbox.jail.kind];
    if (weaker !== undefined) stage.note(`WEIR_JAIL=${report.toolbox.jail.kind}: ${weaker}`);
    return {
      result: { ...report.toolbox, limits },
      summary: `${report.packages.length} packages, ${report.downloaded} downloaded`,
      cached: !report.unpacked,
    };
  });
}

/**
 * The toolbox lock of a project: beside the project's folder, if the project has a release, and the file exists or it has a seed. Other
 * projects, such as azldev projects, use the tools of this version of Weir, through a copy of its lock in the cache.
 */
async function toolboxLock({ project, cache }: ProjectWorkspace): Promise<string> {
  const beside = join(project.root, '..', 'toolbox.lock');
  if (project.release !== undefined && (project.seed !== undefined || (await exists(beside)))) return beside;
  const own = await readFile(join(installRoot, 'toolbox.lock'), 'utf8');
  const path = join(cache, `toolbox-${valueDigest(own).slice(0, 16)}.lock`);
  if (!(await exists(path))) await writeAtomic(path, own);
  return path;
}
