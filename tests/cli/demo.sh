#!/bin/sh
# The demo ends by itself, exact, and leaves nothing behind; also after an interrupt. Usage: demo.sh WEIR
set -u
weir=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR="$folder"

"$weir" demo --for 4s --json --cards 500 --rate 5000 --seed 3 >"$folder/out" 2>"$folder/err"
code=$?
if [ $code != 0 ] || ! tail -n 1 "$folder/out" | grep -q '"mismatches":0,'; then
	echo "demo: exit code $code"
	cat "$folder/out" "$folder/err"
	exit 1
fi
tail -n 1 "$folder/out"

wrong() {
	echo "$*"
	cat "$folder/out"
	kill -INT $pid
	wait $pid
	exit 1
}

"$weir" demo --cards 200 --rate 1000 >"$folder/out" 2>&1 &
pid=$!
for _ in $(seq 300); do
	grep -q '[1-9][0-9]* records' "$folder/out" && break
	sleep 0.1
done
# What it says can be looked at, can: the console and its API (which only reads), metrics of both, weir top.
console=$(sed -n 's|^console  \(http://127.0.0.1:[0-9]*/\) .*|\1|p' "$folder/out")
metrics=$(sed -n 's|^metrics  \(http://127.0.0.1:[0-9]*/metrics\)$|\1|p' "$folder/out")
config=$(sed -n 's|^look     weir top --config \(.*\)$|\1|p' "$folder/out")
get() { # URL WORDS
	/usr/bin/python3 -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' \
		"$1" >"$folder/got" && grep -q "$2" "$folder/got" || wrong "no '$2' at $1"
}
get "$console" '<title>'
get "${console}v1/me" '"role":"read"'
get "${console}v1/fleet" '"cards":200'
get "$metrics" '^weir_records_counted_total [1-9]'
get "$metrics" '^weir_api_requests_total{status="2xx"} [1-9]'
get "$metrics" '^weir_feed_rows_total{feed="pool_hourly"} [0-9]'
"$weir" top --once --config "$config" >"$folder/top" 2>&1 && grep -q '200 cards' "$folder/top" || wrong "weir top: $(cat "$folder/top")"
kill -INT $pid
wait $pid
code=$?
if [ $code != 0 ] || ! grep -q '^exact: 0 differences' "$folder/out"; then
	echo "interrupted demo: exit code $code"
	cat "$folder/out"
	exit 1
fi
left=$(find "$folder" -maxdepth 1 -name 'weir-demo-*')
if [ -n "$left" ] || grep -qsz "^redis-server.*$folder" /proc/[0-9]*/cmdline; then
	echo "left behind: $left"
	exit 1
fi
