import { dirname } from 'node:path';
import type { ConfigDocument } from './include.ts';
import type { RawFile } from './schema/file.ts';

type Templates = NonNullable<NonNullable<RawFile['resources']>['rpm-repo-set-templates']>;

/** Layouts that every project has without defining them; azldev's projects rely on them. */
const templates: Templates = {
  'azl-standard': {
    description: 'The channels base and sdk, each with binary, debug and source packages',
    subrepos: ['base', 'sdk'].flatMap((channel) => [
      { name: channel, kind: 'binary' as const, subpath: `${channel}/$basearch` },
      { name: `${channel}-debug`, kind: 'debug' as const, subpath: `${channel}/debuginfo/$basearch` },
      { name: `${channel}-src`, kind: 'source' as const, subpath: `${channel}/srpms` },
    ]),
  },
  'koji-dist-repo': {
    description: "Koji's dist-repos: per architecture binary and debug packages, sources beside them",
    subrepos: [
      { name: 'binary', kind: 'binary', subpath: '$basearch' },
      { name: 'debug', kind: 'debug', subpath: '$basearch/debug' },
      { name: 'src', kind: 'source', subpath: 'src' },
    ],
  },
};

const everywhere: RawFile = {
  project: { 'rendered-specs-dir': 'specs', 'lock-dir': 'locks' },
  resources: { 'rpm-repo-set-templates': templates },
};

/** Layouts that azldev has built in besides. */
const azldev: RawFile = {
  ...everywhere,
  project: {
    ...everywhere.project,
    'log-dir': 'build/logs',
    'work-dir': 'build/work',
    'output-dir': 'out',
    'default-author-email': 'azurelinux@microsoft.com',
  },
  tools: { imageCustomizer: { containerTag: 'mcr.microsoft.com/azurelinux/imagecustomizer:1' } },
};

/** Stands for the file name where a value is built in. */
export const builtIn = 'built in';

/** The built-in values, as a document that merges before all files. Its paths are relative to the root file. */
export function defaultsFor(rootFile: string, isAzldev: boolean): ConfigDocument {
  return {
    path: builtIn,
    dir: dirname(rootFile),
    text: '',
    data: isAzldev ? azldev : everywhere,
    lines: () => undefined,
    reasons: 'optional',
    read: { path: builtIn, from: 'built-in' },
  };
}
