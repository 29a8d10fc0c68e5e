import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { packageProvenance } from '../../src/audit/package-provenance.ts';
import { sha256 } from '../../src/base/digest.ts';
import { anyBuild, oneBuild } from './fixture.ts';

// The requirements of in-toto's statement 1, its ResourceDescriptor 1 and DigestSet, and of SLSA provenance 1, for the fields that
// Weir writes. None of them has an official JSON Schema.

const digests = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sha512: z
    .string()
    .regex(/^[0-9a-f]{128}$/)
    .optional(),
  md5: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
});
const commit = z.strictObject({ gitCommit: z.string().regex(/^[0-9a-f]{40}$/) });
const annotations = z.record(z.string(), z.unknown());

const statementSchema = z.strictObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.array(z.strictObject({ name: z.string().min(1), digest: digests, annotations })).min(1),
  predicateType: z.literal('https://slsa.dev/provenance/v1'),
  predicate: z.strictObject({
    buildDefinition: z.strictObject({
      buildType: z.url(),
      externalParameters: z.record(z.string(), z.unknown()),
      internalParameters: z.record(z.string(), z.unknown()),
      resolvedDependencies: z.array(
        z.strictObject({
          name: z.string(),
          uri: z
            .string()
            .regex(/^[a-z+]+:\S+$/)
            .optional(),
          digest: z.union([digests, commit]),
          annotations,
        }),
      ),
    }),
    runDetails: z.strictObject({
      builder: z.strictObject({ id: z.url(), version: z.record(z.string(), z.string()) }),
    }),
  }),
});

type Statement = z.infer<typeof statementSchema>;

test('names the packages, what they were built from, and why it differs from upstream', async () => {
  const statement = packageProvenance(oneBuild);
  expect(statementSchema.safeParse(statement).error).toBeUndefined();
  await expect(`${JSON.stringify(statement, undefined, 2)}\n`).toMatchFileSnapshot('golden/package-provenance.golden');
});

test('generated statements have the form that in-toto and SLSA require, and distinct subjects', () => {
  fc.assert(
    fc.property(anyBuild, (build) => {
      const statement = packageProvenance(build);
      expect(statementSchema.safeParse(statement).error).toBeUndefined();
      const names = (statement as Statement).subject.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }),
    { numRuns: 60 },
  );
});

test('a package that is not published is a subject only as it was built', () => {
  const { subject } = packageProvenance(oneBuild) as Statement;
  const debuginfo = subject.filter(({ name }) => name.includes('gzip-debuginfo'));
  expect(debuginfo.map(({ digest }) => digest.sha256)).toEqual([sha256('gzip-debuginfo')]);
});

test('a package of a foreign repository gets no address of this distribution', () => {
  const { predicate } = packageProvenance(oneBuild) as Statement;
  const roots = predicate.buildDefinition.resolvedDependencies.filter((each) => each.annotations.role === 'buildroot');
  expect(roots.map(({ name, uri }) => [name, uri])).toEqual([
    ['bash-5.3-4.x86_64', expect.stringMatching(/^pkg:rpm\/weir\/bash@5\.3-4\?/)],
    ['gcc-1:16-1.fc44.x86_64', undefined],
  ]);
});
