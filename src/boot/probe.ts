import type { Credential } from './qemu.ts';

/** The virtio-serial port that carries the probe's answers. */
export const probePort = 'org.weir.probe';

/** A package that the guest's dnf installs from given repositories. */
export interface ProbeInstall {
  /** The package's name. */
  readonly package: string;
  /** Repository ids defined in the image, each with a base URL that replaces the defined one. */
  readonly repositories: readonly { readonly id: string; readonly baseUrl: string }[];
}

export interface ProbeOptions {
  /** Verifies every installed file with rpm -Va; slow when emulated. */
  readonly verifyPackages: boolean;
  readonly install?: ProbeInstall;
  /** A shell script, run as root after all other checks. Its dnf uses the repositories of `install`. */
  readonly script?: string;
  /** Seconds that the guest gets to finish booting. */
  readonly settleSeconds: number;
}

/**
 * The credentials that make a machine report on itself, without test code in the image. systemd reads them, adds the unit
 * (`systemd.extra-unit.*`) and wants it from multi-user.target (`systemd.unit-dropin.*`); see systemd-debug-generator(8).
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

// Type=exec: the unit counts as started at once. Otherwise the boot would wait for it and the system stay "starting" for ever.
// It runs in the domain of an administrator's shell, because that is where installing must work under SELinux.
const probeUnit = `[Unit]
Description=Weir boot check
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

/** One answer: a JSON line with name, exit code and output (stdout and stderr, base64). */
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
    // The result goes through a variable, so that the line is written at once. The port is closed for the program: one in its
    // own SELinux domain, such as lsmod, may not write to it, and inheriting it would be a denial.
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
  if (options.script !== undefined && options.install !== undefined) lines.push(...overrideLines(options.install));
  if (options.script !== undefined) lines.push('ask run sh "$CREDENTIALS_DIRECTORY/weir.run"');
  lines.push(
    // Last, to include denials of all checks. dmesg has those before auditd started, the log those after.
    'ask denials sh -c \'{ dmesg; cat /var/log/audit/audit.log; } 2>/dev/null | grep "avc: *denied"; :\'',
    'ask end true',
    'exec 3>&-',
    'systemctl poweroff',
  );
  return `${lines.join('\n')}\n`;
}

/** dnf checks signatures as the image's repository definition requires; only the address differs. */
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

/** The script's own dnf gets the packages from the same place; the signatures are checked as the image says. */
function overrideLines({ repositories }: ProbeInstall): string[] {
  const settings = repositories.map(({ id, baseUrl }) => `[${id}]\nbaseurl=${baseUrl}\nmetalink=\nmirrorlist=\n`);
  const folder = '/etc/dnf/repos.override.d';
  return [`mkdir -p ${folder}`, `printf %s ${shellWord(settings.join(''))} > ${folder}/99-weir-check.repo`];
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** The answers so far, without an incomplete last line. */
export function parseAnswers(text: string): ProbeAnswer[] {
  const answers: ProbeAnswer[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const match = /^\{"name":"([a-z-]+)","code":(\d+),"text":"([A-Za-z0-9+/=]*)"\}\r?$/.exec(line);
    if (match === null) continue;
    answers.push({ name: match[1]!, code: Number(match[2]), text: Buffer.from(match[3]!, 'base64').toString() });
  }
  return answers;
}
