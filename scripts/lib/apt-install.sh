#!/usr/bin/env bash
# Run as root: installs Debian packages without letting any of them start a service, now or at
# the next boot. Tandem starts its own Redis and nginx, beside the system's.
set -euo pipefail

readonly POLICY=/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
added_policy=

clean_up() {
    rm -f "$log"
    [[ -z $added_policy ]] || rm -f "$POLICY"
}
trap clean_up EXIT

if [[ ! -e $POLICY ]]; then
    added_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
fi

new=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        new+=("$package")
done
[[ ${#new[@]} -gt 0 ]] || exit 0

# The lists may be absent or old: fetch them when the first try fails.
install() { apt-get install --no-install-recommends -y -q "${new[@]}" >"$log" 2>&1; }
install || { apt-get update -q >"$log" 2>&1 && install; } || {
    tail -n 20 "$log" >&2
    exit 1
}

if [[ -d /run/systemd/system ]]; then
    for package in "${new[@]}"; do
        case $package in
        redis-server | nginx) systemctl disable "$package" >/dev/null 2>&1 || : ;;
        esac
    done
fi
