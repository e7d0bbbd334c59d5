#!/usr/bin/env bash
# screenshots.sh: pictures of the page, from real instances behind nginx in headless Chromium.
#
# Usage: scripts/screenshots.sh [FOLDER]
#   FOLDER   default: .tandem/screenshots
#   --help
#
# Lobby, two members editing, during and after the death of their instance, a phone's width. Takes
# the program of TANDEM_BIN, else the newest build; scripts/test.sh sets up what it needs.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

folder=$ROOT/.tandem/screenshots
case ${1:-} in
--help | -h) print_help "$0" && exit 0 ;;
-*) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
?*) folder=$(realpath -m "$1") ;;
esac
python=${TANDEM_VENV:-$ROOT/.venv-test}/bin/python
"$python" -c 'import aiohttp, playwright' 2>/dev/null ||
    die "$EXIT_MISSING" "Playwright is not set up here" "Run scripts/test.sh --integration once."
"$ROOT/scripts/fetch-client.sh"
PATH=$PATH:/usr/sbin
cd "$ROOT/Tests/Integration"
"$python" -m support.screenshots "$folder"
