# tests/bench/measure/measure.sh - what the benchmarks' scripts have in common; sourced by them. Results go to $out/$results.
# shellcheck shell=bash disable=SC2034,SC2154 # the variables are theirs

seconds=${BENCH_SECONDS:-2}
out=build/bench
run=$(mktemp -d /tmp/gatehouse-bench-XXXXXX)
chmod 755 "$run"
declare -A port pid # of each server, by name

stop() { # NAME
    kill "${pid[$1]}" 2>/dev/null || true
    wait "${pid[$1]}" 2>/dev/null || true
    unset "pid[$1]"
}
finish() {
    local name
    for name in "${!pid[@]}"; do stop "$name"; done
    rm -rf "$run"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for COMMAND...: until it succeeds, at most 60 s
wait_for() {
    local tries=600
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "bench: not in time: $*" >&2
            cat "$run"/*.log >&2 || true
            exit 1
        fi
        sleep 0.1
    done
}

# field NAME LINE: a value of `name=value ...`
field() {
    sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$2"
}

median() { # "NUMBER NUMBER..."
    tr ' ' '\n' <<<"$1" | sed '/^$/d' | sort -n | awk '{ n[NR] = $0 } END { print n[int((NR + 1) / 2)] }'
}

ratio() { # of two medians: NUMBERS NUMBERS
    awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.4f", (b > 0 ? a / b : 0) }'
}

# goal TEXT VALUE RELATION BOUND: whether it is met; a case without a result meets none
goal() {
    awk -v text="$1" -v value="$2" -v relation="$3" -v bound="$4" 'BEGIN {
        met = value != "" && (relation == ">=" ? value + 0 >= bound + 0 : value + 0 <= bound + 0)
        printf "%-66s %8.2f  (goal %s %s) %s\n", text, value, relation, bound, met ? "met" : "MISSED"
    }' | tee -a "$out/$results"
}
