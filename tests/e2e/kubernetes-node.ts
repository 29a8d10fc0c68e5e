import { call, criFunctions, id, type Message } from './cri.ts';

/** The image under the name that the test gives it. */
export const baseImage = 'localhost/container-base:4.0';
/** What containerd is configured to start every pod with. */
export const pauseImage = 'registry.k8s.io/pause:3.10';

const gateway = '10.88.0.1';

/** A network of pods made of the plugins that are in the image. */
const network = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16', gateway }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

const pod: Message = [
  [
    1,
    [
      [1, 'pod'],
      [2, 'uid'],
      [3, 'default'],
    ],
  ],
  [2, 'pod'],
  [3, '/var/log/pods/default_pod_uid'],
  [
    8,
    [
      [1, 'kubepods.slice'],
      [2, []],
    ],
  ],
];

const inside = `cat /proc/self/attr/current; echo; cat /etc/os-release; head -n 1 < /dev/tcp/${gateway}/22; echo end`;

const container: Message = [
  [1, [[1, 'base']]],
  [2, [[1, baseImage]]],
  [3, '/bin/bash'],
  [3, '-c'],
  [3, inside],
  [11, 'base/0.log'],
];

/** What a kubelet would do on a node for one pod, and what the node then looks like: lines of `key=value`. */
export const nodeScript = `say() { printf '%s=%s\\n' "$1" "$2"; }
${criFunctions}
say containerd "$(systemctl is-active containerd) $(systemctl is-enabled containerd)"
ctr -n k8s.io images import /dev/disk/by-id/virtio-data1 >/tmp/import 2>&1 || { cat /tmp/import; exit 1; }
mkdir -p /etc/cni/net.d
cat > /etc/cni/net.d/10-pods.conflist <<'END'
${JSON.stringify(network)}
END
sleep 2
${call('RunPodSandbox', [[1, pod]])}
pod=$(answered)
${call('CreateContainer', [
  [1, id('pod')],
  [2, container],
  [3, pod],
])}
container=$(answered)
${call('StartContainer', [[1, id('container')]])}
log=/var/log/pods/default_pod_uid/base/0.log
n=0; until grep -qs ' end$' "$log" || [ $n -ge 60 ]; do sleep 1; n=$((n+1)); done
sed 's/^[^ ]* std\\(out\\|err\\) F /inside=/' "$log"
pid=$(pgrep -xn sleep)
say pause "$(cat /proc/$pid/attr/current | tr -d '\\0') $(cut -d: -f3 /proc/$pid/cgroup)"
say engine "$(ps -o label= -C containerd)"
say shim "$(ps -o label= -C containerd-shim | head -n 1)"
say runc "$(stat -L -c %C /usr/bin/runc)"
say files "$(stat -c %C /var/lib/containerd)"
say cgroup "$(stat -f -c %T /sys/fs/cgroup)"
say swap "$(swapon --show --noheadings | wc -l)"
say modules "$(cut -d' ' -f1 /proc/modules | grep -xE 'overlay|br_netfilter' | sort | tr '\\n' ' ')"
for key in net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables net.ipv4.ip_forward vm.overcommit_memory \\
  kernel.panic kernel.panic_on_oops fs.inotify.max_user_instances fs.inotify.max_user_watches net.ipv4.conf.all.rp_filter; do
  say "$key" "$(sysctl -n $key)"
done
${call('StopPodSandbox', [[1, id('pod')]])}
${call('RemovePodSandbox', [[1, id('pod')]])}
say iscsi "$(systemctl is-active iscsid.socket iscsid.service | tr '\\n' ' ')"
systemctl start iscsid rpc-statd || exit 1
say iscsi "$(stat -c %a /etc/iscsi/initiatorname.iscsi) $(grep -c '^InitiatorName=iqn' /etc/iscsi/initiatorname.iscsi)"
say nfs "$(rpcinfo -p localhost | grep -c status)"
say left "$(ctr -n k8s.io containers ls -q | wc -l)"
`;
