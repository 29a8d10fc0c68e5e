import { type Command, Option } from 'commander';
import { megabytes, signedSize } from '../../base/progress.ts';
import { diffBuilt } from '../../release/image/diff-built.ts';
import {
  type FileChange,
  fileReasons,
  type ImageDiff,
  type PackageFiles,
  type ReleaseDiff,
  type SizeChange,
} from '../../release/image/image-diff.ts';
import type { ListingLine } from '../../tree/listing.ts';
import { packagesText } from '../package-changes.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

/** Rows of the size table; the JSON has all. */
const largest = 12;

export function register(command: Command, globals: () => GlobalOptions): void {
  const what = 'name of a built image, folder of an image, or folder or release.json of a release';
  command
    .argument('<a>', what)
    .argument('<b>', 'image or release to compare with, in the same forms as <a>')
    .addOption(new Option('--packages', 'compare packages only; works without a tree, too').conflicts('files'))
    .option('--files', 'list every file, including those of packages whose version changed')
    .option('--out <dir>', 'output folder of the build, for images given by name')
    .addHelpText(
      'after',
      examples([
        'weir image diff container-base vm-base',
        'weir image diff ../yesterday/images/vm-base vm-base',
        'weir image diff --packages ../yesterday/release.json out/release.json',
        "weir image diff old/out out --json | jq '.images.compared[].files.listed[]'",
      ]),
    )
    .action(async (a: string, b: string, options: { packages?: boolean; files?: boolean; out?: string }) => {
      const settings = globals();
      const diff = await diffBuilt(() => projectWorkspaceFor(settings, progressFor(settings), options.out), a, b, {
        packagesOnly: options.packages === true,
        allFiles: options.files === true,
      });
      printResult(settings, diff, (diff.type === 'image' ? imageText(diff) : releaseText(diff)).join('\n\n'));
    });
}

function releaseText({ a, b, channels, images }: ReleaseDiff): string[] {
  const facts = [a, b].map(({ version, snapshot, place }, index) => ['AB'[index]!, version, snapshot, place]);
  return [
    table(['', 'VERSION', 'SNAPSHOT', 'RELEASE'], facts, ''),
    ...channels.map(({ name, packages }) => packagesText(`channel ${name}`, packages)),
    ...images.removed.map((name) => `image ${name}: only in A`),
    ...images.added.map((name) => `image ${name}: only in B`),
    ...images.compared.flatMap((image) => [`== ${image.a.name}`, ...imageText(image)]),
  ];
}

function imageText({ a, b, packages, files, sizes }: ImageDiff): string[] {
  const facts = [a, b].map((image, index) => [
    'AB'[index]!,
    image.name,
    image.snapshot,
    String(image.packages),
    String(image.files ?? '-'),
    megabytes(image.installedSize),
    image.place,
  ]);
  const heading = table(['', 'IMAGE', 'SNAPSHOT', 'PACKAGES', 'FILES', 'INSTALLED', 'FOLDER'], facts, '');
  const labels = { both: [], neither: [], a: ['only A has'], b: ['only B has'] } as const;
  const who = files === undefined ? [] : labels[files.labelled];
  const head = [heading, ...who.map((side) => `${side} SELinux labels: not compared`)];
  if (packages.length === 0 && (files === undefined || files.listed.length === 0)) {
    return [...head, files === undefined ? 'packages: no differences' : 'no differences in packages, files and sizes'];
  }
  return [
    ...head,
    ...(files === undefined ? [] : filesText(files.listed)),
    packagesText('packages', packages, files === undefined ? undefined : filesColumn(files.byPackage)),
    ...(sizes === undefined ? [] : [sizesText(b.installedSize - a.installedSize, sizes)]),
  ];
}

const reasons: Readonly<Record<FileChange['reason'], string>> = {
  'unchanged-package': 'files that differ although their package has the same version',
  privilege: 'files that gained set-user-ID, set-group-ID or capabilities',
  'no-package': 'files without a package',
  'changed-package': 'files of packages whose version differs',
};

function filesText(listed: readonly FileChange[]): string[] {
  return fileReasons.flatMap((reason) => {
    const own = listed.filter((file) => file.reason === reason);
    if (own.length === 0) return [];
    const owned = reason !== 'no-package';
    const rows = own.map((file) => [
      signs[file.change],
      file.path,
      ...(owned ? [ownersText(file)] : []),
      fileText(file),
    ]);
    const heading = ['', 'PATH', ...(owned ? ['PACKAGE'] : []), 'DIFFERENCE'];
    return [`${reasons[reason]}: ${own.length}\n${table(heading, rows, '')}`];
  });
}

const signs = { added: '+', removed: '-', changed: '~' } as const;

function ownersText({ before, after }: FileChange): string {
  return (after ?? before)?.packages?.join(', ') ?? '-';
}

function fileText({ aspects, before, after, below }: FileChange): string {
  if (before === undefined || after === undefined) {
    const entry = (after ?? before)!;
    const more = [
      entry.size === undefined ? undefined : `${entry.size} bytes`,
      entry.capabilities,
      entry.target,
      below === undefined ? undefined : `and ${below.entries} entries below it, ${megabytes(below.bytes)}`,
    ];
    const owner = `${entry.user}:${entry.group}`;
    const attributes = [entry.kind, entry.mode, ...(owner === 'root:root' ? [] : [owner])].join(' ');
    return [attributes, ...more].filter((each) => each !== undefined).join(', ');
  }
  return aspects.map((aspect) => aspectText(aspect, before, after)).join(', ');
}

function aspectText(aspect: FileChange['aspects'][number], before: ListingLine, after: ListingLine): string {
  if (aspect === 'content') return 'content';
  const of = (line: ListingLine): string => {
    const value = { ...line, type: line.kind, owner: line.user }[aspect];
    return (typeof value === 'object' ? value.join('+') : value?.toString()) || 'none';
  };
  return `${aspect === 'hardlink' ? 'hard link' : aspect} ${of(before)} → ${of(after)}`;
}

function filesColumn(files: readonly PackageFiles[]): Parameters<typeof packagesText>[2] {
  return { heading: 'FILES', cell: ({ name }) => filesOf(files.find((each) => each.package === name)) };
}

function filesOf(files: PackageFiles | undefined): string {
  if (files === undefined) return '-';
  return (['added', 'removed', 'changed'] as const)
    .flatMap((change) => (files[change] === 0 ? [] : [`${signs[change]}${files[change]}`]))
    .join(' ');
}

function sizesText(difference: number, sizes: readonly SizeChange[]): string {
  if (sizes.length === 0) return 'size: no difference';
  const rows = sizes
    .slice(0, largest)
    .map((size) => [
      size.package ?? '(no package)',
      signedSize(size.after - size.before),
      megabytes(size.before),
      megabytes(size.after),
    ]);
  const more = sizes.length > largest ? [`and ${sizes.length - largest} smaller differences`] : [];
  const heading = ['PACKAGE', 'DIFFERENCE', 'A', 'B'];
  return [`size: ${signedSize(difference)}`, table(heading, rows, ''), ...more].join('\n');
}
