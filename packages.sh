#!/bin/sh
# Installs the Debian packages that the given lists name (one a line), if any is missing. Needs root or sudo for that.
# Where there is no apt, says what could not be found instead. Usage: packages.sh LIST...
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
	openjdk-17-jre-headless) command -v java ;;
	maven) command -v mvn ;;
	llvm-14 | libclang-rt-14-dev) true ;;
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

missing=
for package in $(cat "$@" | sed 's/#.*//'); do
	found "$package" || missing="$missing $package"
done
test -n "$missing" || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=$(command -v sudo || true)
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing, by their names in Debian 12; please install what your system calls them:$missing" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ] && [ -z "$as_root" ]; then
	echo "missing packages; as root: apt-get install$missing" >&2
	exit 1
fi
echo "installing:$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
