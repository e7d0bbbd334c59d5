#!/usr/bin/env bash
# demo-failover.sh: two editors in one room, their instance is killed, and the room lives on.
#
# Usage: scripts/demo-failover.sh [options]
#   --attach          use the set-up that runs (scripts/deploy-ha.sh start), not a private one
#   --url URL         where its nginx is (with --attach; default: http://localhost:8080)
#   --seconds N       how long both edit (default: 8; at least 6)
#   --keep            keep the logs of the private set-up
#   --help
#
# A private set-up has its own Redis, nginx and two instances on free ports, and ends with the
# demo. The editors behave as the browser editor does: WebSocket through nginx, their own
# reconnection, no acknowledgements asked; a third member asks for them. Two more have connection state
# recovery: a stock JavaScript client in Chromium, and one that resumes by hand. What they were shown
# is held against what a member of the other instance was shown. Exit code 0: everybody was back, the
# scenes are equal, no acknowledged edit is missing, and the two missed nothing. The demo itself never
# takes longer than 90 s; what is missing on this machine is installed before.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/python.sh
source "$ROOT/scripts/lib/python.sh"
# shellcheck source=lib/browser.sh
source "$ROOT/scripts/lib/browser.sh"

arguments=() attach=''
while [[ $# -gt 0 ]]; do
    case $1 in
    --attach) attach=1 arguments+=(--attach) ;;
    --keep) arguments+=(--keep) ;;
    --url) arguments+=(--url "${2:?--url needs an address}") && shift ;;
    --seconds)
        [[ ${2:-} =~ ^[0-9]{1,2}$ && $2 -ge 6 && $2 -le 30 ]] ||
            die "$EXIT_USAGE" "--seconds needs a number from 6 to 30"
        arguments+=(--seconds "$2") && shift
        ;;
    --help | -h) print_help "$0" && exit 0 ;;
    *) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    esac
    shift
done

find_executable() {
    local kind
    [[ -z ${TANDEM_BIN:-} ]] || return 0
    for kind in debug release; do
        [[ ! -x $ROOT/.build/$kind/tandem ]] || return 0
    done
    step "Building tandem"
    swift build --package-path "$ROOT" --product tandem ||
        die "$EXIT_FAILED" "the build failed"
}

if [[ -z $attach ]]; then
    find_executable
    missing=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    [[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null || missing+=(nginx)
    [[ ${#missing[@]} == 0 ]] || install_packages "${missing[@]}"
fi
python=$(test_python)
install_browser "$python" || die "$EXIT_MISSING" "could not install the browser"
exec timeout --signal=TERM --kill-after=10 90 \
    "$python" "$ROOT/scripts/lib/demo_failover.py" "${arguments[@]}"
