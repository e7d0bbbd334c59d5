#!/usr/bin/env bash
# render-nginx.sh: writes nginx's configuration from nginx/tandem.conf.template.
#
# Usage: scripts/render-nginx.sh [options]
#   --local           for nginx beside the instances on this machine (default)
#   --docker          for nginx in its container; with --out there
#   --out DIR         where to write (default: .tandem/nginx)
#   --env-file FILE   settings (default: .env.ha); the environment wins over the file
#   --help
#
# CLUSTER_NODES gives the instances, exactly as they give it to each other: one ring.
# Also read: NGINX_PORT NGINX_HOST NGINX_WWW NGINX_TRUSTED_PROXIES NGINX_TLS_CERT NGINX_TLS_KEY
# NGINX_TLS_PORT NGINX_HANDSHAKES_PER_SECOND NGINX_POLLS_PER_SECOND NGINX_API_PER_SECOND
# NGINX_CONNECTIONS_PER_ADDRESS NGINX_WORKER_CONNECTIONS NGINX_ACCESS_LOG
# MAX_HTTP_BUFFER_SIZE CORS_ORIGINS
set -euo pipefail
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

mode=local out='' env_file=$ROOT/.env.ha

parse_options() {
    while [[ $# -gt 0 ]]; do
        case $1 in
        --local) mode=local ;;
        --docker) mode=docker ;;
        --out) out=${2:?--out needs a folder} && shift ;;
        --env-file) env_file=${2:?--env-file needs a file} && shift ;;
        --help | -h) print_help "$0" && exit 0 ;;
        *) die "$EXIT_USAGE" "unknown option $1" "See --help." ;;
        esac
        shift
    done
}

# number NAME DEFAULT: the variable's value, which must be a whole number.
number() {
    local value=${!1:-$2}
    [[ $value =~ ^[0-9]{1,12}$ ]] || die "$EXIT_USAGE" "$1 is not a number: $value"
    echo "$value"
}

# user_line: a root master lets workers run as somebody else, if that one can read the pages.
user_line() {
    [[ $(id -u) == 0 ]] || return 0
    local user
    for user in nginx www-data nobody; do
        id "$user" >/dev/null 2>&1 || continue
        if runuser -u "$user" -- test -x "$(dirname "$www")" 2>/dev/null; then
            echo "user $user;"
            return 0
        fi
    done
    warn "nginx's workers run as root: no other user can read $www"
    echo "user root;"
}

listen_addresses() {
    local port=$1 options=$2 address
    for address in ${NGINX_HOST//,/ }; do
        echo "        listen $address:$port$options backlog=4096;"
    done
}

tls_lines() {
    [[ -n ${NGINX_TLS_CERT:-} || -n ${NGINX_TLS_KEY:-} ]] || return 0
    [[ -r ${NGINX_TLS_CERT:-} && -r ${NGINX_TLS_KEY:-} ]] ||
        die "$EXIT_USAGE" "NGINX_TLS_CERT and NGINX_TLS_KEY must both name a readable file"
    listen_addresses "$(number NGINX_TLS_PORT 8443)" " ssl http2"
    cat <<LINES
        ssl_certificate $NGINX_TLS_CERT;
        ssl_certificate_key $NGINX_TLS_KEY;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:10m;
        ssl_session_timeout 1d;
        ssl_session_tickets off;
LINES
}

real_ip_lines() {
    local proxy
    if [[ -z ${NGINX_TRUSTED_PROXIES:-} ]]; then
        printf '    geo $from_trusted_proxy {\n        default 0;\n    }\n'
        return 0
    fi
    for proxy in ${NGINX_TRUSTED_PROXIES//,/ }; do echo "    set_real_ip_from $proxy;"; done
    printf '    real_ip_header X-Forwarded-For;\n    real_ip_recursive on;\n'
    printf '    geo $realip_remote_addr $from_trusted_proxy {\n        default 0;\n'
    for proxy in ${NGINX_TRUSTED_PROXIES//,/ }; do echo "        $proxy 1;"; done
    printf '    }\n'
}

# cors_lines: as the instances read CORS_ORIGINS; `*` is any run of characters without a slash.
cors_lines() {
    local origin pattern
    local -a origins
    IFS=', ' read -r -a origins <<<"${CORS_ORIGINS:-http://localhost:*,http://127.0.0.1:*}"
    for origin in "${origins[@]}"; do
        case $origin in
        '') ;;
        '*') printf '        "~." $http_origin;\n' ;;
        *'*'*)
            pattern=${origin//./\\.}
            printf '        "~*^%s$" $http_origin;\n' "${pattern//'*'/[^/]*}"
            ;;
        *) printf '        "%s" $http_origin;\n' "$origin" ;;
        esac
    done
}

# upstream_servers PARAMETERS: one line for each instance.
upstream_servers() {
    local i weight
    for i in "${!NODE_IDS[@]}"; do
        weight=''
        [[ ${NODE_WEIGHTS[i]} == 1 ]] || weight=" weight=${NODE_WEIGHTS[i]}"
        echo "        server ${NODE_UPSTREAMS[i]}$weight $1;"
    done
}

sid_map() {
    local id
    for id in "${NODE_IDS[@]}"; do echo "        \"~^${id//./\\.}\\.\" node_$id;"; done
}

probe_map() {
    local id
    for id in "${NODE_IDS[@]}"; do echo "        \"~(^|[ ,])200:${id//./\\.}\$\" node_$id;"; done
}

node_upstreams() {
    local i
    for i in "${!NODE_IDS[@]}"; do
        printf '    upstream node_%s {\n        server %s max_fails=0;\n        keepalive 4;\n' \
            "${NODE_IDS[i]}" "${NODE_UPSTREAMS[i]}"
        printf '        keepalive_timeout 5s;\n    }\n'
    done
}

node_location() {
    local path=$1 target=$2 partials=$3 partial
    echo "        location = $path {"
    for partial in $partials; do echo "            include partials/$partial.conf;"; done
    printf '            proxy_pass http://%s;\n        }\n' "$target"
}

node_locations() {
    local id common="proxy proxy-http error-pages-json"
    for id in "${NODE_IDS[@]}"; do
        node_location "/health/$id" "node_$id/health/$id" "$common"
        node_location "/metrics/$id" "node_$id/metrics" "$common private-only"
    done
}

file_limit() {
    local wanted=$((worker_connections * 2 + 1024)) hard
    hard=$(ulimit -Hn)
    [[ $hard == unlimited || $hard -ge $wanted ]] && echo "$wanted" || echo "$hard"
}

access_log() {
    case ${NGINX_ACCESS_LOG:-on} in
    off) echo off ;;
    on) if [[ $mode == docker ]]; then
        echo "/dev/stdout tandem if=\$is_logged"
    else
        echo "$out/access.log tandem buffer=32k flush=1s if=\$is_logged"
    fi ;;
    *) die "$EXIT_USAGE" "NGINX_ACCESS_LOG is neither on nor off: $NGINX_ACCESS_LOG" ;;
    esac
}

# put NAME VALUE: replaces {{NAME}} everywhere.
put() { config=${config//"{{$1}}"/"$2"}; }

render() {
    local handshakes polls api
    worker_connections=$(number NGINX_WORKER_CONNECTIONS 16384)
    handshakes=$(number NGINX_HANDSHAKES_PER_SECOND 200)
    polls=$(number NGINX_POLLS_PER_SECOND 2000)
    api=$(number NGINX_API_PER_SECOND 100)
    config=$(<"$ROOT/nginx/tandem.conf.template")
    put USER_LINE "$(user_line)"
    put FILE_LIMIT "$(file_limit)"
    put WORKER_CONNECTIONS "$worker_connections"
    put RUN_DIR "$out"
    put CONF_DIR "$out"
    put WWW_DIR "$www"
    put ERROR_LOG stderr
    put ACCESS_LOG "$(access_log)"
    put REAL_IP "$(real_ip_lines)"
    put UPSTREAM_SERVERS "$(upstream_servers "max_fails=1 fail_timeout=3s")"
    put UPSTREAM_SERVERS_ANY "$(upstream_servers max_fails=0)"
    put SID_MAP "$(sid_map)"
    put PROBE_MAP "$(probe_map)"
    put NODE_UPSTREAMS "$(node_upstreams)"
    put NODE_LOCATIONS "$(node_locations)"
    put CORS_MAP "$(cors_lines)"
    put LISTEN "$(listen_addresses "$NGINX_PORT" "")"
    put TLS "$(tls_lines)"
    put MAX_BODY_BYTES "$(($(number MAX_HTTP_BUFFER_SIZE 16842752) + 1048576))"
    put HANDSHAKE_RATE "$handshakes"
    put HANDSHAKE_BURST "$((handshakes * 3))"
    put POLL_RATE "$polls"
    put POLL_BURST "$((polls * 2))"
    put API_RATE "$api"
    put API_BURST "$((api * 6))"
    put CONNECTIONS_PER_ADDRESS "$(number NGINX_CONNECTIONS_PER_ADDRESS 2000)"
    [[ $config != *'{{'* ]] ||
        die "$EXIT_FAILED" "the template has a name that this script does not know:" \
            "$(grep -o '{{[A-Z_]*}}' <<<"$config" | sort -u | tr '\n' ' ')"
}

write_files() {
    mkdir -p "$out/partials" "$out/errors"
    cp "$ROOT"/nginx/partials/*.conf "$out/partials/"
    cp "$ROOT"/nginx/errors/* "$out/errors/"
    printf '# Made by scripts/render-nginx.sh: changes here are lost.\n%s\n' "$config" \
        >"$out/nginx.conf.new"
    mv "$out/nginx.conf.new" "$out/nginx.conf"
}

parse_options "$@"
[[ ! -e $env_file ]] || load_env "$env_file"
if [[ $mode == docker ]]; then
    : "${NGINX_HOST:=0.0.0.0}" "${NGINX_PORT:=80}"
else
    : "${NGINX_HOST:=127.0.0.1}" "${NGINX_PORT:=8080}"
fi
NGINX_PORT=$(number NGINX_PORT 0)
out=${out:-${TANDEM_STATE_DIR:-$ROOT/.tandem}/nginx}
mkdir -p "$out"
out=$(cd "$out" && pwd)
www=${NGINX_WWW:-$(dirname "$out")/www}
parse_nodes "${CLUSTER_NODES:-server-1=127.0.0.1:3001=http://localhost:3001,server-2=127.0.0.1:3002=http://localhost:3002}"
render
write_files
