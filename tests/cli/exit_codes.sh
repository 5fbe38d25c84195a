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
for command in run serve demo load card pool usage commands audit request export top verify check bench version; do
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
expect 2 "did you mean 'verify'" "$weir" verfy
expect 2 'either an ICCID or filters' "$weir" card $iccid --status in_use
expect 2 'did you mean suspended' "$weir" card --status suspendet
expect 2 'did you mean usage_limit' "$weir" card --reason usage_limits
expect 2 'of which pool' "$weir" pool --members
expect 2 'did you mean metered' "$weir" pool --kind meterd
expect 2 'must be hour, day or cycle' "$weir" usage $iccid --by week
expect 2 'is no ICCID' "$weir" commands city-7
expect 2 "did you mean 'suspend'" "$weir" request $iccid suspnd
expect 2 'limit needs an amount' "$weir" request $iccid limit
expect 2 'carriers differ on what MB is' "$weir" request $iccid limit 5MB
expect 2 'is one argument too many' "$weir" request $iccid resume now
expect 2 'did you mean violation' "$weir" request $iccid flag vilation set
expect 2 "did you mean 'iccid'" "$weir" export --fields icid
expect 2 'is named twice' "$weir" export --fields iccid,iccid
expect 2 'need --usage' "$weir" export --from 2026-11-01
expect 2 'must be a day as 2026-11-01' "$weir" export --usage day --from 2026-11
expect 2 'is after' "$weir" export --usage cycle --from 2026-11 --to 2026-10
expect 0 'remaining_bytes' "$weir" export --list-fields
expect 2 'goes with --once' "$weir" top --json
expect 2 'must be from 100ms' "$weir" top --interval 1ms
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
expect 3 'api.metrics_listen.*address:port' "$weir" serve --set api.metrics_listen=9465
expect 3 'nobody could ask' "$weir" serve --set api.listen=127.0.0.1:0
expect 2 'did you mean --port-file' "$weir" serve --port-fil x
expect 3 'log.format.*logfmt or json' "$weir" run --set log.format=xml
expect 0 'localhost:7777' "$weir" check --effective --set kafka.brokers=localhost:7777
# shellcheck disable=SC2086
expect 4 'weir card:' "$weir" card $iccid $nowhere
expect 4 'weir pool:' "$weir" pool city-7 $nowhere
for command in "usage $iccid" "audit $iccid" "commands $iccid" export verify 'top --once' 'card --status in_use' 'pool --kind fixed'; do
	expect 4 "weir ${command%% *}:" "$weir" $command $nowhere
done
expect 4 'weir request:' "$weir" request $iccid suspend $nowhere
# shellcheck disable=SC2086
expect 4 'weir load: Kafka' "$weir" load "$samples/fleet.yaml" $nowhere
# shellcheck disable=SC2086
expect 4 'weir run:' "$weir" run $nowhere
expect 1 'redis-server' env PATH=/nonexistent "$weir" demo --for 1s
exit $failed
