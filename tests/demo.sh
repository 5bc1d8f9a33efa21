#!/bin/sh
# The whole loop on the emulated lab: bare switches, one pipeline run, a report; then a fault, and the loop noticing it.
# Usage: tests/demo.sh WEFT, from the project's folder. Needs no root and no network but loopback.
set -eu
weft=$(realpath "$1")
project=$(pwd)
work=$(mktemp -d)
started=$(date +%s)
finish() {
  "$weft" -q -C "$work" lab down >/dev/null 2>&1 || :
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
cp -r "$project/intents" "$project/device-templates" "$project/pipeline" "$work/"
cd "$work"

step() {
  printf '\n\033[1m$ weft %s\033[0m\n' "$*"
  "$weft" "$@"
}
# A command that is meant to find something: exit code 1, nothing else.
finds() {
  printf '\n\033[1m$ weft %s\033[0m\n' "$*"
  code=0
  "$weft" "$@" || code=$?
  [ "$code" = 1 ] || { echo "demo: expected findings (exit code 1), got $code" >&2; exit 1; }
}

echo "== Twenty bare switches and two transit providers, emulated on loopback"
step lab up --backend emulated

echo "== From intents to a verified network"
step run

echo "== A second run has nothing to do"
step plan

echo "== A link is cut: the network still carries everything, with less to spare"
step lab fault link-down b1-spine-01:swp1
finds verify --now
step lab heal link-down b1-spine-01:swp1

echo "== A line is changed by hand: the report names the device, the line and the intent"
step lab exec b1-leaf-01 configure exclusive ';' interface swp1 ';' mtu 1400 ';' commit
finds verify --now
echo "== The next run puts it right"
step run

mkdir -p "$project/target"
"$weft" -q report latest --format html --out "$project/target/demo-report.html"
echo
echo "The report of the last run as a page: target/demo-report.html"
echo "demo: done in $(($(date +%s) - started)) s"
