#!/usr/bin/env bash
# canary.sh: a test of the simulation: builds it with a bug planted in the program's own sources and
# asserts that the checker that is there for it finds it (docs/SIMULATION.md).
#
# Usage: scripts/canary.sh [options] [NAME…]
#   NAME…        files of Tests/Simulation/Canaries without .patch (default: all)
#   --seeds N    within so many seeds (default: 400)
#   --check      only look whether each patch still applies; builds nothing
#   --help
#
# Works on a copy of the sources in .build/canary; your files are not touched. The build there is
# kept, so that after the first one only what a patch changes is compiled. Exit code 1: a bug was not
# found, or a patch does not apply.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

seeds=400 check='' names=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --seeds)
        [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$EXIT_USAGE" "--seeds wants a number"
        seeds=$2 && shift
        ;;
    --check) check=yes ;;
    --help | -h) print_help "$0" && exit 0 ;;
    -*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    *) names+=("$1") ;;
    esac
    shift
done

cd "$ROOT"
canaries=Tests/Simulation/Canaries
work=$ROOT/.build/canary
tree=$work/tree
if [[ ${#names[@]} == 0 ]]; then
    for file in "$canaries"/*.patch; do names+=("$(basename "$file" .patch)"); done
fi
command -v patch >/dev/null || die "$EXIT_MISSING" "patch is not installed"

# fresh_tree: the sources as they are now; unchanged files keep their place and time, so that they
# are not compiled again.
fresh_tree() {
    mkdir -p "$tree"
    (cd "$tree" && find . -type f -o -type l) | while IFS= read -r file; do
        [[ -e $file || -L $file ]] || rm -f "${tree:?}/$file"
    done
    local part
    for part in Package.swift Package.resolved Sources Tests/Simulation Tests/TestKit; do
        mkdir -p "$tree/$(dirname "$part")"
        cp -a "$part" "$tree/$(dirname "$part")/"
    done
}

# The folders of targets that are not built must be there.
needed_folders() {
    local folder
    for folder in Tests/* Examples/*; do
        [[ -d $folder && ! -e $tree/$folder ]] || continue
        mkdir -p "$tree/$(dirname "$folder")"
        cp -a "$folder" "$tree/$folder"
    done
}

value_of() { sed -n "s/^$1: //p" "$canaries/$2.patch"; }

plant() {
    fresh_tree
    patch --directory="$tree" --strip=1 --fuzz=0 --batch --silent --forward <"$canaries/$1.patch"
}

build() {
    local state=$work/build
    if [[ ! -d $state ]]; then
        mkdir -p "$state"
        # What was fetched for the other build serves here too.
        local part
        for part in repositories checkouts workspace-state.json; do
            [[ ! -e .build/$part ]] || cp -a ".build/$part" "$state/"
        done
    fi
    swift build -c release --product simulate --package-path "$tree" --scratch-path "$state" \
        >"$work/build.log" 2>&1 || {
        tail -20 "$work/build.log" >&2
        return 1
    }
}

# watch NAME: whether the simulation finds the bug, by its checker alone.
watch() {
    local checker faults program output seed
    checker=$(value_of Checker "$1")
    faults=$(value_of Faults "$1")
    program=$work/build/release/simulate
    if output=$("$program" --seeds "1..$seeds" --steps 80 --checkers "$checker" \
        --faults "${faults:-all}"); then
        warn "$1: not found in $seeds seeds by $checker"
        return 1
    fi
    seed=$(sed -n 's/^seed \([0-9]*\) broke what must hold:$/\1/p' <<<"$output")
    if [[ -z $seed ]] || ! grep -q "^  $checker: " <<<"$output"; then
        warn "$1: the simulation ended without a finding: $(tail -1 <<<"$output")"
        return 1
    fi
    ok "$1: found with seed $seed by $checker ($(value_of What "$1"))"
}

failures=0
for name in "${names[@]}"; do
    [[ -f $canaries/$name.patch ]] || die "$EXIT_USAGE" "there is no canary $name"
    [[ -n $(value_of Checker "$name") && -n $(value_of What "$name") ]] ||
        die "$EXIT_FAILED" "$canaries/$name.patch does not say What and Checker"
    if ! plant "$name"; then
        warn "$name: the patch does not apply"
        failures=$((failures + 1))
        continue
    fi
    if [[ -n $check ]]; then
        ok "$name: applies"
        continue
    fi
    needed_folders
    { build && watch "$name"; } || failures=$((failures + 1))
done
[[ $failures == 0 ]] || die "$EXIT_FAILED" "$failures of ${#names[@]} canaries failed"
