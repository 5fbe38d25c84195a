#!/bin/sh
# Builds the fuzz targets with clang in build-fuzz/ and runs each for an equal share of SECONDS; fails on the first crash.
# New finds that widen coverage go to build-fuzz/found/<target>; crashing inputs to build-fuzz/crash-<target>-*: copy those
# into tests/fuzz/corpus/<target> together with the fix.
#   tests/fuzz/run.sh [SECONDS, default 60; 0 only builds] [target ...]
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- decode fetch mapping reference settings
build=${WEIR_FUZZ_BUILD:-build-fuzz}
compiler() { # the version that the packages name first, else the system's own
	command -v "$1-14" || command -v "$1"
}
cmake -S . -B "$build" -DCMAKE_C_COMPILER="${CC:-$(compiler clang)}" -DCMAKE_CXX_COMPILER="${CXX:-$(compiler clang++)}" -DWEIR_FUZZ=ON \
	-DWEIR_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
for target in "$@"; do
	cmake --build "$build" --target "${target}_fuzz" -j"$(nproc)" >/dev/null
done
[ "$seconds" != 0 ] || exit 0
share=$((seconds / $#))
for target in "$@"; do
	mkdir -p "$build/found/$target"
	echo "fuzzing $target for $share s"
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$build/tests/fuzz/${target}_fuzz" -max_total_time="$share" -max_len=4096 \
		-timeout=10 -print_final_stats=1 -artifact_prefix="$build/crash-$target-" \
		"$build/found/$target" "tests/fuzz/corpus/$target" 2>"$build/$target.log" || {
		tail -40 "$build/$target.log"
		echo "fuzzing $target: failed" >&2
		exit 1
	}
	grep -E 'stat::(number_of_executed_units|peak_rss_mb)' "$build/$target.log"
done
