#!/bin/sh
# Installs what the lab of real routers needs, where that is possible; says what will be skipped where it is not.
set -eu
missing=""
for need in /usr/lib/frr/bgpd:frr /usr/lib/frr/frr-reload.py:frr-pythontools /usr/sbin/bird:bird2 \
    /usr/sbin/sshd:openssh-server /sbin/ip:iproute2 /bin/ping:iputils-ping /usr/sbin/nft:nftables /usr/bin/strace:strace; do
  [ -e "${need%%:*}" ] || missing="$missing ${need##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "lab of real routers: skipped, it needs root"
elif ! command -v apt-get >/dev/null; then
  echo "lab of real routers: skipped, this machine lacks$missing and has no apt-get to install them"
else
  echo "lab of real routers: installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # The services that the packages bring must not start on this machine: routers run in namespaces of their own.
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing > /dev/null
fi
