// Writes the metadata of a large RPM repository, of the size of Fedora's "everything": packages that do not exist, with requirements
// that resolve. Only metadata: nothing can be downloaded from it.
//
//     node bench/large-repository.ts DIR [packages]

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';

const [dir, countText = '70000'] = process.argv.slice(2);
if (dir === undefined) {
  process.stderr.write('usage: node bench/large-repository.ts DIR [packages]\n');
  process.exit(2);
}
const count = Number(countText);

let state = 1;
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

const roots = ['bash', 'gcc', 'make', 'rpm-build', 'tar', 'gzip', 'xz', 'sed', 'grep', 'findutils', 'coreutils'];
const names = Array.from(
  { length: count },
  (_, index) => roots[index] ?? `package-${index}-${index % 7 === 0 ? 'devel' : 'libs'}`,
);
const primary: string[] = [];
const filelists: string[] = [];
for (const [index, name] of names.entries()) {
  const pkgid = createHash('sha256').update(name).digest('hex');
  const version = `${1 + (index % 9)}.${index % 40}`;
  const provides = [`<rpm:entry name="${name}" flags="EQ" epoch="0" ver="${version}" rel="1.fc43"/>`];
  for (let i = 0; i < 6; i++) provides.push(`<rpm:entry name="lib${index}-${i}.so.1()(64bit)"/>`);
  const requires = ['<rpm:entry name="/bin/sh"/>'];
  // Towards the start, so that there are no cycles, and a closure of a few hundred packages.
  for (let i = 0; i < 10 && index > 20; i++) {
    const on = random(Math.min(index, 20 + Math.floor(index / 50)));
    requires.push(`<rpm:entry name="lib${on}-${random(6)}.so.1()(64bit)"/>`);
  }
  const bins =
    index === 0 ? ['<file>/bin/sh</file>', '<file>/usr/bin/bash</file>'] : [`<file>/usr/bin/tool-${index}</file>`];
  primary.push(
    `<package type="rpm"><name>${name}</name><arch>x86_64</arch><version epoch="0" ver="${version}" rel="1.fc43"/>` +
      `<checksum type="sha256" pkgid="YES">${pkgid}</checksum><summary>Package ${index}</summary>` +
      `<description>A package that exists only as metadata, with a description of a usual length, so that sizes are realistic.</description>` +
      `<packager>Fedora Project</packager><url>https://example.org/${name}</url><time file="1760000000" build="1760000000"/>` +
      `<size package="${1000 + index}" installed="${5000 + index}" archive="${6000 + index}"/>` +
      `<location href="Packages/${name[0]}/${name}-${version}-1.fc43.x86_64.rpm"/><format><rpm:license>MIT</rpm:license>` +
      `<rpm:vendor>Fedora Project</rpm:vendor><rpm:group>Unspecified</rpm:group><rpm:buildhost>build.example.org</rpm:buildhost>` +
      `<rpm:sourcerpm>source-${Math.floor(index / 3)}-${version}-1.fc43.src.rpm</rpm:sourcerpm><rpm:header-range start="4504" end="6000"/>` +
      `<rpm:provides>${provides.join('')}</rpm:provides><rpm:requires>${requires.join('')}</rpm:requires>${bins.join('')}</format></package>\n`,
  );
  const files = Array.from({ length: 40 }, (_, i) => `<file>/usr/share/${name}/directory-${i % 5}/file-${i}</file>`);
  filelists.push(
    `<package pkgid="${pkgid}" name="${name}" arch="x86_64"><version epoch="0" ver="${version}" rel="1.fc43"/>${files.join('')}</package>\n`,
  );
}
mkdirSync(join(dir, 'repodata'), { recursive: true });
const xml = '<?xml version="1.0" encoding="UTF-8"?>\n';
const parts = [
  [
    'primary',
    `${xml}<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="${count}">\n${primary.join('')}</metadata>\n`,
  ],
  [
    'filelists',
    `${xml}<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="${count}">\n${filelists.join('')}</filelists>\n`,
  ],
] as const;
const data = parts.map(([type, text]) => {
  const open = Buffer.from(text);
  const packed = zstdCompressSync(open);
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const href = `repodata/${digest(packed)}-${type}.xml.zst`;
  writeFileSync(join(dir, href), packed);
  return (
    `<data type="${type}"><checksum type="sha256">${digest(packed)}</checksum><open-checksum type="sha256">${digest(open)}</open-checksum>` +
    `<location href="${href}"/><timestamp>1760000000</timestamp><size>${packed.length}</size><open-size>${open.length}</open-size></data>\n`
  );
});
writeFileSync(
  join(dir, 'repodata/repomd.xml'),
  `${xml}<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm"><revision>1760000000</revision>\n${data.join('')}</repomd>\n`,
);
