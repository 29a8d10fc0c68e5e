import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { installRoot } from '../base/paths.ts';
import type { Progress } from '../base/progress.ts';
import { openWorkspace, type Workspace } from '../release/workspace.ts';
import type { GlobalOptions } from './program.ts';

/** The workspace of `-C`, of the working folder, or, where that is in no project, of the distribution that Weir comes with. */
export async function workspaceFor(globals: GlobalOptions, progress: Progress, out?: string): Promise<Workspace> {
  const options = { progress, ...(out === undefined ? {} : { out }) };
  try {
    return await openWorkspace({ ...options, directory: globals.directory ?? process.cwd() });
  } catch (error) {
    if (globals.directory !== undefined || !(error instanceof WeirError) || error.code !== 'no-project') throw error;
    return openWorkspace({ ...options, directory: join(installRoot, 'distro') });
  }
}
