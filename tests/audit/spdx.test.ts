import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageContents } from '../../src/audit/contents.ts';
import { spdxDocument } from '../../src/audit/spdx.ts';
import type { SpdxDocument } from '../../src/audit/spdx-draft.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { anyImage, twoPackages } from './fixture.ts';
import { spdxProblems } from './spdx-checks.ts';

const officialSchema = process.env.WEIR_SPDX_SCHEMA;

test('an image of two packages', async () => {
  const document = spdxDocument(twoPackages);
  expect(spdxProblems(document)).toEqual([]);
  await expect(`${JSON.stringify(document, undefined, 2)}\n`).toMatchFileSnapshot('golden/two-packages.spdx.golden');
});

test('generated documents conform to the specification', () => {
  fc.assert(
    fc.property(anyImage, (image) => {
      expect(spdxProblems(spdxDocument(image))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

// Needs the specification's schemas/spdx-schema.json of 2.3, which is in no npm package.
test.skipIf(officialSchema === undefined)('documents match the schema in $WEIR_SPDX_SCHEMA', async () => {
  const validate = new Ajv({ strict: false }).compile(JSON.parse(await readFile(officialSchema!, 'utf8')));
  const valid = (image: ImageContents): void => {
    validate(spdxDocument(image));
    expect(validate.errors ?? []).toEqual([]);
  };
  valid(twoPackages);
  fc.assert(fc.property(anyImage, valid), { numRuns: 60 });
});

describe('the same image', () => {
  test('gives the same bytes in any package order', () => {
    fc.assert(
      fc.property(
        anyImage.chain((image) =>
          fc.tuple(fc.constant(image), fc.shuffledSubarray([...image.packages], { minLength: image.packages.length })),
        ),
        ([image, shuffled]) => {
          // In a real image a shared source has equal data in all packages, so here each package has its own.
          const own = (packages: ImageContents['packages']): ImageContents => ({
            ...image,
            packages: packages.map((item) => ({ ...item, header: { ...item.header, sourceRpm: '' } })),
          });
          expect(JSON.stringify(spdxDocument(own(shuffled)))).toBe(JSON.stringify(spdxDocument(own(image.packages))));
        },
      ),
      { numRuns: 20 },
    );
  });

  test('has another namespace if anything changes', () => {
    const [first, ...rest] = twoPackages.packages;
    const changed = { ...twoPackages, packages: [{ ...first!, digest: 'f'.repeat(64) }, ...rest] };
    expect(spdxDocument(changed).documentNamespace).not.toBe(spdxDocument(twoPackages).documentNamespace);
    expect(spdxDocument({ ...twoPackages, clock: 0 }).documentNamespace).not.toBe(
      spdxDocument(twoPackages).documentNamespace,
    );
  });
});

test('a package read by readRpm', async () => {
  const header = await readRpm(join(import.meta.dirname, '..', 'rpm', 'fixtures', 'reference-v6.rpm'));
  const item = { header, digest: 'a'.repeat(64), size: header.fileSize, origin: { kind: 'seed' } } as const;
  const document = spdxDocument({ ...twoPackages, packages: [item] });
  expect(spdxProblems(document)).toEqual([]);
  expect(document.packages.at(-1)?.name).toBe(header.name);
});

test('a source package shared by two packages is listed once', () => {
  const [gzip] = twoPackages.packages;
  const doc = { ...gzip!, header: { ...gzip!.header, name: 'gzip-doc', arch: 'noarch' } };
  const document = spdxDocument({ ...twoPackages, packages: [gzip!, doc] });
  const source = document.packages.filter((element) => element.packageFileName === gzip!.header.sourceRpm);
  expect(source).toHaveLength(1);
  const from = document.relationships.filter((one) => one.relationshipType === 'GENERATED_FROM');
  expect(from.map((one) => one.relatedSpdxElement)).toEqual([source[0]!.SPDXID, source[0]!.SPDXID]);
});

test('a duplicate package is an error', () => {
  const [first] = twoPackages.packages;
  expect(() => spdxDocument({ ...twoPackages, packages: [first!, first!] })).toThrow(
    expect.objectContaining({ code: 'duplicate-package' }),
  );
});

describe('the checks detect', () => {
  const good = spdxDocument(twoPackages);
  const cases: [string, SpdxDocument][] = [
    ['a missing explanation', { ...good, hasExtractedLicensingInfos: [] }],
    ['a missing element', { ...good, packages: good.packages.slice(0, -1) }],
    ['an element that nothing leads to', { ...good, relationships: good.relationships.slice(1) }],
    ['a repeated element', { ...good, packages: [...good.packages, good.packages[0]!] }],
    ['no expression', { ...good, packages: good.packages.map((one) => ({ ...one, licenseDeclared: 'GPL v2' })) }],
  ];
  test.each(cases)('%s', (_name, document) => {
    expect(spdxProblems(document)).not.toEqual([]);
  });
});
