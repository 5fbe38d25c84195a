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

"$weir" demo --cards 200 --rate 1000 >"$folder/out" 2>&1 &
pid=$!
for _ in $(seq 300); do
	grep -q records "$folder/out" && break
	sleep 0.1
done
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
