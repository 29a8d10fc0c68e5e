import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../../src/base/errors.ts';
import { parsePackageManifest } from '../../src/inputs/package-manifest.ts';
import { readRuntimeConfig } from '../../src/kiwi/runtime-config.ts';
import { readCustomization } from '../../src/release/custom/customization.ts';
import { readInjections } from '../../src/release/custom/inject-config.ts';
import type { Target } from './target.ts';

const samples: readonly string[] = [
  `os:
  hostname: web
  packages: { install: [lsof], remove: [vim] }
  additionalFiles:
  - { content: "a: b", destination: /etc/motd, permissions: "644" }
  additionalDirs:
  - { source: d, destination: /opt/d/, newDirPermissions: "750" }
  groups: [{ name: ops, gid: 1500 }]
  users: &users
  - { name: alice, uid: 1400, password: { type: hashed, value: $6$a }, secondaryGroups: [wheel] }
  services: { enable: [a], disable: [b.socket] }
  kernelCommandLine: { extraCommandLine: [quiet] }
output: { image: { path: web.vhd, format: vhd } }
`,
  'injectFiles:\n- { partition: { idType: part-label, id: esp }, source: a.efi, destination: /EFI/a.efi }\n',
  'build_constraints:\n  - max_size: 700m\nruntime_checks:\n  - disable: [a]\n',
  `document: rpm-package-manifest
version: 0.2.2
data:
  repositories:
  - { id: base, baseurl: "https://repo.example.org" }
  packages:
    x86_64:
    - { name: zsh, repo_id: base, checksum: "sha256:${'0'.repeat(64)}", size: 10, evr: 5.9-1 }
`,
];

/** YAML files of other tools: an input is read as each of them. */
const yaml: Target = {
  name: 'yaml',
  samples: async () => samples.map((text) => Buffer.from(text)),
  read: async (input, work) => {
    const file = join(work, 'input.yaml');
    await writeFile(file, input);
    const readers = [
      () => readCustomization(file),
      () => readInjections(file),
      () => readRuntimeConfig(file),
      () => parsePackageManifest(input.toString(), file),
    ];
    const errors: unknown[] = [];
    for (const read of readers) {
      try {
        await read();
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        errors.push(error);
      }
    }
    if (errors.length === readers.length) throw errors[0];
  },
};

export const yamlTargets: readonly Target[] = [yaml];
