#!/usr/bin/env bash
# A real Kubernetes on one Linux machine, for the project's tests: etcd, API server, controller manager, scheduler, and
# NODES nodes, each a containerd and a kubelet of its own, and a CSI driver with Kubernetes' own helpers. Needs root, Go, and the Debian
# packages that `install` names.
#
#   cluster.sh install | build | prepare | up | down | kubeconfig     `prepare` is the first two, which take 10 minutes the first time
#   cluster.sh image                                 the execution environment of this checkout, by its Containerfile; `up` makes it, too
#   cluster.sh sanity DRIVER                         csi-sanity, which asks a CSI driver for all that every driver must do
#   cluster.sh start NAME | stop NAME...             start a part of it as `up` does, or end it; NAME is that of its log
#   cluster.sh mount_volume NAMESPACE CLAIM SIZE     a volume's file system: an ext4 image of that size, so lost+found is there
#                                                    and ENOSPC is real
#   cluster.sh unmount NAMESPACE CLAIM               it goes away
#   cluster.sh copy_block ID DIRECTORY               copy what a block volume holds now, attached or not
#
# CLUSTER_DIR  what the running cluster keeps   (/var/tmp/packit-deployment-cluster; `down` deletes it)
# CLUSTER_BIN  binaries and images, kept        (~/.cache/packit-deployment/real-cluster)
# NODES        1 or 2                           (2)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${CLUSTER_DIR:-/var/tmp/packit-deployment-cluster}
bin=${CLUSTER_BIN:-$HOME/.cache/packit-deployment/real-cluster}
nodes=${NODES:-2}
kubectl="$bin/kubectl --kubeconfig $dir/kubeconfig"
api_service="-d 10.96.0.1/32 -p tcp --dport 443 -j DNAT --to-destination 10.88.0.1:7443"

packages="etcd-server containerd runc containernetworking-plugins iptables busybox-static mmdebstrap e2fsprogs xfsprogs openssl iproute2 git rsync buildah"

install() { # says nothing and takes no time where all is there
  local missing
  # shellcheck disable=SC2086
  # dpkg-query fails where it does not know one of them, which is what is asked.
  missing=$({ dpkg-query -W -f '${Package} ${Status}\n' $packages 2>/dev/null || true; } | awk '/ok installed$/ {print $1}' | sort |
    comm -13 - <(tr ' ' '\n' <<<"$packages" | sort))
  [ -n "$missing" ] || return 0
  echo "installs Debian packages: $(tr '\n' ' ' <<<"$missing")"
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

build() { # minutes the first time
  mkdir -p "$bin"
  if [ ! -x "$bin/kubectl" ]; then
    local v=k8s.io/component-base/version program
    (cd "$here" && CGO_ENABLED=0 go build -mod=mod -trimpath -o "$bin/kubernetes" \
      -ldflags "-s -w -X $v.gitVersion=v1.34.4 -X $v.gitMajor=1 -X $v.gitMinor=34" .)
    for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
      ln -sf kubernetes "$bin/$program"
    done
  fi
  if [ ! -f "$bin/filler.img" ]; then # what a filler pod needs: sh, coreutils, git, rsync
    mmdebstrap --quiet --variant=minbase --include=git,rsync,ca-certificates bookworm "$bin/filler.tar" \
      "$(ls /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)"
    python3 "$here/image.py" "$bin/filler.tar" localhost/filler:test "$bin/filler.img" /bin/sh
    local root; root=$(mktemp -d); mkdir "$root/bin"; cp /bin/busybox "$root/bin/sleep"
    tar -C "$root" -cf "$bin/pause.tar" .; rm -r "$root"
    python3 "$here/image.py" "$bin/pause.tar" localhost/pause:1 "$bin/pause.img" /bin/sleep 1000000000
  fi
  build_storage
  if [ ! -x "$bin/promtool" ]; then # without the two dozen clouds that Prometheus can ask for what there is
    (cd "$here/promtool" && CGO_ENABLED=0 go build -tags remove_all_sd,netgo,builtinassets -trimpath -ldflags "-s -w" -o "$bin/" tool)
  fi
}

# Kubernetes' own parts of CSI, in two modules as the provisioner needs other libraries; and our driver, which is kept once it has passed.
build_storage() {
  local module sources
  for module in sidecars provisioner; do
    [ -f "$bin/csi-$module.built" ] || (cd "$here/csi/$module" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$bin/" tool)
    touch "$bin/csi-$module.built"
  done
  sources=$(cd "$here" && cat csi/*.go go.mod | sha256sum)
  if [ "$(cat "$bin/csi-driver.of" 2>/dev/null)" != "$sources" ]; then
    (cd "$here" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$bin/csi-driver.new" ./csi)
    sanity "$bin/csi-driver.new"
    mv "$bin/csi-driver.new" "$bin/csi-driver"
    echo "$sources" >"$bin/csi-driver.of"
  fi
}

sanity() {
  local place driver passed=true; place=$(mktemp -d)
  "$1" -directory "$place" -node "node1=$place/node1.sock" 2>"$place/driver.log" &
  driver=$!
  until_ok test -S "$place/node1.sock"
  # It finds the paths that it has mounted by names of its own, so nobody else may use them meanwhile.
  "$bin/csi-sanity" --csi.endpoint="unix://$place/node1.sock" --csi.controllerendpoint="unix://$place/controller.sock" \
    --csi.mountdir="$place/target" --csi.stagingdir="$place/staging" --csi.testvolumesize=33554432 --csi.testvolumeexpandsize=67108864 \
    --ginkgo.timeout=5m --ginkgo.no-color >"$place/sanity.log" 2>&1 || passed=false
  kill "$driver"
  wait "$driver" || true
  unmount_below "$place"
  $passed || { cat "$place/driver.log" "$place/sanity.log" >&2; return 1; }
  sed -n 's/.* -- \(.*Passed.*\)/csi-sanity: \1/p' "$place/sanity.log"
  rm -r "$place"
}

unmount_below() { { grep -oE " $1/[^ ]+" /proc/mounts || true; } | sort -r | xargs -r -n1 umount -l 2>/dev/null || true; }

prepare() { install && build; }

# What Galaxy would serve is in the base already, so that no registry is asked but those of Debian and Python.
image() {
  local checkout of context files
  checkout=$(cd "$here/../.." && pwd)
  files=$(cd "$checkout" && git ls-files -co --exclude-standard -- Containerfile LICENSE README.md bindep.txt changelogs docs galaxy.yml meta playbooks plugins \
    requirements.txt roles)
  of=$(cd "$checkout" && tr '\n' '\0' <<<"$files" | xargs -0 sha256sum | sha256sum)
  if [ "$of" = "$(cat "$bin/environment.of" 2>/dev/null)" ]; then return; fi
  context=$(mktemp -d)
  tar -C "$checkout" -cf - -T - <<<"$files" | tar -xf - -C "$context"
  if ! buildah_ inspect localhost/base:test >/dev/null 2>&1; then
    local base; base=$(buildah_ from "docker-archive:$bin/filler.img")
    buildah_ copy -q "$base" "$checkout/.build/collections/ansible_collections/kubernetes/core" /usr/share/ansible/collections/ansible_collections/kubernetes/core
    buildah_ commit -q "$base" localhost/base:test
    buildah_ rm "$base" >/dev/null
  fi
  local given=() path
  for path in /etc/ssl/certs /etc/pip.conf; do if [ -e "$path" ]; then given+=(--volume "$path:$path:ro"); fi; done
  buildah_ build --quiet --isolation chroot --layers --pull-never --build-arg BASE=localhost/base:test "${given[@]}" \
    --tag localhost/packit-deployment:test "$context"
  rm -rf "$context" "$bin/environment.img"
  buildah_ push -q localhost/packit-deployment:test "docker-archive:$bin/environment.img:localhost/packit-deployment:test"
  buildah_ rmi --prune >/dev/null # those whose tag it took
  echo "$of" >"$bin/environment.of"
}
buildah_() { buildah --root "$bin/buildah" --runroot "$bin/buildah-run" --storage-driver overlay "$@"; }

run() { # what is run so can be started again by its name
  printf '%s\0' "${@:2}" >"$dir/commands/$1"
  start "$1"
}
start() {
  local argv
  mapfile -d '' argv <"$dir/commands/$1"
  cd "$dir/pki"
  setsid "${argv[@]}" >>"$dir/logs/$1.log" 2>&1 </dev/null &
  echo $! >"$dir/pids/$1"
}
until_ok() { local i; for i in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done; echo "gave up waiting for: $*; logs in $dir/logs" >&2; return 1; }

up() {
  if [ -d "$dir/pids" ]; then # a second one over it would leave the first without anybody who could end it
    if [ -f "$dir/up" ] && $kubectl get --raw /readyz >/dev/null 2>&1; then echo "It is up already."; exports; return; fi
    echo "What was left of an earlier one in $dir is in the way. Run first: $0 down" >&2
    return 1
  fi
  build
  image
  mkdir -p "$dir"/{logs,pids,commands,pki,etcd,cni/net.d,volumes}
  cd "$dir/pki"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -subj /CN=ca 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver 2>/dev/null
  openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out api.crt \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,IP:10.88.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc") 2>/dev/null
  openssl genrsa -out sa.key 2048 2>/dev/null
  local token; token=$(openssl rand -hex 16)
  echo "$token,admin,admin,\"system:masters\"" >tokens.csv
  cat >"$dir/kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{name: real, cluster: {server: "https://127.0.0.1:7443", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: real, context: {cluster: real, user: admin}}]
current-context: real
K
  run etcd etcd --unsafe-no-fsync --data-dir "$dir/etcd" --listen-client-urls http://127.0.0.1:23790 --advertise-client-urls http://127.0.0.1:23790 \
    --listen-peer-urls http://127.0.0.1:23800 --initial-advertise-peer-urls http://127.0.0.1:23800 --initial-cluster default=http://127.0.0.1:23800
  run apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:23790 --secure-port=7443 --advertise-address=10.88.0.1 --endpoint-reconciler-type=none \
    --tls-cert-file=api.crt --tls-private-key-file=api.key --token-auth-file=tokens.csv --authorization-mode=RBAC --anonymous-auth=false \
    --service-account-key-file=sa.key --service-account-signing-key-file=sa.key --service-account-issuer=https://kubernetes.default.svc \
    --service-cluster-ip-range=10.96.0.0/16 --enable-admission-plugins=PodTolerationRestriction --kubelet-preferred-address-types=InternalIP --allow-privileged=true \
    --shutdown-watch-termination-grace-period=1s # else it waits a minute for watches that nobody ends

  # Each node has an address of its own on a bridge that nothing else uses; pods of both nodes share the other bridge.
  ip link add real-nodes type bridge 2>/dev/null || true
  ip link set real-nodes up
  # Made here, not by the first pod: test servers listen on its address before there is one. A bridge without a MAC address of its
  # own takes the lowest of its ports', so it changes as pods come and go, and a pod that has just asked for it sends into nowhere
  # until its entry is old: a connection took 67 seconds, or failed after 131.
  ip link add real-pods address 02:00:0a:58:00:01 type bridge 2>/dev/null || true
  ip addr add 10.88.0.1/16 dev real-pods 2>/dev/null || true
  ip link set real-pods up
  # In a kube-proxy's place: the one service there is, by which pods ask the API.
  # shellcheck disable=SC2086
  iptables -t nat -C PREROUTING $api_service 2>/dev/null || iptables -t nat -A PREROUTING $api_service
  cat >"$dir/cni/net.d/10-real.conflist" <<K
{"cniVersion": "0.4.0", "name": "real", "plugins": [{"type": "bridge", "bridge": "real-pods", "isGateway": true, "hairpinMode": true,
 "ipam": {"type": "host-local", "dataDir": "$dir/cni/ipam", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
K
  local n sockets=()
  for n in $(seq "$nodes"); do sockets+=(-node "node$n=$dir/kubelet$n/plugins_registry/block.sock"); done
  run csi-driver "$bin/csi-driver" -directory "$dir/csi" "${sockets[@]}"
  for n in $(seq "$nodes"); do
    ip addr add "10.99.0.$n/32" dev real-nodes 2>/dev/null || true
    cat >"$dir/containerd$n.toml" <<K
version = 2
root = "$dir/containerd$n/root"
state = "$dir/containerd$n/state"
[grpc]
  address = "$dir/containerd$n.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni/net.d"
K
    run "containerd$n" containerd -c "$dir/containerd$n.toml"
  done
  until_ok $kubectl get --raw /readyz
  run controller-manager "$bin/kube-controller-manager" --kubeconfig="$dir/kubeconfig" --service-account-private-key-file=sa.key --root-ca-file=ca.crt --leader-elect=false --secure-port=0
  run scheduler "$bin/kube-scheduler" --kubeconfig="$dir/kubeconfig" --leader-elect=false --secure-port=0
  for n in $(seq "$nodes"); do
    until_ok ctr -a "$dir/containerd$n.sock" version
    ctr -a "$dir/containerd$n.sock" -n k8s.io image import "$bin/pause.img" >/dev/null
    ctr -a "$dir/containerd$n.sock" -n k8s.io image import "$bin/filler.img" >/dev/null
    ctr -a "$dir/containerd$n.sock" -n k8s.io image import "$bin/environment.img" >/dev/null
    mkdir -p "$dir/kubelet$n"
    cat >"$dir/kubelet$n.yaml" <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 10.99.0.$n
healthzPort: 0
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://$dir/containerd$n.sock
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
featureGates: {InPlacePodVerticalScaling: false} # without cgroups for pods, a resize that the kubelet thinks is due ends it
syncFrequency: 5s # a mounted volume grows at its pod's next one: 60s is usual
nodeStatusUpdateFrequency: 2s # a volume is mounted, or detached, after the kubelet has told that it is in use, or is not: 10s is usual
resolvConf: ""
podLogsDir: $dir/kubelet$n/pod-logs
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 1Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
K
    run "kubelet$n" "$bin/kubelet" --config="$dir/kubelet$n.yaml" --kubeconfig="$dir/kubeconfig" --hostname-override="node$n" \
      --node-ip="10.99.0.$n" --root-dir="$dir/kubelet$n" --cert-dir="$dir/kubelet$n/pki"
    until_ok $kubectl get node "node$n"
  done
  $kubectl wait --for=condition=Ready node --all --timeout=90s
  $kubectl apply -f - <<K
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
K
  $kubectl apply -f "$here/openshift.yml" -f "$here/csi/storage.yml"
  $kubectl wait --for=condition=Established crd --all --timeout=15s >/dev/null
  # Last, as nothing of the above needs them: they start beside the tests. An attach that hangs is given up and asked for again after 15
  # seconds, and what failed after 10 at the most. Clouds' drivers are set so that both take some minutes; no scenario needs to wait for that.
  local helper=(--csi-address="$dir/csi/controller.sock" --kubeconfig="$dir/kubeconfig" --kube-api-qps=50 --kube-api-burst=100
    --timeout=15s --retry-interval-max=10s)
  run csi-provisioner "$bin/csi-provisioner" "${helper[@]}" --extra-create-metadata --default-fstype=ext4
  run csi-attacher "$bin/csi-attacher" "${helper[@]}" --default-fstype=ext4
  run csi-resizer "$bin/csi-resizer" "${helper[@]}" --handle-volume-inuse-error=false
  touch "$dir/up"
  exports
}

exports() { echo "export KUBECONFIG=$dir/kubeconfig PATH=$bin:\$PATH"; }

mount_volume() {
  local path="$dir/volumes/$1-$2"
  mkdir -p "$path"
  if ! mountpoint -q "$path"; then
    rm -f "$path.img"; truncate -s "$3" "$path.img"; mkfs.ext4 -q "$path.img"; mount -o loop "$path.img" "$path"
  fi
}

unmount() {
  local path="$dir/volumes/$1-$2"
  umount "$path" 2>/dev/null || umount -l "$path" 2>/dev/null || true
  rm -rf "$path" "$path.img"
}

copy_block() {
  local place="$dir/csi/volumes/$1" type
  type=$(blkid -o value -s TYPE "$place/image") || return 0 # it was never on a node, which would have formatted it
  mkdir -p "$place/seen"
  # By the device of the image that is there already, if it is mounted on a node: two would not know of each other. And out of the kubelets'
  # sight: they detach no volume that is mounted at other places as well.
  local options=loop
  if [ "$type" = xfs ]; then options+=,nouuid; fi # a clone has the id of its source
  flock "$place/lock" unshare --mount sh -c 'mount -o "$3" "$1/image" "$1/seen" && cp -a "$1/seen/." "$2"' - "$place" "$2" "$options"
}

stop() { local name; for name in "$@"; do [ -f "$dir/pids/$name" ] && kill "$(cat "$dir/pids/$name")" 2>/dev/null || true; done; }

down() {
  [ -d "$dir" ] || return 0
  stop csi-provisioner csi-attacher csi-resizer kubelet1 kubelet2 scheduler controller-manager csi-driver apiserver
  local sock task
  for sock in "$dir"/containerd*.sock; do
    [ -S "$sock" ] || continue
    for task in $(ctr -a "$sock" -n k8s.io task ls -q 2>/dev/null); do ctr -a "$sock" -n k8s.io task kill -s KILL "$task" 2>/dev/null || true; done
  done
  sleep 1; stop containerd1 containerd2 etcd; sleep 1
  unmount_below "$dir"
  # shellcheck disable=SC2086
  iptables -t nat -D PREROUTING $api_service 2>/dev/null || true
  ip link del real-nodes 2>/dev/null || true
  ip link del real-pods 2>/dev/null || true
  rm -rf "$dir"
}

kubeconfig() { echo "$dir/kubeconfig"; }

"$@"
