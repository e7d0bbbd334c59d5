# shellcheck shell=bash
# A Python with the test clients (Tests/Integration/requirements.txt). Source common.sh first.

# test_python: prints the path of such a Python; makes .tandem/venv when TANDEM_PYTHON names none.
test_python() {
    local wants=$ROOT/Tests/Integration/requirements.txt
    local venv=${TANDEM_VENV:-$ROOT/.tandem/venv}
    if [[ -n ${TANDEM_PYTHON:-} ]]; then
        echo "$TANDEM_PYTHON"
        return 0
    fi
    if [[ ! -e $venv/installed || $wants -nt $venv/installed ]]; then
        python3 -c 'import venv, ensurepip' 2>/dev/null ||
            install_packages python3 python3-venv >&2
        info "  Python packages of the test clients in ${venv#"$ROOT"/}" >&2
        { python3 -m venv "$venv" &&
            "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wants" >&2; } ||
            die "$EXIT_MISSING" "could not install the test clients' Python packages" \
                "By hand: python3 -m venv $venv && $venv/bin/pip install -r $wants"
        touch "$venv/installed"
    fi
    echo "$venv/bin/python"
}
