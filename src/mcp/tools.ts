import { z } from 'zod';
import { severities } from '../advisory/schema.ts';
import { componentStates } from '../advisory/state.ts';

/** How an argument of a tool becomes words of the command line. */
type Parameter =
  | { readonly as: 'word' | 'words'; readonly about: string; readonly required?: boolean }
  | {
      readonly as: 'value' | 'values';
      readonly option: string;
      readonly about: string;
      readonly required?: boolean;
      readonly choices?: readonly [string, ...string[]];
    }
  | { readonly as: 'switch'; readonly option: string; readonly about: string };

/** A command that a client may call: its `--json` result is the tool's. */
export interface Tool {
  readonly name: string;
  readonly about: string;
  /** The words of the command. */
  readonly command: readonly string[];
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Whether the result is an array, of which a client may ask for a part. */
  readonly rows?: boolean;
  /** Whether the command may have to download sources or tools. */
  readonly network?: boolean;
  /** Whether the command has `--out`. */
  readonly built?: boolean;
}

const selection = {
  names: { as: 'words', about: 'names of components' },
  patterns: { as: 'values', option: '--component', about: 'globs of component names, such as python-*' },
  groups: { as: 'values', option: '--group', about: 'names of component groups' },
  all: { as: 'switch', option: '--all', about: 'all components' },
} as const satisfies Record<string, Parameter>;
const component = { name: { as: 'word', required: true, about: 'name of the component' } } as const;
const image = { name: { as: 'word', required: true, about: 'name of the image' } } as const;

/** Only commands that change nothing in the project, sorted by noun. */
export const tools: readonly Tool[] = [
  {
    name: 'component_list',
    about: 'List components with their spec source, number of overlays, channel and groups.',
    command: ['component', 'list'],
    parameters: selection,
    rows: true,
  },
  {
    name: 'component_show',
    about:
      'Show a component with all settings that it inherits, its overlays with reasons, and the tables it is made of.',
    command: ['component', 'show'],
    parameters: component,
  },
  {
    name: 'component_query',
    about:
      'Show packages, dependencies and sources of rendered specs with macros expanded, or with spec the text of one rendered spec.',
    command: ['component', 'query'],
    parameters: {
      ...selection,
      spec: { as: 'switch', option: '--spec', about: 'the rendered spec, of one component' },
    },
    network: true,
  },
  {
    name: 'component_diff',
    about: 'Show what the overlays of components change, as a diff from the upstream files to the rendered ones.',
    command: ['component', 'diff'],
    parameters: selection,
    rows: true,
    network: true,
  },
  {
    name: 'component_changed',
    about: 'List components that changed between two commits of the project, and which part of them.',
    command: ['component', 'changed'],
    parameters: {
      ...selection,
      from: { as: 'value', option: '--from', required: true, about: 'commit to compare from; . is the working tree' },
      to: { as: 'value', option: '--to', about: 'commit to compare to, default HEAD; . is the working tree' },
      includeUnchanged: { as: 'switch', option: '--include-unchanged', about: 'list unchanged components, too' },
    },
  },
  {
    name: 'component_history',
    about: 'Show which commits of the project changed components; for a single component, what each changed.',
    command: ['component', 'history'],
    parameters: {
      ...selection,
      includeBare: { as: 'switch', option: '--include-bare', about: 'components that only inherit settings, too' },
    },
    rows: true,
  },
  {
    name: 'component_log',
    about: "Name the log of a component's last build.",
    command: ['component', 'log'],
    parameters: component,
  },
  {
    name: 'overlay_list',
    about: 'List overlays with their reasons and places: what the distribution changes, and why.',
    command: ['overlay', 'list'],
    parameters: selection,
    rows: true,
  },
  {
    name: 'overlay_explain',
    about: 'Show what each overlay of a component changes, as a diff for each step.',
    command: ['overlay', 'explain'],
    parameters: { component: { as: 'word', required: true, about: 'name of the component' } },
    network: true,
  },
  {
    name: 'overlay_check',
    about: 'Find overlays that fail, have no effect, were taken in by upstream, or lack a description or metadata.',
    command: ['overlay', 'check'],
    parameters: {
      ...selection,
      withoutSources: { as: 'switch', option: '--no-sources', about: 'check only the configuration' },
      olderThan: { as: 'value', option: '--older-than', about: 'report backports older than this, such as 180d' },
    },
    network: true,
  },
  {
    name: 'divergence',
    about: 'List all differences from upstream by component, category, upstream status and age.',
    command: ['divergence'],
    parameters: {},
  },
  {
    name: 'package_list',
    about:
      'List packages of the built release, or, in a project without a release, those that the configuration names.',
    command: ['package', 'list'],
    parameters: {
      channel: { as: 'value', option: '--channel', about: 'only packages of this channel' },
      own: { as: 'switch', option: '--own', about: 'only packages built by components' },
      all: { as: 'switch', option: '--all', about: 'packages that components and groups name' },
    },
    rows: true,
    built: true,
  },
  {
    name: 'package_evidence',
    about:
      'Show what a package of the built release was built from: spec, sources, overlays with reasons, buildroot, digests, signature.',
    command: ['package', 'evidence'],
    parameters: { package: { as: 'word', required: true, about: 'NEVRA or name of the package' } },
    built: true,
  },
  {
    name: 'image_list',
    about: 'List images with their kind, formats and build.',
    command: ['image', 'list'],
    parameters: {},
    rows: true,
    built: true,
  },
  {
    name: 'image_show',
    about: 'Show a built image: packages, files, digests.',
    command: ['image', 'show'],
    parameters: image,
    built: true,
  },
  {
    name: 'inputs_list',
    about: 'List the RPM repositories that the project builds from.',
    command: ['inputs', 'list'],
    parameters: {},
  },
  {
    name: 'repo_list',
    about: 'List the repositories of the built release.',
    command: ['repo', 'list'],
    parameters: {},
    rows: true,
    built: true,
  },
  {
    name: 'repo_compare',
    about: 'Compare the packages of two repositories, repository sets or snapshots by name and version.',
    command: ['repo', 'compare'],
    parameters: {
      left: { as: 'value', option: '--left', required: true, about: 'URL, folder, name in the project, or snapshot' },
      right: { as: 'value', option: '--right', required: true, about: 'the same' },
      arches: { as: 'values', option: '--arch', choices: ['x86_64', 'aarch64'], about: 'architectures' },
      template: { as: 'value', option: '--template', about: 'layout of repositories below URLs, such as azl-standard' },
      missingFromRight: { as: 'switch', option: '--missing-from-right', about: 'only packages that the right lacks' },
      stat: { as: 'switch', option: '--stat', about: 'only the numbers' },
      withoutDebug: { as: 'switch', option: '--no-debuginfo', about: 'omit debug packages' },
      withoutSources: { as: 'switch', option: '--no-srpms', about: 'omit source packages' },
    },
    built: true,
    network: true,
  },
  {
    name: 'release_show',
    about: 'Show the built release: channels, packages, components, images and inputs.',
    command: ['release', 'show'],
    parameters: {},
    built: true,
  },
  {
    name: 'release_diff',
    about:
      'Compare two releases by their records: packages by channel, vulnerabilities fixed, images with packages and sizes.',
    command: ['release', 'diff'],
    parameters: {
      a: {
        as: 'word',
        required: true,
        about: 'snapshot or a unique start of it, latest, previous, or path of a release.json',
      },
      b: { as: 'word', required: true, about: 'release to compare with, in the same forms' },
    },
    built: true,
  },
  {
    name: 'lifecycle',
    about:
      'Show how long the release is supported, by channel and package, and whether the os-release of its images agrees.',
    command: ['lifecycle'],
    parameters: { at: { as: 'value', option: '--at', about: 'day or moment, in UTC; default: now' } },
    built: true,
  },
  {
    name: 'config_show',
    about: 'Show the whole resolved project. Large: config_resolve with a key answers most questions.',
    command: ['config', 'show'],
    parameters: {},
  },
  {
    name: 'config_resolve',
    about: 'Show the configuration after includes, merging and inheritance; with origins, where each value comes from.',
    command: ['config', 'resolve'],
    parameters: {
      ...selection,
      key: { as: 'value', option: '--key', about: 'only this part, such as components.curl.build' },
      origins: {
        as: 'switch',
        option: '--origins',
        about: 'where each value comes from and which values it overrides',
      },
    },
  },
  {
    name: 'config_check',
    about:
      'Find the dialect of the project and keys that contradict each other; with spec, differences from that revision of the draft Distro TOML specification.',
    command: ['config', 'check'],
    parameters: { spec: { as: 'value', option: '--spec', about: 'revision of the specification', choices: ['0.1'] } },
  },
  {
    name: 'config_dump',
    about: 'Show all configuration files as one, built-in values included, before inheritance.',
    command: ['config', 'dump'],
    parameters: {},
  },
  {
    name: 'schema',
    about: 'Print the JSON Schema of the configuration.',
    command: ['schema'],
    parameters: {},
  },
  {
    name: 'upstream_status',
    about:
      'Show what upstream did since the pinned commits: version, patches, sources, macros, CVE numbers, and overlays that fail, have no effect or were taken in.',
    command: ['upstream', 'status'],
    parameters: {
      ...selection,
      to: { as: 'value', option: '--to', about: 'compare with the last commit up to this day or moment' },
      withoutOverlays: { as: 'switch', option: '--no-overlays', about: 'do not check overlays' },
    },
    network: true,
  },
  {
    name: 'advisory_list',
    about: 'List the records of vulnerabilities with the state of each component and all events.',
    command: ['advisory', 'list'],
    parameters: {
      state: { as: 'value', option: '--state', about: 'records in this state', choices: componentStates },
      severity: { as: 'value', option: '--severity', about: 'records of this severity', choices: severities },
      components: { as: 'values', option: '--component', about: 'records of these components' },
    },
    rows: true,
  },
  {
    name: 'advisory_show',
    about: 'Show records of vulnerabilities by CVE or alias, with all events.',
    command: ['advisory', 'show'],
    parameters: { ids: { as: 'words', required: true, about: 'CVEs or other IDs' } },
    rows: true,
  },
  {
    name: 'advisory_check',
    about: 'Check the records of vulnerabilities against the schema, the clock, the project and the repository.',
    command: ['advisory', 'check'],
    parameters: {
      since: { as: 'value', option: '--since', about: 'prove that events were only added since this commit' },
    },
    built: true,
  },
  {
    name: 'cve_show',
    about:
      'Show where a vulnerability is: components and their state, packages in every published snapshot, images by digest, exceptions, and the clock from public to verified.',
    command: ['cve', 'show'],
    parameters: { id: { as: 'word', required: true, about: 'the CVE, or another ID of it' } },
    built: true,
  },
  {
    name: 'cve_clock',
    about: 'Show the median and the worst time to each stage of a fix, by severity.',
    command: ['cve', 'clock'],
    parameters: { since: { as: 'value', option: '--since', about: 'only vulnerabilities public since this day' } },
    rows: true,
  },
];

/** Arguments of a call, valid for the tool's schema. */
export type Arguments = Readonly<Record<string, unknown>>;

// The operating system ends a word at a zero byte.
const text = z
  .string()
  .min(1)
  .refine((value) => !value.includes('\0'), 'must not contain a zero byte');

/** The schema of a tool's arguments: an object without further keys. */
export function argumentSchema(tool: Tool) {
  const keys: Record<string, z.ZodType> = {};
  for (const [key, parameter] of Object.entries(tool.parameters)) {
    const type = typeOf(parameter).describe(parameter.about);
    keys[key] = 'required' in parameter && parameter.required === true ? type : type.optional();
  }
  if (tool.rows === true) {
    keys.offset = z.number().int().min(0).describe('number of rows to leave out at the beginning').optional();
    keys.limit = z.number().int().min(1).describe('number of rows at most; default: all').optional();
  }
  return z.strictObject(keys);
}

function typeOf(parameter: Parameter): z.ZodType {
  if (parameter.as === 'switch') return z.boolean();
  const one = 'choices' in parameter && parameter.choices !== undefined ? z.enum(parameter.choices) : text;
  return parameter.as === 'words' || parameter.as === 'values' ? z.array(one) : one;
}

/**
 * The command line of a call, after `weir` and the global options. No argument can be taken for an option.
 * @param out output folder of the build, for commands that read it
 */
export function commandLine(tool: Tool, given: Arguments, out: string | undefined): string[] {
  const options = tool.built === true && out !== undefined ? [`--out=${out}`] : [];
  const words: string[] = [];
  for (const [key, parameter] of Object.entries(tool.parameters)) {
    const value = given[key];
    if (value === undefined || value === false) continue;
    const values = (Array.isArray(value) ? value : [value]).map(String);
    if (!('option' in parameter)) words.push(...values);
    else if (parameter.as === 'switch') options.push(parameter.option);
    else options.push(...values.map((each) => `${parameter.option}=${each}`));
  }
  return [...tool.command, ...options, ...(words.length === 0 ? [] : ['--', ...words])];
}
