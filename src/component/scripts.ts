import { createHash } from 'node:crypto';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { lastLines, tail } from '../base/process.ts';
import { inStage } from '../base/progress.ts';
import { type BuildContext, type Buildroot, logFolder, planBuildroot } from '../build/buildroot.ts';
import { outputFile, perform } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { scriptLimits } from '../engine/limits.ts';
import { runSandboxed } from '../engine/sandbox.ts';
import { type OpenArchive, packArchive } from '../overlay/archive.ts';
import type { Compression } from '../overlay/compression.ts';
import { defaultRelease } from '../project/release-default.ts';
import type { ScriptRequest } from '../sources/source-files.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { hasPackage, type Inputs, inputsStage } from '../workspace/inputs.ts';
import { type ProjectWorkspace, toolboxStage, type Workspace } from '../workspace/workspace.ts';

/** Paths of a script, its inputs and its output folder in the sandbox: those that azldev's scripts expect. */
const inside = { script: '/azldev-gen/script', output: '/azldev-gen/output' } as const;

/**
 * Runs the scripts of custom source files, each in a buildroot with the packages that it names, without network. The content
 * of the output folder becomes the archive, packed so that the same files always give the same bytes.
 */
export function scriptRunner(workspace: ProjectWorkspace): (request: ScriptRequest) => Promise<string> {
  let opened: Promise<readonly [Workspace, Toolbox, Inputs]> | undefined;
  const open = async (): Promise<readonly [Workspace, Toolbox, Inputs]> => {
    const release = workspace.project.release ?? defaultRelease(workspace.project);
    const whole: Workspace = { ...workspace, release, clock: release.epoch };
    const toolbox = await toolboxStage(whole, 'core');
    return [whole, toolbox, await inputsStage(whole, toolbox)];
  };
  return async (request) => {
    // Checked before anything is built: an invalid name should not cost a buildroot.
    const compression = compressionOfName(request.filename);
    opened ??= open();
    const [whole, toolbox, inputs] = await opened;
    return inStage(whole.progress, 'script', async (stage) => {
      stage.update(`${basename(request.script)} makes ${request.filename}`);
      const { engine, cache, arch, clock } = whole;
      const context: BuildContext = { engine, toolbox, cache, arch, clock };
      const wanted = [...inputs.buildRoot.filter((name) => hasPackage(inputs, name)), ...request.packages];
      const root = await planBuildroot(
        context,
        inputs.sources,
        [...new Set(wanted)].sort(),
        `making ${request.filename}`,
      );
      const digests: Record<string, string> = {};
      for (const [name, path] of request.inputs) digests[name] = await fileDigest(path);
      const result = await perform(engine, {
        kind: 'custom-source',
        code: codeDigest(import.meta.url),
        inputs: {
          root: root.digest,
          clock,
          filename: request.filename,
          script: await fileDigest(request.script),
          inputs: digests,
          ...(request.expected === undefined ? {} : { hash: request.expected.hash }),
        },
        run: async (work) => ({ files: { archive: await runScript(context, root, request, compression, work) } }),
      });
      const path = await outputFile(engine, result, 'archive');
      return { result: path, summary: `${request.filename} of ${request.component}`, cached: result.cached };
    });
  };
}

/** @throws WeirError `bad-archive-name` (exit 2) */
function compressionOfName(filename: string): Compression {
  const endings: readonly (readonly [RegExp, Compression])[] = [
    [/\.(tar\.gz|tgz)$/i, 'gzip'],
    [/\.(tar\.xz|txz)$/i, 'xz'],
    [/\.(tar\.zst|tzst)$/i, 'zstd'],
    [/\.tar$/i, 'none'],
  ];
  const found = endings.find(([ending]) => ending.test(filename))?.[1];
  if (found !== undefined) return found;
  throw new WeirError('bad-archive-name', `${filename} is made by a script, so it must be a tar archive`, {
    hint: 'name it .tar, .tar.gz, .tar.xz or .tar.zst',
    exit: 2,
  });
}

async function runScript(
  context: BuildContext,
  root: Buildroot,
  request: ScriptRequest,
  compression: Compression,
  work: string,
): Promise<string> {
  const folder = (name: string): Promise<string> => mkdir(join(work, name)).then(() => join(work, name));
  const [scriptDir, output] = [await folder('script'), await folder('output')];
  // Copies, because the script may change and remove them.
  const name = basename(request.script);
  for (const [file, path] of [[name, request.script] as const, ...request.inputs]) {
    await copyFile(path, join(scriptDir, file));
    await chmod(join(scriptDir, file), file === name ? 0o755 : 0o644);
  }
  const log = join(work, 'script.log');
  const outcome = await runSandboxed(context.toolbox.jail, {
    code: 'untrusted',
    limits: { ...scriptLimits, ...context.toolbox.limits },
    root: await root.open(),
    binds: [
      { from: scriptDir, to: inside.script, writable: true },
      { from: output, to: inside.output, writable: true },
    ],
    argv: ['sh', '-c', 'exec "./$1"', 'sh', name],
    env: { SOURCE_DATE_EPOCH: String(context.clock), HOME: '/tmp' },
    cwd: inside.script,
    log,
  });
  if (outcome.code !== 0) {
    const kept = join(logFolder(context.cache), `${request.component}.script.failed.log`);
    await mkdir(logFolder(context.cache), { recursive: true });
    await copyFile(log, kept);
    throw new WeirError(
      'script-failed',
      `${name}, which makes ${request.filename}, failed with exit code ${outcome.code}`,
      {
        where: { file: request.script, component: request.component },
        details: lastLines(await tail(log), 15),
        hint: `it runs without network: what it needs must be in "inputs" or "mock-packages"; the whole log is ${kept}`,
      },
    );
  }
  const entries = await entriesOf(output, request);
  const tree = new Map(
    [...entries].map(([path, { bytes }]) => [path, { kind: 'bytes', bytes, executable: false }] as const),
  );
  const packed = join(work, 'archive');
  const { expected } = request;
  const isExpected = (bytes: Uint8Array): boolean =>
    expected === undefined ||
    createHash(expected.hashType.toLowerCase()).update(bytes).digest('hex') === expected.hash.toLowerCase();
  await writeFile(packed, packArchive({ name: request.filename, compression, entries, tree }, isExpected));
  return packed;
}

/** Limit in bytes of a script's output: it is held in memory while it is packed. */
const largestOutput = 2 * 2 ** 30;

type Entry = OpenArchive['entries'] extends ReadonlyMap<string, infer T> ? T : never;

/** The content of the output folder. Names are held as one character per byte, because they may not be UTF-8. */
async function entriesOf(output: string, request: ScriptRequest): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>();
  const bad = (message: string): WeirError =>
    new WeirError('script-output', message, { where: { file: request.script, component: request.component } });
  const onDisk = (path: string): Buffer => Buffer.from(`${Buffer.from(output).toString('latin1')}/${path}`, 'latin1');
  let size = 0;
  const walk = async (below: string): Promise<void> => {
    for (const name of (await readdir(onDisk(below), { encoding: 'latin1' })).sort()) {
      const raw = below === '' ? name : `${below}/${name}`;
      const info = await lstat(onDisk(raw));
      const entry = { raw, mode: info.mode & 0o777, target: '', bytes: new Uint8Array() };
      if (info.isDirectory()) {
        found.set(raw, { ...entry, kind: 'directory' });
        await walk(raw);
      } else if (info.isSymbolicLink()) {
        const target = await readlink(onDisk(raw), { encoding: 'latin1' });
        found.set(raw, { ...entry, kind: 'link', mode: 0o777, target });
      } else if (info.isFile()) {
        size += info.size;
        if (size > largestOutput) throw bad(`${basename(request.script)} wrote more than ${largestOutput} bytes`);
        found.set(raw, { ...entry, kind: 'file', bytes: await readFile(onDisk(raw)) });
      } else {
        throw bad(`${basename(request.script)} wrote ${raw}, which is not a file, folder or symlink`);
      }
    }
  };
  await walk('');
  if (found.size === 0) throw bad(`${basename(request.script)} wrote nothing to ${inside.output}`);
  return found;
}
