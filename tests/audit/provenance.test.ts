import { expect, test } from 'vitest';
import { provenanceStatement } from '../../src/audit/provenance.ts';
import { sha256 } from '../../src/base/digest.ts';
import { twoPackages } from './fixture.ts';

const making = {
  arch: 'x86_64',
  snapshot: '20260131-0a1b2c3d',
  definition: { type: 'weir', kind: 'container', packages: ['gzip'] },
  inputs: sha256('inputs'),
  toolbox: sha256('toolbox'),
  subjects: [{ name: 'base', sha256: sha256('manifest') }],
};

test('names the subjects, the published packages and the tools', () => {
  const [first, second] = twoPackages.packages;
  expect(provenanceStatement(twoPackages, making)).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'base', digest: { sha256: sha256('manifest') } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://weir.invalid/provenance/image/1',
        externalParameters: {
          image: 'base',
          version: '4.0.20260131',
          arch: 'x86_64',
          snapshot: '20260131-0a1b2c3d',
          definition: making.definition,
        },
        internalParameters: { sourceDateEpoch: 1_769_860_800, inputs: sha256('inputs') },
        resolvedDependencies: [
          {
            name: 'gzip-1:1.14-2.wl4.x86_64',
            uri: expect.stringMatching(/^pkg:rpm\/weir\/gzip@1\.14-2\.wl4\?arch=x86_64&distro=weir-4\.0&epoch=1/),
            digest: { sha256: first!.signedDigest },
          },
          {
            name: expect.stringContaining(second!.header.name),
            uri: expect.stringContaining('/libstdc%2B%2B@'),
            digest: { sha256: second!.signedDigest ?? second!.digest },
          },
          { name: 'toolbox', digest: { sha256: sha256('toolbox') } },
        ],
      },
      runDetails: { builder: { id: 'https://weir.invalid/builder/1', version: { weir: '0.1.0' } } },
    },
  });
});

test('does not depend on the package order', () => {
  const turned = { ...twoPackages, packages: [...twoPackages.packages].reverse() };
  expect(JSON.stringify(provenanceStatement(turned, making))).toBe(
    JSON.stringify(provenanceStatement(twoPackages, making)),
  );
});
