#!/bin/sh
# PID 1 of a router: makes its root file system and kernel settings, starts its services, and collects orphans.
#
# usage: init.sh NAME FOLDER     in new mount, UTS, IPC and PID namespaces, inside the network namespace of the router
#
# FOLDER holds `disk` with `upper` and `work` (what the router wrote; survives a power cycle), `home`, `users`, `log`, `root` (an
# empty mount point) and `links.batch` (its interfaces, for ip -batch).
set -eu
name=$1
cd "$2"

for key in net/ipv4/ip_forward net/ipv6/conf/all/forwarding; do
    echo 1 >/proc/sys/$key
done
# Settings that not every kernel has, and those of interfaces that were there before the defaults changed.
set_all() {
    value=$1
    shift
    for key; do
        [ ! -w "$key" ] || echo "$value" >"$key"
    done
}
set_all 0 /proc/sys/net/ipv6/conf/*/disable_ipv6 /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv6/conf/*/accept_dad
set_all 1 /proc/sys/net/ipv4/fib_multipath_hash_policy /proc/sys/net/ipv6/fib_multipath_hash_policy \
    /proc/sys/net/ipv4/conf/*/ignore_routes_with_linkdown /proc/sys/net/ipv6/conf/*/ignore_routes_with_linkdown \
    /proc/sys/net/ipv6/conf/*/keep_addr_on_down
set_all 1000000 /proc/sys/net/ipv6/route/max_size
ip -batch links.batch

# The lower layer is the root of the machine. Its homes and logs are not the router's business.
mount -t overlay overlay -o lowerdir=/,upperdir=disk/upper,workdir=disk/work root
mkdir -p root/home root/root root/var/log root/proc root/sys root/dev root/run root/tmp
mount --bind home root/root
mount --bind users root/home
mount --bind log root/var/log
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
mount -t tmpfs -o mode=755,size=1m tmpfs root/dev
for device in null zero full random urandom tty; do
    : >root/dev/$device
    mount --bind /dev/$device root/dev/$device
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ln -s /proc/self/fd/0 root/dev/stdin
ln -s /proc/self/fd/1 root/dev/stdout
ln -s /proc/self/fd/2 root/dev/stderr
mount -t tmpfs -o mode=1777,size=16m tmpfs root/dev/shm
mount -t tmpfs -o mode=755,size=32m tmpfs root/run
mount -t tmpfs -o mode=1777,size=64m tmpfs root/tmp
mkdir root/run/lock root/run/old root/run/weft-lab
cd root
pivot_root . run/old
cd /
umount -l /run/old
rmdir /run/old
hostname "$name"

exec </dev/null >>/var/log/boot.log 2>&1
/usr/local/lib/weft-lab/router start
touch /run/weft-lab/booted
while :; do
    sleep 86400 &
    wait
done
