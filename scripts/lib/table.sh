# shellcheck shell=bash
# The table of `status`. Rows are kept in TABLE; table_print aligns and colours them.

TABLE=()

# table_row SERVICE PID PORT HEALTH DETAIL
table_row() {
    local IFS=$'\x1f'
    TABLE+=("$*")
}

health_colour() {
    case $1 in
    ready | healthy | up) printf '%s' "$GREEN" ;;
    degraded | starting | draining | external) printf '%s' "$YELLOW" ;;
    HEALTH) printf '%s' "$BOLD" ;;
    *) printf '%s' "$RED" ;;
    esac
}

table_print() {
    local row i padded
    local -a fields widths=(0 0 0 0 0)
    for row in "${TABLE[@]}"; do
        IFS=$'\x1f' read -r -a fields <<<"$row"
        for i in "${!fields[@]}"; do
            ((${#fields[i]} <= widths[i])) || widths[i]=${#fields[i]}
        done
    done
    for row in "${TABLE[@]}"; do
        IFS=$'\x1f' read -r -a fields <<<"$row"
        for i in 0 1 2 3; do
            printf -v padded '%-*s' "${widths[i]}" "${fields[i]:-}"
            [[ $i != 3 ]] || padded=$(health_colour "${fields[3]}")$padded$PLAIN
            printf '%s  ' "$padded"
        done
        printf '%s\n' "${fields[4]:-}"
    done
}
