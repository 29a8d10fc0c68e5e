import { z } from 'zod';
import {
  componentGroupSchema,
  componentSchema,
  overlayFileSchema,
  packageConfigSchema,
  packageGroupSchema,
} from './component.ts';
import { distroSchema, projectSchema, resourcesSchema } from './distro.ts';
import { imageSchema, testSuiteSchema, toolsSchema } from './image.ts';
import {
  advisoriesSchema,
  lifecycleSchema,
  releaseSchema,
  seedSchema,
  signingSchema,
  toolboxSchema,
} from './release.ts';
import { testTables } from './test.ts';
import { filledTexts, labelSchema, nameSchema, text } from './words.ts';

/** One configuration file: azldev's tables, then those that Weir adds. Every file may have every table. */
export const fileSchema = z
  .strictObject({
    $schema: text('URI of the JSON Schema, for editors'),
    'spec-version': z
      .literal('0.1')
      .optional()
      .describe('Version of the draft Distro TOML specification that the project follows; in the root file only'),
    includes: filledTexts('Globs of further files, relative to this one; their values override those of this file'),
    project: projectSchema.optional(),
    distros: z.record(labelSchema, distroSchema).optional().describe('Distros by name'),
    resources: resourcesSchema.optional(),
    'component-groups': z.record(labelSchema, componentGroupSchema).optional().describe('Component groups by name'),
    components: z.record(nameSchema, componentSchema).optional().describe('Components by name'),
    images: z.record(nameSchema, imageSchema).optional().describe('Images by name'),
    tools: toolsSchema.optional(),
    'default-component-config': componentSchema.optional().describe('What every component inherits'),
    'default-package-config': packageConfigSchema.optional().describe('What every binary package inherits'),
    'package-groups': z.record(labelSchema, packageGroupSchema).optional().describe('Package groups by name'),
    'test-suites': z.record(nameSchema, testSuiteSchema).optional().describe('Test suites by name'),
    ...testTables,
    release: releaseSchema.optional(),
    lifecycle: lifecycleSchema.optional(),
    advisories: advisoriesSchema.optional(),
    signing: signingSchema.optional(),
    toolbox: toolboxSchema.optional(),
    seed: seedSchema.optional(),
  })
  .describe('A Weir project file (weir.toml, azldev.toml, or a file that one of them includes)');

export type RawFile = z.output<typeof fileSchema>;

/**
 * The JSON Schema of a project file, for editors and for `weir schema`. It is draft-07, which editors' TOML plugins
 * support.
 */
export function projectJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }), title: 'Weir project file' };
}

/** The JSON Schema of an overlay file, one that `overlay-files` names. */
export function overlayFileJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(overlayFileSchema, { io: 'input', target: 'draft-7' }), title: 'Weir overlay file' };
}
