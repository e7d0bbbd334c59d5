# shellcheck shell=bash
# The browser of tests and of the demo. Source common.sh first.

# install_browser PYTHON: Chromium, what drives it from that Python, and the client that pages run.
install_browser() {
    local python=$1 wants=$ROOT/Tests/Integration/requirements-browser.txt stamp
    [[ -n $python ]] || return 1
    stamp=$(dirname "$python")/../installed-browser
    command -v chromium >/dev/null || install_packages chromium
    "$ROOT/scripts/fetch-client.sh" || return 1
    [[ $stamp -nt $wants ]] && return 0
    "$python" -m pip install --quiet --disable-pip-version-check -r "$wants" || return 1
    touch "$stamp"
}
