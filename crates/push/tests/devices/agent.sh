# A device for tests: a folder. `running` is its configuration; files named after faults make steps fail.
# Called as: agent.sh FOLDER STEP TRANSACTION [ARGUMENT]
cd "$1" || exit 9
step=$2 id=$3 argument=$4
put_back() {
    cp "backup-$id" running
    echo "rolled-back $id" >status
    [ ! -e keys-away ] || mv keys-away authorized_keys
}
echo "$step" >>steps
[ ! -e "stall-$step" ] || sleep 20
[ ! -e "fail-$step" ] || { echo "% $step does not work today" >&2; exit 1; }
case $step in
lock)
    mkdir lock 2>/dev/null || [ "$(cat lock/id)" = "$id" ] || { echo "locked by $(cat lock/id)" >&2; exit 1; }
    echo "$id" >lock/id
    case "$(cat status 2>/dev/null)" in *" $id") ;; *) echo "locked $id" >status ;; esac ;;
backup) cp running "backup-$id" ;;
upload) cat >"new-$id" ;;
check)
    bad=$(grep -n '^ *bad' "new-$id" | cut -d: -f1)
    [ -z "$bad" ] || { echo "% running.conf, line $bad: unknown command" >&2; exit 2; } ;;
arm)
    echo "armed $id" >status
    setsid sh -c "sleep $argument; [ \"\$(cat status)\" = 'armed $id' ] || exit; $(command -v sh) '$0' . by-itself $id" \
        </dev/null >/dev/null 2>&1 & ;;
by-itself) put_back ;;
apply)
    if [ -e half-apply ]; then
        head -n 1 "new-$id" >running
        echo "% stopped in the middle" >&2
        exit 1
    fi
    cp "new-$id" running
    if [ -e cut-apply ]; then
        mv authorized_keys keys-away
        kill -9 "$PPID"
    fi ;;
health) ;;
confirm)
    [ "$(cat status)" = "armed $id" ] || { echo "nothing to confirm" >&2; exit 1; }
    echo "confirmed $id" >status ;;
rollback) put_back ;;
unlock)
    [ ! -e lock ] || [ "$(cat lock/id)" = "$id" ] || { echo "locked by $(cat lock/id)" >&2; exit 1; }
    rm -rf lock ;;
running) cat running ;;
status) cat status 2>/dev/null || echo none ;;
*) exit 9 ;;
esac
