#!/bin/bash
# make bench-signd: how fast signd signs and verifies, beside opendkim and beside what OpenSSL alone can do, all in one run.
# BENCH_SECONDS (default 2) is the time of each case. Results are also in build/bench/results-signd.
set -euo pipefail
cd "$(dirname "$0")/../.."

results="results-signd"
# shellcheck source=tests/bench/measure/measure.sh
. tests/bench/measure/measure.sh

row() { # NAME CONNECTIONS BYTES LINE
    printf '%-20s %5s %8s %9s %9s %9s %9s %9s %8s %7s\n' "$1" "$2" "$3" "$(field messages_per_second "$4")" \
        "$(field p50_us "$4")" "$(field p99_us "$4")" "$(field end_p50_us "$4")" "$(field end_p99_us "$4")" \
        "$(field cpu_us_per_message "$4")" "$(field failed "$4")" | tee -a "$out/$results"
}

# measure NAME CONNECTIONS BYTES [OPTION...]: one row; `line` is the whole result
measure() {
    line=$("$out/bench_milter" -a "unix:$run/$1" -c "$2" -s "$3" -t "$seconds" -p "${pid[$1]}" "${@:4}") || true
    row "$1" "$2" "$3" "$line"
}

make -s all benches
mkdir -p "$out"
: >"$out/$results"

# ---- keys and servers ----

keys() { # DIRECTORY OPTION...: keys of example.com
    mkdir -m 700 "$run/$1"
    [ $# -gt 1 ] || return 0
    printf 'http = unix:%s/nobody\nkey_directory = %s\n' "$run" "$run/$1" >"$run/keys.conf"
    build/bin/gatectl -c "$run/keys.conf" dkim new example.com --selector bench --active "${@:2}" >/dev/null 2>&1
}
keys rsa --rsa 2048
keys ed --ed25519
keys none
keys both --rsa 2048 --ed25519

# The records of the two keys, at a name server.
build/bin/gatectl -c "$run/keys.conf" dkim show example.com --json |
    /usr/bin/python3 -c 'import json, sys; [print(key["name"], key["record"]) for key in json.load(sys.stdin)["keys"]]' \
        >"$run/records"
dns=$(free_port)
"$out/null_dns" "$dns" "$run/records" >"$run/dns.log" 2>&1 &
pid[dns]=$!

start_signd() { # NAME KEYS [OPTION...]
    printf 'key_directory = %s\n' "$run/$2" >"$run/$1.conf"
    build/bin/gatehouse-signd -c "$run/$1.conf" -o "listen=unix:$run/$1" -o "http=unix:$run/$1.http" -o "key_state_file=$run/$1.states" \
        -o "log=file:$run/decisions" "${@:3}" >"$run/$1.log" 2>&1 &
    pid[$1]=$!
    wait_for test -S "$run/$1.http"
}
for kind in rsa ed both; do start_signd "sign-$kind" $kind; done
start_signd verify none -o "resolver=127.0.0.1@$dns" -o "authserv_id=mx.example.com"

start_opendkim() { # NAME: with the configuration in NAME.conf
    opendkim -f -x "$run/$1.conf" >"$run/$1.log" 2>&1 &
    pid[$1]=$!
    wait_for test -S "$run/$1"
}
cat >"$run/opendkim.conf" <<END2
Socket local:$run/opendkim
Domain example.com
Selector bench
KeyFile $run/rsa/example.com/bench.key
Canonicalization relaxed/relaxed
Mode s
RequireSafeKeys no
Syslog no
END2
start_opendkim opendkim
# It has the records in a file: with a resolver of its own (ResolverConfiguration) it ends with a segmentation fault as soon as
# there are some connections.
cat >"$run/opendkim-verify.conf" <<END2
Socket local:$run/opendkim-verify
Mode v
TestPublicKeys $run/records
AuthservID mx.example.com
AlwaysAddARHeader yes
Syslog no
END2
start_opendkim opendkim-verify

# ---- signing ----

printf '%-20s %5s %8s %9s %9s %9s %9s %9s %8s %7s\n' case conn bytes msg/s p50_us p99_us end_p50 end_p99 cpu_us failed |
    tee -a "$out/$results"
for bytes in ${BENCH_BYTES:-4096 51200 1048576}; do
    for c in 1 16 64; do
        for name in sign-rsa sign-ed sign-both opendkim; do measure $name $c "$bytes" -l; done
    done
done

# ---- verifying two signatures ----

most=0
for bytes in ${BENCH_BYTES:-4096 51200 1048576}; do
    for c in 1 16 64; do
        measure verify $c "$bytes" -d "unix:$run/sign-both"
        own=$(field cpu_us_per_message "$line")
        measure opendkim-verify $c "$bytes" -d "unix:$run/sign-both"
        most=$(awk -v a="$own" -v b="$(field cpu_us_per_message "$line")" -v most="$most" \
            'BEGIN { r = b > 0 ? a / b : 1000; print (r > most ? r : most) }')
    done
done
passed=$(/usr/bin/python3 - "$run/verify.http" <<'END2'
import re, socket, sys
with socket.socket(socket.AF_UNIX) as http:
    http.connect(sys.argv[1])
    http.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = b"".join(iter(lambda: http.recv(65536), b"")).decode()
counts = dict(re.findall(r'gatehouse_verified_signatures_total\{result="(\w+)"\} (\d+)', text))
print(float(counts["pass"]) / sum(map(float, counts.values())))
END2
)

# What the goals are about, three times in turns: the median counts.
declare -A rate cpu
for _ in 1 2 3; do
    for name in sign-rsa opendkim; do
        measure $name 16 4096 -l
        rate[$name]+=" $(field messages_per_second "$line")"
        cpu[$name]+=" $(field cpu_us_per_message "$line")"
    done
    for name in verify opendkim-verify; do
        measure $name 16 4096 -d "unix:$run/sign-both"
        rate[$name]+=" $(field messages_per_second "$line")"
    done
done
openssl=$(openssl speed -seconds "$seconds" rsa2048 2>/dev/null | sed -nE 's/^rsa 2048 bits ([0-9.]+)s .*/\1/p')
echo "OpenSSL alone: $openssl s for one RSA-2048 signature" | tee -a "$out/$results"

# ---- over TCP ----

tcp=$(free_port)
start_signd tcp rsa -o "listen=inet:127.0.0.1:$tcp"
line=$("$out/bench_milter" -a "inet:127.0.0.1:$tcp" -c 1 -s 4096 -t "$seconds" -p "${pid[tcp]}" -l) || true
row tcp 1 4096 "$line"
tcp_p99=$(field p99_us "$line")

# ---- against the goals ----

own=$(median "${cpu[sign-rsa]}")
echo
goal "RSA-2048, 4 KiB: CPU per message, of opendkim's" "$(ratio "${cpu[sign-rsa]}" "${cpu[opendkim]}")" "<=" 0.7
goal "messages/s over unix sockets at 16 connections, of opendkim's" \
    "$(ratio "${rate[sign-rsa]}" "${rate[opendkim]}")" ">=" 2.5
goal "CPU per message, of OpenSSL's signature alone" "$(awk -v a="$own" -v b="$openssl" 'BEGIN { print a / (b * 1000000) }')" \
    "<=" 1.8
goal "verifying two signatures, CPU per message, of opendkim's, in the worst row" "$most" "<=" 1
goal "verifying two signatures, messages/s at 16 connections, of opendkim's" \
    "$(ratio "${rate[verify]}" "${rate[opendkim-verify]}")" ">=" 1
goal "signatures that were found to be good, of all that were verified" "$passed" ">=" 1
goal "over TCP, p99 of a whole message, ms (a stall is 40)" "$(awk -v a="$tcp_p99" 'BEGIN { print a / 1000 }')" "<=" 20
