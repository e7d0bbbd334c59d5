#!/usr/bin/env bash
# simulate.sh: many simulations in a release build, on all processors (docs/SIMULATION.md).
#
# Usage: scripts/simulate.sh [FIRST [LAST]] [ARGUMENT…]
#   FIRST LAST   seeds (default: 1 10000)
#   ARGUMENT…    for each process, as of `simulate`: --steps N, --faults LIST, --canary NAME, …
#   --help
#
# Exit code 1: a promise was broken; the seed and the command that replays it are printed.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

case ${1:-} in --help | -h) print_help "$0" && exit 0 ;; esac
cd "$ROOT"
first=1
last=10000
if [[ ${1:-} =~ ^[0-9]+$ ]]; then first=$1 && shift; fi
if [[ ${1:-} =~ ^[0-9]+$ ]]; then last=$1 && shift; fi

swift build -c release --product simulate
program=$(swift build -c release --show-bin-path)/simulate

# A process for so many seeds: it keeps some memory of each.
size=500
for ((from = first; from <= last; from += size)); do
    to=$((from + size - 1))
    echo "$from..$((to < last ? to : last))"
done | xargs -P "$(nproc)" -I '{}' "$program" --seeds '{}' --keep-going "$@" || exit 1
