#!/bin/sh
# The first process of a router that a test starts: a root of its own above the machine's, its own network, and the routing
# daemons as a bare installation starts them. Arguments: KIND (frr or bird), DIRECTORY.
set -e
kind=$1 dir=$2
mount --make-rprivate /
mount -t tmpfs -o size=64m tmpfs "$dir"
mkdir -p "$dir/up" "$dir/work" "$dir/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/up,workdir=$dir/work" "$dir/root"
root=$dir/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o size=16m,mode=755 tmpfs "$root/run"
mount -t tmpfs -o size=16m,mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/frr" "$root/run/bird" "$root/run/lock" "$root/.old"
cd "$root"
pivot_root . .old
cd /
umount -l /.old
hostname bare
for setting in ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 ipv4/fib_multipath_hash_policy=1 ipv4/conf/all/rp_filter=0 \
    ipv4/conf/default/rp_filter=0 ipv6/conf/default/accept_dad=0 ipv6/conf/all/accept_dad=0 \
    ipv4/conf/all/ignore_routes_with_linkdown=1; do
    echo "${setting#*=}" >"/proc/sys/net/${setting%=*}" || :
done
ip link set lo up
exec </dev/null >/tmp/daemons.log 2>&1
case $kind in
frr)
    chown frr:frr /run/frr
    mkdir -p /etc/frr
    printf 'hostname bare\nservice integrated-vtysh-config\n' >/etc/frr/frr.conf
    printf 'service integrated-vtysh-config\n' >/etc/frr/vtysh.conf
    chown frr:frr /etc/frr/frr.conf /etc/frr/vtysh.conf
    for daemon in zebra staticd bgpd bfdd; do "/usr/lib/frr/$daemon" -d -A 127.0.0.1; done
    vtysh -b || :
    ;;
bird)
    mkdir -p /etc/bird
    printf 'router id 192.0.2.255;\nprotocol device {}\n' >/etc/bird/bird.conf
    bird -c /etc/bird/bird.conf
    ;;
esac
: >/run/booted
trap : CHLD
while :; do sleep 3600 & wait $! || :; done
