import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError, withContext } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { applyOverlays, archiveOf } from '../overlay/apply.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { Project } from '../project/model/project.ts';
import type { Configuration } from '../project/resolve.ts';
import { sorted, specificationDifferences } from '../project/specification.ts';
import { parseSpec, type Spec } from '../spec/parse.ts';
import { tags } from '../spec/query.ts';
import type { Origin } from '../toml/place.ts';

/** The result of checking a project against the specification. */
export interface SpecificationReport {
  readonly differences: readonly WeirError[];
  /** Components whose specs are in a dist-git, and were not looked at. */
  readonly unchecked: number;
}

/**
 * Checks a project against the draft Distro TOML specification, revision 0.1: its files, the specs in the project, and its overlays on
 * these specs. Nothing is fetched, so specs of upstream are not checked.
 */
export async function checkSpecification(configuration: Configuration): Promise<SpecificationReport> {
  const { project } = configuration;
  const components = [...project.components.values()];
  const local = components.filter(({ spec }) => spec?.type === 'local');
  const found = [...specificationDifferences(configuration)];
  found.push(...(await mapLimit(local, 4, localDifferences)).flat());
  found.push(...(await sourceDifferences(project)));
  const unchecked = components.filter(({ spec }) => spec?.type === 'upstream').length;
  return { differences: sorted(found), unchecked };
}

/** The differences of a component with a spec in the project. */
async function localDifferences(component: ResolvedComponent): Promise<WeirError[]> {
  if (component.spec?.type !== 'local') return [];
  const { path } = component.spec;
  let spec: Spec;
  try {
    spec = parseSpec(await readFile(path));
  } catch {
    const { file, line } = component.origin;
    const where = { file, line, column: columnOf(component.origin), component: component.name };
    return [new WeirError('no-spec', `the spec ${path} cannot be read`, { where, exit: 2 })];
  }
  const found = specDifferences(path, spec);
  if (component.release.calculation === 'static') {
    const [release] = tags(spec, { name: 'Release', package: '' });
    if (release !== undefined && !/^\d+%\{\?dist\}$/.test(release.value)) {
      const message = `release.calculation = "static" needs Release: N%{?dist}, not ${release.value}`;
      found.push(difference(path, release.line, 'release', message));
    }
  }
  const overlays = component.overlays.filter((overlay) => archiveOf(overlay) === undefined);
  for (const overlay of overlays) {
    if (overlay.type !== 'file-add' || existsSync(dirname(join(dirname(path), overlay.file)))) continue;
    const { file, line } = overlay.origin;
    const where = { file, line, column: columnOf(overlay.origin), component: component.name };
    const message = `the folder of ${overlay.file} does not exist; the specification makes none for a file-add`;
    found.push(new WeirError('file', message, { where, exit: 2 }));
  }
  if (overlays.length > 0) {
    const failed = (_number: number, { origin }: Overlay, error: WeirError): void => {
      found.push(withContext(error, { where: { ...error.where, column: columnOf(origin) } }));
    };
    await applyOverlays(
      { component: { ...component, overlays, specified: true }, filesDir: dirname(path), specPath: path },
      { failed },
    );
  }
  return found;
}

/** Sections of scripts, whose headers take options. */
const scripts =
  /^%(pre|post|preun|postun|pretrans|posttrans|preuntrans|postuntrans|verifyscript|triggerin|triggerun|triggerprein|triggerpostun|filetriggerin|filetriggerun|filetriggerpostun|transfiletriggerin|transfiletriggerun|transfiletriggerpostun)$/;

/** What the specification's grammar of specs does not allow. */
export function specDifferences(path: string, spec: Spec): WeirError[] {
  const found: WeirError[] = [];
  const packages = new Map<string, number>();
  for (const { header, key, package: name, wholeName, maker } of spec.sections) {
    if (header < 0 || maker !== undefined) continue;
    const words = spec.lines[header]!.text.trim().split(/\s+/);
    if (key === '%package') {
      const id = `${wholeName ? '-n ' : ''}${name}`;
      const before = packages.get(id);
      if (before !== undefined) {
        found.push(
          difference(path, header, 'spec-grammar', `a second %package ${id}: the first is in line ${before + 1}`),
        );
      } else packages.set(id, header);
    }
    if (!scripts.test(key)) continue;
    const option = words.slice(1).find((word) => /^-[a-zA-Z]/.test(word) && word !== '-n');
    if (key.includes('trigger') && words.includes('--')) {
      found.push(
        difference(path, header, 'spec-grammar', `${key} has a condition, which the specification does not read`),
      );
    } else if (option !== undefined) {
      found.push(
        difference(
          path,
          header,
          'spec-grammar',
          `${key} has the option ${option}, which the specification does not read`,
        ),
      );
    }
  }
  for (const [line, { text }] of spec.lines.entries()) {
    if (spec.joined[line] === true || !/^\s*%define\b/.test(text)) continue;
    if (spec.joined[line + 1] === true) {
      found.push(
        difference(path, line, 'spec-grammar', 'a %define of several lines, which the specification does not read'),
      );
    }
  }
  return found;
}

/** Files that overlays add must be UTF-8 text with LF and one newline at the end. */
async function sourceDifferences({ components }: Project): Promise<WeirError[]> {
  const overlays = [...components.values()].flatMap((component) => component.overlays);
  const paths = overlays.flatMap((one) => (one.type === 'file-add' || one.type === 'patch-add' ? [one.source] : []));
  const found = await mapLimit([...new Set(paths)].sort(), 16, async (path) => {
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch {
      // The overlay itself reports a missing source.
      return [];
    }
    const lineAt = (end: number): number => bytes.subarray(0, end).toString('latin1').split('\n').length - 1;
    if (!isUtf8(bytes)) return [difference(path, 0, 'file', 'a file that an overlay adds must be UTF-8 text')];
    const carriage = bytes.indexOf('\r\n');
    if (carriage >= 0) return [difference(path, lineAt(carriage), 'file', 'the line ends in CR LF, not in LF')];
    const ends = bytes.length === 0 || (bytes.at(-1) === 0x0a && bytes.at(-2) !== 0x0a);
    return ends ? [] : [difference(path, lineAt(bytes.length - 1), 'file', 'the file must end in one newline')];
  });
  return found.flat();
}

/** Where the line of an overlay begins, from 1. */
function columnOf({ file, line }: Origin): number {
  const text = readFileSync(file, 'utf8').split('\n')[line - 1] ?? '';
  return text.length - text.trimStart().length + 1;
}

/** @param line from 0 */
function difference(file: string, line: number, code: string, message: string): WeirError {
  return new WeirError(code, message, { where: { file, line: line + 1, column: 1 }, exit: 2 });
}
