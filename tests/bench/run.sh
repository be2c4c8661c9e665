#!/bin/bash
# make bench: how fast policyd answers, beside a null responder and beside what Redis alone can do, and its parts; all in
# one run. BENCH_SECONDS (default 2) is the time of each case. Results are also in build/bench/results.
set -euo pipefail
cd "$(dirname "$0")/../.."

results="results"
# shellcheck source=tests/bench/measure/measure.sh
. tests/bench/measure/measure.sh
rounds=3      # at 16 connections, which the goals are about: the median counts
users=1000000 # senders and logins are drawn from so many
senders=100000 # greylisted, for the memory they take
listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

row() { # NAME CONNECTIONS LINE: prints what is known of a case
    printf '%-16s %5s %9s %8s %8s %8s %8s %7s %7s\n' "$1" "$2" "$(field requests_per_second "$3")" "$(field p50_us "$3")" \
        "$(field p99_us "$3")" "$(field p999_us "$3")" "$(field cpu_us_per_request "$3")" "$(field refused "$3")" \
        "$(field failed "$3")" | tee -a "$out/results"
}

# Requests of all runs that policyd did not answer, by the number of connections. No result: nobody was answered.
declare -A failed
count_failed() { # CONNECTIONS NUMBER
    failed[$1]=$((${failed[$1]:-0} + ${2:-$1}))
}

# measure NAME CONNECTIONS: one run against the server of that name
declare -A rate p50 p99 cpu # by NAME/CONNECTIONS: one number for each round
measure() {
    local line
    case $1 in redis | script | grey-redis) redis-cli -p "${port[store]}" flushdb >/dev/null ;; esac
    if [ "$1" = script ]; then
        line=$(run_script "$2")
    else
        line=$(load "$1" "$2" -t "$seconds" -u "$users") || true
    fi
    keep "$1" "$2" "$line"
}

load() { # SERVER CONNECTIONS OPTION...
    local name=$1 connections=$2
    shift 2
    "$out/bench_policy" -a "inet:127.0.0.1:${port[$name]}" -c "$connections" -p "${pid[$name]}" "$@"
}

# keep NAME CONNECTIONS LINE: adds to what is known of the case, and prints it
keep() {
    local line=$3
    rate[$1/$2]+=" $(field requests_per_second "$line")"
    p50[$1/$2]+=" $(field p50_us "$line")"
    p99[$1/$2]+=" $(field p99_us "$line")"
    cpu[$1/$2]+=" $(field cpu_us_per_request "$line")"
    case $1 in null | script) ;; *) count_failed "$2" "$(field failed "$line")" ;; esac
    row "$1" "$2" "$line"
}

# The same script with the same keys and arguments, as often as policyd had time for, by redis-benchmark.
run_script() { # CONNECTIONS
    local calls rps p50 tail99
    calls=$(awk -v rate="$(median "${rate[redis/$1]}")" -v s="$seconds" 'BEGIN { printf "%d", rate * s + 1 }')
    # The last seven columns: rate, then avg, min, p50, p95, p99, max in ms.
    read -r rps p50 tail99 < <(redis-benchmark -p "${port[store]}" -c "$1" -n "$calls" -r "$users" --csv "${call[@]}" |
        sed -nE '$s/.*"([0-9.]+)","[0-9.]+","[0-9.]+","([0-9.]+)","[0-9.]+","([0-9.]+)","[0-9.]+"$/\1 \2 \3/p')
    awk -v rps="$rps" -v p50="$p50" -v p99="$tail99" \
        'BEGIN { printf "requests_per_second=%.0f p50_us=%.0f p99_us=%.0f\n", rps, p50 * 1000, p99 * 1000 }'
}

start_policyd() { # NAME CONFIGURATION OPTION...
    local name=$1 conf=$2
    shift 2
    port[$name]=$(free_port)
    build/bin/gatehouse-policyd -c "$run/$conf.conf" -o "listen=inet:127.0.0.1:${port[$name]}" \
        -o "http=unix:$run/$name.http" -o "log=file:$run/decisions" "$@" >"$run/$name.log" 2>&1 &
    pid[$name]=$!
    wait_for listens "${port[$name]}"
}

# ---- the rule sets ----

: >"$run/empty.conf"

# 20 rules that a submission host might have; none of them applies to the load's mail.
rules() {
    local i
    for i in 1 2 3 4; do
        echo "[list addresses$i]"
        echo "file = $run/addresses$i"
        seq -f "10.$i.%g.0/24" 0 255 >"$run/addresses$i"
        echo "[list domains$i]"
        echo "file = $run/domains$i"
        seq -f ".spam%g-$i.example" 1 5000 >"$run/domains$i"
        echo "[rule client$i]"
        echo "when = client_address in list:addresses$i"
        echo "then = reject 5.7.1 Your address is blocked here"
        echo "[rule domain$i]"
        echo "when = sender_domain in list:domains$i"
        echo "then = reject 5.7.1 Your domain is blocked here"
        echo "[rule helo$i]"
        echo "when = not authenticated and (helo_name is empty or helo_name matches \"*.dyn$i.example\")"
        echo "then = reject 5.7.1 Your HELO name is not welcome"
        echo "[rule size$i]"
        echo "when = size > ${i}G and recipient_count > $((i * 100))"
        echo "then = reject 5.3.4 Too large"
        echo "[rule country$i]"
        echo "when = client_name = unknown and client_net in (198.51.100.0/24, 203.0.113.0/24)"
        echo "then = defer 4.7.1 Try again later"
    done
}
rules >"$run/rules.conf"

limits() {
    cat <<'END'
[limit user]
key = sasl_username
count = recipients
rate = 100000/1h
[limit sender]
key = sender
count = messages
rate = 100000/1d
[limit all]
count = messages
rate = 1000000000/1h
[rule limits]
then = limit user, sender, all
END
}
limits >"$run/limits.conf"

# The load has one sender domain, with ten lookups, and a HELO name for each user, with two.
printf '%s\n' '[rule spf]' 'when = spf = pass' 'then = reject No' >"$run/spf-cached.conf"
printf '%s\n' '[rule spf]' 'when = spf_helo = pass' 'then = reject No' >"$run/spf-uncached.conf"

# Lists of which the slowest answers after 20 ms; nobody is listed.
block_lists() { # MILLISECONDS...
    local ms
    for ms in "$@"; do printf '[dnsbl list%s]\nzone = slow%s.example\n' "$ms" "$ms"; done
    printf '%s\n' '[rule listed]' 'when = dnsbl.score > 0' 'then = reject No'
}
block_lists 20 >"$run/list-1.conf"
block_lists 2 4 6 8 10 12 16 20 >"$run/lists-8.conf"
printf '%s\n' '[rule grey]' 'then = greylist 5m' 'stage = data' >"$run/grey.conf"

# ---- the servers: those that are not asked cost nothing ----

make -s all benches
port[null]=$(free_port)
"$out/null_policyd" "${port[null]}" &
pid[null]=$!
wait_for listens "${port[null]}"
port[store]=$(free_port)
redis-server --port "${port[store]}" --bind 127.0.0.1 --save '' --appendonly no --dir "$run" >"$run/redis.log" 2>&1 &
pid[store]=$!
wait_for redis-cli -p "${port[store]}" ping
for name in empty rules limits; do start_policyd $name $name -o store=memory; done
start_policyd redis limits -o "store=redis://127.0.0.1:${port[store]}/0"

# The very call that policyd makes, as Redis saw it, with the numbers in it (user, once-key, queue id) drawn anew for each call.
redis-cli -p "${port[store]}" monitor >"$run/monitor" &
pid[monitor]=$!
wait_for grep -q OK "$run/monitor"
"$out/bench_policy" -a "inet:127.0.0.1:${port[redis]}" -c 1 -t 1 -u "$users" >/dev/null
stop monitor
grep -v ' lua\] ' "$run/monitor" | grep -i '"evalsha"' | grep -E 'user[0-9]{12}' | tail -n 1 |
    sed -E 's/user[0-9]{12}/user__rand_int__/g; s/4Xk[0-9A-F]{12}/4Xk__rand_int__/g; s/once:[0-9a-f]{32}/once:00000000000000000000__rand_int__/g' \
        >"$out/call"
mapfile -d '' call < <(/usr/bin/python3 -c '
import re, sys
for word in re.findall(r"\"((?:[^\"\\]|\\.)*)\"", sys.stdin.read()):
    sys.stdout.write(word.encode().decode("unicode_escape") + "\0")' <"$out/call")
if [ "${#call[@]}" -lt 4 ]; then
    echo "bench: policyd did not call a script in Redis" >&2
    exit 1
fi

# ---- the runs: the cases take turns, so that what else the machine does hits all alike ----

: >"$out/results"
printf '%-16s %5s %9s %8s %8s %8s %8s %7s %7s\n' case conn req/s p50_us p99_us p999_us cpu_us refused failed |
    tee -a "$out/results"
for c in 1 16 128; do
    for ((round = 0; round < (c == 16 ? rounds : 1); round++)); do
        for name in null empty rules limits redis script; do measure $name "$c"; done
    done
done
for name in null empty rules limits redis; do stop $name; done

# ---- SPF and greylisting ----

port[names]=$(free_port)
"$out/null_dns" "${port[names]}" &
pid[names]=$!
resolver="resolver=127.0.0.1@${port[names]}"
start_policyd spf-cached spf-cached -o store=memory -o "$resolver"
start_policyd spf-uncached spf-uncached -o store=memory -o "$resolver" -o dns_cache_size=0
start_policyd list-1 list-1 -o store=memory -o "$resolver" -o dns_cache_size=0
start_policyd lists-8 lists-8 -o store=memory -o "$resolver" -o dns_cache_size=0
start_policyd grey-memory grey -o store=memory
start_policyd grey-redis grey -o "store=redis://127.0.0.1:${port[store]}/0"
for name in spf-cached spf-uncached list-1 lists-8 grey-memory grey-redis; do
    for c in 1 16; do measure $name $c; done
    stop $name
done

# ---- cached answers beside lookups that nobody answers ----

start_policyd stalled spf-cached -o store=memory -o "$resolver" -o budget=1s
for ((round = 0; round < rounds; round++)); do
    keep alone 16 "$(load stalled 16 -t "$seconds")"
    load stalled 16 -s -t $((seconds + 1)) >"$run/stalls" &
    pid[stalls]=$!
    sleep 0.5 # they are all stuck
    keep beside-stalls 16 "$(load stalled 16 -t "$seconds")"
    wait "${pid[stalls]}" || true
    unset "pid[stalls]"
    keep stalls 16 "$(cat "$run/stalls")"
done
stop stalled
stop names

# ---- memory ----

redis_memory() {
    redis-cli -p "${port[store]}" info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p'
}
start_policyd empty empty -o store=memory
start_policyd grey-memory grey -o store=memory
start_policyd grey-redis grey -o "store=redis://127.0.0.1:${port[store]}/0"
redis-cli -p "${port[store]}" flushdb >/dev/null
redis_before=$(redis_memory)
declare -A grown
for name in empty grey-memory grey-redis; do
    line=$(load $name 16 -n -t 60 -u $senders) || true
    grown[$name]=$(($(field memory_after_kib "$line") - $(field memory_before_kib "$line")))
    stop $name
done
{
    echo "$senders messages of as many senders: policyd grows by ${grown[empty]} KiB (answers and decisions remembered)"
    echo "greylisted in memory: by $((grown[grey-memory] - grown[empty])) KiB more; in Redis: by $((($(redis_memory) - redis_before) / 1024)) KiB, decisions included"
} | tee -a "$out/results"

# ---- idle connections ----

for c in 1000 10000; do
    start_policyd idle empty -o store=memory
    line=$("$out/bench_policy" -a "inet:127.0.0.1:${port[idle]}" -c "$c" -i -p "${pid[idle]}") || true
    echo "idle: $line" | tee -a "$out/results"
    idle=$(field kib_per_connection "$line")
    stop idle
done

echo
echo "A list of 1,000,000 entries:"
"$out/bench_lists" | tee -a "$out/results"

echo
echo "CPU of one SPF check with all answers at hand:"
"$out/bench_spf" | tee -a "$out/results"

echo
BENCH_SECONDS=$seconds "$out/bench_dns" | tee -a "$out/results"

echo
echo "One evaluation of rules:"
"$out/bench_rules" | tee -a "$out/results"

echo
echo "The memory store:"
"$out/bench_store_memory" | tee -a "$out/results"

echo
echo "Redis through the store:"
"$out/bench_store_redis" "redis://127.0.0.1:${port[store]}/0" | tee -a "$out/results"

# ---- against the goals ----

echo
goal "20 rules and lists: rate / null responder" "$(ratio "${rate[rules/16]}" "${rate[null/16]}")" '>=' 0.5
goal "20 rules and lists: p99 / null responder" "$(ratio "${p99[rules/16]}" "${p99[null/16]}")" '<=' 2
goal "3 limits in Redis: rate / the same script by redis-benchmark" "$(ratio "${rate[redis/16]}" "${rate[script/16]}")" '>=' 0.9
goal "3 limits in Redis: p99 / the same script by redis-benchmark" "$(ratio "${p99[redis/16]}" "${p99[script/16]}")" '<=' 3
goal "128 connections: requests without an answer" "${failed[128]}" '<=' 0
goal "20 rules and lists: CPU us per request" "$(median "${cpu[rules/16]}")" '<=' 15
goal "SPF, ten lookups from the cache: CPU us per request" "$(median "${cpu[spf-cached/16]}")" '<=' 100
goal "SPF, two lookups over the network: requests/s" "$(median "${rate[spf-uncached/16]}")" '>=' 6000
goal "8 block lists: latency / that of the slowest list alone" "$(ratio "${p50[lists-8/1]}" "${p50[list-1/1]}")" '<=' 1.1
goal "cached SPF beside stalled lookups: p99 / p99 without them" "$(ratio "${p99[beside-stalls/16]}" "${p99[alone/16]}")" '<=' 1.5
goal "10,000 idle connections: KiB each" "$idle" '<=' 4
