#!/usr/bin/env bash
# build-for-nginx.sh: puts the browser client where nginx serves it.
#
# Usage: scripts/build-for-nginx.sh [--out DIR]
#   --out DIR   default: $NGINX_WWW, else .tandem/www
#   --help
#
# The stock client comes from $CLIENT_DIR, else .tandem/client, which scripts/fetch-client.sh fills.
# Sources/Web/assets goes to DIR/assets/<hash of its content>/, and pages refer to it there, so
# browsers may keep it for ever. The assets of the builds before stay for pages still open
# (the last three). Text files get a ready-compressed copy beside them. Run it as often as you
# like: nothing changes while the sources do not.
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

readonly SOURCE=$ROOT/Sources/Web KEPT_BUILDS=3
client=${CLIENT_DIR:-$ROOT/.tandem/client}/socket.io.min.js
out=${NGINX_WWW:-${TANDEM_STATE_DIR:-$ROOT/.tandem}/www}

while [[ $# -gt 0 ]]; do
    case $1 in
    --out) out=${2:?--out needs a folder} && shift ;;
    --help | -h) print_help "$0" && exit 0 ;;
    *) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
    esac
    shift
done

assets_hash() {
    (cd "$SOURCE/assets" && find . -type f -print0 | LC_ALL=C sort -z |
        xargs -0 sha256sum | sha256sum | cut -c 1-12)
}

compress() {
    find "$1" -type f \( -name '*.js' -o -name '*.css' -o -name '*.svg' -o -name '*.html' \
        -o -name '*.json' -o -name '*.map' \) -exec gzip -9 -n -k -f {} +
}

install_assets() {
    local hash=$1 new
    [[ ! -d $out/assets/$hash ]] || return 0
    mkdir -p "$out/assets"
    new=$(mktemp -d "$out/assets/.new.XXXXXX")
    cp -R "$SOURCE/assets/." "$new/"
    compress "$new"
    chmod -R u=rwX,go=rX "$new"
    mv "$new" "$out/assets/$hash"
}

# install_pages HASH: everything beside assets/, references to assets/ made to name the hash.
install_pages() {
    local hash=$1 page target
    while IFS= read -r -d '' page; do
        target=$out/${page#"$SOURCE"/}
        mkdir -p "$(dirname "$target")"
        if [[ $page == *.html && -n $hash ]]; then
            sed -E "s#([\"'(])(\\./|/)?assets/#\\1/assets/$hash/#g" "$page" >"$target.new"
        else
            cp "$page" "$target.new"
        fi
        if cmp -s "$target.new" "$target"; then
            rm "$target.new"
        else
            chmod 644 "$target.new"
            mv "$target.new" "$target"
        fi
    done < <(find "$SOURCE" -path "$SOURCE/assets" -prune -o -type f ! -name '*.swift' -print0)
}

# Where browsers ask for it. Without it nginx asks an instance, which may have one, or says why not.
install_client() {
    local target=$out/socket.io/socket.io.min.js
    if [[ ! -s $client ]]; then
        rm -f "$target" "$target.gz"
        warn "no socket.io-client in $(dirname "$client"): run scripts/fetch-client.sh"
        return 0
    fi
    cmp -s "$client" "$target" && return 0
    mkdir -p "$out/socket.io"
    cp "$client" "$target.new"
    gzip -9 -n -c "$target.new" >"$target.gz.new"
    chmod 644 "$target.new" "$target.gz.new"
    chmod 755 "$out/socket.io"
    mv "$target.gz.new" "$target.gz"
    mv "$target.new" "$target"
}

remove_old_assets() {
    local hash=$1 old
    [[ -d $out/assets ]] || return 0
    find "$out/assets" -mindepth 1 -maxdepth 1 -type d ! -name "$hash" -printf '%T@ %p\n' |
        sort -rn | tail -n "+$KEPT_BUILDS" | cut -d ' ' -f 2- |
        while IFS= read -r old; do rm -rf -- "$old"; done
}

[[ -f $SOURCE/index.html ]] || die "$EXIT_FAILED" "$SOURCE/index.html is missing"
mkdir -p "$out"
chmod 755 "$out"
hash=''
if [[ -d $SOURCE/assets ]]; then
    hash=$(assets_hash)
    install_assets "$hash"
fi
install_pages "$hash"
install_client
remove_old_assets "$hash"
ok "client files in $out${hash:+ (assets $hash)}"
