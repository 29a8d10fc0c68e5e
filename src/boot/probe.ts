import type { Credential } from './qemu.ts';

/** The name of the virtio-serial port that answers come through. */
export const probePort = 'org.weir.probe';

/** A repository that the guest's dnf installs one package from. */
export interface ProbeInstall {
  /** The package's name. */
  readonly package: string;
  /** Repository ids as the image defines them, each with the address that stands in for the defined one. */
  readonly repositories: readonly { readonly id: string; readonly baseUrl: string }[];
}

export interface ProbeOptions {
  /** Checks every installed file against the package database; slow when emulated. */
  readonly verifyPackages: boolean;
  readonly install?: ProbeInstall;
  /** A shell script of the user's, run as root after everything else that is asked. */
  readonly script?: string;
  /** Seconds the guest gets to settle before it is asked. */
  readonly settleSeconds: number;
}

/**
 * What makes a machine report on itself, from outside: nothing for tests is in an image. systemd reads the credentials, adds the
 * unit (`systemd.extra-unit.*`) and wants it from multi-user.target (`systemd.unit-dropin.*`); see systemd-debug-generator(8).
 */
export function probeCredentials(options: ProbeOptions): Credential[] {
  const script = options.script === undefined ? [] : [{ name: 'weir.run', value: options.script }];
  return [
    ...script,
    { name: 'systemd.extra-unit.weir-probe.service', value: probeUnit },
    { name: 'systemd.unit-dropin.multi-user.target', value: '[Unit]\nWants=weir-probe.service\n' },
    { name: 'weir.probe', value: probeScript(options) },
  ];
}

// Type=exec: the unit is started at once and is no job that the boot waits for, else the system would be "starting" for ever.
// It runs as an administrator's shell does, for that is whose installing must work under SELinux.
const probeUnit = `[Unit]
Description=Weir asks how this machine is
DefaultDependencies=no
After=basic.target
[Service]
Type=exec
ExecStart=/bin/sh -c 'exec /bin/sh "$CREDENTIALS_DIRECTORY/weir.probe"'
ImportCredential=weir.*
SELinuxContext=-unconfined_u:unconfined_r:unconfined_t:s0
StandardOutput=null
StandardError=journal
`;

/** One answer: a JSON line of name, exit code and standard output with errors, base64. */
export interface ProbeAnswer {
  readonly name: string;
  readonly code: number;
  readonly text: string;
}

function probeScript(options: ProbeOptions): string {
  const lines = [
    `port=/dev/virtio-ports/${probePort}`,
    'n=0; while [ ! -e "$port" ] && [ $n -lt 60 ]; do sleep 1; n=$((n+1)); done',
    'exec 3>"$port"',
    // The result goes through a variable, so that the line is written whole. The port is not handed on: a program of a domain of
    // its own, as lsmod, may not write it, and having it open would be a denial.
    'ask() { name=$1; shift; text=$("$@" 2>&1 3>&-); code=$?; text=$(printf %s "$text" | base64 -w0);',
    '  printf \'{"name":"%s","code":%d,"text":"%s"}\\n\' "$name" "$code" "$text" >&3; }',
    `ask state timeout ${options.settleSeconds} systemctl is-system-running --wait`,
    "ask memory sh -c 'cat /proc/meminfo'",
    'ask failed systemctl list-units --state=failed --no-legend --plain',
    'ask jobs systemctl list-jobs --no-legend --plain',
    'ask time systemd-analyze time',
    'ask multi-user systemctl show multi-user.target -P ActiveEnterTimestampMonotonic',
    'ask blame systemd-analyze blame --no-pager',
    'ask services systemctl list-units --type=service --state=active --no-legend --plain',
    'ask kernel uname -r',
    'ask cmdline cat /proc/cmdline',
    'ask os-release cat /etc/os-release',
    'ask mounts cat /proc/mounts',
    'ask addresses ip -o address show scope global',
    'ask resolve getent ahosts _gateway',
    "ask secure-boot sh -c 'od -An -t u1 -j 4 -N 1 /sys/firmware/efi/efivars/SecureBoot-*'",
    'ask selinux getenforce',
    "ask warnings sh -c 'journalctl -b -p warning -q --no-pager -o cat | head -n 200'",
    "if command -v rpm >/dev/null; then ask packages sh -c 'rpm -qa | wc -l'; fi",
  ];
  if (options.verifyPackages) lines.push('if command -v rpm >/dev/null; then ask verify rpm -Va; fi');
  if (options.install !== undefined) lines.push(...installLines(options.install));
  if (options.script !== undefined) lines.push('ask run sh "$CREDENTIALS_DIRECTORY/weir.run"');
  lines.push(
    // Last, so that everything above is in it. dmesg has what came before auditd, the log what came after.
    'ask denials sh -c \'{ dmesg; cat /var/log/audit/audit.log; } 2>/dev/null | grep "avc: *denied"; :\'',
    'ask end true',
    'exec 3>&-',
    'systemctl poweroff',
  );
  return `${lines.join('\n')}\n`;
}

/** The packages' and the metadata's signatures are checked as the image's own repository definition says; only the address differs. */
function installLines(install: ProbeInstall): string[] {
  const dnf = ['dnf5', '-y', '--refresh'];
  for (const { id, baseUrl } of install.repositories) {
    dnf.push(`--repo=${id}`, `--setopt=${id}.baseurl=${baseUrl}`);
    dnf.push(`--setopt=${id}.metalink=`, `--setopt=${id}.mirrorlist=`);
  }
  return [
    `ask install env TERM=dumb ${[...dnf, 'install', install.package].map(shellWord).join(' ')}`,
    `ask installed rpm -q --qf ${shellWord('%{NVRA} %{OPENPGP:pgpsig}%{RSAHEADER:pgpsig}\\n')} ${shellWord(install.package)}`,
    `ask check-signatures sh -c ${shellWord(
      install.repositories.map(({ id }) => `dnf5 repo info ${shellWord(id)} | grep -i gpg`).join('; '),
    )}`,
  ];
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** The answers that came so far; a line that is not whole yet is left out. */
export function parseAnswers(text: string): ProbeAnswer[] {
  const answers: ProbeAnswer[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const match = /^\{"name":"([a-z-]+)","code":(\d+),"text":"([A-Za-z0-9+/=]*)"\}\r?$/.exec(line);
    if (match === null) continue;
    answers.push({ name: match[1]!, code: Number(match[2]), text: Buffer.from(match[3]!, 'base64').toString() });
  }
  return answers;
}
