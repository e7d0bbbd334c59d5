#!/usr/bin/env bash
# check-nginx.sh: renders nginx's configuration in every shape it is shipped in and lets
# `nginx -t` judge each. Exit code 1 if one is refused.
#
# Usage: scripts/check-nginx.sh [--help]
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

[[ ${1:-} != --help && ${1:-} != -h ]] || { print_help "$0" && exit 0; }
PATH=$PATH:/usr/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
failed=0

# judge FILE: containers' host names stand for this machine while nginx looks them up.
judge() {
    local sed_names='s/^( *server )server-[0-9]+:/\1127.0.0.1:/'
    sed -E "$sed_names" "$1" >"$1.judged"
    mv "$1.judged" "$1"
    nginx -t -c "$1"
}

# check NAME VARIABLE=VALUE… -- RENDER-OPTION…
check() {
    local name=$1 settings=() output
    shift
    while [[ $1 != -- ]]; do
        settings+=("$1")
        shift
    done
    shift
    if output=$(env -u CLUSTER_NODES "${settings[@]}" "$ROOT/scripts/render-nginx.sh" "$@" \
        --out "$work/$name/nginx" 2>&1 && judge "$work/$name/nginx/nginx.conf" 2>&1) &&
        [[ $output != *'[warn]'* ]]; then
        ok "$name"
    else
        printf '  ✗ %s\n%s\n' "$name" "$output" >&2
        failed=1
    fi
}

make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

three=one=127.0.0.1:3001=http://a:1=3,two=127.0.0.1:3002=http://a:2,three.x=10.0.0.3:3003=http://a:3
docker_nodes=$(sed -n 's/^DOCKER_CLUSTER_NODES=//p' "$ROOT/.env.ha")

check local -- --local
check docker "CLUSTER_NODES=$docker_nodes" -- --docker --env-file /dev/null
check three-weighted "CLUSTER_NODES=$three" -- --local
check behind-proxies NGINX_TRUSTED_PROXIES=10.0.0.0/8,192.168.1.1 -- --local
check origins 'CORS_ORIGINS=https://a.example,https://*.b.example:8443,*' -- --local
check open-to-all 'NGINX_HOST=0.0.0.0,[::]' NGINX_ACCESS_LOG=off -- --local
make_certificate
check tls "NGINX_TLS_CERT=$work/cert.pem" "NGINX_TLS_KEY=$work/key.pem" -- --local

exit "$failed"
