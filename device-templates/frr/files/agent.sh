# The device agent of Weft, after the functions of one routing daemon. The packs `frr` and `bird` carry the same text.
#
# A transaction has an id. What it needs to go back lies in /var/lib/weft/ID until the transactions after it push it out, and so
# survives a lost connection, a dead controller and a power cycle. `state` holds one word: locked, armed, confirmed, rolled-back.

STORE=/var/lib/weft
GECOS='managed by weft'
MARK='# Written by Weft; changes by hand are undone.'

die() { echo "weft-agent: $*" >&2; exit 1; }

# Writes standard input to $1 in one move; a full disk leaves the old text.
put() {
    cat >"$1.weft" || { rm -f "$1.weft"; die "cannot write $1"; }
    mv -f "$1.weft" "$1" 2>/dev/null || { cat "$1.weft" >"$1" && rm -f "$1.weft"; } || die "cannot write $1"
}

set_state() { echo "$1" | put "$D/state" && sync "$D/state" || exit 1; }

id() {
    case $1 in '' | *[!0-9a-z-]*) die "'$1' is no transaction" ;; esac
    ID=$1 D=$STORE/$1
}

state() { cat "$D/state" 2>/dev/null || echo none; }

owner() { cat "$STORE/owner" 2>/dev/null || :; }

# Every command that changes something holds this lock while it runs, so that the timer and a session never work at the same time.
exclusively() {
    mkdir -p "$STORE" && chmod 700 "$STORE" || die "cannot write $STORE"
    exec 9>/run/weft.lock || die "cannot write /run/weft.lock"
    flock -w 20 9 || die "another command of the agent has been running for 20 s"
}

# There while traffic is kept away. A power cycle ends that, and takes the file with it.
DRAINED=/run/weft-drained

# A lock that nobody has used for so long belongs to nobody.
LOCK_SECONDS=900

owned() {
    [ "$(owner)" = "$ID" ] || die "the device is not locked for $ID but for '$(owner)'"
    touch "$STORE/owner"
}

lock() {
    exclusively
    expire
    held=$(owner)
    if [ -n "$held" ] && [ "$held" != "$ID" ]; then
        # A transaction that has ended needs no lock any more, whatever became of its controller.
        was=$(D=$STORE/$held && state)
        age=$(($(date +%s) - $(stat -c %Y "$STORE/owner")))
        case $was in
        rolled-back | confirmed | none) ;;
        locked) [ "$age" -gt "$LOCK_SECONDS" ] || die "locked for transaction $held, last heard of $age s ago" ;;
        *) die "locked for transaction $held, which is $was" ;;
        esac
        echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $ID takes the lock over from $held, which is $was" | tee -a "$STORE/log"
    fi
    mkdir -p "$D" || die "cannot write $D"
    # The newest three transactions stay.
    for old in $(ls -1t "$STORE" | grep -vxF -e owner -e running -e log -e boot -e "$ID" | tail -n +3); do rm -rf "${STORE:?}/$old"; done
    management >"$D/management"
    [ -e "$D/state" ] || set_state locked
    [ "$held" = "$ID" ] || echo "$ID" | put "$STORE/owner" || exit 1
}

unlock() {
    exclusively
    [ -z "$(owner)" ] && return
    owned
    [ "$(state)" != armed ] || die "$ID is armed: confirm it or roll it back"
    rm -f "$STORE/owner"
}

# Prints the name of the interface that carries this SSH session: Weft never touches it.
management() {
    {
        echo mgmt0
        set -- $SSH_CONNECTION
        [ -z "$3" ] || ip -o addr show to "$3" | awk '{ print $2 }'
    } | sort -u
}

is_management() {
    case $1 in lo | mgmt0) return 0 ;; esac
    [ -n "${D-}" ] && grep -qxF -e "$1" "$D/management" 2>/dev/null
}

backup() {
    exclusively
    owned
    case $(state) in
    locked) ;;
    *) [ -e "$D/backup/complete" ] && return || die "$ID has no backup and is $(state)" ;;
    esac
    rm -rf "$D/backup" && mkdir -p "$D/backup" || die "cannot write $D"
    for file in $FILES; do
        running "$file" >"$D/backup/$file" || die "cannot read the running $file"
    done
    router_check "$D/backup" || die "what runs now could not be restored"
    for path in /etc/resolv.conf $SERVICE_FILES; do
        [ ! -e "$path" ] && [ ! -L "$path" ] || cp -a "$path" "$(raw_of "$path")" || die "cannot save $path"
    done
    for file in $FILES acl.listed; do [ ! -e "$STORE/running/$file" ] || cp "$STORE/running/$file" "$D/backup/managed-$file" || die "cannot write $D"; done
    # Going back needs room, too, and finds it where the disk has become full since.
    head -c 2097152 /dev/zero >"$D/reserve" || die "cannot write $D: going back needs 2 MiB"
    : >"$D/backup/complete" || die "cannot write $D"
}

upload() {
    exclusively
    owned
    mkdir -p "$D/new" || die "cannot write $D"
    put "$D/new/$1"
}

check() {
    owned
    for file in $FILES; do [ -e "$D/new/$file" ] || die "$file was not uploaded"; done
    bad=$(
        awk '!(NF == 3 && $2 == "mtu" && $3 ~ /^[0-9]+$/) { print "links.conf line " FNR ": " $0 }' "$D/new/links.conf"
        awk '
            NF == 2 && ($1 == "ntp" || $1 == "dns" || $1 == "syslog") && $2 ~ /^[0-9a-fA-F.:]+$/ { next }
            NF == 2 && $1 == "hostname" && $2 ~ /^[a-z0-9._-]+$/ { next }
            NF > 1 && $1 == "banner" { next }
            NF == 3 && $1 == "ssh" && ($2 == "password-authentication" && $3 ~ /^(yes|no)$/ || $2 ~ /^(idle-timeout|maximum-startups)$/ && $3 ~ /^[0-9]+$/) { next }
            NF == 5 && $1 == "snmp" && $2 == "community" && $4 == "clients" { next }
            NF > 2 && $1 == "snmp" && $2 ~ /^(location|contact)$/ { next }
            { print "services.conf line " FNR ": " $1, $2 }' "$D/new/services.conf"
        awk '!(NF == 2 && $1 == "user" && $2 ~ /^[a-z][a-z0-9._-]*$/) && !(/^  key / && NF >= 3) { print "users.conf line " FNR ": " $0 }' "$D/new/users.conf"
        while read -r name _; do
            [ -e "/sys/class/net/$name" ] || echo "links.conf: there is no interface $name"
            ! is_management "$name" || echo "links.conf: $name is the management interface"
        done <"$D/new/links.conf"
        while read -r word name; do
            [ "$word" = user ] || continue
            entry=$(getent passwd "$name") && case $entry in *:"$GECOS":*) ;; *) echo "users.conf: the account $name exists and is not Weft's" ;; esac
        done <"$D/new/users.conf"
    )
    [ -z "$bad" ] || die "$bad"
    if [ -s "$D/new/acl.nft" ]; then
        command -v nft >/dev/null || die "acl.nft: nftables is not installed"
        bad=$(acl_commands "$D/new/acl.nft" | nft -c -f - 2>&1) || die "acl.nft: $bad"
    fi
    router_check "$D/new"
}

arm() {
    exclusively
    owned
    [ -e "$D/backup/complete" ] || die "there is no backup"
    case $(state) in
    armed) return ;;
    locked) ;;
    *) die "$ID is $(state)" ;;
    esac
    echo "$(($(date +%s) + $1))" | put "$D/deadline" || exit 1
    set_state armed
    start_timer "$1"
}

# The timer belongs to no session. It goes back when nothing has come in $1 seconds, and tries again where that fails.
start_timer() {
    setsid nohup sh -c 'sleep "$1"; n=0; until "$2" expired "$3" || [ "$n" -ge 60 ]; do n=$((n + 1)); sleep 10; done' \
        timer "$1" "$AGENT" "$ID" </dev/null >/dev/null 2>&1 9>&- &
    echo $! | put "$D/timer" || exit 1
}

timer_runs() {
    timer=$(cat "$D/timer" 2>/dev/null) && tr '\0' ' ' <"/proc/$timer/cmdline" 2>/dev/null | grep -qF " timer "
}

session_of() { cut -d ' ' -f 6 "/proc/$1/stat" 2>/dev/null; }

# The end of the timer.
expired() {
    exclusively
    [ "$(state)" = armed ] || return 0
    go_back >"$D/expired.log" 2>&1
}

# A timer that a power cycle ended is made up for by the first command that comes.
expire() {
    for D in "$STORE"/*/; do
        D=${D%/}
        [ "$(state)" = armed ] || continue
        timer_runs && [ "$(date +%s)" -le "$(($(cat "$D/deadline") + 5))" ] && continue
        ID=${D##*/}
        go_back >"$D/expired.log" 2>&1 || :
    done
    [ -z "${1-}" ] && ID=${TRANSACTION-} D=$STORE/${TRANSACTION-}
}

disarm() {
    timer=$(cat "$D/timer" 2>/dev/null) || return 0
    # The shell of the timer leads a session of its own: with it goes its sleep. It may also be what runs this.
    if timer_runs && [ "$(session_of "$timer")" = "$timer" ] && [ "$(session_of $$)" != "$timer" ]; then
        kill -- "-$timer" 2>/dev/null || :
    fi
    rm -f "$D/timer" "$D/reserve"
}

# Takes traffic away, and waits until no more of it comes. What has no other way comes on.
drain() {
    exclusively
    owned
    [ "$(state)" = armed ] || die "$ID is $(state), not armed"
    router_drain || die "$(cat "$D/router.log" 2>/dev/null)"
    [ -e "$DRAINED" ] || return 0
    before=$(forwarded) quiet=0 tries=0
    while [ "$quiet" -lt 10 ] && [ "$tries" -lt 100 ]; do
        sleep 0.1
        now=$(forwarded)
        if [ "$now" = "$before" ]; then quiet=$((quiet + 1)); else quiet=0; fi
        before=$now tries=$((tries + 1))
    done
    [ "$quiet" -ge 10 ] || echo "traffic still comes after $tries tries"
}

undrain() { [ ! -e "$DRAINED" ] || { router_undrain && rm -f "$DRAINED"; }; }

# Prints how many packets were forwarded so far.
forwarded() {
    awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { sum += $7 } $1 == "Ip6OutForwDatagrams" { sum += $2 } END { print sum }' /proc/net/snmp /proc/net/snmp6 2>/dev/null
}

apply() {
    exclusively
    owned
    [ "$(state)" = armed ] || die "$ID is $(state), not armed"
    replace "$D/new" new
}

# Makes the files of $1 run, whatever runs now. The links come first: a daemon finds its interfaces as they will be.
replace() {
    changed links.conf "$1" && { links "$1/links.conf" || die "cannot set the links"; }
    router_replace "$1" || die "$(cat "$D/router.log" 2>/dev/null)"
    changed acl.nft "$1" && { acl "$1/acl.nft" || die "cannot set the access lists"; }
    changed services.conf "$1" && { services "$1/services.conf" || die "cannot set the services"; }
    changed users.conf "$1" && { users "$1/users.conf" || die "cannot set the accounts"; }
    mkdir -p "$STORE/running"
    for file in $FILES; do cp "$1/$file" "$STORE/running/$file" || die "cannot write $STORE"; done
    list_acl >"$STORE/running/acl.listed" || die "cannot write $STORE"
    for file in $OWN_FILES; do
        ! changed "$file" "$1" || die "$file did not take: $(running "$file" | diff - "$1/$file" | sed 's/\(snmp community \)[^ ]*/\1(left out)/' | tr '\n' ' ')"
    done
}

# Tells whether the file $1 of the folder $2 differs from what runs. The order of addresses makes no difference.
changed() {
    case $1 in
    addresses.conf) [ "$(running "$1" | sort)" != "$(sort "$2/$1")" ] ;;
    *) ! running "$1" | cmp -s - "$2/$1" ;;
    esac
}

health() {
    router_alive || die "$(cat "$D/router.log" 2>/dev/null)"
    for file in $OWN_FILES; do changed "$file" "$D/new" && die "$file is not what was applied"; done
    router_same "$D/new" || die "$(cat "$D/router.log" 2>/dev/null)"
}

confirm() {
    exclusively
    case $(state) in
    confirmed) return ;;
    armed) ;;
    *) die "$ID is $(state)" ;;
    esac
    owned
    # What was applied may be gone: the device may have lost its power since it was looked at.
    health
    undrain || die "cannot bring the traffic back"
    # A timer that fires meanwhile waits for the lock and then sees the new state.
    : >"$D/saved"
    router_save "$D/new" || die "$(cat "$D/router.log" 2>/dev/null)"
    save_host_name
    set_state confirmed
    disarm
    at_boot
}

rollback() {
    exclusively
    case $(state) in
    rolled-back) return ;;
    none) return ;;
    locked) set_state rolled-back; return ;;
    esac
    go_back || exit 1
}

# Restores the backup. The state changes only when all of it runs again, so that it can be tried once more.
go_back() {
    rm -f "$D/reserve"
    (
        links "$D/backup/links.conf" || :
        restore_unmanaged_mtu
        for file in $FILES acl.listed; do
            if [ -e "$D/backup/managed-$file" ]; then cp "$D/backup/managed-$file" "$STORE/running/$file"; else rm -f "$STORE/running/$file"; fi
        done
        router_replace "$D/backup" || { cat "$D/router.log"; exit 1; }
        undrain || exit 1
        acl "$D/backup/acl.nft" || exit 1
        users "$D/backup/users.conf" || exit 1
        host_name "$D/backup/services.conf" || exit 1
        for path in /etc/resolv.conf $SERVICE_FILES; do raw "$path" || exit 1; done
        services_changed
        for file in $FILES; do
            ! changed "$file" "$D/backup" || { echo "$file could not be restored"; running "$file" | diff - "$D/backup/$file"; exit 1; }
        done
        # What a confirmation has saved for the next start, finished or not.
        [ ! -e "$D/saved" ] || { router_save "$D/backup" && save_host_name; } || { cat "$D/router.log"; exit 1; }
    ) || return 1
    set_state rolled-back
    disarm
}

# Where a file is kept as it was.
raw_of() { echo "$D/backup/raw$(echo "$1" | tr / -)"; }

raw() {
    saved=$(raw_of "$1")
    if [ -e "$saved" ] || [ -L "$saved" ]; then
        cp -a --remove-destination "$saved" "$1" 2>/dev/null || cat "$saved" >"$1"
    else
        rm -f "$1"
    fi
}

status() {
    if [ -n "$(owner)" ]; then
        exclusively
        expire all
        ID=$(owner) D=$STORE/$(owner)
        echo "$(state) $ID"
    else
        echo none
    fi
}

# --- links.conf: `INTERFACE mtu N`, for interfaces that are up ---------------------------------------------------------------

# Prints the links that Weft looks after as they are.
running_links() {
    [ -e "$STORE/running/links.conf" ] || return 0
    while read -r name _; do
        [ -e "/sys/class/net/$name/mtu" ] || continue
        read -r mtu <"/sys/class/net/$name/mtu"
        read -r flags <"/sys/class/net/$name/flags"
        if [ $((flags & 1)) = 1 ]; then echo "$name mtu $mtu"; else echo "$name mtu $mtu down"; fi
    done <"$STORE/running/links.conf"
}

links() {
    {
        # What is no longer in the file gets the MTU of plain Ethernet back.
        [ ! -e "$STORE/running/links.conf" ] || awk 'FILENAME == ARGV[1] { kept[$1]; next } !($1 in kept) { print "link set dev", $1, "mtu 1500" }' "$1" "$STORE/running/links.conf"
        awk '{ print "link set dev", $1, "mtu", $3, ($4 == "down" ? "down" : "up") }' "$1"
    } >"$D/links.batch" || return 1
    save_unmanaged_mtu "$1"
    ip -batch "$D/links.batch"
}

# Remembers MTU and state of interfaces that come under Weft's care with this transaction.
save_unmanaged_mtu() {
    [ ! -e "$D/backup/unmanaged" ] || return 0
    while read -r name _; do
        grep -qs "^$name " "$STORE/running/links.conf" && continue
        [ -e "/sys/class/net/$name/mtu" ] || continue
        read -r flags <"/sys/class/net/$name/flags"
        echo "link set dev $name mtu $(cat "/sys/class/net/$name/mtu") $([ $((flags & 1)) = 1 ] && echo up || echo down)"
    done <"$1" >"$D/backup/unmanaged"
}

restore_unmanaged_mtu() { [ ! -s "$D/backup/unmanaged" ] || ip -batch "$D/backup/unmanaged" || :; }

# --- acl.nft: the nftables table `inet weft` -----------------------------------------------------------------------------------

# Prints the table as the kernel tells it, without counts.
list_acl() { nft -s list table inet weft 2>/dev/null || :; }

# Prints what runs: the text that was applied for as long as the kernel tells of it what it told then, for it spells many things
# in its own way.
running_acl() {
    listed=$(list_acl)
    if [ -n "$listed" ] && [ -e "$STORE/running/acl.nft" ] && [ "$listed" = "$(cat "$STORE/running/acl.listed" 2>/dev/null)" ]; then
        cat "$STORE/running/acl.nft"
    elif [ -n "$listed" ]; then
        printf '%s\n' "$listed"
    fi
}

# Prints the commands that replace the table as one: no packet passes in between.
acl_commands() {
    echo 'table inet weft'
    echo 'delete table inet weft'
    cat "$1"
}

acl() {
    [ -s "$1" ] || command -v nft >/dev/null || return 0
    acl_commands "$1" | nft -f -
}

# --- services.conf: `hostname NAME`, `ntp ADDRESS`, `dns ADDRESS`, `syslog ADDRESS`, `banner TEXT`, `ssh KEY VALUE`, ----------
# --- `snmp community COMMUNITY clients PREFIX,PREFIX`, `snmp location TEXT`, `snmp contact TEXT` ------------------------------

TIMESYNCD=/etc/systemd/timesyncd.conf.d/weft.conf
RSYSLOGD=/etc/rsyslog.d/90-weft.conf
BANNER=/etc/ssh/weft-banner
SSHD=/etc/ssh/sshd_config.d/weft.conf
SNMPD=/etc/snmp/snmpd.conf.d/weft.conf
SERVICE_FILES="$TIMESYNCD $RSYSLOGD $BANNER $SSHD $SNMPD"

running_services() {
    echo "hostname $(uname -n)"
    [ ! -e "$TIMESYNCD" ] || awk -F '[= ]' '$1 == "NTP" { for (i = 2; i <= NF; i++) if ($i != "") print "ntp", $i }' "$TIMESYNCD"
    [ ! -e /etc/resolv.conf ] || awk -v mark="$MARK" 'NR == 1 && $0 != mark { exit } $1 == "nameserver" { print "dns", $2 }' /etc/resolv.conf
    [ ! -e "$RSYSLOGD" ] || sed -n 's/^\*\.\* @\[\{0,1\}\([0-9a-fA-F.:]*\)\]\{0,1\}:514$/syslog \1/p' "$RSYSLOGD"
    [ ! -e "$BANNER" ] || sed 's/^/banner /' "$BANNER"
    [ ! -e "$SSHD" ] || awk '
        $1 == "PasswordAuthentication" { print "ssh password-authentication", $2 }
        $1 == "ChannelTimeout" { sub(/^session:\*=/, "", $2); print "ssh idle-timeout", $2 }
        $1 == "MaxStartups" { print "ssh maximum-startups", $2 }' "$SSHD"
    [ ! -e "$SNMPD" ] || awk '
        $1 ~ /^rocommunity6?$/ { clients[$2] = clients[$2] (clients[$2] ? "," : "") $3; if (!($2 in seen)) { seen[$2]; order[++count] = $2 } }
        $1 ~ /^sys(Location|Contact)$/ { kind = tolower(substr($1, 4)); sub(/^[^ ]* /, ""); text[kind] = $0 }
        END {
            for (i = 1; i <= count; i++) print "snmp community", order[i], "clients", clients[order[i]]
            if ("location" in text) print "snmp location", text["location"]
            if ("contact" in text) print "snmp contact", text["contact"]
        }' "$SNMPD"
}

host_name() {
    name=$(sed -n 's/^hostname //p' "$1")
    [ -z "$name" ] || [ "$(uname -n)" = "$name" ] || hostname "$name"
}

save_host_name() {
    name=$(uname -n)
    [ "$(cat /etc/hostname 2>/dev/null)" = "$name" ] || echo "$name" | put /etc/hostname
}

services() {
    host_name "$1" || return 1
    put_or_remove "$TIMESYNCD" "$(awk '$1 == "ntp" { servers = servers " " $2 } END { if (servers) print "[Time]\nNTP=" substr(servers, 2) }' "$1")" || return 1
    if grep -q '^dns ' "$1"; then
        awk -v mark="$MARK" 'BEGIN { print mark } $1 == "dns" { print "nameserver", $2 }' "$1" | put /etc/resolv.conf
        chmod 644 /etc/resolv.conf
    elif [ "$(head -n 1 /etc/resolv.conf 2>/dev/null)" = "$MARK" ]; then
        echo "$MARK" | put /etc/resolv.conf
    fi
    put_or_remove "$RSYSLOGD" "$(awk '$1 == "syslog" { print "*.* @" ($2 ~ /:/ ? "[" $2 "]" : $2) ":514" }' "$1")" || return 1
    put_or_remove "$BANNER" "$(sed -n 's/^banner //p' "$1")" bare || return 1
    put_or_remove "$SSHD" "$(awk -v banner="$BANNER" '
        $1 == "banner" { print "Banner", banner }
        $2 == "password-authentication" { print "PasswordAuthentication", $3 }
        $2 == "idle-timeout" { print "ChannelTimeout session:*=" $3 }
        $2 == "maximum-startups" { print "MaxStartups", $3 }' "$1")" || return 1
    put_or_remove "$SNMPD" "$(awk '
        $1 == "snmp" && $2 == "community" {
            count = split($5, clients, ",")
            for (i = 1; i <= count; i++) print (clients[i] ~ /:/ ? "rocommunity6" : "rocommunity"), $3, clients[i]
        }
        $1 == "snmp" && $2 == "location" { sub(/^snmp location /, ""); print "sysLocation", $0 }
        $1 == "snmp" && $2 == "contact" { sub(/^snmp contact /, ""); print "sysContact", $0 }' "$1")" || return 1
    sshd_takes_it || return 1
    services_changed
}

# A server that does not start again would lock everybody out, and what its own file says may go before.
sshd_takes_it() {
    [ -e "$SSHD" ] && [ -x /usr/sbin/sshd ] || return 0
    settings=$(/usr/sbin/sshd -T) || return 1
    sed -n 's/^\(Password.*\|Channel.*\|Banner.*\)$/\1/p; s/^MaxStartups .*/&:/p' "$SSHD" | while read -r key value; do
        wanted="$(echo "$key" | tr A-Z a-z) $value"
        case $settings in *"$wanted"*) ;; *) echo "/etc/ssh/sshd_config does not let it be: $wanted" >&2; exit 1 ;; esac
    done
}

# Writes the text $2 to the file $1, under the mark unless $3 is `bare`; without a text there is no file.
put_or_remove() {
    [ -n "$2" ] || { rm -f "$1"; return; }
    mkdir -p "${1%/*}" || return 1
    { [ "${3-}" = bare ] || echo "$MARK"; printf '%s\n' "$2"; } | put "$1" || return 1
    # All but the communities of SNMP may be read by everybody.
    [ "$1" = "$SNMPD" ] || chmod 644 "$1"
}

# Lets the services read their files again. Sessions that are open go on.
services_changed() {
    [ ! -d /run/systemd/system ] || systemctl try-restart systemd-timesyncd rsyslog snmpd 2>/dev/null || :
    now=$(cat "$SSHD" "$BANNER" 2>/dev/null | cksum)
    [ "$now" != "$(cat "$STORE/running/sshd.cksum" 2>/dev/null || cksum </dev/null)" ] || return 0
    mkdir -p "$STORE/running" && echo "$now" >"$STORE/running/sshd.cksum"
    sshd_restarts
}

# sshd starts anew in its own place, and writes its number down when it listens again: until then nobody could log in.
sshd_restarts() {
    sshd=$(cat /run/sshd.pid 2>/dev/null) || return 0
    rm -f /run/sshd.pid
    kill -HUP "$sshd" || return 1
    tries=0
    until [ -s /run/sshd.pid ]; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || { echo "$sshd" >/run/sshd.pid; return 1; }
        sleep 0.1
    done
}

# --- users.conf: `user NAME`, below it `  key ALGORITHM KEY COMMENT` ----------------------------------------------------------

running_users() {
    awk -F : -v gecos="$GECOS" '$5 == gecos { print $1 " " $6 }' /etc/passwd | sort | while read -r name home; do
        echo "user $name"
        [ ! -e "$home/.ssh/authorized_keys" ] || sed -e '/^#/d' -e '/^$/d' -e 's/^/  key /' "$home/.ssh/authorized_keys"
    done
}

users() {
    # Accounts of Weft's that are no longer meant to be. Their files stay.
    running_users | awk '$1 == "user" { print $2 }' | while read -r name; do
        grep -qx "user $name" "$1" || userdel "$name" 2>/dev/null || { getent passwd "$name" >/dev/null && exit 1; }
    done || return 1
    awk '$1 == "user" { print $2 }' "$1" | while read -r name; do
        # An account without a password is `*`: OpenSSH takes `!` for a locked one and refuses its keys.
        getent passwd "$name" >/dev/null || useradd -M -c "$GECOS" -p '*' -s /bin/sh "$name" || exit 1
        home=$(getent passwd "$name" | cut -d : -f 6)
        mkdir -p "$home/.ssh" || exit 1
        awk -v name="$name" '$1 == "user" { mine = $2 == name } mine && $1 == "key" { sub(/^  key /, ""); print }' "$1" | put "$home/.ssh/authorized_keys"
        chmod 700 "$home/.ssh" && chmod 600 "$home/.ssh/authorized_keys" && chown "$name:" "$home" "$home/.ssh" "$home/.ssh/authorized_keys" || exit 1
    done
}

# --- after a power cycle ------------------------------------------------------------------------------------------------------

# A unit that sets the confirmed links again, since the kernel forgets them.
at_boot() {
    [ -d /run/systemd/system ] && [ -d /etc/systemd/system ] || return 0
    unit=/etc/systemd/system/weft.service
    [ -e "$unit" ] && return 0
    printf '%s\n' "$MARK" '[Unit]' 'Description=Links that Weft has set' 'Before=frr.service bird.service' 'After=network-pre.target' '[Service]' \
        'Type=oneshot' "ExecStart=$AGENT boot" '[Install]' 'WantedBy=multi-user.target' | put "$unit"
    systemctl daemon-reload && systemctl enable weft.service 2>/dev/null || :
}

boot() {
    exclusively
    rm -f "$STORE"/*/timer
    expire all
    # Without a routing daemon it cannot go back all the way; it will soon.
    for D in "$STORE"/*/; do
        D=${D%/}
        ID=${D##*/}
        [ "$(state)" != armed ] || start_timer 20
    done
    ID=boot D=$STORE/boot
    mkdir -p "$D/backup" && management >"$D/management"
    [ ! -e "$STORE/running/links.conf" ] || links "$STORE/running/links.conf"
    [ ! -e "$STORE/running/acl.nft" ] || acl "$STORE/running/acl.nft"
    [ ! -e "$STORE/running/addresses.conf" ] || addresses "$STORE/running/addresses.conf"
}

running() {
    case $1 in
    links.conf) running_links ;;
    acl.nft) running_acl ;;
    services.conf) running_services ;;
    users.conf) running_users ;;
    *) router_running "$1" ;;
    esac
}

AGENT=/usr/local/lib/weft/agent
export LC_ALL=C
umask 077
command=$1
shift
case $command in
running) running "$1" ;;
status) status ;;
boot) boot ;;
lock | unlock | backup | upload | check | arm | drain | apply | health | confirm | rollback | expired)
    TRANSACTION=$1
    id "$1"
    shift
    $command "$@"
    ;;
*) die "no command '$command'" ;;
esac
