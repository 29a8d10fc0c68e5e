import { type Command, Option } from 'commander';
import { specOriginWords } from '../../audit/identity.ts';
import { shownLine } from '../../base/foreign-text.ts';
import {
  type EvidenceOrigin,
  evidenceDocument,
  findEvidence,
  originWords,
  type PackageEvidence,
} from '../../release/package-evidence-find.ts';
import type { ListedOverlay, ListedSource } from '../../release/package-evidence-read.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly format: 'summary' | 'provenance' | 'spdx';
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<package>', 'NEVRA or name of a package of the last release built')
    .addOption(
      new Option('--format <format>', 'provenance: the signed envelope; spdx: the SPDX document, as published')
        .choices(['summary', 'provenance', 'spdx'])
        .default('summary'),
    )
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Shows what a package was built from: spec, sources with upstream's address and
hash, overlays with their reasons, the packages of the buildroot, and the
signature. For packages that Weir did not build, it shows where they are from.
${examples([
  'weir package evidence less',
  'weir package evidence less-668-1.wl4.x86_64 --json',
  'weir package evidence less --format provenance | jq -r .payload | base64 -d',
])}`,
    )
    .action(async (text: string, { format, out }: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), out);
      if (format !== 'summary') {
        process.stdout.write(await evidenceDocument(workspace, text, format));
        return;
      }
      const found = await findEvidence(workspace, text);
      printResult(settings, found, () => evidenceScreen(found));
      if (found.file !== 'as recorded') process.exitCode = 1;
    });
}

export function evidenceScreen(found: PackageEvidence): string {
  const { origin } = found;
  const rows: (readonly [string, string])[] = [
    ['package', found.nevra],
    ['channel', found.channel],
    ...(origin.kind === 'built'
      ? builtRows(origin)
      : ([['not built', `${originWords(origin)}; there is no provenance`]] as const)),
    ['SHA-256', found.sha256],
    ...(found.unsigned === undefined ? [] : ([['unsigned', found.unsigned]] as const)),
    ...(found.header === undefined ? [] : ([['header', found.header]] as const)),
    ['file', found.file],
    ...(origin.kind === 'built' ? signatureRows(origin) : []),
  ];
  const lines = rows.map(([key, value]) => `${key.padEnd(12)}${shownLine(value)}`);
  if (origin.kind !== 'built') return lines.join('\n');
  const { sources, overlays } = origin.build;
  return [
    ...lines,
    '',
    table(['SOURCE', 'SHA-256', 'OVERLAYS', 'UPSTREAM'], sources.map(sourceRow), 'no sources'),
    '',
    table(['', 'OVERLAY', 'CATEGORY', 'UPSTREAM', 'CVE', 'REASON'], overlays.map(overlayRow), 'no overlays'),
  ].join('\n');
}

type Built = Extract<EvidenceOrigin, { readonly kind: 'built' }>;

function builtRows({ source, build }: Built): (readonly [string, string])[] {
  const { component, specFrom, buildroot, toolbox, options } = build;
  const { checkSkipped, ...others } = options;
  return [
    ['built from', [`component ${component}`, source.file].join(', ')],
    ...(specFrom === undefined ? [] : [['spec', specOriginWords(specFrom)] as const]),
    ...(Object.keys(others).length === 0 ? [] : [['options', JSON.stringify(others)] as const]),
    ...(checkSkipped === undefined ? [] : [['no tests', checkSkipped] as const]),
    ['built in', `${buildroot.length} packages, by the toolbox ${toolbox.slice(0, 16)}`],
  ];
}

function signatureRows({ signature, files }: Built): (readonly [string, string])[] {
  const { keyId, development } = signature;
  const note = development ? ", this machine's development key" : '';
  return [
    ['signed by', `image key ${keyId.slice(0, 16)}${note}: valid`],
    ['provenance', files.provenance],
    ['SPDX', files.spdx],
  ];
}

function sourceRow({ name, digest, overlays = [], uri }: ListedSource): string[] {
  return [name, digest.sha256 ?? '', overlays.join(', ') || '-', uri ?? '-'];
}

function overlayRow({ number, type, category, upstreamStatus, cves = [], description }: ListedOverlay): string[] {
  return [String(number), type, category ?? '-', upstreamStatus ?? '-', cves.join(', ') || '-', description];
}
