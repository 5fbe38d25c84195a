#!/bin/sh
# `weir bench` in small: every subcommand that needs no server runs, prints one JSON object last, and repeats its result hash
# with its seed; mistakes have their exit codes. Usage: bench.sh WEIR
set -u
weir=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

# hash NAME ARGUMENTS...: runs it and prints its hash; what it printed is kept in results.jsonl.
hash() {
	name=$1
	shift
	if ! "$weir" bench "$@" --quick --json >out 2>err; then
		echo "weir bench $*: failed" >&2
		cat out err >&2
		return 1
	fi
	tail -n 1 out >>results.jsonl
	tail -n 1 out | sed -n "s/^{\"bench\":\"$name\".*\"hash\":\"\([0-9a-f]\{16\}\)\".*}\$/\1/p"
}

# repeats NAME ARGUMENTS...: one seed, one hash; another seed, another one.
repeats() {
	name=$1
	shift
	one=$(hash "$name" "$@" --seed 1)
	again=$(hash "$name" "$@" --seed 1)
	other=$(hash "$name" "$@" --seed 2)
	if [ -z "$one" ] || [ "$one" != "$again" ] || [ "$one" = "$other" ]; then
		echo "weir bench $*: hashes '$one', again '$again', another seed '$other'"
		failed=1
	fi
}

expect() {
	code=$1 text=$2
	shift 2
	"$weir" bench "$@" >out 2>&1 </dev/null
	got=$?
	if [ $got != "$code" ] || ! grep -q -- "$text" out; then
		echo "weir bench $*: exit code $got, not $code, or does not say '$text'"
		cat out
		failed=1
	fi
}

repeats micro micro
repeats core core
for workload in steady surge hot_pool chatty storm; do
	repeats core core --workload $workload
	repeats workload workload $workload
done
repeats fleet fleet --pools 10
[ -n "$(hash core.boundary core --boundary)" ] || failed=1

expect 0 'result hash\|hash  ' report results.jsonl
"$weir" bench report results.jsonl --html page.html || failed=1
grep -q '<svg' page.html || failed=1
if grep -qi 'http\|<script\|<link' page.html; then
	echo "the page needs something beside itself"
	failed=1
fi
expect 0 'measured: 10k.packed.id.pools' fleet --measured results.jsonl --workload hot_pool
expect 0 'usage: weir bench' --help
for what in micro core fleet workload report; do
	expect 0 "usage: weir bench $what" $what --help
done
printf 'version: 1\ntitle: x\ncards: 10\nrecrds: 1\n' >wrong.conf
expect 2 'usage: weir bench WHAT'
expect 2 "did you mean 'micro'" micr
expect 2 'did you mean --seed' core --sed 1
expect 2 'no row begins so' micro --quick --only nothing
expect 2 'at most half' core --boundary --cards 1000 --members 900
expect 2 'a number such as 1.1' fleet --skew much
expect 3 'wrong.conf:4: recrds: no such key; did you mean records' core --workload wrong.conf
expect 3 'wrong.conf:4: recrds' workload ./wrong.conf
expect 3 'nowhere.conf' core --workload nowhere
expect 1 'holds no result' report wrong.conf
expect 1 'missing.jsonl' fleet --measured missing.jsonl
WEIR_BENCH_PROGRAM=$folder/none expect 1 'there is no weir-bench' core
exit $failed
