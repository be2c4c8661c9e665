#!/bin/bash
# make bench-contentd: how fast contentd is, beside a milter that does nothing and beside what clamd alone can do, all in one
# run. BENCH_SECONDS (default 2) is the time of each case. Results are also in build/bench/results-contentd.
set -euo pipefail
cd "$(dirname "$0")/../.."

results="results-contentd"
# shellcheck source=tests/bench/measure/measure.sh
. tests/bench/measure/measure.sh

row() { # NAME CONNECTIONS BYTES LINE
    printf '%-22s %5s %8s %9s %9s %9s %9s %8s %7s\n' "$1" "$2" "$3" "$(field messages_per_second "$4")" \
        "$(field p50_us "$4")" "$(field p99_us "$4")" "$(field end_p99_us "$4")" "$(field cpu_us_per_message "$4")" \
        "$(field failed "$4")" | tee -a "$out/$results"
}

# measure NAME CONNECTIONS BYTES: one row; `line` is the whole result
measure() {
    case $1 in
    clamd-alone) line=$("$out/bench_clamd" -a "unix:$run/clamd.ctl" -c "$2" -s "$3" -t "$seconds") || true ;;
    *) line=$("$out/bench_milter" -a "unix:$run/$1" -c "$2" -s "$3" -t "$seconds" -p "${pid[$1]}") || true ;;
    esac
    row "$1" "$2" "$3" "$line"
}

start_contentd() { # NAME: with $run/NAME.conf, on the unix socket $run/NAME
    mkdir -p "$run/$1.quarantine" "$run/$1.outbox" # each its own: the second one would wait for the lock
    build/bin/gatehouse-contentd -c "$run/$1.conf" -o "listen=${2:-unix:$run/$1}" -o "http=unix:$run/$1.http" \
        -o "log=file:$run/decisions" -o "quarantine_directory=$run/$1.quarantine" -o "outbox_directory=$run/$1.outbox" \
        >"$run/$1.log" 2>&1 &
    pid[$1]=$!
    wait_for test -S "$run/$1.http"
}

configure() { # NAME SCANNER_ADDRESS...: one chain with all of them
    local name=$1 n=0 names="" address
    shift
    for address in "$@"; do
        n=$((n + 1))
        names+="${names:+, }clam$n"
        printf '[scanner clam%s]\nkind = clamd %s\n' "$n" "$address"
    done >"$run/$name.conf"
    printf '[chain all]\nscanners = %s\nvirus = reject 5.7.1 Message contains malware\n[apply]\n* = all\n' "$names" \
        >>"$run/$name.conf"
}

scanner() { # NAME [DELAY_MS]: one that finds nothing
    "$out/null_clamd" "unix:$run/$1" ${2:+"$2"} &
    pid[$1]=$!
    wait_for test -S "$run/$1"
}

make -s all benches
: >"$out/$results"

# ---- the servers ----

"$out/null_milter" "unix:$run/null-milter" &
pid[null-milter]=$!
scanner nothing
mkdir -p "$run/db"
printf 'Gatehouse.Bench:0:*:deadbeefcafebabe\n' >"$run/db/bench.ndb"
cat >"$run/clamd.conf" <<END2
DatabaseDirectory $run/db
LocalSocket $run/clamd.ctl
TemporaryDirectory $run
Foreground yes
MaxThreads 4
StreamMaxLength 25M
END2
clamd --config-file="$run/clamd.conf" >"$run/clamd.log" 2>&1 &
pid[clamd]=$!
wait_for test -S "$run/clamd.ctl"
configure contentd-null "unix:$run/nothing"
configure contentd-clamd "unix:$run/clamd.ctl"
start_contentd contentd-null
start_contentd contentd-clamd

# ---- messages per second ----

printf '%-22s %5s %8s %9s %9s %9s %9s %8s %7s\n' case conn bytes msg/s p50_us p99_us end_p99 cpu_us failed |
    tee -a "$out/$results"
declare -A rate
for bytes in ${BENCH_BYTES:-4096 51200 1048576}; do
    for c in 1 16 64; do
        for name in null-milter contentd-null contentd-clamd clamd-alone; do measure $name "$c" "$bytes"; done
    done
done
# What the goals are about, three times in turns: the median counts.
for _ in 1 2 3; do
    for name in contentd-clamd clamd-alone; do
        measure $name 16 20480
        rate[$name]+=" $(field messages_per_second "$line")"
        cpu=${cpu:+$cpu }$(field cpu_us_per_message "$line")
    done
done

# ---- idle sessions ----

# Of a daemon that has done nothing yet: what the allocator keeps after a load is no matter of sessions, and differs.
idle_sessions() { # NAME
    line=$("$out/bench_milter" -a "unix:$run/$1" -c 1000 -i -p "${pid[$1]}") || true
    echo "1000 idle sessions, $1: $line" | tee -a "$out/$results"
}

idle_sessions contentd-null # after the load
cp "$run/contentd-null.conf" "$run/contentd-fresh.conf"
start_contentd contentd-fresh
idle_sessions contentd-fresh
idle=$(field memory_kib "$line")
stop contentd-fresh

# ---- TCP ----

tcp=$(free_port)
cp "$run/contentd-null.conf" "$run/contentd-tcp.conf"
start_contentd contentd-tcp "inet:127.0.0.1:$tcp"
line=$("$out/bench_milter" -a "inet:127.0.0.1:$tcp" -c 1 -s 4096 -t "$seconds" -p "${pid[contentd-tcp]}") || true
row contentd-tcp 1 4096 "$line"
tcp_p99=$(field p99_us "$line")
stop contentd-tcp

# ---- several scanners of different speed: the slowest counts, not the sum ----

late_p50=0 late_p99=0
delays=(100 50 20 20)
addresses=()
for k in 1 2 3 4; do
    scanner "slow$k" "${delays[$((k - 1))]}"
    addresses+=("unix:$run/slow$k")
    configure "slowest-$k" "${addresses[@]}"
    start_contentd "slowest-$k"
    line=$("$out/bench_milter" -a "unix:$run/slowest-$k" -c 4 -s 4096 -t $((seconds * 2)) -p "${pid[slowest-$k]}") || true
    row "slowest-of-$k" 4 4096 "$line"
    late_p50=$(awk -v a="$late_p50" -v b="$(field end_p50_us "$line")" 'BEGIN { b -= 100000; print((a > b) ? a : b) }')
    late_p99=$(awk -v a="$late_p99" -v b="$(field end_p99_us "$line")" 'BEGIN { b -= 100000; print((a > b) ? a : b) }')
    stop "slowest-$k"
done

# ---- against the goals ----

echo
goal "messages/s with clamd, of clamd alone, 16 connections, 20 KiB" \
    "$(ratio "${rate[contentd-clamd]}" "${rate[clamd-alone]}")" \
    ">=" 0.6
goal "CPU of contentd per message there, ms" "$(awk -v a="$(median "$cpu")" 'BEGIN { print a / 1000 }')" "<=" 0.5
goal "latency over that of the slowest of 1 to 4 scanners, p50, ms" "$(awk -v a="$late_p50" 'BEGIN { print a / 1000 }')" "<=" 1
goal "the same, p99, ms" "$(awk -v a="$late_p99" 'BEGIN { print a / 1000 }')" "<=" 3
goal "memory with 1000 idle sessions, MiB" "$(awk -v a="$idle" 'BEGIN { print a / 1024 }')" "<=" 32
goal "over TCP, p99 of a whole message, ms (a stall is 40)" "$(awk -v a="$tcp_p99" 'BEGIN { print a / 1000 }')" "<=" 20
