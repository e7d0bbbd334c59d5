#!/usr/bin/env bash
# docs.sh: builds the documentation of the library SocketIOServer with the toolchain's DocC.
#
# Usage: scripts/docs.sh [--help]
#
# The pages go to .build/docs; serve that folder with any web server. Exit code 1 if a public
# declaration has no comment, or DocC warns of anything: a link that leads nowhere, a parameter
# that is not described.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

[[ ${1:-} != --help && ${1:-} != -h ]] || { print_help "$0" && exit 0; }
[[ $# == 0 ]] || die "$EXIT_USAGE" "unknown option $1" "See --help."
for program in swift docc python3; do
    command -v "$program" >/dev/null || die "$EXIT_MISSING" "there is no $program here"
done
cd "$ROOT"
module=SocketIOServer
catalog=Sources/Shell/$module/$module.docc
graphs=.build/symbol-graphs
output=.build/docs

swift build --quiet --target "$module"
built=$(swift build --show-bin-path)
triple=$(basename "$(dirname "$built")")

# The C modules below the Swift ones that the library imports.
maps=()
for map in .build/checkouts/*/Sources/*/include/module.modulemap "$built"/*.build/module.modulemap; do
    [[ ! -f $map ]] || maps+=(-Xcc "-fmodule-map-file=$map")
done
rm -rf "$graphs" "$output"
mkdir -p "$graphs"
swift symbolgraph-extract -module-name "$module" -target "$triple" -I "$built/Modules" \
    "${maps[@]}" -minimum-access-level public -skip-synthesized-members -output-dir "$graphs"

python3 - "$graphs/$module.symbols.json" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    symbols = json.load(file)["symbols"]
bare = [s for s in symbols if "location" in s and "docComment" not in s]
for symbol in bare:
    place = symbol["location"]
    line = place["position"]["line"] + 1
    print(f"{place['uri']}:{line}: {'.'.join(symbol['pathComponents'])} has no comment")
print(f"{len(symbols)} public declarations, {len(bare)} without a comment")
sys.exit(1 if bare or not symbols else 0)
PYTHON

docc convert "$catalog" --additional-symbol-graph-dir "$graphs" --output-dir "$output" \
    --warnings-as-errors --fallback-display-name "$module" --fallback-bundle-identifier "$module"
info "The documentation is in $output; for example: python3 -m http.server --directory $output"
info "Then open http://localhost:8000/documentation/${module,,}/"
