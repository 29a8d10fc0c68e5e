import { createPublicKey, verify } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { runOk } from '../../src/base/process.ts';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { parseNevra } from '../../src/repo/metadata.ts';
import { readPayload } from '../../src/rpm/payload.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { filesBelow, newFolder, releaseRecord, shared, tools, weir } from './weir.ts';

interface Statement {
  readonly subject: readonly {
    readonly name: string;
    readonly digest: { readonly sha256: string };
    readonly annotations: { readonly nevra: string; readonly headerSha256: string; readonly signed: boolean };
  }[];
  readonly predicate: {
    readonly buildDefinition: {
      readonly resolvedDependencies: readonly {
        readonly name: string;
        readonly uri?: string;
        readonly digest: { readonly sha256: string };
        readonly annotations: { readonly role: string; readonly from?: string };
      }[];
    };
  };
}

let toolbox: Toolbox;
let record: ReleaseRecord;
/** Base name of a published package → its path. */
let published: ReadonlyMap<string, string>;
const snapshot = join(shared.out, 'repo/4.0/latest');

beforeAll(async () => {
  toolbox = await tools();
  record = await releaseRecord();
  const rpms = (await filesBelow(snapshot)).filter((name) => name.endsWith('.rpm'));
  published = new Map(rpms.map((name) => [basename(name), join(snapshot, name)]));
});

/** Opens an envelope with nothing but the published key and the text of the DSSE specification. */
async function statementOf(component: ReleaseRecord['components'][number]): Promise<Statement> {
  const name = `${component.srpm.file.replace(/\.src\.rpm$/, '')}.provenance.dsse.json`;
  const { payloadType, payload, signatures } = JSON.parse(await readFile(join(snapshot, 'evidence', name), 'utf8')) as {
    payloadType: string;
    payload: string;
    signatures: { sig: string }[];
  };
  const bytes = Buffer.from(payload, 'base64');
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${bytes.length} `), bytes]);
  const key = createPublicKey(await readFile(join(shared.out, 'image-key.pem')));
  expect(signatures).toHaveLength(1);
  expect(verify(null, signed, key, Buffer.from(signatures[0]!.sig, 'base64')), name).toBe(true);
  expect(payloadType).toBe('application/vnd.in-toto+json');
  return JSON.parse(bytes.toString()) as Statement;
}

describe('the evidence of packages', () => {
  test('names every package that a component built, with the digests of these very files', async () => {
    const own = new Set(record.components.map(({ name }) => name));
    const built = record.channels.flatMap(({ packages }) => packages.filter(({ origin }) => own.has(origin)));
    expect(built.length).toBeGreaterThan(30);
    const unsigned = new Map(built.map((pkg) => [pkg.nevra, pkg.unsigned]));
    const said = new Map<string, string>();
    for (const component of record.components) {
      for (const { name, digest, annotations } of (await statementOf(component)).subject) {
        if (annotations.signed) {
          expect(await fileDigest(published.get(name)!), name).toBe(digest.sha256);
          said.set(annotations.nevra, annotations.headerSha256);
        } else expect(digest.sha256, name).toBe(unsigned.get(annotations.nevra));
      }
    }
    expect([...said.keys()].sort()).toEqual(built.map(({ nevra }) => nevra).sort());
    const files = [...published.values()];
    const { stdout } = await runTool(toolbox, {
      argv: [
        'rpm',
        '-qp',
        '--nosignature',
        '--qf',
        '%|SOURCEPACKAGE?{%{NAME}-%{EVR}.src}:{%{NEVRA}}| %{SHA256HEADER}\n',
        ...files,
      ],
      binds: [{ from: shared.out }],
    });
    const byRpm = new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]));
    for (const [nevra, header] of said) expect(byRpm.get(nevra), nevra).toBe(header);
  });

  test('names every file of the source package, by its digest', async () => {
    for (const component of record.components) {
      const path = published.get(component.srpm.file)!;
      const files: Record<string, string> = {};
      for await (const { file, content } of readPayload(path, await readRpm(path)))
        if (content !== undefined) files[file.path] = sha256(await buffer(content));
      const { resolvedDependencies } = (await statementOf(component)).predicate.buildDefinition;
      const sources = resolvedDependencies.filter(({ annotations }) =>
        ['spec', 'source', 'patch'].includes(annotations.role),
      );
      const said = Object.fromEntries(sources.map(({ name, digest }) => [name, digest.sha256]));
      for (const [name, digest] of Object.entries(files))
        expect(said[basename(name)], `${component.name}: ${name}`).toBe(digest);
    }
  });

  test('names the packages of the buildroot as they were before signing', async () => {
    const known = new Set(
      record.channels.flatMap(({ packages }) => packages.map(({ nevra, unsigned }) => `${nevra} ${unsigned}`)),
    );
    const own = new Set(record.components.flatMap(({ packages }) => packages.map((nevra) => parseNevra(nevra)!.name)));
    for (const component of record.components) {
      const { resolvedDependencies } = (await statementOf(component)).predicate.buildDefinition;
      const root = resolvedDependencies.filter(({ annotations }) => annotations.role === 'buildroot');
      expect(root.length, component.name).toBeGreaterThan(90);
      const foreign = root.filter(({ name, digest }) => !known.has(`${name} ${digest.sha256}`));
      // The repository has the component's build of a package, an earlier component may have been built with the seed's.
      expect(foreign.filter(({ name }) => !own.has(parseNevra(name)!.name)).map(({ name }) => name)).toEqual([]);
    }
  });

  test('says where upstream has the tarball', async () => {
    const less = record.components.find(({ name }) => name === 'less')!;
    const { resolvedDependencies } = (await statementOf(less)).predicate.buildDefinition;
    expect(resolvedDependencies.find(({ name }) => name === 'less-668.tar.gz')?.uri).toBe(
      'https://www.greenwoodsoftware.com/less/less-668.tar.gz',
    );
  });

  test('is shown for a package that was built, and not invented for one that was not', async () => {
    const show = async (...words: string[]) => {
      const args = ['-C', shared.project, 'package', 'evidence', '--out', shared.out, ...words, '--json'];
      const { code, stdout } = await weir(args);
      return { code, found: JSON.parse(stdout) as Record<string, unknown> };
    };
    expect(await show('less')).toMatchObject({
      code: 0,
      found: { file: 'as recorded', origin: { kind: 'built', signature: { valid: true } } },
    });
    expect(await show('glibc')).toMatchObject({
      code: 0,
      found: { origin: { kind: 'seed', debian: expect.stringMatching(/^glibc \S+$/) } },
    });
    expect(await show('glibc', '--format', 'spdx')).toMatchObject({
      code: 1,
      found: { error: { code: 'no-evidence' } },
    });
  });

  test('with a changed byte, or without a file, is found by weir release verify', async () => {
    const out = join(await newFolder('evidence'), 'out');
    await mkdir(out);
    await runOk(['cp', '-al', `${shared.out}/.`, out]);
    const folder = join('repo/4.0', record.snapshot, 'evidence');
    const paths = record.extras!.map(({ path }) => basename(path));
    const [one, two, three] = ['less', 'gzip', 'bzip2'].map((name) =>
      paths.filter((path) => path.startsWith(`${name}-`)),
    );
    const changed = [join(folder, one![0]!), join(folder, two![1]!)];
    for (const path of changed) {
      const bytes = await readFile(join(out, path));
      bytes[bytes.length >> 1]! ^= 1;
      // Not in place: the file is a hard link to the shared one.
      await rm(join(out, path));
      await writeFile(join(out, path), bytes);
    }
    const missing = join(folder, three![0]!);
    await rm(join(out, missing));
    const { code, stdout } = await weir(['-C', shared.project, 'release', 'verify', '--out', out, '--json']);
    const { faults } = JSON.parse(stdout) as { faults: { path: string; fault: string }[] };
    expect(faults.map(({ fault, path }) => `${fault} ${path}`).sort()).toEqual(
      [`missing ${missing}`, ...changed.map((path) => `wrong ${path}`)].sort(),
    );
    expect(code).toBe(1);
  });
});
