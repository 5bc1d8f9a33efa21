#!/usr/bin/env bash
# Fuzzes what reads texts: fuzz.sh [SECONDS of each target] [TARGET...]. It fails on a panic, on more than 512 MB of memory and on
# an input that takes 5 s. Seeds are the example and the mistakes of tests/errors; what fails is kept in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-12}
shift || true
[ $# -gt 0 ] || set -- load schema validate lock secret

# Coverage as libFuzzer wants it. These are stable options of the compiler, so the pinned toolchain builds the targets.
flags="-Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing"
for option in sanitizer-coverage-level=4 sanitizer-coverage-inline-8bit-counters sanitizer-coverage-pc-table \
  sanitizer-coverage-trace-compares simplifycfg-branch-fold-threshold=0; do
  flags+=" -Cllvm-args=-$option"
done
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS=$flags CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzz
# With a target named, build scripts and macros are built without coverage.
cargo build --locked --quiet --manifest-path fuzz/Cargo.toml --release --target "$host" --bins
bin=$(cd "$CARGO_TARGET_DIR/$host/release" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{texts,load,schema,validate,lock,secret} fuzz/artifacts
for file in intents/*.yaml tests/errors/*/intents/*.yaml; do
  [ -s "$file" ] && cp "$file" "$work/texts/$(tr / - <<<"$file")"
done
cp "$work"/texts/* "$work/load"
cp "$work"/texts/* "$work/validate"
# The network as a whole: each file ends a document.
for file in intents/*.yaml; do
  case $file in *.lock.yaml) cp "$file" "$work/lock" ;; *) cat "$file" && echo --- ;; esac
done >"$work/validate/example"
# The first octet chooses the kind.
number=0
for kind in {0..15}; do
  for file in intents/*.yaml; do
    number=$((number + 1))
    { printf "\\x$(printf %x "$kind")" && sed -n '/^spec:/,/^---/{/^spec:/d;/^---/d;s/^  //;p}' "$file"; } >"$work/schema/$number"
  done
done
for reference in env/NAME file/bgp/transit.key 'age/prod/bgp.age#transit' '${secret:env/A} ${secret:?:0123456789abcdef}'; do
  number=$((number + 1))
  printf %s "$reference" >"$work/secret/$number"
done

run() {
  local log="$work/$1.log"
  if ! "$bin/$1" -seed=1 -max_total_time="$seconds" -rss_limit_mb=512 -timeout=5 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="fuzz/artifacts/$1-" "$work/$1" >"$log" 2>&1; then
    grep -vE '^#[0-9]+' "$log" | tail -40 >&2
    echo "fuzz: $1 failed" >&2
    return 1
  fi
  awk -v target="$1" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { peak = $2 } /slowest_unit_time_sec/ { slow = $2 }
    END { printf "fuzz: %-8s %8d inputs, slowest %d s, %d MB\n", target, runs, slow, peak }' "$log"
}

failed=0
while [ $# -gt 0 ]; do
  # Two at the same time.
  run "$1" & first=$!
  if [ $# -gt 1 ]; then
    run "$2" & second=$!
    wait "$second" || failed=1
    shift
  fi
  shift
  wait "$first" || failed=1
done
exit "$failed"
