# shellcheck shell=bash
# deploy-ha.sh without Docker: each service is a process with a supervisor (supervise.sh).
# Uses from deploy-ha.sh: SCRIPTS, env_file, service, lines, follow.

# nginx leaves an instance alone for 3 s after a failure (fail_timeout in the template). Until that
# is over the one that was restarted first is not yet a help to the next.
readonly NGINX_FORGETS_SECONDS=4

local_settings() {
    : "${CLUSTER_NODES:=server-1=127.0.0.1:3001=http://localhost:3001,server-2=127.0.0.1:3002=http://localhost:3002}"
    : "${NGINX_HOST:=127.0.0.1}" "${NGINX_PORT:=8080}"
    : "${START_TIMEOUT:=60}" "${STOP_TIMEOUT:=30}"
    : "${TANDEM_STATE_DIR:=$ROOT/.tandem}" "${CLIENT_DIR:=$ROOT/.tandem/client}"
    mkdir -p "$(dirname "$TANDEM_STATE_DIR")"
    TANDEM_STATE_DIR=$(cd "$(dirname "$TANDEM_STATE_DIR")" && pwd)/$(basename "$TANDEM_STATE_DIR")
    CLIENT_DIR=$(realpath -m "$CLIENT_DIR")
    export CLUSTER_NODES NGINX_HOST NGINX_PORT TANDEM_STATE_DIR CLIENT_DIR
    state=$TANDEM_STATE_DIR run=$TANDEM_STATE_DIR/run log=$TANDEM_STATE_DIR/log
    parse_nodes "$CLUSTER_NODES"
    choose_redis
    SERVICES=()
    [[ -z $own_redis ]] || SERVICES+=(redis)
    SERVICES+=("${NODE_IDS[@]}" nginx)
}

# choose_redis: an address of another machine, a URL or Sentinels mean that Redis is not ours.
choose_redis() {
    own_redis=''
    if [[ -n ${REDIS_URL:-} || -n ${REDIS_SENTINELS:-} ]]; then
        # An instance refuses an address beside a URL; the env file always has one.
        unset REDIS_HOST REDIS_PORT
        return 0
    fi
    case ${REDIS_HOST:-127.0.0.1} in
    127.0.0.1 | localhost)
        own_redis=yes
        : "${REDIS_HOST:=127.0.0.1}" "${REDIS_PORT:=6379}"
        export REDIS_HOST REDIS_PORT
        ;;
    esac
}

local_check_service() {
    local known
    for known in "${SERVICES[@]}"; do [[ $known != "$1" ]] || return 0; done
    die "$EXIT_USAGE" "no service $1" "Services: ${SERVICES[*]}"
}

# --- what is needed ---------------------------------------------------------------------------------

make_state() {
    mkdir -p "$run" "$log" "$state/redis" "$state/nginx"
    [[ -e $state/.tandem-state ]] || echo "made by deploy-ha.sh" >"$state/.tandem-state"
}

# One start, stop or restart at a time in one state folder. Services must not inherit the lock.
lock_state() {
    make_state
    exec 9>"$state/lock"
    flock -w 300 9 || die "$EXIT_FAILED" "another deploy-ha.sh is at work in $state"
}

need_command() { command -v "$1" >/dev/null || packages+=("$2"); }

ensure_tools() {
    local -a packages=()
    PATH=$PATH:/usr/sbin:/sbin
    need_command curl curl
    need_command nginx nginx
    need_command setsid util-linux
    [[ -z $own_redis ]] || need_command redis-server redis-server
    if [[ -z ${TANDEM_BIN:-} ]]; then
        need_command pkg-config pkg-config
        pkg-config --exists hiredis 2>/dev/null || packages+=(libhiredis-dev)
        pkg-config --exists libcrypto 2>/dev/null || packages+=(libssl-dev)
    fi
    [[ ${#packages[@]} == 0 ]] || install_packages "${packages[@]}"
}

# build: the program is copied, so that a later build does not change what is running.
build() {
    local from=${TANDEM_BIN:-} started=$SECONDS
    if [[ -z $from ]]; then
        command -v swift >/dev/null || die "$EXIT_MISSING" "there is no Swift toolchain here" \
            "Install Swift 6.1 or newer (https://www.swift.org/install/linux/), or set TANDEM_BIN."
        step "Building (the first time takes some minutes)"
        swift build --package-path "$ROOT" -c release --product tandem ||
            die "$EXIT_FAILED" "the build failed"
        from=$(swift build --package-path "$ROOT" -c release --show-bin-path)/tandem
        ok "built in $((SECONDS - started)) s"
    fi
    [[ -x $from ]] || die "$EXIT_USAGE" "TANDEM_BIN is not a program: $from"
    mkdir -p "$state/bin"
    if ! cmp -s "$from" "$state/bin/tandem"; then
        cp "$from" "$state/bin/tandem.new"
        chmod 755 "$state/bin/tandem.new"
        mv "$state/bin/tandem.new" "$state/bin/tandem"
    fi
}

# Without it the page of `/` does not work; every other client does, so the start goes on.
fetch_client() {
    "$SCRIPTS/fetch-client.sh" "$CLIENT_DIR" || warn "the page at / has no socket.io-client"
}

write_redis_conf() {
    local file=$state/redis/redis.conf password=${REDIS_PASSWORD:-} require_password=''
    password=${password//\\/\\\\}
    password=${password//\"/\\\"}
    [[ -z $password ]] || require_password="requirepass \"$password\""
    (
        umask 077
        cat >"$file.new" <<CONF
# Made by deploy-ha.sh: changes here are lost.
bind 127.0.0.1
port $REDIS_PORT
daemonize no
dir "$state/redis"
# Rooms live here: nothing is evicted in silence, at most a second of writes is lost by a crash.
maxmemory ${REDIS_MAXMEMORY:-0}
maxmemory-policy noeviction
appendonly yes
appendfsync everysec
save ""
$require_password
CONF
    )
    mv "$file.new" "$file"
}

prepare_nginx() {
    NGINX_WWW=${NGINX_WWW:-$state/www} "$SCRIPTS/build-for-nginx.sh"
    "$SCRIPTS/render-nginx.sh" --local --out "$state/nginx" --env-file "$env_file"
    nginx -t -q -c "$state/nginx/nginx.conf" ||
        die "$EXIT_FAILED" "nginx refuses its configuration $state/nginx/nginx.conf"
}

# --- one service ---------------------------------------------------------------------------------------

supervisor_pid() { recorded_pid "$run/$1.supervisor"; }
service_pid() { recorded_pid "$run/$1.pid"; }

service_port() {
    local index
    case $1 in
    redis) echo "$REDIS_PORT" ;;
    nginx) echo "$NGINX_PORT" ;;
    *) index=$(node_index "$1") && echo "${NODE_UPSTREAMS[index]##*:}" ;;
    esac
}

port_variable() {
    case $1 in
    redis) echo REDIS_PORT ;;
    nginx) echo NGINX_PORT ;;
    *) echo CLUSTER_NODES ;;
    esac
}

check_port() {
    local port
    port=$(service_port "$1")
    ! port_taken "$port" || die "$EXIT_PORT" \
        "port $port, meant for $1, is taken by another program" \
        "Choose another with $(port_variable "$1") in the environment or in ${env_file##*/}."
}

rotate_log() {
    local file=$log/$1.log size
    size=$(stat -c %s "$file" 2>/dev/null || echo 0)
    ((size < 20 * 1024 * 1024)) || mv "$file" "$file.1"
}

# supervise NAME COMMAND...
supervise() {
    local name=$1
    shift
    setsid bash "$SCRIPTS/lib/supervise.sh" "$state" "$name" -- "$@" \
        </dev/null >>"$log/$name.log" 2>&1 9>&- &
    record_process "$run/$name.supervisor" $! || :
}

start_service() {
    local name=$1 pid
    supervisor_pid "$name" >/dev/null && return 0
    # Its supervisor is gone (killed): what it left is ended, to be supervised again.
    if pid=$(service_pid "$name"); then
        warn "$name ran without its supervisor; it is restarted"
        end_process "$pid" "$STOP_TIMEOUT"
    fi
    check_port "$name"
    rotate_log "$name"
    case $name in
    redis) supervise redis redis-server "$state/redis/redis.conf" ;;
    nginx) supervise nginx nginx -c "$state/nginx/nginx.conf" ;;
    *) start_instance "$name" ;;
    esac
}

# instance_command NAME: what runs an instance, as the array COMMAND; a sub-command is to follow.
instance_command() {
    local index host
    index=$(node_index "$1")
    host=${NODE_UPSTREAMS[index]%:*}
    case $host in 127.* | localhost) ;; *) host=${HOST:-0.0.0.0} ;; esac
    COMMAND=(env INSTANCE_ID="$1" HOST="$host" PORT="${NODE_UPSTREAMS[index]##*:}"
        PUBLIC_URL="${NODE_URLS[index]}" "$state/bin/tandem")
}

start_instance() {
    instance_command "$1"
    supervise "$1" "${COMMAND[@]}" serve
}

# check_settings: every problem of the settings is told before anything starts.
check_settings() {
    local name problems
    for name in "${NODE_IDS[@]}"; do
        instance_command "$name"
        problems=$("${COMMAND[@]}" check-config 2>&1) ||
            die "$EXIT_USAGE" "$name refuses its settings:" "$problems"
    done
}

end_process() {
    local pid=$1 timeout=$2 deadline
    deadline=$((SECONDS + timeout))
    kill -TERM "$pid" 2>/dev/null || return 0
    while start_time "$pid" >/dev/null; do
        if ((SECONDS >= deadline)); then
            kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || :
            return 0
        fi
        sleep 0.1
    done
}

# stop_services NAME...: all are told at once, then awaited.
stop_services() {
    local name pid deadline told=()
    for name in "$@"; do
        if pid=$(supervisor_pid "$name") || pid=$(service_pid "$name"); then
            kill -TERM "$pid" 2>/dev/null || :
            told+=("$name")
        fi
    done
    deadline=$((SECONDS + STOP_TIMEOUT))
    for name in "${told[@]}"; do await_stop "$name" "$deadline"; done
}

await_stop() {
    local name=$1 deadline=$2 pid
    while supervisor_pid "$name" >/dev/null || service_pid "$name" >/dev/null; do
        if ((SECONDS >= deadline)); then
            warn "$name did not stop within $STOP_TIMEOUT s and is killed"
            if pid=$(supervisor_pid "$name"); then kill -KILL "$pid" 2>/dev/null || :; fi
            if pid=$(service_pid "$name"); then kill -KILL -- "-$pid" 2>/dev/null || :; fi
        fi
        sleep 0.1
    done
    rm -f "$run/$name".{supervisor,pid,restarts}
    ok "$name stopped"
}

# --- health ------------------------------------------------------------------------------------------------

redis_ping() {
    REDISCLI_AUTH=${REDIS_PASSWORD:-} timeout 2 redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping \
        2>/dev/null || :
}

node_url() {
    local index
    index=$(node_index "$1") && echo "http://${NODE_UPSTREAMS[index]}"
}

nginx_address() {
    local host=${NGINX_HOST%%,*}
    [[ $host != 0.0.0.0 ]] || host=127.0.0.1
    echo "http://$host:$NGINX_PORT"
}

is_ready() {
    case $1 in
    redis) [[ $(redis_ping) == PONG ]] ;;
    nginx) [[ $(http_status "$(nginx_address)/nginx_status") == 200 ]] ;;
    *) [[ $(http_status "$(node_url "$1")/api/ready") == 200 ]] ;;
    esac
}

# await_ready NAME: false after START_TIMEOUT, with the reason said.
await_ready() {
    local name=$1 started=$EPOCHREALTIME deadline=$((SECONDS + START_TIMEOUT))
    until is_ready "$name"; do
        if ((SECONDS >= deadline)); then
            not_ready "$name"
            return 1
        fi
        sleep 0.1
    done
    ok "$(printf '%-10s ready after %.1f s' "$name" \
        "$(awk "BEGIN { print $EPOCHREALTIME - $started }")")"
}

not_ready() {
    local name=$1
    printf '  %s✗%s %s: not ready after %s s (START_TIMEOUT)\n' \
        "$RED" "$PLAIN" "$name" "$START_TIMEOUT" >&2
    case $name in
    redis | nginx) ;;
    *) printf '    %s\n' "$(http_body "$(node_url "$name")/api/ready" | head -c 500)" >&2 ;;
    esac
    tail -n 5 "$log/$name.log" 2>/dev/null | sed 's/^/    /' >&2 || :
}

# --- commands --------------------------------------------------------------------------------------------------

local_start() {
    local name failed=''
    lock_state
    step "Preparing"
    ensure_tools
    build
    check_settings
    fetch_client
    prepare_nginx
    [[ -z $own_redis ]] || write_redis_conf
    step "Starting"
    for name in "${SERVICES[@]}"; do
        start_service "$name"
        # Redis loads its data first; the instances do without it, but start quieter this way.
        [[ $name != redis ]] || await_ready redis || failed=yes
    done
    for name in "${SERVICES[@]}"; do
        [[ $name == redis ]] || await_ready "$name" || failed=yes
    done
    [[ -z $failed ]] || die "$EXIT_FAILED" "not everything is ready" \
        "See: scripts/deploy-ha.sh status, scripts/deploy-ha.sh logs"
    echo
    local_status
    echo
    info "Open $(nginx_address)/ · clients connect to $(nginx_address)"
}

local_stop() {
    local name others=()
    lock_state
    step "Stopping"
    for name in "$run"/*.supervisor "$run"/*.pid; do
        [[ -e $name ]] || continue
        name=${name##*/} name=${name%.*}
        case " redis nginx ${others[*]} " in *" $name "*) ;; *) others+=("$name") ;; esac
    done
    stop_services "${others[@]}"
    stop_services nginx
    stop_services redis
    info "Stopped; the data stays in $state/redis."
}

local_restart() {
    local name services=("$service") restarted=''
    lock_state
    step "Preparing"
    ensure_tools
    build
    check_settings
    fetch_client
    prepare_nginx
    [[ -z $own_redis ]] || write_redis_conf
    [[ -n $service ]] || services=("${NODE_IDS[@]}" nginx)
    step "Restarting, one after the other"
    for name in "${services[@]}"; do
        if [[ $name == nginx ]] && supervisor_pid nginx >/dev/null; then
            nginx -q -c "$state/nginx/nginx.conf" -s reload
            ok "nginx reloaded"
        else
            [[ -z $restarted ]] || sleep "$NGINX_FORGETS_SECONDS"
            restart_service "$name"
            restarted=yes
        fi
    done
}

# restart_service NAME: waits until it is ready.
restart_service() {
    stop_services "$1"
    start_service "$1"
    await_ready "$1" || die "$EXIT_FAILED" "$1 did not come back; the rest was left as it is"
}

# What rolling-restart.sh needs of local processes; see roll.sh.

local_check_running() {
    local name
    [[ -e $state/.tandem-state ]] ||
        die "$EXIT_FAILED" "nothing runs here: there is no $state" "Start: scripts/deploy-ha.sh start"
    lock_state
    for name in "$@"; do
        supervisor_pid "$name" >/dev/null ||
            die "$EXIT_FAILED" "$name does not run" "Start: scripts/deploy-ha.sh start"
    done
}

local_instances() { printf '%s\n' "${NODE_IDS[@]}"; }
local_instance_url() { node_url "$1"; }
local_restart_instance() { restart_service "$1"; }

local_status() {
    local name bad=''
    TABLE=()
    table_row SERVICE PID PORT HEALTH DETAIL
    [[ -n $own_redis ]] || table_row redis - - external \
        "${REDIS_HOST:-REDIS_URL or REDIS_SENTINELS}"
    for name in "${SERVICES[@]}"; do
        status_row "$name" || bad=yes
    done
    table_print
    [[ -z $bad ]]
}

status_row() {
    local name=$1 pid health=down detail='' restarts
    pid=$(service_pid "$name") || pid=-
    case $name in
    redis) redis_status ;;
    nginx) nginx_status ;;
    *) instance_status "$(node_url "$name")" ;;
    esac
    if [[ $pid == - ]]; then
        health=down detail=''
        ! port_taken "$(service_port "$name")" || detail='its port is taken by another program'
    fi
    restarts=$(cat "$run/$name.restarts" 2>/dev/null || echo 0)
    [[ $pid == - || $restarts == 0 ]] || detail+="${detail:+, }restarted $restarts×"
    [[ $pid == - ]] || supervisor_pid "$name" >/dev/null || detail+="${detail:+, }no supervisor"
    table_row "$name" "$pid" "$(service_port "$name")" "$health" "$detail"
    [[ $health == ready || $health == up ]]
}

redis_status() {
    [[ $(redis_ping) == PONG ]] || { health='not answering' && return; }
    local memory
    memory=$(REDISCLI_AUTH=${REDIS_PASSWORD:-} redis-cli -p "$REDIS_PORT" info memory 2>/dev/null |
        sed -n 's/^used_memory_human:\([^[:cntrl:]]*\).*/\1/p')
    health=up detail="${memory:+$memory used}"
}

nginx_status() {
    local code
    [[ $(http_status "$(nginx_address)/nginx_status") == 200 ]] ||
        { health='not answering' && return; }
    code=$(http_status "$(nginx_address)/health" 5)
    health=up detail="http://$NGINX_HOST:$NGINX_PORT"
    [[ $code == 200 ]] || health="no backend" detail="/health answers $code"
}

# instance_status URL: ready as /api/ready says, the word of /api/health beside it.
instance_status() {
    local code word
    code=$(http_status "$1/api/ready")
    case $code in
    200) health=ready ;;
    000) health='not answering' && return ;;
    *) health='not ready' ;;
    esac
    word=$(http_body "$1/api/health" | json_word status)
    detail=${word:-no status}
    [[ $health == ready ]] || detail+=": $(http_body "$1/api/ready" | head -c 200)"
}

# json_word NAME: the first string member of that name; enough for one word of a status.
json_word() { grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/.*: *"\(.*\)"/\1/' || :; }

# shellcheck disable=SC2154 # lines: an option of deploy-ha.sh, whose command this is
local_logs() {
    local name files=()
    for name in "${SERVICES[@]}"; do
        [[ -z $service || $service == "$name" ]] || continue
        [[ ! -e $log/$name.log ]] || files+=("$log/$name.log")
    done
    [[ ${#files[@]} -gt 0 ]] || die "$EXIT_FAILED" "no logs yet in $log"
    if [[ -n $follow ]]; then
        exec tail -n "$lines" -F "${files[@]}"
    fi
    tail -n "$lines" "${files[@]}"
}

# local_clean: only what deploy-ha.sh makes, whatever else lies in the folder.
local_clean() {
    local made
    [[ -e $state/.tandem-state ]] || { info "Nothing to clean in $state." && return 0; }
    local_stop
    for made in redis nginx www log run bin lock .tandem-state; do rm -rf -- "${state:?}/$made"; done
    rmdir "$state" 2>/dev/null || :
    info "Deleted the data and logs in $state."
}
