import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, writeAtomic } from '../base/files.ts';
import { cacheRoot, installRoot } from '../base/paths.ts';
import { inStage, type Progress } from '../base/progress.ts';
import type { Engine } from '../engine/action.ts';
import { openEngine } from '../engine/engine.ts';
import { type LoadOptions, loadProject } from '../project/load.ts';
import type { Architecture, Project, ReleaseConfig, Seed } from '../project/model.ts';
import { type Apt, debianArch, openApt } from '../toolbox/apt.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { openToolbox, type ToolSet, toolboxFromFolder } from '../toolbox/toolbox.ts';

/** What work on specs and sources needs: the project and the caches. */
export interface ProjectWorkspace {
  readonly project: Project;
  readonly engine: Engine;
  readonly cache: string;
  /** Where results go. */
  readonly out: string;
  readonly arch: Architecture;
  readonly progress: Progress;
  /** A lock that is missing or names another commit than the configuration stops nothing. */
  readonly skipLockValidation?: boolean;
}

/** Everything that a command works with: the project, the caches, the release with its clock, and the way to tools. */
export interface Workspace extends ProjectWorkspace {
  readonly release: ReleaseConfig;
  /** seconds since 1970; the one clock of the release */
  readonly clock: number;
}

export interface WorkspaceOptions {
  readonly directory: string;
  /** Further configuration files, and how strictly they are read. */
  readonly load?: LoadOptions;
  /** Output folder; by default what `[project] output-dir` says, else `out` beside the project's folder. */
  readonly out?: string;
  readonly progress: Progress;
}

/** Loads the project and opens the caches; nothing is fetched. */
export async function openProjectWorkspace(options: WorkspaceOptions): Promise<ProjectWorkspace> {
  const cache = cacheRoot();
  refuseLineBreak(cache, "the cache's folder", 'point XDG_CACHE_HOME at another one');
  refuseLineBreak(resolve(options.directory), "the project's folder", 'move the project');
  const project = await loadProject(options.directory, options.load);
  // Absolute: tools run in other folders.
  const out = resolve(options.out ?? project.project.outputDir ?? join(project.root, '..', 'out'));
  refuseLineBreak(out, 'the folder of the results', 'name another one with --out');
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
 * Says at the start what git, debugfs and apt would say late and badly: they take a path for one line. Every other character works.
 * @throws WeirError `bad-path` (exit 2)
 */
function refuseLineBreak(path: string, what: string, hint: string): void {
  if (!/[\n\r]/.test(path)) return;
  throw new WeirError('bad-path', `${what} has a line break in its path: ${JSON.stringify(path)}`, { hint, exit: 2 });
}

/** A workspace of a project that says what its release is. @throws WeirError `no-release` */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const workspace = await openProjectWorkspace(options);
  const { release, file } = workspace.project;
  if (release === undefined) {
    throw new WeirError('no-release', 'the project has no [release] table', {
      where: { file },
      hint: 'add [release] with version and snapshot',
      exit: 2,
    });
  }
  return { ...workspace, release, clock: release.epoch };
}

/** The private apt that the seed comes by. */
export function seedApt(workspace: ProjectWorkspace, seed: Seed): Promise<Apt> {
  const { project, cache, arch } = workspace;
  return openApt(join(cache, 'apt', `${seed.suite}-${seed.sourceSuite}-${arch}`), {
    suite: seed.suite,
    sourceSuite: seed.sourceSuite,
    allowExpired: seed.allowExpired,
    arch: debianArch(arch),
    ...(project.toolbox.mirror === undefined ? {} : { mirror: project.toolbox.mirror }),
  });
}

/** What is missing in the sandboxes that a user has to ask for by name. */
const weakerJails: Readonly<Record<Toolbox['jail']['kind'], string | undefined>> = {
  bubblewrap: undefined,
  'bubblewrap-root': "no user namespace: Weir's own tools run as the host's root, with few capabilities",
  chroot: 'this is no boundary: builds see the network and other processes; build only what you trust',
};

/** The toolbox stage: the tools, fetched where they are not there yet. */
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
      openApt: () =>
        openApt(join(cache, 'apt', `${project.toolbox.suite}-${sourceSuite}-${host}`), {
          suite: project.toolbox.suite,
          sourceSuite,
          allowExpired: project.toolbox.allowExpired,
          arch: debianArch(host),
          ...(project.toolbox.mirror === undefined ? {} : { mirror: project.toolbox.mirror }),
        }),
      onProgress: stage.update,
    });
    if (report.relocked !== undefined) stage.note(`toolbox.lock written anew: ${report.relocked}`);
    if (report.changed !== undefined) {
      stage.note(`unpacked again: the toolbox was not as unpacked: ${report.changed.slice(0, 3).join(', ')}`);
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
 * The lock beside the project's folder. A project without a release, such as one written for azldev, keeps none: it has
 * the tools that this Weir comes with, by a copy of its lock in the cache.
 */
async function toolboxLock({ project, cache }: ProjectWorkspace): Promise<string> {
  if (project.release !== undefined) return join(project.root, '..', 'toolbox.lock');
  const own = await readFile(join(installRoot, 'toolbox.lock'), 'utf8');
  const path = join(cache, `toolbox-${valueDigest(own).slice(0, 16)}.lock`);
  if (!(await exists(path))) await writeAtomic(path, own);
  return path;
}
