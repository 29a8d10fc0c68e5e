import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import * as ajvFormats from 'ajv-formats';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cyclonedxDocument } from '../../src/audit/cyclonedx.ts';
import { anyImage, twoPackages } from './fixture.ts';

// The CycloneDX library contains the official schemas.
const library = dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'));
const schema = (name: string): object =>
  JSON.parse(readFileSync(join(library, 'res', 'schema', `${name}.SNAPSHOT.schema.json`), 'utf8')) as object;

const ajv = new Ajv({ strict: false });
ajvFormats.default.default(ajv);
// Two formats that ajv-formats lacks; Weir's URLs must conform to the first.
ajv.addFormat('iri-reference', (text) => !/[\s<>"{}|\\^`]/.test(text));
ajv.addFormat('idn-email', true);
// The library refers to its copies by file name and by the address in their $id.
for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
  ajv.addSchema({ ...schema(name), $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` });
}
const validate = ajv.compile(schema('bom-1.6'));

function problems(document: unknown): unknown[] {
  validate(document);
  return validate.errors ?? [];
}

test('an image of two packages', async () => {
  const document = cyclonedxDocument(twoPackages);
  expect(problems(document)).toEqual([]);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot('golden/two-packages.cyclonedx.golden');
});

test('generated documents match the official schema and have no dangling references', () => {
  fc.assert(
    fc.property(anyImage, (image) => {
      const document = cyclonedxDocument(image);
      expect(problems(document)).toEqual([]);
      const references = [document.metadata.component, ...document.components].map((one) => one['bom-ref']);
      expect(new Set(references).size).toBe(references.length);
      for (const { ref, dependsOn } of document.dependencies) {
        expect(references).toEqual(expect.arrayContaining([ref, ...dependsOn]));
      }
    }),
    { numRuns: 40 },
  );
});

test('the validator detects errors', () => {
  const good = cyclonedxDocument(twoPackages);
  expect(problems({ ...good, serialNumber: 'urn:uuid:1' })).not.toEqual([]);
  const [first, ...rest] = good.components;
  expect(problems({ ...good, components: [{ ...first, unknown: 1 }, ...rest] })).not.toEqual([]);
  expect(problems({ ...good, components: [{ ...first, licenses: [{ license: { id: 'GPLv2' } }] }] })).not.toEqual([]);
});

test('the package order does not change the document', () => {
  const reversed = { ...twoPackages, packages: [...twoPackages.packages].reverse() };
  expect(JSON.stringify(cyclonedxDocument(reversed))).toBe(JSON.stringify(cyclonedxDocument(twoPackages)));
  fc.assert(
    fc.property(anyImage, (image) => {
      const turned = { ...image, packages: [...image.packages].reverse() };
      expect(JSON.stringify(cyclonedxDocument(turned))).toBe(JSON.stringify(cyclonedxDocument(image)));
    }),
    { numRuns: 20 },
  );
});

test('other content gives another serial number', () => {
  const other = cyclonedxDocument({ ...twoPackages, version: '4.0.20260201' });
  expect(other.serialNumber).not.toBe(cyclonedxDocument(twoPackages).serialNumber);
});
