#!/bin/sh
# The documented exit codes and the words that go with them, from outside. Needs no Kafka and no Redis.
# Usage: exit_codes.sh WEIR
set -u
weir=$(realpath "$1")
samples=$(cd "$(dirname "$0")/../../config/samples" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

# expect CODE TEXT COMMAND...: the code, and TEXT somewhere in what it says.
expect() {
	code=$1 text=$2
	shift 2
	timeout 60 "$@" >out 2>&1 </dev/null
	got=$?
	if [ $got != "$code" ]; then
		echo "$*: exit code $got, not $code"
		cat out
		failed=1
	elif ! grep -q -- "$text" out; then
		echo "$*: does not say '$text'"
		cat out
		failed=1
	fi
}

printf 'kafka: {broker: x}\n' >wrong.yaml
printf 'cards:\n  - {iccid: 12, carrier: cm}\n' >cards.yaml
nowhere='--set kafka.brokers=127.0.0.1:1 --set redis.url=redis://127.0.0.1:1'
iccid=89860000000000000001

expect 0 'exit codes\|Exit codes' "$weir" help
expect 0 'usage: weir run' "$weir" help run
for command in run demo load card pool check version; do
	expect 0 "usage: weir $command" "$weir" "$command" --help
done
expect 0 'carrier-sim' "$weir" carrier-sim --help
expect 0 librdkafka "$weir" version
expect 0 librdkafka "$weir" --version
expect 2 'usage: weir COMMAND' "$weir"
expect 2 "did you mean 'load'" "$weir" lod
expect 2 "did you mean 'card'" "$weir" help crad
expect 2 'did you mean --config' "$weir" run --confg x
expect 2 'argument is missing' "$weir" card
expect 2 'is no ICCID' "$weir" card 123
expect 2 'argument is missing' "$weir" pool
expect 2 'has 1 to 63 characters' "$weir" pool "$(printf '%064d' 0)"
expect 2 'a duration is needed' "$weir" demo --for soon
expect 2 'must be from' "$weir" demo --rate 1
expect 3 'did you mean.*brokers' "$weir" check wrong.yaml
expect 3 'wrong.yaml' "$weir" run --config wrong.yaml
expect 3 'missing.yaml' "$weir" run --config missing.yaml
expect 3 'cards.yaml:2' "$weir" check --reference cards.yaml
expect 3 'cards.yaml:2' "$weir" load --dry-run cards.yaml
expect 3 'cards.yaml:2' "$weir" load "$samples/fleet.yaml" cards.yaml
expect 0 'weir.yaml: right' "$weir" check "$samples/weir.yaml" --reference "$samples/fleet.yaml"
expect 0 '834 cards and pools' "$weir" load --dry-run "$samples/fleet.yaml"
expect 0 'kafka.brokers' "$weir" check --list
expect 0 'weir_records_counted_total' "$weir" run --list-metrics
expect 3 'metrics.listen.*127.0.0.1:9464' "$weir" run --set metrics.listen=9464
expect 3 'log.format.*logfmt or json' "$weir" run --set log.format=xml
expect 0 'localhost:7777' "$weir" check --effective --set kafka.brokers=localhost:7777
# shellcheck disable=SC2086
expect 4 'weir card:' "$weir" card $iccid $nowhere
expect 4 'weir pool:' "$weir" pool city-7 $nowhere
# shellcheck disable=SC2086
expect 4 'weir load: Kafka' "$weir" load "$samples/fleet.yaml" $nowhere
# shellcheck disable=SC2086
expect 4 'weir run:' "$weir" run $nowhere
expect 1 'redis-server' env PATH=/nonexistent "$weir" demo --for 1s
exit $failed
