import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../src/engine/action.ts';
import { putFile } from '../../src/engine/store.ts';
import type { RepoPackage } from '../../src/repo/metadata.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { runTool, type Toolbox } from '../../src/toolbox/tool.ts';

/** Appends a line to the log whose order the tests compare. */
const note = (text: string): string => `echo "${text} $*" >> /var/log/scr.log`;
const noteLua = (text: string): string =>
  `local f = io.open("/var/log/scr.log", "a"); f:write("${text} " .. arg[2] .. "\\n"); f:close()`;

interface Spec {
  readonly tags?: string;
  readonly install?: string;
  readonly files?: string;
  readonly scripts: string;
}

/** Packages with scripts of every kind that runs at installation. Each requires the one before, so there is one order. */
export const scriptedSpecs: Readonly<Record<string, Spec>> = {
  'scr-first': {
    tags: 'Requires(pre): shadow-utils, coreutils\nProvides: user(scrd), group(scrd)',
    install: 'mkdir -p %{buildroot}/etc %{buildroot}/var/lib/scrd; echo x > %{buildroot}/etc/scr.conf',
    files: '/etc/scr.conf\n%attr(0750,scrd,scrd) /var/lib/scrd',
    scripts: `%pretrans -p <lua>
posix.mkdir("/opt"); posix.mkdir("/opt/pretrans")
%pre
mkdir -p /var/log
getent group scrd > /dev/null || groupadd -r scrd
getent passwd scrd > /dev/null || useradd -r -g scrd -d /var/lib/scrd -s /sbin/nologin scrd
${note('first pre')}
%post
chown scrd:scrd /etc/scr.conf
chmod 0640 /etc/scr.conf
install -d -m 2770 -o scrd -g scrd /var/lib/scrd/new
echo by id > /var/lib/scrd/numeric
chown 1234:5678 /var/lib/scrd/numeric
${note('first post')}
%posttrans
${note('first posttrans')}
%preun
touch /never
%postun
touch /never
%verifyscript
touch /never`,
  },
  'scr-sysusers': {
    tags: 'Requires: scr-first',
    install:
      'mkdir -p %{buildroot}/usr/lib/sysusers.d %{buildroot}/var/lib/scrsys; echo "u scrsys - \\"Scripts\\" /var/lib/scrsys" > %{buildroot}/usr/lib/sysusers.d/scr.conf',
    files: '/usr/lib/sysusers.d/scr.conf\n%attr(0700,scrsys,scrsys) /var/lib/scrsys',
    scripts: `%post\n${note('sysusers post')}`,
  },
  'scr-lua': {
    tags: 'Requires: scr-sysusers',
    install: 'mkdir -p %{buildroot}/usr/share/scr; echo lua > %{buildroot}/usr/share/scr/lua',
    files: '/usr/share/scr',
    scripts: `%pre -p <lua>
${noteLua('lua pre')}
%post -p <lua>
${noteLua('lua post')}
posix.symlink("lua", "/usr/share/scr/link")
%posttrans -p <lua>
${noteLua('lua posttrans')}`,
  },
  'scr-triggers': {
    tags: 'Requires: scr-lua',
    install: 'mkdir -p %{buildroot}/usr/share/scr; echo t > %{buildroot}/usr/share/scr/triggers',
    files: '/usr/share/scr/triggers',
    scripts: `%triggerprein -- scr-last
${note('triggerprein')}
%triggerin -- scr-lua
${note('triggerin lua')}
%triggerin -p <lua> -- scr-last >= 1
${noteLua('triggerin last')}
%triggerin -- scr-caps > 7
touch /never
%triggerun -- scr-last
touch /never
%filetriggerin -- /usr/share/scr
${note('filetriggerin')}
sort >> /var/log/scr.log
%filetriggerin -P 2000000 -- /usr/share/scr
${note('filetriggerin early')}
%filetriggerin -- /usr/share/none
touch /never
%transfiletriggerin -- /usr/share/scr
${note('transfiletriggerin')}
sort >> /var/log/scr.log
%transfiletriggerpostun -- /usr/share/scr
touch /never
%post
${note('triggers post')}`,
  },
  'scr-caps': {
    tags: 'Requires: scr-triggers\nRequires(post): libcap',
    install:
      'mkdir -p %{buildroot}/usr/bin; for f in scr-ping scr-late scr-suid scr-gone; do echo $f > %{buildroot}/usr/bin/$f; ln %{buildroot}/usr/bin/$f %{buildroot}/usr/bin/$f-hard; done',
    files: `%caps(cap_net_raw=ep) %attr(0755,root,root) /usr/bin/scr-ping
%caps(cap_net_raw=ep) %attr(0755,root,root) /usr/bin/scr-ping-hard
%attr(0755,root,root) /usr/bin/scr-late
%attr(0755,root,root) /usr/bin/scr-late-hard
%attr(4755,root,root) /usr/bin/scr-suid
%attr(4755,root,root) /usr/bin/scr-suid-hard
%attr(0755,root,root) /usr/bin/scr-gone
%attr(0755,root,root) /usr/bin/scr-gone-hard`,
    scripts: `%post
setcap cap_net_bind_service,cap_sys_nice=ep /usr/bin/scr-late
rm /usr/bin/scr-gone
${note('caps post')}`,
  },
  'scr-alternatives': {
    tags: 'Requires: scr-caps',
    install:
      'mkdir -p %{buildroot}/usr/bin; echo one > %{buildroot}/usr/bin/scr.one; mkdir -p %{buildroot}/etc/scr-alternatives',
    files: '/usr/bin/scr.one\n/etc/scr-alternatives',
    scripts: `%post -e
ln -sf /usr/bin/scr.one /etc/scr-alternatives/scr
ln -sf /etc/scr-alternatives/scr /usr/bin/scr
echo %%{name}-%%{version} > /etc/scr-alternatives/expanded
${note('alternatives post')}
%posttrans -q
echo [%%{filenames},] > /etc/scr-alternatives/files
${note('alternatives posttrans')}`,
  },
  'scr-last': {
    tags: 'Requires: scr-alternatives',
    install: 'mkdir -p %{buildroot}/usr/share/scr; echo last > %{buildroot}/usr/share/scr/last',
    files: '/usr/share/scr/last',
    scripts: `%pre -p "/bin/bash -e"
${note('last pre')}
%post
${note('last post')}
echo "a line of the failing script"
exit 3
%posttrans
${note('last posttrans')}`,
  },
};

/** A package whose %pre fails. */
export const failingSpec: Spec = {
  tags: 'Requires(pre): bash',
  scripts: '%pre\necho "why it fails"\nexit 5\n%post\ntouch /never',
};

/** Writes what a scriptlet may and may not do to /probe. */
export const probeSpec: Spec = {
  tags: 'Requires(post): bash, coreutils, grep',
  scripts: `%post
exec > /probe
attempt() { if "$@" 2> /dev/null; then echo "ESCAPED $*"; else echo "refused $*"; fi; }
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status
echo ids $(cat /proc/self/uid_map)
echo descriptors $(ls /proc/self/fd)
touch /tmp/x
attempt mknod /disk b 254 0
attempt chroot / /bin/true
attempt touch /.weir/x
attempt touch /.weir/usr/bin/x
attempt sh -c 'echo x > /proc/sys/kernel/core_pattern'
attempt sh -c 'echo h > /proc/sysrq-trigger'
attempt sh -c 'test "$(ls -d /proc/[0-9]* | wc -l)" -gt 12'
attempt bash -c 'echo x > /dev/tcp/127.0.0.1/22'
`,
};

function specText(name: string, { tags = '', install = '', files = '', scripts }: Spec): string {
  return `Name: ${name}
Version: 1
Release: 1
Summary: Scripts
License: MIT
BuildArch: noarch
${tags}
%description
Scripts.
%install
mkdir -p %{buildroot}
${install}
${scripts}
%files
${files}
`;
}

/** Builds packages from specs with the toolbox's rpmbuild. @param folder an empty folder; the packages stay in it */
export async function buildPackages(
  engine: Engine,
  toolbox: Toolbox,
  folder: string,
  specs: Readonly<Record<string, Spec>>,
): Promise<RepoPackage[]> {
  await mkdir(folder, { recursive: true });
  for (const [name, spec] of Object.entries(specs)) await writeFile(join(folder, `${name}.spec`), specText(name, spec));
  await runTool(toolbox, {
    argv: [
      'sh',
      '-ec',
      `for spec in *.spec; do rpmbuild -bb --quiet -D '_topdir /tmp/top' -D '_buildhost weir' -D '__brp_strip %{nil}' $spec; done; cp /tmp/top/RPMS/noarch/*.rpm .`,
    ],
    binds: [{ from: folder, writable: true }],
    cwd: folder,
    env: { SOURCE_DATE_EPOCH: '1700000000' },
  });
  const files = (await readdir(folder)).filter((name) => name.endsWith('.rpm')).sort();
  return Promise.all(
    files.map(async (file): Promise<RepoPackage> => {
      const { digest } = await putFile(engine.store, join(folder, file));
      const { name, epoch, version, release, arch, sourceRpm } = await readRpm(join(folder, file));
      return { name, epoch, version, release, arch, sourceRpm, rpm: digest, origin: name };
    }),
  );
}
