#!/bin/sh
# Stands in for vtysh, bird and birdc: refuses configuration lines that match a pattern in the words of the real program, and
# leaves all else to it. The patterns are extended regular expressions, one a line.
program=${0##*/}
real=/run/weft-lab/real/$program
patterns=/run/weft-lab/refused

# Prints `NUMBER:LINE` of the first line of a text that is refused.
first_refused() {
    grep -n -m 1 -E -f $patterns
}

refuse_in_file() {
    [ -r "$1" ] || return 0
    hit=$(first_refused <"$1") || return 0
    line=${hit%%:*} text=${hit#*:}
    case $program in
    vtysh)
        echo "line $line: % Unknown command[25]: $text" >&2
        exit 2
        ;;
    bird)
        echo "bird: $1:$line:1 syntax error, unexpected CF_SYM_UNDEFINED" >&2
        exit 1
        ;;
    birdc)
        echo "BIRD $("$real" show status 2>/dev/null | sed -n 's/^BIRD \([0-9.]*\) ready.*/\1/p') ready."
        echo "Reading configuration from $1"
        echo "$1:$line:1 syntax error, unexpected CF_SYM_UNDEFINED"
        exit 1
        ;;
    esac
}

case $program in
vtysh)
    previous='' configuring=false
    for argument; do
        case $previous in
        -f | -[A-Za-z]*f | --inputfile) refuse_in_file "$argument" ;;
        -c | --command)
            case $argument in
            conf*) configuring=true ;;
            *)
                if $configuring && hit=$(printf '%s\n' "$argument" | first_refused); then
                    echo "% Unknown command: ${hit#*:}"
                    exit 1
                fi
                ;;
            esac
            ;;
        esac
        case $argument in --inputfile=*) refuse_in_file "${argument#*=}" ;; esac
        previous=$argument
    done
    ;;
bird)
    previous=''
    for argument; do
        [ "$previous" != -c ] || refuse_in_file "$argument"
        previous=$argument
    done
    ;;
birdc)
    case " $* " in
    *" confirm "* | *" undo "*) ;;
    *configure*\"*\"*)
        words=$*
        file=${words#*\"}
        refuse_in_file "${file%%\"*}"
        ;;
    *configure*) refuse_in_file /etc/bird/bird.conf ;;
    esac
    ;;
esac
exec "$real" "$@"
