# shellcheck shell=bash
# Shared by the scripts of this project: messages, the environment file, ports, processes.
# Source it after `set -euo pipefail`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly ROOT

# Exit codes of all scripts.
# shellcheck disable=SC2034 # used by the scripts that source this file
readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_MISSING=3 EXIT_PORT=4

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' YELLOW=$'\e[33m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' GREEN='' YELLOW='' DIM='' PLAIN=''
fi
# shellcheck disable=SC2034 # used by the scripts that source this file
readonly BOLD RED GREEN YELLOW DIM PLAIN

info() { printf '%s\n' "$*"; }
step() { printf '%s\n' "${BOLD}$*${PLAIN}"; }
ok() { printf '  %s✓%s %s\n' "$GREEN" "$PLAIN" "$*"; }
warn() { printf '%s!%s %s\n' "$YELLOW" "$PLAIN" "$*" >&2; }
# die CODE LINE...: each further argument is a line of its own.
die() {
    local code=$1
    shift
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
    shift
    local line
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit "$code"
}

# A script's help is the comment at its head: from the second line to the first that is none.
print_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

# --- environment file -------------------------------------------------------------------------

# load_env FILE: exports NAME=value lines; what the environment has already wins. The file is
# read, never executed. An empty value counts as not set.
load_env() {
    local file=$1 line name value number=0
    [[ -r $file ]] || die "$EXIT_USAGE" "cannot read the environment file $file"
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        line=${line%$'\r'}
        [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
        [[ $line =~ ^(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] ||
            die "$EXIT_USAGE" "$file:$number: not a NAME=value line: $line"
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
        [[ -z $value || -v $name ]] || export "$name=$value"
    done <"$file"
}

# --- CLUSTER_NODES ------------------------------------------------------------------------------

NODE_IDS=() NODE_UPSTREAMS=() NODE_URLS=() NODE_WEIGHTS=()

# parse_nodes TEXT: "id=host:port=public-url[=weight],…" into the NODE_ arrays.
parse_nodes() {
    local text=$1 item id upstream url weight
    local -a items fields
    NODE_IDS=() NODE_UPSTREAMS=() NODE_URLS=() NODE_WEIGHTS=()
    IFS=, read -r -a items <<<"$text"
    for item in "${items[@]}"; do
        item=${item//[[:space:]]/}
        [[ -n $item ]] || continue
        IFS='=' read -r -a fields <<<"$item"
        id=${fields[0]:-} upstream=${fields[1]:-} url=${fields[2]:-} weight=${fields[3]:-1}
        [[ $id =~ ^[A-Za-z0-9_.-]+$ && $upstream =~ ^[A-Za-z0-9_.-]+:[0-9]+$ &&
            $weight =~ ^[1-9][0-9]{0,3}$ && ${#fields[@]} -le 4 ]] ||
            die "$EXIT_USAGE" "CLUSTER_NODES: not id=host:port=public-url[=weight]: $item"
        node_index "$id" >/dev/null && die "$EXIT_USAGE" "CLUSTER_NODES names $id twice"
        NODE_IDS+=("$id") NODE_UPSTREAMS+=("$upstream") NODE_URLS+=("$url")
        NODE_WEIGHTS+=("$weight")
    done
    [[ ${#NODE_IDS[@]} -gt 0 ]] || die "$EXIT_USAGE" "CLUSTER_NODES names no instance"
}

node_index() {
    local i
    for i in "${!NODE_IDS[@]}"; do
        [[ ${NODE_IDS[i]} == "$1" ]] && echo "$i" && return 0
    done
    return 1
}

# --- HTTP and ports ---------------------------------------------------------------------------

# http_status URL: the status code, 000 when there is no answer.
http_status() {
    curl --silent --output /dev/null --max-time "${2:-2}" --write-out '%{http_code}' "$1" || :
}

http_body() { curl --silent --max-time "${2:-2}" "$1" || :; }

# port_taken PORT: somebody listens on this port of the loopback address.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# --- processes ----------------------------------------------------------------------------------
# A record is a file "pid start-time": a process number may be given to a stranger one day, the
# pair is not. Only what a record names is ever signalled.

# start_time PID: the process's start in clock ticks since boot, nothing for one that is gone.
start_time() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # shellcheck disable=SC2086 # fields after "pid (name)": the state first, the start 20th
    set -- ${stat##*) }
    [[ $1 != Z ]] || return 1
    echo "${20}"
}

record_process() {
    local file=$1 pid=$2 start
    start=$(start_time "$pid") || return 1
    # Starter and supervisor may record the same process at once.
    printf '%s %s\n' "$pid" "$start" >"$file.$BASHPID" && mv "$file.$BASHPID" "$file"
}

# recorded_pid FILE: the pid, if exactly that process still lives.
recorded_pid() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null || return 1
    [[ -n $start && $(start_time "$pid") == "$start" ]] || return 1
    echo "$pid"
}

# --- packages -------------------------------------------------------------------------------------

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi; }

# install_packages NAME...: from Debian's or Ubuntu's own archive; no service is started by it.
install_packages() {
    local command="apt-get install --no-install-recommends -y $*"
    command -v apt-get >/dev/null ||
        die "$EXIT_MISSING" "these are missing and there is no apt-get here: $*" \
            "Install them in your system's way and start again."
    [[ $(id -u) == 0 ]] || command -v sudo >/dev/null ||
        die "$EXIT_MISSING" "these packages are missing: $*" "As root: $command"
    info "  installing $*"
    as_root bash "$ROOT/scripts/lib/apt-install.sh" "$@" ||
        die "$EXIT_MISSING" "could not install: $*" "By hand, as root: $command"
}
