#!/usr/bin/env bash
# test.sh: all checks and tests, with everything they need, on a fresh Debian or Ubuntu that has a
# Swift toolchain.
#
# Usage: scripts/test.sh [options]
#   --unit          lint, build and unit tests
#   --integration   build, and the tests with real processes, clients and faults
#   --fast          all but the deployment tests
#   --help
#
# It installs Debian packages (nginx, Redis, libraries, shellcheck, Chromium, libfaketime, nftables) and, into .venv-test,
# the stock Socket.IO clients and Playwright from PyPI; scripts/fetch-client.sh fetches the browser's
# client. TANDEM_BIN=FILE tests that program instead of the debug build.
# The last lines say how many tests there were; a failure or a skipped test is exit code 1.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/python.sh
source "$ROOT/scripts/lib/python.sh"
# shellcheck source=lib/steps.sh
source "$ROOT/scripts/lib/steps.sh"
# shellcheck source=lib/browser.sh
source "$ROOT/scripts/lib/browser.sh"
# shellcheck source=lib/fault-tools.sh
source "$ROOT/scripts/lib/fault-tools.sh"

unit=yes integration=yes deployment=yes
while [[ $# -gt 0 ]]; do
    case $1 in
    --unit) integration='' deployment='' ;;
    --integration) unit='' deployment='' ;;
    --fast) deployment='' ;;
    --help | -h) print_help "$0" && exit 0 ;;
    *) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    esac
    shift
done

cd "$ROOT"
PATH=$PATH:/usr/sbin
export TANDEM_VENV=$ROOT/.venv-test

install_tools() {
    local pair missing=()
    for pair in nginx:nginx redis-server:redis-server curl:curl openssl:openssl \
        pkg-config:pkg-config shellcheck:shellcheck docker-compose:docker-compose; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    pkg-config --exists hiredis 2>/dev/null || missing+=(libhiredis-dev)
    pkg-config --exists libcrypto 2>/dev/null || missing+=(libssl-dev)
    [[ ${#missing[@]} == 0 ]] || install_packages "${missing[@]}"
    command -v swift >/dev/null || die "$EXIT_MISSING" "there is no Swift toolchain here" \
        "Install Swift 6.1 or newer: https://www.swift.org/install/linux/"
}

install_python() {
    local wants=Tests/Deployment/requirements.txt stamp=$TANDEM_VENV/installed-deployment
    TANDEM_PYTHON=$(test_python) || return 1
    export TANDEM_PYTHON
    [[ $stamp -nt $wants ]] && return 0
    "$TANDEM_PYTHON" -m pip install --quiet --disable-pip-version-check -r "$wants" || return 1
    touch "$stamp"
}

# Beside the newer ones of the same names, for a process that names this folder in PYTHONPATH.
install_old_clients() {
    local wants=Tests/Integration/requirements-old-clients.txt
    export TANDEM_OLD_CLIENTS=$TANDEM_VENV/old-clients
    [[ $TANDEM_OLD_CLIENTS/installed -nt $wants ]] && return 0
    rm -rf "$TANDEM_OLD_CLIENTS"
    "$TANDEM_PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$TANDEM_OLD_CLIENTS" -r "$wants" || return 1
    touch "$TANDEM_OLD_CLIENTS/installed"
}

lint_swift() {
    swift format lint --strict --configuration .swift-format -r Sources Tests Examples Package.swift
}

lint_shell() {
    (cd scripts && shellcheck -x -a ./*.sh lib/supervise.sh lib/apt-install.sh docker/*.sh) &&
        shellcheck .ci/run
}

check_compose() {
    docker-compose --env-file .env.ha config -q &&
        docker-compose --env-file .env.ha --profile monitor config -q
}

build() { swift build --build-tests --explicit-target-dependency-import-check error; }

# A few at a time: hundreds at once on two cores would starve those that wait for a real Redis.
unit_tests() {
    SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=3 swift test --skip-build --disable-xctest --xunit-output "$REPORTS/unit.xml"
}

program() {
    export TANDEM_BIN=${TANDEM_BIN:-$(swift build --show-bin-path)/tandem}
    [[ -x $TANDEM_BIN ]]
}

# All of these folders' files, some at once: SUITE=FOLDER…
python_tests() {
    program && "$TANDEM_PYTHON" Tests/side_by_side.py --reports "$REPORTS" "$@"
}

# The line that says how many of the known failures this run has shown not to happen.
known_failures() {
    local scope=()
    [[ -z $deployment ]] || scope=(--all)
    "$TANDEM_PYTHON" Tests/known_failures.py "${scope[@]}" \
        "$REPORTS/integration.xml" "$REPORTS/deployment.xml"
}

begin_steps
run_step "Tools" install_tools
run_step "Python clients" install_python
[[ -z $integration ]] || run_step "Old Python clients" install_old_clients
[[ -z $integration ]] || run_step "Browser" install_browser "${TANDEM_PYTHON:-}"
[[ -z $integration ]] || run_step "Tools of the fault tests" install_fault_tools
if [[ -n $unit ]]; then
    run_step "Lint: Swift" lint_swift
    run_step "Lint: scripts" lint_shell
    run_step "nginx -t on every shape" "$ROOT/scripts/check-nginx.sh"
    run_step "docker-compose config" check_compose
fi
# Nothing after this can say anything about code that does not build.
run_step "Build" build
stop_if_failed "the build failed"
if [[ -n $unit ]]; then
    run_step "Documentation of the library" "$ROOT/scripts/docs.sh"
    count_step "Unit tests" unit logged "$REPORTS/unit.log" unit_tests
fi
suites=()
[[ -z $integration ]] || suites+=(integration=Tests/Integration)
[[ -z $deployment ]] || suites+=(deployment=Tests/Deployment)
[[ ${#suites[@]} == 0 ]] ||
    count_step "Tests with real processes" "${suites[*]%%=*}" python_tests "${suites[@]}"
[[ -z $integration ]] || count_step "Fault tests" faults python_tests faults=Tests/Faults
[[ -z $integration ]] || run_step "Known failures" known_failures
finish
