import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import { copyProjectTo } from './project-copy.ts';
import { shared, tools, weir } from './weir.ts';

let project: string;
let script: string;
const component = (name: string): string => join(project, 'components/gen', name);

/** @param isolated whether the sandbox has a network of its own, with nothing but loopback */
const scriptFor = (isolated: boolean): string => `#!/bin/sh
set -eu
test ! -e ${shared.work}
${isolated ? 'test -z "$(tail -n +3 /proc/net/dev | grep -v " lo:")"' : ''}
mkdir -p /azldev-gen/output/gen-1/sub
tar -xf ./in.tar
sort in/words > /azldev-gen/output/gen-1/sorted
ln -s ../sorted /azldev-gen/output/gen-1/sub/link
cp in/words /azldev-gen/output/gen-1/tool
chmod 755 /azldev-gen/output/gen-1/tool
test "$SOURCE_DATE_EPOCH" -gt 0
`;

async function configure(hash?: string): Promise<void> {
  await writeFile(
    component('gen.toml'),
    `[components.gen]
spec = { type = "local", path = "gen.spec" }
[[components.gen.source-files]]
filename = "gen-1.tar.xz"
${hash === undefined ? '' : `hash-type = "SHA512"\nhash = "${hash}"\n`}origin = { type = "custom", script = "make-gen.sh", mock-packages = ["tar"], inputs = ["in.tar"] }
`,
  );
}

beforeAll(async () => {
  project = await copyProjectTo(join(shared.work, 'custom'));
  await mkdir(component('in'), { recursive: true });
  await writeFile(component('in/words'), 'b\na\n');
  await runOk(['tar', '-C', component('.'), '-cf', component('in.tar'), 'in']);
  await writeFile(
    component('gen.spec'),
    'Name: gen\nVersion: 1\nRelease: 1\nSummary: g\nLicense: MIT\nSource0: gen-1.tar.xz\n',
  );
  script = scriptFor((await tools()).jail.kind !== 'chroot');
  await writeFile(component('make-gen.sh'), script);
  await configure();
});

const prepare = (dir: string, ...more: readonly string[]): ReturnType<typeof weir> =>
  weir(['-C', project, 'component', 'prepare', 'gen', '-o', join(shared.work, dir), '--json', ...more]);

interface Report {
  readonly computed: readonly { readonly filename: string; readonly hash: string }[];
}

describe('a source file made by a script', () => {
  let hash: string;

  test('prints its hash and archives the script’s output', async () => {
    expect(JSON.parse((await prepare('gen0')).stdout)).toMatchObject({ error: { code: 'no-hash' } });
    const result = await prepare('gen1', '--allow-no-hashes');
    expect(result.code, result.stderr).toBe(0);
    const { computed } = JSON.parse(result.stdout) as Report;
    hash = computed[0]!.hash;
    const archive = join(shared.work, 'gen1/gen-1.tar.xz');
    const { stdout } = await runOk(['sh', '-c', 'xz -dc "$1" | tar -tvf - --numeric-owner', 'sh', archive]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' '));
    expect(lines).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 gen-1/',
      '-rw-r--r-- 0/0 4 1970-01-01 00:00 gen-1/sorted',
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 gen-1/sub/',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00 gen-1/sub/link -> ../sorted',
      '-rwxr-xr-x 0/0 4 1970-01-01 00:00 gen-1/tool',
    ]);
  });

  test('comes from the cache without a sandbox, once its hash is known', async () => {
    await configure(hash);
    const result = await weir(['-C', project, 'component', 'prepare', 'gen', '-o', join(shared.work, 'gen2')], {
      env: { WEIR_OFFLINE: '1' },
    });
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).not.toContain('script');
    const [first, second] = await Promise.all(
      ['gen1', 'gen2'].map((dir) => readFile(join(shared.work, dir, 'gen-1.tar.xz'))),
    );
    expect(first!.equals(second!)).toBe(true);
  });

  test('is reproducible', async () => {
    await writeFile(component('make-gen.sh'), `${script}\n# nothing that counts\n`);
    const result = await prepare('gen3');
    expect(result.code, result.stderr).toBe(0);
  });

  test('is rejected if its hash differs', async () => {
    await writeFile(component('make-gen.sh'), script.replace('sort', 'sort -r'));
    const result = await prepare('gen4');
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'wrong-hash', where: { component: 'gen' } } });
  });

  test('reports the script’s output on failure', async () => {
    await writeFile(component('make-gen.sh'), '#!/bin/sh\necho no luck >&2\nexit 3\n');
    await chmod(component('make-gen.sh'), 0o644);
    const { error } = JSON.parse((await prepare('gen5')).stdout) as { error: { code: string; details: string[] } };
    expect(error).toMatchObject({ code: 'script-failed', details: ['no luck'] });
    await writeFile(component('make-gen.sh'), '#!/bin/sh\ntrue\n');
    expect(JSON.parse((await prepare('gen6')).stdout)).toMatchObject({ error: { code: 'script-output' } });
  });
});
