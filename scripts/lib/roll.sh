# shellcheck shell=bash
# One instance after the other, each only while all others are well.
# Uses MODE_check_running, MODE_instances, MODE_instance_url and MODE_restart_instance of local.sh or
# docker.sh, and from its caller: mode.

# is_linked NAME: it is ready, which includes that it hears its own probe through Redis; and it
# does reach Redis, where its rooms outlive it.
is_linked() {
    local url
    url=$("${mode}_instance_url" "$1")
    [[ $(http_status "$url/api/ready") == 200 ]] &&
        http_body "$url/api/live" | grep -q '"linked" *: *true'
}

# await_linked SECONDS: all instances; false with the reason said.
await_linked() {
    local seconds=$1 name deadline
    for name in $("${mode}_instances"); do
        deadline=$((SECONDS + seconds))
        until is_linked "$name"; do
            if ((SECONDS >= deadline)); then
                printf '  %s✗%s %s is not ready, or does not reach Redis: %s\n' "$RED" "$PLAIN" \
                    "$name" "$(http_body "$("${mode}_instance_url" "$name")/api/ready" | head -c 300)" >&2
                return 1
            fi
            sleep 0.2
        done
    done
}

# roll SECONDS NAME...: restarts these.
roll() {
    local seconds=$1 name restarted=''
    shift
    "${mode}_check_running" "$@"
    for name in "$@"; do
        if [[ -n $restarted ]]; then
            sleep "$NGINX_FORGETS_SECONDS"
        else
            # Nothing is under way yet: what is not well now will not be by waiting for long.
            await_linked 5 || die "$EXIT_FAILED" "nothing was restarted" \
                "Its clients would have nowhere to go, or what is in memory only would be lost."
        fi
        step "$name"
        "${mode}_restart_instance" "$name"
        await_linked "$seconds" || die "$EXIT_FAILED" "stopped after $name; the rest was left as it is"
        restarted=yes
    done
}
