#!/usr/bin/env bash
# rolling-restart.sh: restarts the instances of a running set-up, one after the other. Clients of the
# one that is restarted reconnect once, to another; the others notice nothing.
#
# Usage: scripts/rolling-restart.sh [options]
#   --instance NAME     only this one; may be repeated (default: all, in the order of CLUSTER_NODES)
#   --timeout SECONDS   for each to be ready again (default: START_TIMEOUT, else 60)
#   --docker | --local  choose; otherwise Docker where an engine answers, else local processes
#   --env-file FILE     settings (default: .env.ha); the environment wins over the file
#   --help
#
# Each instance drains (DRAIN_DELAY, DRAIN_WINDOW), ends, comes back, and must say that it is ready,
# reaches Redis and hears its own probe there; then nginx is given the time to forget that it was
# away, and the next one follows. Nothing is restarted while an instance is not well. The program
# is the one that was deployed: scripts/deploy-ha.sh restart builds a new one. Local processes read
# their settings anew.
#
# Exit codes: 0 well, 1 an instance is not well or nothing runs, 2 wrong use or settings, 3 something
# needed cannot be had.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly SCRIPTS
# shellcheck source=lib/common.sh
source "$SCRIPTS/lib/common.sh"
# shellcheck source=lib/table.sh
source "$SCRIPTS/lib/table.sh"
# shellcheck source=lib/local.sh
source "$SCRIPTS/lib/local.sh"
# shellcheck source=lib/docker.sh
source "$SCRIPTS/lib/docker.sh"
# shellcheck source=lib/roll.sh
source "$SCRIPTS/lib/roll.sh"

mode='' env_file=$ROOT/.env.ha timeout='' wanted=()
# For the other commands of local.sh and docker.sh.
service='' lines='' follow='' monitor=''

while [[ $# -gt 0 ]]; do
    case $1 in
    --instance) wanted+=("${2:?--instance needs a name}") && shift ;;
    --timeout)
        [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || die "$EXIT_USAGE" "--timeout needs a number of seconds"
        timeout=$2 && shift
        ;;
    --docker) mode=docker ;;
    --local) mode=local ;;
    --env-file) env_file=${2:?--env-file needs a file} && shift ;;
    --help | -h) print_help "$0" && exit 0 ;;
    *) die "$EXIT_USAGE" "unknown argument $1" "See --help." ;;
    esac
    shift
done

load_env "$env_file"
if [[ -z $mode ]]; then
    if docker_answers; then mode=docker; else mode=local; fi
fi
[[ -z $timeout ]] || START_TIMEOUT=$timeout
"${mode}_settings"
mapfile -t known < <("${mode}_instances")
for name in "${wanted[@]}"; do
    [[ " ${known[*]} " == *" $name "* ]] ||
        die "$EXIT_USAGE" "no instance $name" "Instances: ${known[*]}"
done
[[ ${#wanted[@]} -gt 0 ]] || wanted=("${known[@]}")
started=$SECONDS
roll "$START_TIMEOUT" "${wanted[@]}"
info "Restarted ${wanted[*]} in $((SECONDS - started)) s."
