#!/usr/bin/env bash
# Runs many simulations in a release build: seeds FIRST to LAST, in as many processes as there are
# processors (docs/SIMULATION.md). Further arguments go to `simulate`: --steps, --faults, --canary.
#   scripts/simulate.sh [FIRST [LAST]] [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

first=1
last=10000
if [[ ${1:-} =~ ^[0-9]+$ ]]; then first=$1 && shift; fi
if [[ ${1:-} =~ ^[0-9]+$ ]]; then last=$1 && shift; fi

swift build -c release --product simulate
program=$(swift build -c release --show-bin-path)/simulate

jobs=$(nproc)
size=$(((last - first) / jobs + 1))
workers=()
for ((from = first; from <= last; from += size)); do
    to=$((from + size - 1))
    "$program" --seeds "$from..$((to < last ? to : last))" --keep-going "$@" &
    workers+=($!)
done
status=0
for worker in "${workers[@]}"; do
    wait "$worker" || status=1
done
exit "$status"
