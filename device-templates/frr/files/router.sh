#!/bin/sh
# What the device agent of Weft does with FRR. The rest of the agent follows.

FILES='frr.conf links.conf acl.nft services.conf users.conf'
# Files whose running form is exactly the file.
OWN_FILES='links.conf acl.nft services.conf users.conf'
# Without one of these a configuration would lose its part of it without an error.
DAEMONS='zebra staticd bgpd bfdd'
SAVED=/etc/frr/frr.conf
RELOAD=/usr/lib/frr/frr-reload.py

# A daemon that hangs hangs vtysh.
vty() { timeout -k 1 20 vtysh "$@" 9>&-; }

# Prints the daemons that a configuration $1 needs.
needed() {
    echo "$DAEMONS"
    ! grep -qs '^router ospf$' "$1" || echo ospfd
    ! grep -qs '^router ospf6$' "$1" || echo ospf6d
}

# Prints the running configuration. It asks for the daemons in the same breath: that of a dead one is not part of it.
router_running() {
    vty -c 'show daemons' -c 'show running-config no-header' | awk -v needed="$(needed "$SAVED" | tr '\n' ' ')" -v drained="$(cat "$DRAINED" 2>/dev/null)" '
        NR == 1 {
            count = split(needed, daemons, " ")
            for (i = 1; i <= count; i++) if (index($0 " ", " " daemons[i] " ") == 0) missing = missing " " daemons[i]
            if (missing) exit 1
            next
        }
        /^end$/ { ended = 1 }
        drained && $0 ~ drained { next }
        { print }
        END { if (missing) print "not running:" missing | "cat >&2"; exit missing != "" || !ended }'
}

router_check() {
    [ -s "$1/frr.conf" ] || { echo "$1/frr.conf is empty" >&2; return 1; }
    running=$(vty -c 'show daemons')
    for daemon in $(needed "$1/frr.conf"); do
        case " $running " in *" $daemon "*) ;; *) echo "frr.conf needs $daemon, which does not run: see /etc/frr/daemons" >&2; return 1 ;; esac
    done
    timeout 20 vtysh -C -f "$1/frr.conf" >"$D/router.log" 2>&1 && return
    without_secrets "$D/router.log" | sed 's/^line /frr.conf line /' >&2
    return 1
}

router_alive() { router_running >/dev/null 2>"$D/router.log"; }

without_secrets() { sed -e 's/ password .*/ password (left out)/' "$1"; }

# Prints a configuration one line each with the sections around it, in order of the text, without what makes no difference.
flatten() {
    awk '
        /^ *(!.*)?$/ || /^ *exit/ || /^end$/ || /^(frr (version|defaults)|hostname) / { next }
        {
            match($0, /^ */)
            depth = RLENGTH
            path[depth] = substr($0, depth + 1)
            line = ""
            for (i = 0; i < depth; i++) line = line path[i] "\t"
            # A section of an interface is there whether or not it says anything.
            if (depth == 0 && /^interface /) next
            print line path[depth]
        }' "$1"
}

# Compares what runs ($D/now) with the file $1: leaves in $D/surplus and $D/missing what differs.
difference() {
    flatten "$D/now" | sort -u >"$D/now.flat"
    flatten "$1" | sort -u >"$D/want.flat"
    comm -23 "$D/now.flat" "$D/want.flat" >"$D/surplus"
    comm -13 "$D/now.flat" "$D/want.flat" >"$D/missing"
    [ ! -s "$D/surplus" ] && [ ! -s "$D/missing" ]
}

# Tells whether the files of $1 run; says what does not.
router_same() {
    router_running >"$D/now" 2>"$D/router.log" || return 1
    difference "$1/frr.conf" && return
    {
        echo "frr.conf is not what runs:"
        sed 's/^/  surplus: /' "$D/surplus"
        sed 's/^/  missing: /' "$D/missing"
    } | without_secrets /dev/stdin >"$D/router.log"
    return 1
}

# Lines that keep traffic away: RFC 8326 for BGP, RFC 6987 for OSPF. FRR sends what it has to say again at once, and no session
# ends. They are part of no text; where one of them is, now or when the transaction has ended, none is added.
DRAINING='^ (bgp graceful-shutdown|max-metric router-lsa administrative)$'

# Prints the sections of what runs in which one of these lines can stand, each with its line behind `no ` or nothing.
draining() {
    awk -v no="$1" '
        /^router bgp / { print; print " " no "bgp graceful-shutdown"; print "exit" }
        /^router ospf$/ { print; print " " no "max-metric router-lsa administrative"; print "exit" }'
}

router_drain() {
    [ ! -e "$DRAINED" ] || return 0
    vty -c 'show running-config no-header' >"$D/now" || return 1
    draining '' <"$D/now" >"$D/drain"
    [ -s "$D/drain" ] && ! grep -qE "$DRAINING" "$D/now" "$D/new/frr.conf" || return 0
    echo "$DRAINING" >"$DRAINED" || return 1
    vty -f "$D/drain" >"$D/router.log" 2>&1
}

router_undrain() {
    vty -c 'show running-config no-header' | draining 'no ' >"$D/drain" && vty -f "$D/drain" >"$D/router.log" 2>&1
}

# Lines that can go by themselves, without anything else going with them.
ALONE='^(log |debug |ip(v6)? prefix-list |ip(v6)? route |interface [^	]*	(description|ip(v6)? address|ip(v6)? ospf6? cost) |router bgp [^	]*	address-family [^	]*	network |bfd$)'

# Prints the commands that take $D/surplus away and bring $D/missing, which must be all that differs, in the order of the file $1.
commands() {
    {
        sed 's/^\(.*\t\)\?\([^\t]*\)$/\1no \2/' "$D/surplus"
        flatten "$1" | awk 'FILENAME == ARGV[1] { missing[$0]; next } $0 in missing' "$D/missing" -
    } | awk -F '\t' '{
        for (i = 1; i < NF; i++) {
            if (i > depth || $i != path[i]) { for (; i < NF; i++) { printf "%*s%s\n", i - 1, "", $i; path[i] = $i } depth = NF - 1 }
        }
        depth = NF
        path[NF] = $NF
        printf "%*s%s\n", NF - 1, "", $NF
    }'
}

# Most changes are a few lines, and vtysh takes them in a tenth of the time that frr-reload.py needs. Whether it did is seen by
# reading it back.
by_commands() {
    ! grep -qvE "$ALONE" "$D/surplus" || return 1
    commands "$1/frr.conf" >"$D/commands"
    vty -f "$D/commands" >"$D/vtysh.log" 2>&1
    router_same "$1"
}

router_replace() {
    want=$1/frr.conf
    router_same "$1" && return
    [ -s "$D/now" ] || return 1
    by_commands "$1" && return
    # With a folder of its own: what it finds in any other file it saves for the next start at once.
    mkdir -p "$D/reload" && echo 'service integrated-vtysh-config' >"$D/reload/vtysh.conf" || return 1
    if [ -e "$DRAINED" ]; then
        # Traffic stays away meanwhile.
        awk '{ print } /^router bgp / { print " bgp graceful-shutdown" } /^router ospf$/ { print " max-metric router-lsa administrative" }' "$want"
    else
        cat "$want"
    fi >"$D/reload/frr.conf" || return 1
    timeout -k 5 60 "$RELOAD" --confdir "$D/reload" --reload "$D/reload/frr.conf" >"$D/reload.log" 2>&1 9>&-
    code=$?
    router_same "$1" && return
    # It leaves a few things behind, such as a section that has become empty.
    [ "$code" = 0 ] && by_commands "$1" && return
    echo "frr-reload.py ended with $code" >>"$D/router.log"
    grep -hE '^(%|line )' "$D/vtysh.log" "$D/reload.log" 2>/dev/null | without_secrets /dev/stdin >>"$D/router.log"
    return 1
}

# Saves what runs for the next start; it must be the file of $1. `vtysh -w` says [OK] on a full disk.
router_save() {
    vty -w >"$D/router.log" 2>&1 || return 1
    cp "$SAVED" "$D/now" && difference "$1/frr.conf" || { echo "$SAVED was not saved: is the disk full?" >>"$D/router.log"; return 1; }
}

