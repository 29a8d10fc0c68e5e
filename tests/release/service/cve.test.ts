import { expect, test } from 'vitest';
import { parseAdvisory } from '../../../src/advisory/load.ts';
import { recordText } from '../../../src/advisory/write.ts';
import type { PastRelease } from '../../../src/release/past-releases.ts';
import type { ReleaseRecord } from '../../../src/release/record-schema.ts';
import { cveReport } from '../../../src/release/service/cve.ts';
import { event, header } from '../../advisory/records.ts';

const sha = (digit: string) => digit.repeat(64);

/** A release with bash of one version, and two images: one with bash, one without. */
function release(snapshot: string, version: string, digest: string, latest = false): PastRelease {
  const bash = `bash-${version}.x86_64`;
  const image = (name: string, packages: readonly string[], details: object) => ({
    ...{ name, kind: 'container', packages, details },
    files: [{ path: 'x', size: 1, sha256: sha(digest) }],
  });
  const record = {
    snapshot,
    channels: [
      {
        name: 'base',
        packages: [
          { nevra: bash, sha256: '', origin: 'bash', source: `bash-${version}.src.rpm` },
          { nevra: 'libc-2-1.x86_64', sha256: '', origin: 'seed', source: 'glibc-2-1.src.rpm' },
        ],
      },
    ],
    images: [image('shell', [bash], { manifest: `sha256:${sha(digest)}` }), image('bare', ['libc-2-1.x86_64'], {})],
  } as unknown as ReleaseRecord;
  return { file: '', digest: '', record, latest };
}

const releases = [release('s1', '5.2-1', '1'), release('s2', '5.2-2', '2'), release('s2', '5.2-2', '3', true)];
const project = { components: new Map([['bash', {}]]) } as unknown as Parameters<typeof cveReport>[2];

function report(...events: ReturnType<typeof event>[]) {
  return cveReport(parseAdvisory('/p/CVE-2026-1234.toml', recordText(header(), events)), releases, project, 0);
}

test('packages of every snapshot and images of every digest have a status', () => {
  const digest = `sha256:${sha('2')}`;
  const { packages, images } = report(
    event('fixed', { component: 'bash', in: ['bash-5.2-2.src'] }),
    event('verified', { image: 'shell', digest, scanner: 'x' }),
  );
  expect(packages.map(({ snapshot, nevra, status }) => [snapshot, nevra, status])).toEqual([
    ['s2', 'bash-5.2-2.x86_64', 'fixed'],
    ['s1', 'bash-5.2-1.x86_64', 'affected'],
  ]);
  expect(
    images.map(({ name, digest: own, status, latest, verified }) => [name, own.slice(0, 8), status, latest, verified]),
  ).toEqual([
    ['shell', 'sha256:3', 'fixed', true, undefined],
    ['shell', 'sha256:2', 'fixed', false, '2026-11-02T12:00:00Z'],
    ['shell', 'sha256:1', 'affected', false, undefined],
  ]);
});

test('a package that no component builds is named by its source package', () => {
  const { packages, images } = report(event('affected', { component: 'glibc' }));
  expect(packages.map(({ nevra, component, status }) => [nevra, component, status])).toEqual([
    ['libc-2-1.x86_64', 'glibc', 'affected'],
    ['libc-2-1.x86_64', 'glibc', 'affected'],
  ]);
  expect(new Set(images.map(({ name }) => name))).toEqual(new Set(['bare']));
});

test('an exception says until when, and whether that is over', () => {
  const exception = event('exception', { component: 'bash', owner: 'Jane', reason: 'no fix', expires: '1969-01-01' });
  expect(report(exception).components).toMatchObject([
    { state: 'exception', exception: { owner: 'Jane', expired: true } },
  ]);
});
