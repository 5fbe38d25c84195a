#!/bin/sh
# Installs the Debian packages that the given lists name, if any is missing. Needs root or sudo for that. A line names one package, or
# several with | between them: the first that is there, or that this release of Debian has, is enough; a last one named - means that
# it can be done without. Where there is no apt, says what could not be found instead. Usage: packages.sh LIST...
set -eu

# Where dpkg does not know: what each package is recognised by.
found_without_dpkg() {
	case $1 in
	librdkafka-dev) pkg-config --exists rdkafka ;;
	libhiredis-dev) pkg-config --exists hiredis ;;
	libjemalloc-dev) pkg-config --exists jemalloc ;;
	libcurl4-openssl-dev) pkg-config --exists libcurl ;;
	libmicrohttpd-dev) pkg-config --exists libmicrohttpd ;;
	libgnutls28-dev) pkg-config --exists gnutls ;;
	libyaml-dev) pkg-config --exists yaml-0.1 ;;
	libjansson-dev) pkg-config --exists jansson ;;
	libxxhash-dev) pkg-config --exists libxxhash ;;
	libsimdjson-dev) pkg-config --exists simdjson ;;
	libcmocka-dev) pkg-config --exists cmocka ;;
	build-essential) command -v cc && command -v c++ && command -v make ;;
	ninja-build) command -v ninja ;;
	tzdata) test -e /usr/share/zoneinfo/Asia/Shanghai ;;
	python3-pytest) python3 -c 'import pytest' ;;
	python3-confluent-kafka) python3 -c 'import confluent_kafka' ;;
	python3-redis) python3 -c 'import redis' ;;
	python3-hypothesis) python3 -c 'import hypothesis' ;;
	python3-yaml) python3 -c 'import yaml' ;;
	python3-jsonschema) python3 -c 'import jsonschema' ;;
	libjson-validator-perl) perl -MJSON::Validator -e1 ;;
	python3-prometheus-client) python3 -c 'import prometheus_client' ;;
	prometheus) command -v promtool ;;
	systemd) command -v systemd-analyze ;;
	man-db) command -v man ;;
	groff-base) command -v groff ;;
	openjdk-*-jdk-headless) command -v javac ;;
	maven) command -v mvn ;;
	llvm* | libclang-rt-*) true ;;
	*) command -v "$1" ;;
	esac
}

found() {
	case $1 in # often there from elsewhere, and Debian's package would then not install beside it
	nodejs | npm) command -v "${1%js}" >/dev/null 2>&1 && return ;;
	esac
	if command -v dpkg-query >/dev/null 2>&1; then
		test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed
	else
		found_without_dpkg "$1" >/dev/null 2>&1
	fi
}

# Is one of a line's packages there?
found_any() {
	for name in $(echo "$1" | tr '|' ' '); do
		test "$name" = - || ! found "$name" || return 0
	done
	return 1
}

# The first of a line's packages that apt can install; the line itself when none is, so that apt says so; nothing when it ends with -.
choice() {
	for name in $(echo "$1" | tr '|' ' '); do
		test "$name" != - || return 0
		if apt-cache policy "$name" | grep -q 'Candidate: [^(]'; then
			echo "$name"
			return
		fi
	done
	echo "$1"
}

missing= needed=
for line in $(cat "$@" | sed 's/#.*//'); do
	if ! found_any "$line"; then
		missing="$missing $line"
		case $line in *"|-") ;; *) needed="$needed $line" ;; esac
	fi
done
test -n "$missing" || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=$(command -v sudo || true)
fi
if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" != 0 ] && [ -z "$as_root" ]; }; then
	test -n "$needed" || exit 0
	echo "missing, by their names in Debian (of several with | one is enough); please install them as root:$needed" >&2
	exit 1
fi
if [ -n "$needed" ]; then # what can be done without is looked for in what apt knows already
	$as_root apt-get update -q
fi
chosen=
for line in $missing; do
	chosen="$chosen $(choice "$line")"
done
chosen=$(echo $chosen) # without the gaps of what can be done without
test -n "$chosen" || exit 0
echo "installing: $chosen"
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $chosen
