import { copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { runOk } from '../../src/base/process.ts';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';
import { openImageKey, signText } from '../../src/trust/image-key.ts';
import { filesBelow, newFolder, releaseRecord, shared, tools, weir } from './weir.ts';

let out: string;
let record: ReleaseRecord;
let base: string;
let snapshot: string;

/** The release that was built, with one image, as hard links: what is changed must be replaced. */
beforeEach(async () => {
  out = await newFolder('verify');
  record = await releaseRecord();
  snapshot = join('repo/4.0', record.snapshot);
  base = join(snapshot, 'base/x86_64');
  const parts = ['weir-output', 'image-key.pem', 'endoflife', 'repo'].map((name) => join(shared.out, name));
  await runOk(['cp', '-al', ...parts, out]);
  await runOk(['mkdir', join(out, 'images')]);
  await runOk(['cp', '-al', join(shared.out, 'images/distroless-minimal'), join(out, 'images')]);
  record = { ...record, images: record.images.filter(({ name }) => name === 'distroless-minimal') };
  await signed(JSON.stringify(record));
});

/** Puts a release record into place, signed as the build signs it. */
async function signed(text: string): Promise<void> {
  const cache = join(shared.cacheHome, 'weir');
  await replace('release.json', text);
  const key = await openImageKey({ cache, publicKey: undefined, secret: undefined });
  await replace('release.json.sig', signText(key, text));
}

async function replace(path: string, text: string | Uint8Array): Promise<void> {
  await writeFile(join(out, 'new'), text);
  await rename(join(out, 'new'), join(out, path));
}

async function verify(): Promise<{ code: number; faults: string[]; stdout: string; stderr: string }> {
  const result = await weir(['-C', shared.project, 'release', 'verify', '--out', out, '--json']);
  const { ok, faults } = JSON.parse(result.stdout) as { ok: boolean; faults: { path: string; fault: string }[] };
  expect(ok).toBe(faults.length === 0);
  return { ...result, faults: faults.map(({ path, fault }) => `${fault} ${path}`).sort() };
}

async function packageNamed(name: string): Promise<string> {
  const all = await filesBelow(join(out, base, 'Packages'));
  return join(base, 'Packages', all.find((each) => new RegExp(`^./${name}-\\d`).test(each))!);
}

async function metadata(type: string): Promise<string> {
  const all = await filesBelow(join(out, base, 'repodata'));
  return join(base, 'repodata', all.find((each) => each.includes(`-${type}.xml`))!);
}

describe('weir release verify', () => {
  test('reports no faults of a build', async () => {
    expect(await verify()).toMatchObject({ code: 0, faults: [] });
    const { code, stdout } = await weir(['-C', shared.project, 'release', 'verify', '--out', out, '-q']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+ files of 1 images and \d+ packages: all unchanged\n$/),
    });
  });

  test('reports each wrong, missing or extra file', async () => {
    const damaged = await packageNamed('bash');
    const bytes = await readFile(join(out, damaged));
    bytes[bytes.length >> 1]! ^= 1;
    await replace(damaged, bytes);
    const gone = await packageNamed('hostname');
    await rm(join(out, gone));
    const folder = await packageNamed('gzip');
    const pipe = await packageNamed('sed');
    for (const path of [folder, pipe]) await rm(join(out, path));
    await runOk(['mkdir', join(out, folder)]);
    await runOk(['mkfifo', join(out, pipe)]);
    const repomd = join(base, 'repodata/repomd.xml');
    await replace(repomd, `${await readFile(join(out, repomd), 'utf8')}\n`);
    const filelists = await metadata('filelists');
    await replace(filelists, 'other');
    await replace(join(base, 'repodata/more.xml'), '');
    await replace('images/distroless-minimal/oci/oci-layout', '{}');
    await replace('holiday.jpg', '');
    await replace('repo/holiday.jpg', '');
    await rm(join(out, 'repo/4.0/latest'));
    await symlink('20200101-00000000', join(out, 'repo/4.0/latest'));
    const { code, faults } = await verify();
    expect(code).toBe(1);
    expect(faults).toEqual(
      [
        'extra holiday.jpg',
        'extra repo/holiday.jpg',
        `extra ${join(base, 'repodata/more.xml')}`,
        `missing ${gone}`,
        'wrong images/distroless-minimal/oci/oci-layout',
        'wrong repo/4.0/latest',
        `wrong ${damaged}`,
        `wrong ${folder}`,
        `wrong ${pipe}`,
        `wrong ${filelists}`,
        `wrong ${repomd}`,
        `wrong ${join(base, 'repodata')}`,
      ].sort(),
    );
    const { stdout } = await weir(['-C', shared.project, 'release', 'verify', '--out', out, '-q']);
    expect(stdout).toContain(`missing  ${gone}: it is missing\n`);
  });

  test('detects an unsigned package although all records match', async () => {
    const path = await packageNamed('hostname');
    const toolbox: Toolbox = await tools();
    const copy = join(await newFolder('unsigned'), 'hostname.rpm');
    await copyFile(join(out, path), copy);
    const binds = [{ from: join(copy, '..'), writable: true }];
    await runTool(toolbox, { argv: ['rpmsign', '--delsign', copy], binds });
    const bytes = await readFile(copy);
    const before = sha256(await readFile(join(out, path)));
    await replace(path, bytes);
    await signed(JSON.stringify(record).replaceAll(before, sha256(bytes)));
    const { faults } = await verify();
    // The images hold it as it was published, and so does the metadata.
    expect(faults).toContain(`wrong ${path}`);
    expect(faults).toContain(`wrong ${await metadata('primary')}`);
  });

  test('detects a repository signed with another key', async () => {
    await signed(JSON.stringify(record).replace(record.signingKey.fingerprint, 'A'.repeat(40)));
    expect((await verify()).faults).toEqual([`wrong ${join(snapshot, 'RPM-GPG-KEY')}`]);
  });

  test('detects additions to the packages’ key, even those invisible to GnuPG', async () => {
    const path = join(snapshot, 'RPM-GPG-KEY');
    const own = await readFile(join(out, path), 'utf8');
    const binds = [{ from: await newFolder('other-key'), to: '/work', writable: true }];
    const gpg = ['gpg', '--homedir', '/work', '--batch', '--passphrase', ''];
    await runTool(await tools(), { argv: [...gpg, '--quick-gen-key', 'Other', 'ed25519'], binds });
    const { stdout: other } = await runTool(await tools(), { argv: [...gpg, '--armor', '--export'], binds });
    for (const added of [other, `  ${other}`, 'more\n']) {
      await replace(path, `${own}${added}`);
      expect((await verify()).faults).toEqual([`wrong ${path}`]);
    }
    // A project that names no image key believes the one in the record, and with it the rest of it.
    const publicKey = `${own}  ${other}`;
    await replace(path, publicKey);
    await signed(JSON.stringify({ ...record, signingKey: { ...record.signingKey, publicKey } }));
    expect((await verify()).faults).toEqual([`wrong ${path}`]);
  });

  test('detects a record changed after signing', async () => {
    await copyFile(join(shared.out, 'release.json.sig'), join(out, 'release.json.sig'));
    expect((await verify()).faults).toEqual(['wrong release.json']);
    await copyFile(join(shared.out, 'release.json'), join(out, 'new'));
    await rename(join(out, 'new'), join(out, 'release.json'));
    const { faults } = await verify();
    expect(faults).not.toContain('wrong release.json');
  });
});
