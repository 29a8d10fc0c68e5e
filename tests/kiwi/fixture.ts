import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * A description with one disk, one container and one WSL image, which uses every element that Weir reads.
 * Paths of the files → their text.
 */
export const example: Readonly<Record<string, string>> = {
  'example.kiwi': `<?xml version="1.0" encoding="utf-8"?>
<!-- A comment -->
<image schemaversion="8.3" name="example" displayname="Example">
  <description type="system">
    <author>Somebody</author>
    <contact>somebody@example.org</contact>
    <specification>A description that uses every element</specification>
    <license>MIT</license>
  </description>
  <include from="this://./parts/profiles.xml"/>
  <include from="this://parts/disk.xml"/>
  <preferences profiles="Common">
    <packagemanager>dnf5</packagemanager>
    <locale>en_US</locale>
    <keytable>us</keytable>
    <timezone>Europe/Berlin</timezone>
    <version>1.2.3</version>
    <release-version>4.0</release-version>
    <rpm-check-signatures>true</rpm-check-signatures>
  </preferences>
  <preferences profiles="cell">
    <rpm-excludedocs>true</rpm-excludedocs>
    <rpm-locale-filtering>true</rpm-locale-filtering>
    <type image="oci" primary="true" bundle_format="%N">
      <containerconfig name="example/cell" tag="1.0" additionalnames=":latest, other/cell" maintainer="Somebody" user="nobody" workingdir="/srv">
        <entrypoint execute="/usr/bin/env"/>
        <subcommand execute="/bin/bash">
          <argument name="-c"/>
          <argument name="&quot;echo  hello&quot;"/>
        </subcommand>
        <environment><env name="LANG" value="C.UTF-8"/></environment>
        <labels><label name="org.example.kind" value="cell"/></labels>
      </containerconfig>
    </type>
    <type image="oci"><containerconfig name="not/this"/></type>
  </preferences>
  <preferences profiles="desk">
    <type image="wsl" bundle_format="Example-%A"/>
  </preferences>
  <preferences profiles="disc">
    <type image="iso" volid="never looked into"/>
  </preferences>
  <repository type="rpm-md" alias="build" priority="1" profiles="Common">
    <source path="https://example.org/$basearch/"><signing key="https://example.org/key"/></source>
  </repository>
  <packages type="bootstrap" profiles="Common">
    <package name="filesystem"/>
    <package name="setup"/>
    <package name="coreutils"/>
    <package name="not-for-us" arch="s390x"/>
  </packages>
  <packages type="image" profiles="Common">
    <file name="files/greet.sh" target="/usr/bin/greet" permissions="0750" owner="root:root"/>
    <file name="files/plain.txt" target="/srv/plain.txt"/>
    <package name="bash"/>
    <package name="weir-release" arch="x86_64,aarch64"/>
    <package name="tzdata"/>
    <package name="grep"/>
    <package name="sed"/>
    <package name="rpm"/>
  </packages>
  <packages type="image" profiles="desk" patternType="plusRecommended">
    <package name="weir-wsl"/>
    <package name="bash"/>
    <ignore name="nano"/>
  </packages>
  <packages type="oci" profiles="cell"><package name="less"/></packages>
  <packages type="iso" profiles="cell"><package name="only-on-a-disc"/></packages>
  <users profiles="cell" arch="x86_64">
    <user name="worker" password="$6$salt$hash" pwdformat="encrypted" home="/srv/worker" shell="/bin/sh" groups="work:1500,root" id="1400" realname="A worker"/>
    <user name="guest" password=""/>
  </users>
  <preferences profiles="bare">
    <type image="oci">
      <containerconfig name="example/bare"><subcommand clear="true"/></containerconfig>
    </type>
  </preferences>
</image>
`,
  'parts/profiles.xml': `<image>
  <profiles>
    <profile name="Common" description="What all have" import="false"/>
    <profile name="Boot" description="What boots" import="false"><requires profile="Common"/></profile>
    <profile name="cell" description="A container" import="true"><requires profile="Common"/></profile>
    <profile name="desk" description="WSL"><requires profile="Common"/></profile>
    <profile name="disk" description="A disk"><requires profile="Boot"/></profile>
    <profile name="disc" description="An ISO"/>
    <profile name="bare" description="A container without a package manager"><requires profile="Common"/></profile>
    <profile name="loader" description="A disk with its own boot loader"><requires profile="Common"/></profile>
  </profiles>
  <include from="this://./parts/nested.xml"/>
</image>
`,
  'parts/nested.xml': '<image><packages type="image" profiles="Boot"><package name="kernel"/></packages></image>\n',
  'parts/disk.xml': `<image>
  <preferences profiles="disk" arch="x86_64">
    <type
        image="oem"
        primary="true"
        format="vhdx"
        filesystem="ext4"
        fscreateoptions="-m 1"
        initrd_system="dracut"
        firmware="uefi"
        eficsm="false"
        efipartsize="160"
        efiparttable="gpt"
        bootpartition="false"
        overlayroot="false"
        installiso="false"
        devicepersistency="by-uuid"
        rootfs_label="example"
        kernelcmdline="console=ttyS0 rd.shell=0">
      <bootloader name="grub2" bls="true" console="serial" timeout="1"/>
      <size unit="G" additive="false">3</size>
      <oemconfig><oem-resize>false</oem-resize></oemconfig>
    </type>
  </preferences>
  <packages type="oem" profiles="disk">
    <package name="systemd"/>
    <package name="selinux-policy-targeted"/>
    <file name="files/fstab.script" target="/etc/fstab.script" permissions="0755"/>
  </packages>
  <preferences profiles="loader" arch="x86_64">
    <type image="oem" filesystem="ext4" initrd_system="none" firmware="efi" efipartsize="64">
      <bootloader name="custom"/>
      <size unit="M">900</size>
    </type>
  </preferences>
</image>
`,
  'files/greet.sh': '#!/bin/sh\necho hello\n',
  'files/plain.txt': 'plain\n',
  'files/fstab.script': `#!/bin/sh
set -eu
grep -Eq '^UUID=[0-9A-F]{4}-[0-9A-F]{4} /boot/efi vfat defaults 0 0$' /etc/fstab
sed -i 's|/boot/efi vfat defaults 0 0|/boot/efi vfat defaults,umask=0077 0 0|' /etc/fstab
`,
  'root/etc/example.conf': 'common\n',
  'root/usr/share/example/of-root': 'root\n',
  'cell/etc/example.conf': 'cell\n',
  'cell/image/helper.sh': '#!/bin/bash\necho "helped $kiwi_profiles" > /srv/helped\n',
  'Common/usr/share/example/of-common': 'common\n',
  'config.sh': `#!/bin/bash
set -euo pipefail
test -f /.profile && . /.profile
test -f /.kconfig && . /.kconfig
case ",$kiwi_profiles," in
  *,cell,*) bash /image/helper.sh ;;
  *,loader,*)
    mkdir -p /boot/efi/EFI/BOOT /boot/efi/loader
    echo "a loader" > /boot/efi/EFI/BOOT/BOOTX64.EFI
    echo "timeout 7" > /boot/efi/loader/loader.conf
    ;;
  *,bare,*)
    rpm -e --nodeps grep sed
    rm -rf /usr/lib/sysimage/rpm /usr/bin/rpm
    echo "without rpm" > /srv/bare
    exit
    ;;
esac
grep -q '<profile name="cell"' /image/config.xml
rpm -q bash > /srv/bash.version
printf '%s\\n' "$kiwi_iname" "$kiwi_iversion" "$kiwi_type" "$kiwi_language" "$kiwi_timezone" > /srv/kiwi
chmod 0600 /srv/kiwi
chown nobody /srv/kiwi
echo lost > /tmp/lost
Rm /srv/plain.txt
`,
  'images.sh': `cat /etc/os-release > /dev/null
echo images > /srv/images
`,
};

/** Files that are executable. */
const executable = ['config.sh', 'files/greet.sh', 'cell/image/helper.sh'];

/** Writes a description to a folder. @returns the path of its .kiwi file */
export async function writeDescription(
  folder: string,
  files: Readonly<Record<string, string>> = example,
): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode: executable.includes(path) ? 0o755 : 0o644 });
  }
  return join(folder, 'example.kiwi');
}
