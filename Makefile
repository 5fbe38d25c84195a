# A thin face of the CMake build; CMakePresets.json has the same builds for editors. Targets that run something install the
# packages they need first (packages.txt, tests/packages.txt).
export CMAKE_GENERATOR ?= $(shell command -v ninja >/dev/null && echo Ninja || echo Unix Makefiles)
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
TESTS_FILTER ?=

SEEDS ?= 10000
FROM ?= 1

.PHONY: all deb packages test-packages test test-long demo bench fuzz sim sim-mutate asan tsan format format-check clean
.PHONY: build-tests build-asan build-tsan
all: packages
	cmake --preset release -DWEIR_TESTS=OFF
	cmake --build --preset release -j $(JOBS)

# build/package/weir_*.deb
deb: all
	cpack --config build/CPackConfig.cmake

packages:
	@./packages.sh packages.txt

test-packages:
	@./packages.sh packages.txt tests/packages.txt

demo: all
	build/weir demo

build-tests: test-packages
	cmake --preset release -DWEIR_TESTS=ON
	cmake --build --preset release -j $(JOBS)

# Everything: units, checks of the source, end to end against Apache Kafka and Redis.
test: build-tests
	ctest --preset release --output-junit $(CURDIR)/build/tests.xml $(if $(TESTS_FILTER),-R '$(TESTS_FILTER)')

# What is too long for each change, in steps that are not run again once they passed (tests/long.py; hours).
test-long: test-packages
	tests/long.py

build-asan: PRESET = asan-ubsan
build-tsan: PRESET = tsan
build-asan build-tsan: test-packages
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) -j $(JOBS)

# The unit tests under the sanitizers. The console's pages run none of our compiled code, the simulator is one thread.
asan: build-asan
	ctest --preset asan-ubsan -LE 'e2e|check|console' $(if $(TESTS_FILTER),-R '$(TESTS_FILTER)')

tsan: build-tsan
	ctest --preset tsan -LE 'e2e|check|console|sim' $(if $(TESTS_FILTER),-R '$(TESTS_FILTER)')

# All fuzz targets, FUZZ_SECONDS between them.
fuzz: test-packages
	tests/fuzz/run.sh $(FUZZ_SECONDS)

# The simulator over SEEDS seeds from FROM on; a seed that fails prints the command that replays it (docs/simulator.md).
sim: test-packages
	cmake --preset release -DWEIR_TESTS=ON
	cmake --build --preset release -j $(JOBS) --target weir_sim
	build/tests/sim/weir_sim --from $(FROM) --seeds $(SEEDS)

# Breaks one rule after the other in a copy of the tree: each must be seen by the simulator.
sim-mutate: test-packages
	tests/sim/mutate.py

bench: test-packages
	cmake --preset release -DWEIR_TESTS=ON
	cmake --build --preset release -j $(JOBS)
	build/weir bench micro
	build/weir bench core
	build/weir bench core --boundary
	build/weir bench fleet

SOURCES = $(shell git ls-files '*.c' '*.h' '*.cpp')
# Versions of clang-format differ in what they make of the same lines: only 14 is asked, under whichever name it goes.
CLANG_FORMAT = $(shell command -v clang-format-14 || { clang-format --version 2>/dev/null | grep -q 'version 14\.' && echo clang-format; })
format: test-packages
	$(or $(CLANG_FORMAT),$(error clang-format 14 is not to be had here)) -i $(SOURCES)

format-check: test-packages
	@$(if $(CLANG_FORMAT),$(CLANG_FORMAT) --dry-run -Werror $(SOURCES),echo "format-check: skipped, clang-format 14 is not to be had here")

clean:
	rm -rf build build-debug build-asan build-tsan build-fuzz
