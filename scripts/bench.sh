#!/usr/bin/env bash
# bench.sh: measures the server against a bare yardstick and a peer, and counts instructions.
#
# Usage: scripts/bench.sh [options]
#   --quick        most rows, short: shows that everything still runs (about a minute)
#   --only LIST    of fanout,saturation,latency,idle,connect,cross,peer and, of size, start,room,
#                  connections,rooms,scene
#   --write        puts the tables into docs/PERFORMANCE.md; rows not measured stay
#   --json FILE    the rows, for programs
#   --micro [CASE…]            instead: instructions and allocations against thresholds.json
#   --micro --update [CASE…]   the same, and writes the thresholds anew
#   --help
#
# Builds a release, compiles Tests/Benchmarks/Floor, installs python-socketio and uvicorn from PyPI
# into .tandem/venv-peer. Each server runs alone on core 0, the load tool (tandem bench) on core 1;
# servers take turns, medians count. TANDEM_BIN=FILE measures that program. A missed target is said,
# not a failure; exit code 1 if something could not be measured, or --micro finds a threshold
# exceeded.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/python.sh
source "$ROOT/scripts/lib/python.sh"

arguments=() micro='' update='' cases=() quick='' only=''
while [[ $# -gt 0 ]]; do
    case $1 in
    --quick | --write)
        arguments+=("$1")
        [[ $1 == --write ]] || quick=yes
        ;;
    --only)
        [[ ${2:-} =~ ^[a-z]+(,[a-z]+)*$ ]] || die "$EXIT_USAGE" "--only needs names" "See --help."
        arguments+=("$1" "$2") only=$2
        shift
        ;;
    --json)
        [[ -n ${2:-} ]] || die "$EXIT_USAGE" "--json needs a file"
        arguments+=("$1" "$2") && shift
        ;;
    --micro) micro=yes ;;
    --update) update=yes ;;
    --help | -h) print_help "$0" && exit 0 ;;
    -*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    *) cases+=("$1") ;;
    esac
    shift
done
[[ -n $micro || ${#cases[@]} == 0 && -z $update ]] ||
    die "$EXIT_USAGE" "only --micro has cases and --update"

install_tools() {
    local pair missing=()
    for pair in cc:gcc "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    pkg-config --exists libcrypto 2>/dev/null || missing+=(libssl-dev)
    [[ ${#missing[@]} == 0 ]] || install_packages "${missing[@]}"
}

# build PRODUCT: a release; prints where it is.
build() {
    swift build --package-path "$ROOT" -c release --product "$1" >&2 ||
        die "$EXIT_FAILED" "the build failed"
    echo "$(swift build --package-path "$ROOT" -c release --show-bin-path)/$1"
}

install_peer() {
    local wants=$ROOT/Tests/Benchmarks/peers/requirements.txt venv=$ROOT/.tandem/venv-peer
    if [[ ! -e $venv/installed || $wants -nt $venv/installed ]]; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wants" ||
            die "$EXIT_MISSING" "could not install the peer's Python packages"
        touch "$venv/installed"
    fi
    export BENCH_PEER_PYTHON=$venv/bin/python
}

if [[ -n $micro ]]; then
    install_tools valgrind:valgrind strip:binutils
    step "Building micro-benchmarks (release)"
    export TANDEM_BENCHMARKS=1
    program=$(build micro-benchmarks)
    exec python3 "$ROOT/Tests/Benchmarks/micro.py" --program "$program" ${update:+--update} \
        "${cases[@]}"
fi

PATH=$PATH:/usr/sbin
install_tools redis-server:redis-server taskset:util-linux
python=$(test_python)
[[ -n $quick$only && ,$only, != *,peer,* ]] || install_peer
if [[ -z ${TANDEM_BIN:-} ]]; then
    step "Building tandem (release)"
    TANDEM_BIN=$(build tandem)
    export TANDEM_BIN
fi
# As many connections as the system lets this process have.
ulimit -n "$(ulimit -Hn)"
exec "$python" "$ROOT/Tests/Benchmarks/bench.py" "${arguments[@]}"
