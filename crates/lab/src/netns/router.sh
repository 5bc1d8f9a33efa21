#!/bin/sh
# The services of a router of the lab, run inside it.
#
# usage: router start           all services, as at boot
#        router sshd            the SSH server
#        router daemon NAME     one routing daemon, with its saved configuration
#        router stop NAME       kills every process of that name
#        router refuse PATTERN  from now on the routing suite refuses lines that match the extended regular expression
#        router accept          it refuses nothing any more
#        router refuse-command PATTERN  from now on commands over SSH fail that match the extended regular expression
#        router accept-commands         none fails any more
#        router refuse-login | accept-login  the SSH server takes nobody's key, or those that it took before
#        router fill-disk | empty-disk       the disk has no room left, or has it again
#        router disk ro | rw                 the disk can be read only, or written
#        router arm-loss        the next change of the configuration cuts the management port until it is undone
#        router disarm-loss     no more of that
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
lab=/run/weft-lab
self=/usr/local/lib/weft-lab
pack=$(cat $self/pack)

sshd() {
    managed || return 0
    mkdir -p /run/sshd
    /usr/sbin/sshd -E /var/log/sshd.log
}

daemon() {
    case $1 in
    bird)
        install -d -o bird -g bird -m 750 /run/bird
        bird -u bird -g bird -c /etc/bird/bird.conf -s /run/bird/bird.ctl -P /run/bird/bird.pid
        ;;
    zebra) /usr/lib/frr/zebra -d -A 127.0.0.1 -s 90000000 --log file:/var/log/frr/zebra.log --log-level informational ;;
    *) /usr/lib/frr/"$1" -d -A 127.0.0.1 --log "file:/var/log/frr/$1.log" --log-level informational ;;
    esac
}

managed() { [ -s /etc/ssh/ssh_host_ed25519_key ]; }

start() {
    # In the place of the unit that the device agent of Weft installs where systemd runs: before the routing daemons.
    [ ! -x /usr/local/lib/weft/agent ] || /usr/local/lib/weft/agent boot
    login_shell && sshd || return
    case $pack in
    frr)
        install -d -o frr -g frr -m 755 /run/frr
        for name in $(cat $self/daemons); do
            daemon $name || return
        done
        # A router that nobody manages must take all of its configuration.
        [ ! -s /etc/frr/frr.conf ] || vtysh -b || managed || return
        ;;
    bird) daemon bird || return ;;
    esac
    [ ! -x /etc/rc.local ] || /etc/rc.local
    return 0
}

stop() {
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" != "$1" ] || kill -KILL "${process#/proc/}" 2>/dev/null
    done
    return 0
}

programs() {
    case $pack in
    frr) echo vtysh ;;
    bird) echo bird birdc ;;
    esac
}

refuse() {
    mkdir -p $lab/real
    printf '%s\n' "$1" >>$lab/refused
    for program in $(programs); do
        [ ! -e $lab/real/"$program" ] || continue
        path=$(command -v "$program") || return
        : >$lab/real/"$program"
        mount --bind "$path" $lab/real/"$program" && mount --bind $self/refuse "$path" || return
    done
}

accept() {
    for program in $(programs); do
        [ -e $lab/real/"$program" ] || continue
        umount "$(command -v "$program")" && umount $lab/real/"$program" && rm $lab/real/"$program" || return
    done
    rm -f $lab/refused
}

# The shell of who logs in is one that looks at each command first. The SSH server asks for it once for each connection, so it must be
# there before the first command that is to be refused.
login_shell() {
    [ ! -e $self/login-shell ] || return 0
    sed -n 's/^root:.*://p' /etc/passwd >$self/login-shell
    sed -i "/^root:/s|:[^:]*\$|:$self/shell|" /etc/passwd
}

# Like a key that was taken from the account; the file itself stays where it is.
refuse_login() {
    [ -e $lab/no-keys ] || : >$lab/no-keys
    for home in /root /home/*; do
        [ ! -e "$home/.ssh/authorized_keys" ] || mount --bind $lab/no-keys "$home/.ssh/authorized_keys" || return
    done
}

accept_login() {
    for home in /root /home/*; do
        umount "$home/.ssh/authorized_keys" 2>/dev/null
    done
    return 0
}

# In pieces, down to the last page.
fill_disk() {
    head -c 1G /dev/zero >/full 2>/dev/null
    for number in 1 2 3 4; do head -c 4096 /dev/zero >/full.$number 2>/dev/null; done
    return 0
}

# The root itself cannot become read-only: the daemons hold files open. These are what a change writes to.
disk() {
    for folder in /etc /usr /var/lib; do
        case $1 in
        ro) mount --rbind $folder $folder && mount -o remount,bind,ro $folder || return ;;
        rw) ! mountpoint -q $folder || umount -l $folder || return ;;
        esac
    done
}

# What tells one configuration from another. Prints nothing when the routing suite does not answer.
fingerprint() {
    case $pack in
    frr) text=$(timeout 5 vtysh -c 'show running-config' 2>/dev/null) && printf '%s\n' "$text" | sort | cksum ;;
    bird) timeout 5 birdc show status 2>/dev/null | grep 'Last reconfiguration' ;;
    esac
}

arm_loss() {
    before=$(fingerprint)
    [ -n "$before" ] || return
    echo armed >$lab/loss
    setsid sh -c '"$0" watch-loss "$1"' "$0" "$before" </dev/null >/dev/null 2>&1 &
}

watch_loss() {
    echo $$ >$lab/loss.pid
    before=$1 after=
    while sleep 0.2; do
        now=$(fingerprint)
        [ -n "$now" ] || continue
        if [ -z "$after" ]; then
            [ "$now" != "$before" ] || continue
            after=$now
            echo cut >$lab/loss
            ip link set mgmt0 down
        else
            # FRR's text is the old one again; BIRD was reconfigured once more.
            case $pack in
            frr) [ "$now" = "$before" ] || continue ;;
            bird) [ "$now" != "$after" ] || continue ;;
            esac
            echo restored >$lab/loss
            ip link set mgmt0 up
            exit 0
        fi
    done
}

disarm_loss() {
    [ ! -e $lab/loss.pid ] || kill -KILL "$(cat $lab/loss.pid)" 2>/dev/null
    rm -f $lab/loss $lab/loss.pid
    ip link set mgmt0 up
}

case $1 in
start) start ;;
sshd) sshd ;;
daemon)
    daemon "$2" || exit
    [ "$pack" != frr ] || [ ! -s /etc/frr/frr.conf ] || vtysh -b -d "$2"
    ;;
stop) stop "$2" ;;
refuse) refuse "$2" ;;
accept) accept ;;
refuse-command) printf '%s\n' "$2" >>$lab/refused-commands ;;
accept-commands) rm -f $lab/refused-commands ;;
refuse-login) refuse_login ;;
accept-login) accept_login ;;
fill-disk) fill_disk ;;
empty-disk) rm -f /full /full.? ;;
disk) disk "$2" ;;
arm-loss) arm_loss ;;
watch-loss) watch_loss "$2" ;;
disarm-loss) disarm_loss ;;
*) exit 64 ;;
esac
