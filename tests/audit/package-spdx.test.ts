import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PackageBuild } from '../../src/audit/package-build.ts';
import { packageSpdx } from '../../src/audit/package-spdx.ts';
import { sha256 } from '../../src/base/digest.ts';
import { anyBuild, oneBuild } from './fixture.ts';
import { spdxProblems } from './spdx-checks.ts';

const officialSchema = process.env.WEIR_SPDX_SCHEMA;

test('a build with a patch, overlays and a buildroot', async () => {
  const document = packageSpdx(oneBuild);
  expect(spdxProblems(document)).toEqual([]);
  await expect(`${JSON.stringify(document, undefined, 2)}\n`).toMatchFileSnapshot('golden/package-spdx.golden');
});

test('generated documents conform to the specification', () => {
  fc.assert(
    fc.property(anyBuild, (build) => {
      expect(spdxProblems(packageSpdx(build))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

// As for the documents of images.
test.skipIf(officialSchema === undefined)('documents match the schema in $WEIR_SPDX_SCHEMA', async () => {
  const validate = new Ajv({ strict: false }).compile(JSON.parse(await readFile(officialSchema!, 'utf8')));
  const valid = (build: PackageBuild): void => {
    validate(packageSpdx(build));
    expect(validate.errors ?? []).toEqual([]);
  };
  valid(oneBuild);
  fc.assert(fc.property(anyBuild, valid), { numRuns: 60 });
});

test('links packages to the source package, and that to its tarball, patches and build dependencies', () => {
  const { packages, relationships } = packageSpdx(oneBuild);
  const name = (id: string): string => packages.find(({ SPDXID }) => SPDXID === id)?.name ?? id;
  const lines = relationships.map((each) =>
    [name(each.spdxElementId), each.relationshipType, name(each.relatedSpdxElement)].join(' '),
  );
  expect(lines).toEqual([
    'gzip CONTAINS gzip.spec',
    'gzip CONTAINS gzip-1.14.tar.xz',
    'gzip CONTAINS gnulib-CVE-2025-1000.patch',
    'gnulib-CVE-2025-1000.patch PATCH_APPLIED gzip',
    'gzip CONTAINS zgrep-escape.patch',
    'zgrep-escape.patch PATCH_APPLIED gzip',
    'gzip CONTAINS colorzgrep.sh',
    'SPDXRef-DOCUMENT DESCRIBES gzip',
    'SPDXRef-DOCUMENT DESCRIBES gzip',
    'gzip GENERATED_FROM gzip',
    'SPDXRef-DOCUMENT DESCRIBES gzip-debuginfo',
    'gzip-debuginfo GENERATED_FROM gzip',
    'bash BUILD_DEPENDENCY_OF gzip',
    'gcc BUILD_DEPENDENCY_OF gzip',
  ]);
  const source = packages.find(({ primaryPackagePurpose }) => primaryPackagePurpose === 'SOURCE')!;
  expect(source.checksums).toEqual([{ algorithm: 'SHA256', checksumValue: sha256('gzip source, signed') }]);
});
