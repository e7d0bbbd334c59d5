#!/usr/bin/env bash
# fuzz.sh: looks for input that traps, hangs or breaks a rule, guided by coverage (docs/FUZZING.md).
#
# Usage: scripts/fuzz.sh [options] [TARGET…|all]
#   --seconds N     time for each target; default 600
#   --jobs N        processes for each target; default 1
#   --minimise      afterwards take what is worth keeping into Tests/Fuzzing/Corpus
#   --list          the targets, and the longest input of each in bytes
#   --self-test     shows that a planted finding and a planted trap are found
#   --help
#
# The first build takes minutes: everything that is fuzzed is built again, with coverage and the
# address sanitizer, in .build/fuzz. What was found on the way stays in .build/fuzz-corpus for the
# next run. An input that fails is kept as Tests/Fuzzing/Corpus/TARGET/found-…, where `swift test`
# runs it from then on. Exit code 1 if there was one.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

seconds=600 jobs=1 action=run targets=() minimise=''
number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$EXIT_USAGE" "$1 needs a number, not '$2'" "See --help."; }
while [[ $# -gt 0 ]]; do
    case $1 in
    --seconds | --jobs)
        number "$1" "${2:-}"
        if [[ $1 == --seconds ]]; then seconds=$2; else jobs=$2; fi
        shift
        ;;
    --minimise) minimise=yes ;;
    --list) action=list ;;
    --self-test) action=self-test ;;
    --help | -h) print_help "$0" && exit 0 ;;
    -*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    *) targets+=("$1") ;;
    esac
    shift
done

cd "$ROOT"
FUZZ=$ROOT/.build/fuzz/release/fuzz
FOLDER=$ROOT/Tests/Fuzzing
KEPT=$ROOT/.build/fuzz-corpus
LOGS=$ROOT/.build/fuzz-logs
# A trap is to reach libFuzzer at once; leaks are not looked for: Swift keeps its metadata for good.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
export LLVM_PROFILE_FILE=/dev/null

build() {
    echo "Building the fuzzer in .build/fuzz…"
    mkdir -p "$LOGS"
    if ! TANDEM_FUZZ=1 swift build -c release --build-path .build/fuzz --product fuzz \
        >"$LOGS/build.log" 2>&1; then
        grep -E "error" "$LOGS/build.log" >&2 || tail -20 "$LOGS/build.log" >&2
        die 1 "the fuzzer does not build" "All of it: .build/fuzz-logs/build.log"
    fi
}

names() { "$FUZZ" | cut -d' ' -f1; }
max_bytes() { "$FUZZ" | awk -v name="$1" '$1 == name { print $2 }'; }
count() { find "$1" -type f 2>/dev/null | wc -l; }
statistic() { awk -v name="stat::$2:" '$1 == name { sum += $2 } END { print sum + 0 }' "$1"; }

# drive NAME LOG OPTIONS…: libFuzzer on one target; its own output goes into the log.
drive() {
    local name=$1 log=$2
    shift 2
    FUZZ_TARGET=$name "$FUZZ" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 "$@" \
        >"$log" 2>&1 </dev/null
}

# progress PID LOG NAME: a line every ten seconds until the process ends.
progress() {
    local line
    while kill -0 "$1" 2>/dev/null; do
        for _ in {1..10}; do
            sleep 1
            kill -0 "$1" 2>/dev/null || return 0
        done
        line=$(grep -a "cov:" "$2" | tail -1 | tr -s ' \t' ' ' | cut -c1-90) || true
        [[ -z $line ]] || echo "  $3: $line"
    done
}

# fuzz NAME: one target; adds a row to the table. 1 if something was found.
fuzz() {
    local name=$1 log=$LOGS/$1.log kept=$KEPT/$1 corpus=$FOLDER/Corpus/$1 found=$LOGS/found-$1
    local dictionary=$FOLDER/Dictionaries/$1.dict options=() before crashes=0 pid file
    mkdir -p "$kept" "$corpus"
    rm -rf "$found" && mkdir -p "$found"
    before=$(count "$kept")
    [[ ! -s $dictionary ]] || options+=("-dict=$dictionary")
    [[ $jobs == 1 ]] || options+=("-fork=$jobs")
    echo "$name: $seconds s"
    drive "$name" "$log" -max_total_time="$seconds" -max_len="$(max_bytes "$name")" \
        -artifact_prefix="$found/" "${options[@]}" "$kept" "$corpus" &
    pid=$!
    progress "$pid" "$log" "$name"
    wait "$pid" || crashes=1
    for file in "$found"/*; do
        [[ -f $file ]] || continue
        crashes=$((crashes + 1))
        cp "$file" "$corpus/found-$(sha1sum <"$file" | cut -c1-12)"
    done
    [[ $crashes -le 1 ]] || crashes=$((crashes - 1))
    [[ $crashes == 0 ]] || report "$name" "$log"
    row "$name" "$log" "$kept" "$before" "$crashes" >>"$LOGS/table.$$"
    [[ $crashes == 0 ]]
}

report() {
    local what
    what=$(grep -a -m1 -E "^finding:|Fatal error|Precondition failed|ERROR: " "$2" | cut -c1-300) ||
        what="see .build/fuzz-logs/$1.log"
    {
        echo "FOUND in $1: $what"
        echo "  kept as Tests/Fuzzing/Corpus/$1/found-…; again:"
        echo "  FUZZ_TARGET=$1 SWIFT_BACKTRACE=enable=no .build/fuzz/release/fuzz" \
            "Tests/Fuzzing/Corpus/$1/found-…"
    } >&2
}

# The coverage that is told is that of the corpus at the start and at the end.
row() {
    local first last
    first=$(grep -a -m1 -oE "INITED +cov: [0-9]+" "$2" | grep -oE "[0-9]+$") || first=0
    last=$(grep -a -oE "cov: [0-9]+" "$2" | tail -1 | grep -oE "[0-9]+") || last=0
    printf '%-13s %12s %9s %8s %9s %+9d %8s\n' "$1" \
        "$(statistic "$2" number_of_executed_units)" \
        "$(($(statistic "$2" number_of_executed_units) / seconds))" \
        "$(count "$3")" "$last" "$((last - first))" "$5"
}

# minimise NAME: the fewest inputs with the same coverage, each named by its content; findings stay.
minimise() {
    local name=$1 corpus=$FOLDER/Corpus/$1 merged=$LOGS/merged-$1
    rm -rf "$merged" && mkdir -p "$merged"
    drive "$name" "$LOGS/merge-$name.log" -merge=1 -max_len=4096 \
        "$merged" "$corpus" "$KEPT/$name" || return 1
    find "$corpus" -type f ! -name 'found-*' -delete
    keep "$merged" "$corpus"
}

# keep FROM TO: of many inputs some of every size, at most 80 files and 60,000 bytes.
keep() {
    local bytes=0 size file step=$(($(count "$1") / 80 + 1))
    while read -r size file; do
        bytes=$((bytes + size))
        [[ $bytes -le 60000 ]] || break
        cp "$file" "$2/$(sha1sum <"$file" | cut -c1-16)"
    done < <(find "$1" -type f -printf '%s %p\n' | sort -n | awk "NR % $step == 0")
}

self_test() {
    local kind found=$LOGS/found-planted
    for kind in BOOM TRAP; do
        rm -rf "$found" "$LOGS/seeds" && mkdir -p "$found" "$LOGS/seeds"
        # Three letters of four: the fourth is for the coverage to find.
        printf '%s' "${kind:0:3}" >"$LOGS/seeds/seed"
        if drive planted "$LOGS/planted.log" -max_total_time=60 -artifact_prefix="$found/" \
            "$LOGS/seeds" || [[ $(count "$found") == 0 ]]; then
            die 1 "the planted $kind was not found" "See .build/fuzz-logs/planted.log"
        fi
        grep -q "^$kind" "$found"/* || grep -qE "^(BOOM|TRAP)" "$found"/* ||
            die 1 "what was found is not what was planted" "See $found"
    done
    echo "Planted findings are found."
}

build
case $action in
list) "$FUZZ" && exit 0 ;;
self-test) self_test && exit 0 ;;
esac

if [[ ${#targets[@]} == 0 || ${targets[0]} == all ]]; then
    mapfile -t targets < <(names)
fi
for name in "${targets[@]}"; do
    names | grep -qxF "$name" || die "$EXIT_USAGE" "there is no target $name" "See --list."
done

: >"$LOGS/table.$$"
status=0
for name in "${targets[@]}"; do
    fuzz "$name" || status=1
    [[ -z $minimise ]] || minimise "$name" || status=1
done
echo
printf '%-13s %12s %9s %8s %9s %9s %8s\n' \
    target executions exec/s corpus coverage new crashes
cat "$LOGS/table.$$"
rm "$LOGS/table.$$"
exit "$status"
