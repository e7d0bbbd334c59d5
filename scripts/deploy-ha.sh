#!/usr/bin/env bash
# deploy-ha.sh: runs Tandem as a highly available pair: nginx, Redis and two instances.
#
# Usage: scripts/deploy-ha.sh COMMAND [options]
#   start               installs what is missing, builds, starts, waits until all is ready;
#                       may be repeated: what runs already is left alone
#   stop                stops instances gracefully, then nginx, then Redis; data is kept
#   restart [SERVICE]   builds, then restarts the instances one after the other, each only when
#                       the one before is ready; nginx reloads; Redis only if named
#   status              a table of services; exit code 1 if one of them is not well
#   logs [SERVICE] [-f] the last lines of one or all services; -f follows
#   clean               stops and deletes all data, after asking (--force: without)
#   monitor             with Docker: also starts Redis Insight on port 5540
#
# Options
#   --docker | --local  choose; otherwise Docker where an engine answers, else local processes
#   --env-file FILE     settings (default: .env.ha); the environment wins over the file
#   --lines N           how many lines logs shows of each service (default 50)
#   --force             no questions
#   --help
#
# Services: redis, nginx and the instances of CLUSTER_NODES (server-1, server-2).
# Local processes keep everything under TANDEM_STATE_DIR (.tandem); several copies run side by
# side with their own TANDEM_STATE_DIR, NGINX_PORT, REDIS_PORT and CLUSTER_NODES.
# TANDEM_BIN=FILE runs that program instead of building one.
#
# Exit codes: 0 well, 1 something failed or is down, 2 wrong use or settings, 3 something needed
# cannot be had, 4 a port is taken by somebody else.
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

command='' service='' mode='' env_file=$ROOT/.env.ha lines=50 follow='' force='' monitor=''

parse_arguments() {
    while [[ $# -gt 0 ]]; do
        case $1 in
        start | stop | restart | status | logs | clean)
            [[ -z $command ]] || die "$EXIT_USAGE" "two commands: $command and $1"
            command=$1
            ;;
        monitor) monitor=yes ;;
        --docker) mode=docker ;;
        --local) mode=local ;;
        --env-file) env_file=${2:?--env-file needs a file} && shift ;;
        --lines | -n) lines=${2:?--lines needs a number} && shift ;;
        --follow | -f) follow=yes ;;
        --force) force=yes ;;
        --help | -h | help) print_help "$0" && exit 0 ;;
        -*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
        *)
            [[ -z $service && ($command == restart || $command == logs) ]] ||
                die "$EXIT_USAGE" "unknown command $1" "See --help."
            service=$1
            ;;
        esac
        shift
    done
    [[ -z $monitor || -n $command ]] || command=start
    [[ -n $command ]] || die "$EXIT_USAGE" "no command" \
        "Usage: scripts/deploy-ha.sh start|stop|restart|status|logs|clean [options], or --help"
}

choose_mode() {
    [[ -z $mode ]] || return 0
    if docker_answers; then mode=docker; else mode=local; fi
}

confirm_clean() {
    [[ -z $force ]] || return 0
    [[ -t 0 ]] || die "$EXIT_USAGE" "clean deletes all rooms and logs" "Say --force if that is meant."
    local answer
    read -r -p "Delete all rooms, Redis data and logs? [y/N] " answer
    [[ $answer == [yY]* ]] || die "$EXIT_FAILED" "nothing deleted"
}

parse_arguments "$@"
load_env "$env_file"
choose_mode
"${mode}_settings"
[[ -z $service ]] || "${mode}_check_service" "$service"
[[ -z $monitor || $mode == docker ]] ||
    die "$EXIT_USAGE" "monitor needs Docker: Redis Insight comes as a container"
case $command in
clean) confirm_clean && "${mode}_clean" ;;
*) "${mode}_$command" ;;
esac
