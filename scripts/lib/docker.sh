# shellcheck shell=bash
# deploy-ha.sh with Docker: docker-compose.yml at the top of the project.
# Uses from deploy-ha.sh: env_file, service, lines, follow, monitor.

readonly DOCKER_INSTANCES=(server-1 server-2)
readonly DOCKER_SERVICES=(redis server-1 server-2 nginx)

docker_answers() {
    command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1 && find_compose
}

find_compose() {
    if docker compose version >/dev/null 2>&1; then
        COMPOSE=(docker compose)
    elif command -v docker-compose >/dev/null; then
        COMPOSE=(docker-compose)
    else
        return 1
    fi
}

docker_settings() {
    command -v docker >/dev/null || die "$EXIT_MISSING" "there is no docker command here" \
        "Use --local, or install Docker."
    find_compose || die "$EXIT_MISSING" "Docker is here, but no compose" \
        "Install docker-compose (Debian) or the compose plugin."
    : "${NGINX_PORT:=8080}" "${START_TIMEOUT:=60}"
    TANDEM_ENV_FILE=$(realpath "$env_file")
    export NGINX_PORT TANDEM_ENV_FILE
}

compose() {
    "${COMPOSE[@]}" --project-directory "$ROOT" -f "$ROOT/docker-compose.yml" \
        --env-file "$env_file" "$@"
}

docker_check_service() {
    local known
    for known in "${DOCKER_SERVICES[@]}" redisinsight; do [[ $known != "$1" ]] || return 0; done
    die "$EXIT_USAGE" "no service $1" "Services: ${DOCKER_SERVICES[*]}"
}

container_of() { compose ps -q "$1" 2>/dev/null | head -n 1; }

# container_health ID: healthy, starting, unhealthy, or the container's state.
container_health() {
    docker inspect --format \
        '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$1" 2>/dev/null
}

docker_await() {
    local name=$1 started=$SECONDS
    until [[ $(container_health "$(container_of "$name")") == healthy ]]; do
        if ((SECONDS - started >= START_TIMEOUT)); then
            compose logs --tail 20 "$name" >&2 || :
            return 1
        fi
        sleep 0.5
    done
    ok "$name healthy after $((SECONDS - started)) s"
}

docker_start() {
    local name failed='' profile=()
    [[ -z $monitor ]] || profile=(--profile monitor)
    step "Building and starting containers"
    compose "${profile[@]}" up -d --build
    for name in "${DOCKER_SERVICES[@]}"; do docker_await "$name" || failed=yes; done
    [[ -z $failed ]] || die "$EXIT_FAILED" "not every container is healthy" \
        "See: scripts/deploy-ha.sh --docker status"
    docker_status
    info "Open http://localhost:$NGINX_PORT/"
}

# Containers go, volumes stay.
docker_stop() {
    step "Stopping"
    compose stop "${DOCKER_INSTANCES[@]}"
    compose --profile monitor down
}

docker_restart() {
    local name services=("$service")
    [[ -n $service ]] || services=("${DOCKER_INSTANCES[@]}" nginx)
    step "Building"
    compose build
    step "Restarting, one after the other"
    for name in "${services[@]}"; do
        [[ $name == "${services[0]}" ]] || sleep "$NGINX_FORGETS_SECONDS"
        compose up -d --no-deps --force-recreate "$name"
        docker_await "$name" || die "$EXIT_FAILED" "$name did not come back; the rest was left"
    done
}

# What rolling-restart.sh needs of containers; see roll.sh.

docker_check_running() {
    local name
    for name in "$@"; do
        [[ -n $(container_of "$name") ]] ||
            die "$EXIT_FAILED" "$name does not run" "Start: scripts/deploy-ha.sh --docker start"
    done
}

docker_instances() { printf '%s\n' "${DOCKER_INSTANCES[@]}"; }
docker_instance_url() { echo "http://127.0.0.1:$(docker_port "$1")"; }

docker_restart_instance() {
    compose restart --timeout "${STOP_TIMEOUT:-30}" "$1"
    docker_await "$1" || die "$EXIT_FAILED" "$1 did not come back; the rest was left as it is"
}

docker_status() {
    local name id health bad=''
    TABLE=()
    table_row SERVICE CONTAINER PORT HEALTH DETAIL
    for name in "${DOCKER_SERVICES[@]}"; do
        id=$(container_of "$name")
        health=down
        [[ -z $id ]] || health=$(container_health "$id")
        [[ $health == healthy ]] || bad=yes
        table_row "$name" "${id:0:12}" "$(docker_port "$name")" "${health:-down}" \
            "$(docker inspect --format '{{.State.Status}} since {{.State.StartedAt}}' "$id" \
                2>/dev/null || :)"
    done
    table_print
    [[ -z $bad ]]
}

docker_port() {
    case $1 in
    nginx) echo "$NGINX_PORT" ;;
    server-1) echo 3001 ;;
    server-2) echo 3002 ;;
    *) echo - ;;
    esac
}

docker_logs() {
    local arguments=(--tail "$lines")
    [[ -z $follow ]] || arguments+=(-f)
    [[ -z $service ]] || arguments+=("$service")
    compose logs "${arguments[@]}"
}

docker_clean() {
    compose --profile monitor down --volumes --remove-orphans
}
