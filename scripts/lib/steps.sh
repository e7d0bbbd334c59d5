# shellcheck shell=bash
# The steps of test.sh: headers, durations, counts, and the closing lines.

REPORTS=$ROOT/.build/test-reports
STEPS_FAILED=()
SUITES=()
readonly REPORTS STARTED=$SECONDS

# begin_steps: forgets the reports of the run before.
begin_steps() {
    mkdir -p "$REPORTS"
    rm -rf "${REPORTS:?}"/*
}

# run_step TITLE COMMAND…: goes on after a failure, which finish reports.
run_step() {
    local title=$1 started=$SECONDS
    shift
    printf '\n%s\n' "${BOLD}── $title${PLAIN}"
    if "$@"; then
        ok "$title ($((SECONDS - started)) s)"
    else
        printf '  %s✗ %s failed%s (%d s)\n' "$RED" "$title" "$PLAIN" $((SECONDS - started))
        STEPS_FAILED+=("$title")
    fi
}

# count_step TITLE "NAME…" COMMAND…: a step whose command writes REPORTS/NAME.xml for each.
count_step() {
    local title=$1 name
    for name in $2; do SUITES+=("$name"); done
    shift 2
    run_step "$title" "$@"
}

# logged FILE COMMAND…: its output goes to FILE, and is shown from the first failure on, else its
# last lines.
logged() {
    local log=$1 code=0
    shift
    "$@" >"$log" 2>&1 || code=$?
    if [[ $code == 0 ]]; then
        tail -n 12 "$log"
    else
        grep -nE '^✘|^(FAILED|ERROR) |^E  |error:' "$log" | tail -n 60 || :
        tail -n 80 "$log"
        info "All of it: $log"
    fi
    return "$code"
}

stop_if_failed() { [[ ${#STEPS_FAILED[@]} == 0 ]] || { warn "$1" && finish; }; }

# attribute NAME FILE: the sum of a number that each test suite of a report has.
attribute() {
    { grep -oE "<testsuite [^>]*" "$2" 2>/dev/null || :; } |
        { grep -oE " $1=\"[0-9]+\"" || :; } | tr -dc '0-9\n' | awk '{ n += $1 } END { print n + 0 }'
}

finish() {
    local suite tests bad skipped all=0 all_bad=0 all_skipped=0
    printf '\n%s\n' "${BOLD}── Result after $((SECONDS - STARTED)) s${PLAIN}"
    for suite in "${SUITES[@]}"; do
        tests=$(attribute tests "$REPORTS/$suite.xml")
        skipped=$(attribute skipped "$REPORTS/$suite.xml")
        bad=$(($(attribute failures "$REPORTS/$suite.xml") + $(attribute errors "$REPORTS/$suite.xml")))
        # Swift Testing leaves skipped ones out of its number of tests, pytest counts them.
        [[ $suite == unit ]] || tests=$((tests - skipped))
        printf '  %-12s %5d tests, %d failed, %d skipped\n' "$suite" "$tests" "$bad" "$skipped"
        [[ $tests -gt 0 ]] || STEPS_FAILED+=("$suite ran no test")
        [[ $skipped == 0 ]] || STEPS_FAILED+=("$suite skipped $skipped")
        all=$((all + tests)) all_bad=$((all_bad + bad)) all_skipped=$((all_skipped + skipped))
    done
    [[ ${#SUITES[@]} == 0 ]] ||
        printf '%d passed, %d failed, %d skipped\n' \
            $((all - all_bad)) "$all_bad" "$all_skipped"
    if [[ ${#STEPS_FAILED[@]} -gt 0 ]]; then
        printf '%sfailed:%s %s\n' "$RED" "$PLAIN" "$(IFS=';' && echo "${STEPS_FAILED[*]}")"
        exit 1
    fi
    ok "everything passed"
    exit 0
}
