import { z } from 'zod';
import { filledTexts, flag, labelSchema, nameSchema, text, texts } from './words.ts';

// Tests and test groups as of azldev 0.4; `[test-suites]` before that is in image.ts.

export const capabilitiesSchema = z
  .strictObject({
    'machine-bootable': flag('Boots on a machine, real or virtual'),
    container: flag('Runs on a container host'),
    systemd: flag('Runs systemd as init'),
    'runtime-package-management': flag('Packages can be installed and removed in it'),
    wsl: flag('Runs in the Windows Subsystem for Linux'),
    'installer-media': flag('Installs a system'),
    'fips-enabled': flag('Has FIPS mode on'),
    cvm: flag('Runs as a confidential virtual machine'),
  })
  .describe('What the image can do');

const commitSchema = z
  .string()
  .regex(/^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/, 'a commit in full, 40 or 64 hex digits')
  .describe('Commit of it, in full');

export const gitSourceSchema = z.strictObject({
  'git-url': z.string().min(1, 'must not be empty').describe('Git repository'),
  ref: commitSchema,
});

export const pytestSchema = z
  .strictObject({
    'working-dir': text('Folder to run in, relative to this file'),
    'test-paths': texts('Files and folders with tests; globs'),
    'extra-args': texts('Further arguments; {image-path}, {image-name} and {capabilities} are replaced'),
    install: z.enum(['', 'pyproject', 'requirements', 'none']).optional().describe('How dependencies are installed'),
  })
  .describe('Settings for pytest');

const priority = z.int().min(0).max(4);

const criteriaSchema = z
  .strictObject({
    name: text('Name of the test case'),
    area: text('Area'),
    category: text('Category'),
    priority: z
      .union([priority, z.array(priority)])
      .optional()
      .describe('0 to 4, or several of them'),
    tags: filledTexts('Tags'),
  })
  .describe('Which test cases to select');

const lisaSchema = z
  .strictObject({
    criteria: z
      .union([criteriaSchema, z.array(criteriaSchema).min(1, 'must not be empty')])
      .optional()
      .describe('Selects test cases by their metadata'),
    name: text('Pattern of names of test cases'),
    'testcase-name': text('Name of a test case'),
    'testcase-names': filledTexts('Names of test cases'),
    source: gitSourceSchema.optional().describe('Where LISA comes from, to run it here'),
    'pip-pre-install': texts('Packages to install before LISA'),
    'pip-extras': texts("LISA's extras"),
    'extra-args': texts('Further arguments; {image-path}, {image-name} and {capabilities} are replaced'),
  })
  .describe('Settings for LISA');

const tmtSchema = z
  .strictObject({
    source: gitSourceSchema.describe('Where the plan comes from'),
    plan: z.string().regex(/^\/./, 'a plan has an absolute name, such as "/plans/smoke"').describe('Name of the plan'),
  })
  .describe('Settings for tmt');

export const testSchema = z
  .strictObject({
    description: text('What it tests'),
    type: z.enum(['pytest', 'lisa', 'tmt']).describe('Test framework'),
    kind: z.enum(['functional', 'performance']).optional().describe('Kind of test'),
    'long-running': flag('Takes long'),
    'metrics-enabled': flag('Collects metrics'),
    'required-capabilities': z
      .array(capabilitiesSchema.keyof())
      .optional()
      .describe('Capabilities that an image must have to be tested'),
    pytest: pytestSchema.optional(),
    lisa: lisaSchema.optional(),
    tmt: tmtSchema.optional(),
  })
  .describe('A test of images or components');

const referenceSchema = z.strictObject({
  name: text('Name under [tests]; this or group'),
  group: text('Name under [test-groups]; this or name'),
});

export const testGroupSchema = z
  .strictObject({
    description: text('What the group is for'),
    tests: z
      .array(z.strictObject({ name: z.string().min(1, 'must not be empty').describe('Name under [tests]') }))
      .optional()
      .describe('Its tests'),
  })
  .describe('A group of tests');

export const componentTestsSchema = z
  .strictObject({ tests: z.array(referenceSchema).optional().describe('Tests and groups of tests') })
  .describe('How the component is tested');

export const imageTestReferencesSchema = z
  .array(
    referenceSchema.extend({
      'sku-groups': z.array(labelSchema).optional().describe('Names under [sku-groups]: where it is tested'),
    }),
  )
  .optional()
  .describe('Tests and groups of tests that it must pass');

export const skuGroupSchema = z
  .strictObject({
    arch: z.enum(['amd64', 'arm64']).optional().describe('Architecture of the machines'),
    'vm-sizes': filledTexts('Names under [vm-skus], or sizes as the cloud names them'),
  })
  .describe('Sizes of virtual machines to test on');

export const vmSkuSchema = z
  .strictObject({ vcpus: z.int().min(1).optional().describe('Virtual processors') })
  .describe('A size of virtual machines');

export const testTables = {
  tests: z.record(nameSchema, testSchema).optional().describe('Tests by name'),
  'test-groups': z.record(labelSchema, testGroupSchema).optional().describe('Groups of tests by name'),
  'sku-groups': z.record(labelSchema, skuGroupSchema).optional().describe('Groups of sizes of machines by name'),
  'vm-skus': z.record(labelSchema, vmSkuSchema).optional().describe('Sizes of virtual machines by name'),
};

export type RawTest = z.output<typeof testSchema>;
export type RawTestGroup = z.output<typeof testGroupSchema>;
export type RawTestReference = z.output<typeof referenceSchema> & { readonly 'sku-groups'?: string[] | undefined };
export type RawComponentTests = z.output<typeof componentTestsSchema>;
export type RawSkuGroup = z.output<typeof skuGroupSchema>;
export type RawVmSku = z.output<typeof vmSkuSchema>;
