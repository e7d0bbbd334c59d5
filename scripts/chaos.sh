#!/usr/bin/env bash
# chaos.sh: does to a running set-up what promises P1 to P13 speak of, and measures what happens.
#
# Usage: scripts/chaos.sh [P1 … P13 | all] [options]
#   --full         500 users in 50 rooms on three instances, each fault many times (the default)
#   --small        12 users in 3 rooms on two instances, each fault once
#   --repeat N     each fault N times
#   --users N      so many users
#   --rooms N      in so many rooms
#   --jobs N       so many promises at a time (default: 1; with --small 2)
#   --write        puts the table into docs/FAILURES.md, rows of other promises stay
#   --help
#
# Real processes on free ports of this machine: instances, Redis, Sentinels, nginx; clients that
# behave as the browser's editor. kill -9, SIGSTOP, SIGTERM; Redis killed, empty, hanging, full; a
# network namespace of its own for one instance (nft drops packets; where the machine allows none, a
# relay in user space does, and the table says so); the wall clock moved by libfaketime. Prints a
# table; exit code 1 if a promise is broken. Missing tools are installed from the system's packages.
# TANDEM_BIN=FILE tests that program; otherwise a release build (with --small a debug build).
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/python.sh
source "$ROOT/scripts/lib/python.sh"
# shellcheck source=lib/fault-tools.sh
source "$ROOT/scripts/lib/fault-tools.sh"

arguments=() configuration=release
while [[ $# -gt 0 ]]; do
    case $1 in
    --full) ;;
    --small) configuration=debug arguments+=("$1") ;;
    --write) arguments+=("$1") ;;
    --repeat | --users | --rooms | --jobs)
        [[ ${2:-} =~ ^[1-9][0-9]{0,4}$ ]] || die "$EXIT_USAGE" "$1 needs a number from 1"
        arguments+=("$1" "$2") && shift
        ;;
    --help | -h) print_help "$0" && exit 0 ;;
    P[1-9] | P1[0-3] | all) arguments+=("$1") ;;
    *) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    esac
    shift
done

PATH=$PATH:/usr/sbin
install_fault_tools
python=$(test_python)
if [[ -z ${TANDEM_BIN:-} ]]; then
    step "Building tandem ($configuration)"
    swift build --package-path "$ROOT" -c "$configuration" --product tandem ||
        die "$EXIT_FAILED" "the build failed"
    TANDEM_BIN=$(swift build --package-path "$ROOT" -c "$configuration" --show-bin-path)/tandem
    export TANDEM_BIN
fi
exec "$python" "$ROOT/Tests/Faults/chaos.py" "${arguments[@]}"
