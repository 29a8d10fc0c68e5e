import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { renderedDir } from '../overlay/render.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import { readRpm } from '../rpm/read.ts';
import { type PackageScript, packageScripts } from '../rpm/scripts.ts';
import { parseSpec } from '../spec/parse.ts';
import { expandPlain, plainMacros } from '../spec/query.ts';
import { expandScriptMacros } from '../spec/script-macros.ts';
import { specScripts } from '../spec/scripts.ts';
import { classifyScript, runsAtInstall, type ScriptClass } from '../tree/scriptlets.ts';

/** A scriptlet of a package with its class: how composing a tree treats it. */
export interface ClassedScript extends ScriptClass {
  readonly package: string;
  /** Its section in a spec: `post`, `triggerin`, `transfiletriggerin` … */
  readonly script: PackageScript['name'];
  /** Whether it runs when packages are installed into an empty root; the others never run on a tree. */
  readonly atInstall: boolean;
  readonly interpreter: readonly string[];
  readonly flags?: PackageScript['flags'];
  /** Packages or path prefixes that activate a trigger. */
  readonly on?: readonly string[];
  readonly priority?: number;
  /** The package file, or the spec. */
  readonly file: string;
  /** Line in the spec, from 1. */
  readonly line?: number;
  /** The macro in the spec that may generate the scriptlet, such as `%ldconfig_scriptlets`. */
  readonly madeBy?: string;
}

/** The scriptlets of a package file, with their classes. @throws WeirError `no-rpm`, `bad-rpm` */
export async function rpmFileScripts(file: string): Promise<ClassedScript[]> {
  const pkg = await readRpm(file);
  return packageScripts(pkg).map((script) => classed(pkg.name, script, { file }));
}

/** The scriptlets of a spec file, of every branch of its conditionals. @throws WeirError `no-spec` */
export async function specFileScripts(file: string): Promise<ClassedScript[]> {
  if (!existsSync(file)) throw new WeirError('no-spec', 'spec file not found', { where: { file } });
  const spec = parseSpec(await readFile(file));
  const macros = plainMacros(spec);
  const main = expandPlain('%{name}', macros);
  return specScripts(spec).map(({ line, package: named, wholeName, madeBy, ...script }) =>
    classed(
      named === '' ? main : wholeName ? named : `${main}-${named}`,
      { ...script, script: expandScriptMacros(script.script, macros) },
      { file, line: line + 1, ...(madeBy === undefined ? {} : { madeBy }) },
    ),
  );
}

function classed(
  pkg: string,
  script: PackageScript,
  place: Pick<ClassedScript, 'file' | 'line' | 'madeBy'>,
): ClassedScript {
  const { name, interpreter, flags, on, priority } = script;
  return {
    package: pkg,
    script: name,
    ...classifyScript(script),
    atInstall: runsAtInstall(name),
    interpreter,
    ...(flags === undefined ? {} : { flags }),
    ...(on === undefined ? {} : { on }),
    ...(priority === undefined ? {} : { priority }),
    ...place,
  };
}

export interface ComponentScripts {
  readonly scripts: readonly ClassedScript[];
  /** Components without a rendered or local spec. */
  readonly missing: readonly string[];
}

/** The scriptlets of the components' rendered specs; a component that is not rendered is read from its local spec. */
export async function componentScripts(
  project: Project,
  components: readonly ResolvedComponent[],
): Promise<ComponentScripts> {
  const root = renderedSpecsDir(project);
  const missing: string[] = [];
  const found = await mapLimit(components, 4, async ({ name, spec }) => {
    const rendered = join(root, renderedDir(name), `${name}.spec`);
    const file = existsSync(rendered) ? rendered : spec?.type === 'local' ? spec.path : undefined;
    if (file !== undefined && existsSync(file)) return specFileScripts(file);
    missing.push(name);
    return [];
  });
  return { scripts: found.flat(), missing: missing.sort() };
}
