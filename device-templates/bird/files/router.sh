#!/bin/sh
# What the device agent of Weft does with BIRD. The rest of the agent follows.

FILES='bird.conf addresses.conf links.conf acl.nft services.conf users.conf'
# Files whose running form is exactly the file.
OWN_FILES='addresses.conf links.conf acl.nft services.conf users.conf'
# What BIRD starts with, and what it runs while a transaction is not confirmed: a power cycle goes back to the first.
SAVED=/etc/bird/bird.conf
ACTIVE=/run/weft-bird.conf

control() { timeout -k 1 20 birdc "$@" 2>&1 9>&-; }

# BIRD does not tell its configuration; it is the file that it was last told to read. Addresses are the kernel's.
router_running() {
    case $1 in
    addresses.conf) running_addresses ;;
    *) if [ -e "$ACTIVE" ] && ! restarted; then cat "$ACTIVE"; else cat "$SAVED"; fi ;;
    esac
}

# Tells whether BIRD was started after it was told to read $ACTIVE: then it runs what is saved.
restarted() {
    started=$(control show status | sed -n 's/^Last reboot on //p')
    [ -n "$started" ] && [ "$(date -d "$started" +%s%3N)" -gt "$(date -r "$ACTIVE" +%s%3N)" ]
}

without_secrets() { sed -e 's/password .*/password (left out)/'; }

router_check() {
    [ -s "$1/bird.conf" ] || { echo "$1/bird.conf is empty" >&2; return 1; }
    bad=$(timeout 20 bird -p -c "$1/bird.conf" 2>&1) || { echo "$bad" | without_secrets >&2; return 1; }
    bad=$(awk '!(NF == 2 && $1 ~ /^(lo|swp[0-9]+)$/ && $2 ~ /^[0-9a-f.:]+\/[0-9]+$/) { print "addresses.conf line " FNR ": " $0 }' "$1/addresses.conf")
    [ -z "$bad" ] || { echo "$bad" >&2; return 1; }
}

router_alive() {
    control show status >"$D/router.log" && grep -q '^Daemon is up and running' "$D/router.log"
}

router_same() {
    router_alive || return 1
    router_running bird.conf | cmp -s - "$1/bird.conf" || { echo "bird.conf is not what runs" >"$D/router.log"; return 1; }
}

router_replace() {
    changed addresses.conf "$1" && { addresses "$1/addresses.conf" || { echo "cannot set the addresses" >"$D/router.log"; return 1; }; }
    if ! router_same "$1"; then
        (umask 077; cp "$1/bird.conf" "$ACTIVE.weft") || { echo "cannot write $ACTIVE" >"$D/router.log"; return 1; }
        readable "$ACTIVE.weft"
        mv -f "$ACTIVE.weft" "$ACTIVE" || return 1
        # BIRD itself goes back too when nothing comes in time, also when the timer should not be there any more.
        native=
        [ "$1" != "$D/new" ] || native=" timeout $(($(cat "$D/deadline") - $(date +%s) + 1))"
        configure "\"$ACTIVE\"$native" || return 1
    else
        control configure confirm >/dev/null || :
    fi
    # What runs is what is saved: from here on the saved file tells it, also when it is changed by hand.
    if cmp -s "$1/bird.conf" "$SAVED"; then rm -f "$ACTIVE"; fi
    router_alive
}

# BIRD has no command for it, and another configuration for a while would be one change more.
router_drain() { :; }
router_undrain() { :; }

configure() {
    control configure "$1" >"$D/router.log"
    grep -qE '^Reconfigur(ed|ation in progress)' "$D/router.log" || { without_secrets <"$D/router.log" >"$D/router.why"; mv "$D/router.why" "$D/router.log"; return 1; }
    # Protocols that restart take their time; the new configuration counts from the start.
    end=$(($(date +%s) + 20))
    while control show status | grep -q 'Reconfiguration in progress'; do
        [ "$(date +%s)" -le "$end" ] || { echo "the reconfiguration has not ended after 20 s" >"$D/router.log"; return 1; }
        sleep 0.1
    done
}

# BIRD reads its configuration as the user bird, where it has one.
readable() { chgrp bird "$1" 2>/dev/null && chmod 640 "$1" || :; }

router_save() {
    control configure confirm >"$D/router.log" || return 1
    if ! cmp -s "$1/bird.conf" "$SAVED"; then
        put "$SAVED" <"$1/bird.conf"
        readable "$SAVED"
        cmp -s "$1/bird.conf" "$SAVED" || { echo "$SAVED was not saved: is the disk full?" >"$D/router.log"; return 1; }
    fi
    rm -f "$ACTIVE"
}

# --- addresses.conf: `INTERFACE ADDRESS/LENGTH`, all addresses of the ports and the loopback, but link-local and 127.0.0.1 ------

running_addresses() {
    ip -o addr show scope global | awk '$2 ~ /^(lo|swp[0-9]+)$/ { print $2, ($4 ~ /\// ? $4 : $4 "/32") }'
}

addresses() {
    running_addresses >"$D/addresses.now" || return 1
    {
        awk 'FILENAME == ARGV[1] { kept[$0]; next } !($0 in kept) { print "addr del", $2, "dev", $1 }' "$1" "$D/addresses.now"
        awk 'FILENAME == ARGV[1] { there[$0]; next } !($0 in there) { print "addr add", $2, "dev", $1 }' "$D/addresses.now" "$1"
    } >"$D/addresses.batch" || return 1
    ip -batch "$D/addresses.batch"
}

