# shellcheck shell=bash
# What the experiments of Tests/Faults need of the system. Source common.sh first.

install_fault_tools() {
    local pair missing=()
    for pair in nginx:nginx redis-server:redis-server ip:iproute2 nft:nftables \
        nsenter:util-linux setpriv:util-linux; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
    [[ ${#missing[@]} == 0 ]] || install_packages "${missing[@]}"
}
