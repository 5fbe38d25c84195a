#!/bin/sh
# Runs the console's tests in Debian's Chromium. What npm provides is installed once, outside the source tree, as
# package-lock.json says; without npm, Node.js, Chromium or a registry the test is skipped (77) and says why.
# Usage: run.sh [node --test options]; WEIR_SCREENSHOTS = directory for the screenshots, WEIR_CONSOLE_TESTS = other files.
set -eu
cd "$(dirname "$0")"

skip() {
	echo "skipped: $*"
	exit 77
}

for program in node npm chromium; do
	command -v $program >/dev/null || skip "$program is not installed"
done
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir-tests/console-$(sha256sum package-lock.json | cut -c1-16)
if [ ! -d "$cache/node_modules" ]; then
	mkdir -p "$(dirname "$cache")"
	fresh=$(mktemp -d "$cache.XXXXXX")
	cp package.json package-lock.json "$fresh"
	if ! npm ci --prefix "$fresh" --ignore-scripts --no-audit --no-fund >"$fresh/npm.log" 2>&1; then
		why=$(grep -m 1 'npm.* error\|ERR!' "$fresh/npm.log" || true)
		rm -rf "$fresh"
		skip "npm could not install the test packages: $why"
	fi
	mv -T "$fresh" "$cache" 2>/dev/null || rm -rf "$fresh" # another run was faster
fi
export WEIR_CONSOLE_MODULES="$cache"
# shellcheck disable=SC2086
exec node --test "$@" ${WEIR_CONSOLE_TESTS:-format.test.mjs pages.test.mjs}
