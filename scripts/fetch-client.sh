#!/usr/bin/env bash
# fetch-client.sh: fetches the stock browser client, socket.io-client, for the page and the tests.
#
# Usage: scripts/fetch-client.sh [FOLDER]
#   FOLDER   default: $CLIENT_DIR, else .tandem/client
#   --help
#
# Leaves FOLDER/socket.io.min.js, the library's own build for browsers (MIT licence, named in its
# first lines). It is no part of this project and is never committed. It comes out of the package
# `nicegui` of PyPI, which carries it as a static file, with pip; where that fails, out of
# `socket.io-client` of the npm registry, with npm. Versions are fixed, the package's hash is
# checked. Does nothing where the file is there already.
#
# Exit codes: 0 the file is there, 2 wrong use, 3 it cannot be had.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

readonly FILE=socket.io.min.js
readonly PYPI_PACKAGE=nicegui==3.18.0
readonly PYPI_SHA256=a2bd51642312d98aab6d8b641245d796ff1b89da5829777170bcc488140c3dcd
readonly NPM_PACKAGE=socket.io-client@4.8.1
# Older ones lack what pages here use, such as connection state recovery.
readonly OLDEST=4.6.0

folder=''
while [[ $# -gt 0 ]]; do
    case $1 in
    --help | -h) print_help "$0" && exit 0 ;;
    -*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    *)
        [[ -z $folder ]] || die "$EXIT_USAGE" "two folders: $folder and $1"
        folder=$1
        ;;
    esac
    shift
done
folder=${folder:-${CLIENT_DIR:-$ROOT/.tandem/client}}

# client_version FILE: its version as it says itself; false for anything but the client.
client_version() {
    local version
    [[ -s $1 ]] || return 1
    version=$(head -c 300 "$1" | sed -n 's/^ \* Socket\.IO v\([0-9.]*\).*/\1/p')
    [[ -n $version ]] || return 1
    [[ $(printf '%s\n' "$OLDEST" "$version" | sort -V | head -n 1) == "$OLDEST" ]] || return 1
    echo "$version"
}

# python_with_pip: prints one, installs Debian's pip when there is none.
python_with_pip() {
    local python
    for python in "${TANDEM_PYTHON:-}" "${TANDEM_VENV:-$ROOT/.venv-test}/bin/python" python3; do
        [[ -n $python ]] && "$python" -m pip --version >/dev/null 2>&1 && echo "$python" && return
    done
    (install_packages python3 python3-pip >&2) || return 1
    python3 -m pip --version >/dev/null && echo python3
}

from_pypi() {
    local python
    python=$(python_with_pip) || return 1
    echo "$PYPI_PACKAGE --hash=sha256:$PYPI_SHA256" >"$work/requirements.txt"
    # Nothing of the package is run: which Python it wants does not matter.
    "$python" -m pip download --quiet --disable-pip-version-check --retries 2 --no-deps --require-hashes \
        --only-binary :all: --ignore-requires-python --dest "$work/pypi" \
        -r "$work/requirements.txt" || return 1
    "$python" - "$work/pypi" "nicegui/static/$FILE" "$work/$FILE" <<'PYTHON'
import pathlib, sys, zipfile

folder, name, out = sys.argv[1:]
wheel, = pathlib.Path(folder).glob("*.whl")
pathlib.Path(out).write_bytes(zipfile.ZipFile(wheel).read(name))
PYTHON
}

from_npm() {
    local package=$work/npm/package
    command -v npm >/dev/null || { echo "there is no npm here" && return 1; }
    mkdir -p "$work/npm"
    (cd "$work/npm" && npm pack --loglevel error --fetch-retries 1 "$NPM_PACKAGE" && tar -xzf ./*.tgz) || return 1
    cp "$package/dist/$FILE" "$package/LICENSE" "$work/" || return 1
    cp "$package/dist/$FILE.map" "$work/" 2>/dev/null || :
}

# try TITLE FUNCTION: false, with what was said kept as the reason, unless the client came of it.
try() {
    local title=$1
    if "$2" >"$work/said" 2>&1 && client_version "$work/$FILE" >/dev/null; then return 0; fi
    reasons+=("$title: $(tail -n 3 "$work/said" | tr '\n' ' ')")
    return 1
}

# install: the client last, whole or not at all; its neighbours only where the source has them.
install_files() {
    local name
    mkdir -p "$folder"
    for name in LICENSE "$FILE.map" "$FILE"; do
        [[ -e $work/$name ]] || continue
        cp "$work/$name" "$folder/.$name.$$"
        chmod 644 "$folder/.$name.$$"
        mv "$folder/.$name.$$" "$folder/$name"
    done
}

if version=$(client_version "$folder/$FILE"); then
    ok "socket.io-client $version in $folder"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
reasons=()
try "PyPI, $PYPI_PACKAGE" from_pypi || try "npm, $NPM_PACKAGE" from_npm ||
    die "$EXIT_MISSING" "could not fetch socket.io-client" "${reasons[@]}" \
        "By hand: put socket.io-client's dist/$FILE (version $OLDEST or newer) into $folder"
install_files
ok "socket.io-client $(client_version "$folder/$FILE") fetched into $folder"
