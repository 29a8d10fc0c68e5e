import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDisk, partitionTypes } from '../src/image/disk.ts';
import { makeEsp } from '../src/image/esp.ts';
import { runTool, type Toolbox } from '../src/toolbox/tool.ts';

/**
 * The reference for vm-base: Debian's base system (what its installer puts on every machine: priority "important" and above)
 * with the kernel, sshd and services of a cloud image, but nothing for the cloud itself. GRUB does not wait and recommended
 * packages are not installed, both in Debian's favour. Like every published image it has no machine ID and no host keys;
 * Debian's own units generate them at first boot.
 */
const packages = [
  ...['linux-image-cloud-amd64', 'grub-efi-amd64-bin', 'openssh-server', 'ca-certificates', 'chrony', 'curl', 'sudo'],
  ...['dbus', 'libpam-systemd', 'systemd-resolved'],
];

/** The options of vm-base's kernel command line for the console and log level, and to skip questions at first boot. */
const kernelWords = 'ro console=tty0 console=ttyS0 loglevel=4 systemd.firstboot=no';

const grubConfig = [
  'search --label debian --set=root',
  'set timeout=0',
  `menuentry Debian { linux /vmlinuz root=LABEL=debian ${kernelWords}`,
  '  initrd /initrd.img',
  '}',
].join('\\n');

/**
 * Creates the disk, unless it exists, with the host's mmdebstrap(1), which needs root or a range of subordinate ids. Uses the
 * mirror and suite of Weir's own toolbox.
 * @param cache `XDG_CACHE_HOME` of a build
 * @returns path of the raw disk
 */
export async function debianDisk(core: Toolbox, cache: string, dir: string): Promise<string> {
  const disk = join(dir, 'debian.raw');
  if (existsSync(disk)) return disk;
  await mkdir(dir, { recursive: true });
  const { mirror, suite, keyring } = await mirrorOf(cache);
  const hook = (script: string): string => `--customize-hook=${script}`;
  const tar = join(dir, 'debian.tar');
  await run('mmdebstrap', [
    // Which would make the first start no first start.
    ...[
      '--variant=important',
      '--skip=cleanup/reproducible',
      `--include=${packages.join(',')}`,
      `--keyring=${keyring}`,
    ],
    ...["--aptopt=Acquire::Check-Valid-Until 'false'", "--aptopt=APT::Install-Recommends 'false'"],
    hook(
      'printf "LABEL=debian / ext4 defaults 0 1\\n" >"$1/etc/fstab"; echo debian >"$1/etc/hostname"; echo uninitialized >"$1/etc/machine-id"; rm "$1"/etc/ssh/ssh_host_*',
    ),
    hook('printf "[Match]\\nName=e*\\n[Network]\\nDHCP=yes\\n" >"$1/etc/systemd/network/80-dhcp.network"'),
    hook('chroot "$1" systemctl enable systemd-networkd systemd-resolved'),
    hook(`printf '${grubConfig}\\n' >"$1/boot/grub.cfg"`),
    hook(
      'chroot "$1" grub-mkstandalone -O x86_64-efi -o /boot/grub.efi --modules="part_gpt ext2 search search_label linux" boot/grub/grub.cfg=/boot/grub.cfg',
    ),
    hook(`copy-out /boot/grub.efi '${dir}'`),
    ...[suite, tar, `deb [check-valid-until=no] ${mirror} ${suite} main`],
  ]);
  const temporary = join(dir, 'debian.part');
  const uuid = (last: number): string => `00000000-0000-4000-8000-00000000000${last}`;
  await makeDisk(core, temporary, {
    uuid: uuid(0),
    size: 4 * 2 ** 30,
    partitions: [
      {
        name: 'esp',
        type: partitionTypes.esp,
        uuid: uuid(1),
        size: 200 * 2 ** 20,
        fill: (target) => {
          const files = { 'EFI/BOOT/BOOTX64.EFI': join(dir, 'grub.efi') };
          return makeEsp(core, target, { files, label: 'ESP', volumeId: 'DEB1A400', epoch: 1_600_000_000 });
        },
      },
      {
        name: 'root',
        type: partitionTypes.rootX86_64,
        uuid: uuid(2),
        size: 3 * 2 ** 30,
        fill: async ({ file, offset, size }) => {
          const blocks = String(Math.floor(size / 4096));
          const options = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-L', 'debian', '-E', `offset=${offset}`, '-d', tar];
          const binds = [{ from: dir, writable: true }];
          await runTool(core, { argv: ['mke2fs', ...options, file, blocks], binds });
        },
      },
    ],
  });
  await rm(tar);
  await rename(temporary, disk);
  return disk;
}

async function mirrorOf(cache: string): Promise<{ mirror: string; suite: string; keyring: string }> {
  const apt = join(cache, 'weir', 'apt');
  const [folder] = await readdir(apt);
  const text = await readFile(join(apt, folder!, 'etc/sources.list'), 'utf8');
  const match = /^deb \[.*?signed-by=([^\] ]+).*?\] (\S+) (\S+)/m.exec(text);
  if (match === null) throw new Error(`no mirror found in ${apt}`);
  const [, keyring, mirror, suite] = match;
  return { mirror: mirror!, suite: suite!, keyring: keyring! };
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', () => reject(new Error(`${program} not found: run apt-get install ${program}`)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} failed with exit code ${code}:\n${said.slice(-2000)}`));
    });
  });
}
