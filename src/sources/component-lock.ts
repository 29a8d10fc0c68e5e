import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode, WeirError } from '../base/errors.ts';
import { mapLimit, namesEndingIn, readIfExists, writeIfChanged } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { commitPattern, commitRule } from '../project/schema/words.ts';
import { parseDocument, problem } from '../toml/document.ts';

/**
 * The content of a component's lock. The format is azldev's (`internal/lockfile` of microsoft/azure-linux-dev-tools, version
 * 1): one small TOML file per component, kept in git, so that a component comes from the same commit until it is updated.
 */
export interface ComponentLock {
  /** The upstream commit that the component was first imported from; never changed afterwards. */
  readonly importCommit?: string;
  /** The upstream commit that the component is imported from now. */
  readonly upstreamCommit?: string;
  /** How often a rebuild was requested without any other change. */
  readonly manualBump: number;
  /** azldev's digest of all of the component's inputs; kept unchanged, for azldev. */
  readonly inputFingerprint?: string;
  /** Digest of what determines the commit (`resolutionInputHash`). */
  readonly resolutionInputHash?: string;
}

/** The part of a project that determines the folder of its locks. */
export interface LockedProject {
  readonly root: string;
  readonly project: { readonly lockDir?: string; readonly pinFolder?: string };
}

const header = '# Managed by azldev component update. Do not edit manually.';
const extension = '.lock';
const commit = z.string().regex(commitPattern, commitRule);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" and 64 hex digits');

const schema = z.strictObject({
  version: z.number(),
  'import-commit': commit.optional(),
  'upstream-commit': commit.optional(),
  'manual-bump': z.number().int('must be a whole number').min(0, 'must not be negative').optional(),
  'input-fingerprint': digest.optional(),
  'resolution-input-hash': digest.optional(),
});

/** The folder of a project's locks: `lock-dir`, or `locks` beside the root file. It may not exist. */
export function lockFolder(project: LockedProject): string {
  return project.project.lockDir ?? join(project.root, 'locks');
}

/** The path of a component's lock. */
export function lockPath(project: LockedProject, name: string): string {
  return join(lockFolder(project), `${name}${extension}`);
}

/**
 * Parses a lock. @param file for messages
 * @throws WeirError (exit 2) `lock-version`, and the errors of `parseDocument`: `toml-syntax`, `unknown-key` …
 */
export function parseLock(text: string, file: string): ComponentLock {
  const document = parseDocument(file, text, schema);
  const { data } = document;
  if (data.version !== 1) {
    throw problem(document, ['version'], 'lock-version', `the lock has version ${data.version}; Weir reads version 1`);
  }
  return {
    manualBump: data['manual-bump'] ?? 0,
    ...(data['import-commit'] === undefined ? {} : { importCommit: data['import-commit'].toLowerCase() }),
    ...(data['upstream-commit'] === undefined ? {} : { upstreamCommit: data['upstream-commit'].toLowerCase() }),
    ...(data['input-fingerprint'] === undefined ? {} : { inputFingerprint: data['input-fingerprint'] }),
    ...(data['resolution-input-hash'] === undefined ? {} : { resolutionInputHash: data['resolution-input-hash'] }),
  };
}

/** A lock's text, byte for byte as azldev writes it. */
export function formatLock(lock: ComponentLock): string {
  const lines = [header, 'version = 1'];
  const text = (key: string, value: string | undefined): void => {
    if (value !== undefined) lines.push(`${key} = '${value}'`);
  };
  text('import-commit', lock.importCommit);
  text('upstream-commit', lock.upstreamCommit);
  if (lock.manualBump > 0) lines.push(`manual-bump = ${lock.manualBump}`);
  text('input-fingerprint', lock.inputFingerprint);
  text('resolution-input-hash', lock.resolutionInputHash);
  return `${lines.join('\n')}\n`;
}

/**
 * The lock of a component, or undefined if it has none; in a project with pins, none has one.
 * @throws as `parseLock`, with the component's name
 */
export async function readLock(project: LockedProject, name: string): Promise<ComponentLock | undefined> {
  if (project.project.pinFolder !== undefined) return undefined;
  const file = lockPath(project, name);
  const text = await readIfExists(file).catch((error: unknown) => {
    throw folderError(error, project);
  });
  return text === undefined ? undefined : parseLock(text, file);
}

/**
 * All locks of a project by component, including those without a component. Files that can't be read as locks are skipped:
 * `readLock` reports them when their component is used.
 * @param names only of these components
 */
export async function readLocks(
  project: LockedProject,
  names?: readonly string[],
): Promise<Map<string, ComponentLock>> {
  const locks = new Map<string, ComponentLock>();
  await mapLimit(names ?? (await lockNames(project)), 32, async (name) => {
    try {
      const lock = await readLock(project, name);
      if (lock !== undefined) locks.set(name, lock);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
    }
  });
  return new Map([...locks].sort(byKey));
}

/** Whether a project uses locks: it has at least one valid lock. */
export async function hasLocks(project: LockedProject): Promise<boolean> {
  for (const name of await lockNames(project)) {
    try {
      if ((await readLock(project, name)) !== undefined) return true;
    } catch (error) {
      // Other programs use the same file extension.
      if (!(error instanceof WeirError)) throw error;
    }
  }
  return false;
}

/** Names of the files in the lock folder, without extension, sorted; none in a project with pins. */
export async function lockNames(project: LockedProject): Promise<string[]> {
  if (project.project.pinFolder !== undefined) return [];
  return namesEndingIn(lockFolder(project), extension).catch((error: unknown) => {
    throw folderError(error, project);
  });
}

function folderError(error: unknown, project: LockedProject): unknown {
  if (!['ENOTDIR', 'not-a-folder'].includes(systemCode(error) ?? '')) return error;
  return new WeirError('not-a-folder', 'the lock folder is a file', {
    where: { file: lockFolder(project) },
    hint: 'set [project] lock-dir to a folder',
    exit: 2,
    cause: error,
  });
}

/**
 * The lock that a component gets when it is imported from a commit.
 * @param lock the one it has
 */
export function lockAt(
  commit: string,
  lock: ComponentLock | undefined,
  component: ResolvedComponent,
  project: Pick<Project, 'distros'>,
): ComponentLock {
  const hash = resolutionInputHash(component, project);
  return {
    ...lock,
    manualBump: lock?.manualBump ?? 0,
    importCommit: lock?.importCommit ?? commit,
    upstreamCommit: commit,
    ...(hash === undefined ? {} : { resolutionInputHash: hash }),
  };
}

/** Writes a component's lock if its content changes. @returns whether it wrote */
export function writeLock(project: LockedProject, name: string, lock: ComponentLock): Promise<boolean> {
  return writeIfChanged(lockPath(project, name), formatLock(lock));
}

/** Removes a component's lock. */
export async function removeLock(project: LockedProject, name: string): Promise<void> {
  await rm(lockPath(project, name), { force: true });
}

/**
 * Checks a lock against the configuration. In a project without any lock there is nothing to check.
 * @returns the problem, or undefined
 */
export function lockProblem(component: ResolvedComponent, lock: ComponentLock | undefined): WeirError | undefined {
  if (component.spec?.type !== 'upstream') return undefined;
  const where = { file: component.origin.file, line: component.origin.line, component: component.name };
  const hint = `run weir component update ${component.name}`;
  if (lock?.upstreamCommit === undefined) {
    const what = lock === undefined ? 'has no lock, but other components do' : 'has a lock without upstream-commit';
    return new WeirError('no-lock', `the upstream component ${component.name} ${what}`, { where, hint, exit: 2 });
  }
  const { commit: pin } = component.spec;
  if (pin === undefined || sameCommit(pin, lock.upstreamCommit)) return undefined;
  return new WeirError('stale-lock', `the lock of ${component.name} names another commit than its upstream-commit`, {
    where,
    details: [`configured ${pin}`, `locked     ${lock.upstreamCommit}`],
    hint,
    exit: 2,
  });
}

/** Whether one commit id is a prefix of the other, or equal to it. */
export function sameCommit(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return long.toLowerCase().startsWith(short.toLowerCase());
}

/**
 * Digest of everything that determines an upstream component's commit: while it is equal, the locked commit is still
 * right. It equals azldev's (`ComputeResolutionHash`), so each tool can use the other's locks.
 * @returns undefined for a component without upstream, or one whose distro is not configured
 */
export function resolutionInputHash(
  component: ResolvedComponent,
  project: Pick<Project, 'distros'>,
): string | undefined {
  const { spec } = component;
  if (spec?.type !== 'upstream') return undefined;
  const distro = project.distros.get(spec.distro.name);
  if (distro === undefined) return undefined;
  const version = spec.distro.version ?? distro.defaultVersion;
  const inputs = {
    snapshot: spec.distro.snapshot,
    distro_name: spec.distro.name,
    distro_version: spec.distro.version,
    dist_git_branch: version === undefined ? undefined : distro.versions.get(version)?.distGitBranch,
    dist_git_base_uri: distro.distGitBaseUri,
    upstream_commit_pin: spec.commit,
    // The configuration sets an upstream name only if it differs from the component's.
    upstream_name: spec.name === component.name ? undefined : spec.name,
  };
  const hash = createHash('sha256');
  for (const [key, value = ''] of Object.entries(inputs)) {
    hash.update(`${key.length}:${key}=${Buffer.byteLength(value)}:${value}\n`);
  }
  return `sha256:${hash.digest('hex')}`;
}
