/* Options, clocks and the hash of results; see bench.h. */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include "config/base/exit.h"

bool
bench_accept(const char *what, const char *text, const struct weir_option *options, int argc, char **argv,
    uint32_t words_min, uint32_t words_max, struct weir_words *words_out, int *code_out)
{
	char command[32];
	const struct bench_words *word = bench_words();
	while (word->name != NULL && strcmp(word->name, what) != 0)
		word++;
	(void)snprintf(command, sizeof(command), "bench %s", what);
	const struct weir_usage usage = {
	    .command = command, .arguments = word->name != NULL ? word->arguments : "", .text = text};
	return weir_options_accept(&usage, options, argc, argv, words_min, words_max, words_out, code_out);
}

int
bench_fail(const char *what, enum weir_exit code, const struct weir_error *err)
{
	char command[32];
	(void)snprintf(command, sizeof(command), "bench %s", what);
	return weir_exit_fail(command, code, err);
}

double
bench_cpu_seconds(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

uint64_t
bench_resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (statm == NULL)
		return 0;
	if (fscanf(statm, "%*u %llu", &pages) != 1)
		pages = 0;
	(void)fclose(statm);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
bench_hash(uint64_t hash, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, hash);
}
