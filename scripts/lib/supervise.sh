#!/usr/bin/env bash
# supervise.sh STATE NAME -- COMMAND...: keeps one service alive until it is told to stop.
#
# A service that ends is started again after 0.2 s, then 0.5, 1, 2 and 4 s while it keeps ending
# at once, so a killed one is back well within 10 s. It never gives up: what is wrong (a taken
# port, an instance id that another one still holds) may pass. SIGTERM stops the service, then
# this script. It writes STATE/run/NAME.pid and NAME.supervisor (see "processes" in common.sh)
# and counts restarts in NAME.restarts.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly DELAYS=(0.2 0.5 1 2 4)
readonly STEADY_SECONDS=20
readonly state=$1 name=$2
shift 2
[[ ${1:-} == -- ]] && shift
readonly run=$state/run

child='' stopping='' failures=0 restarts=0

say() { printf '%s supervise %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$name" "$*"; }

on_stop() {
    stopping=yes
    [[ -z $child ]] || kill -TERM "$child" 2>/dev/null || :
}
trap on_stop TERM INT
trap '' HUP

# With job control each service leads a process group of its own, so that what it leaves behind
# (nginx's workers after a kill -9 of their master hold the port) can be ended with it.
set -m

run_once() {
    local code=0
    "$@" &
    child=$!
    record_process "$run/$name.pid" "$child" || :
    while :; do
        code=0
        wait "$child" 2>/dev/null || code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    kill -KILL -- "-$child" 2>/dev/null || :
    rm -f "$run/$name.pid"
    child=''
    return "$code"
}

pause() {
    sleep "$1" &
    wait $! 2>/dev/null || :
}

record_process "$run/$name.supervisor" $$
echo 0 >"$run/$name.restarts"
while :; do
    started=$SECONDS code=0
    run_once "$@" || code=$?
    [[ -z $stopping ]] || break
    lived=$((SECONDS - started))
    [[ $lived -lt $STEADY_SECONDS ]] || failures=0
    delay=${DELAYS[failures < ${#DELAYS[@]} ? failures : ${#DELAYS[@]} - 1]}
    failures=$((failures + 1)) restarts=$((restarts + 1))
    echo "$restarts" >"$run/$name.restarts"
    say "ended with code $code after $lived s; starting again in $delay s"
    pause "$delay"
    [[ -z $stopping ]] || break
done
# Its record stays: who awaits the stop waits for this process to be gone, not nearly gone.
say "stopped"
