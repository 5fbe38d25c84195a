/* A row of `weir bench micro`: whether it is wanted, whether there is memory for it, and what it came to; see micro.h. */
#include <inttypes.h>
#include <string.h>

#include "bench/machine.h"
#include "bench/micro.h"

bool
micro_wanted(const struct micro *micro, const char *name)
{
	size_t len = micro->only == NULL ? 0 : strlen(micro->only), shorter = strlen(name);
	return len == 0 || strncmp(name, micro->only, len < shorter ? len : shorter) == 0;
}

void
micro_put(struct micro *micro, const char *name, double *ns, uint32_t count, double bytes, double latency_ns, uint64_t hash)
{
	if (micro->only != NULL && strncmp(name, micro->only, strlen(micro->only)) != 0)
		return;
	report_samples(micro->report, name, "ns", ns, count);
	report_hash(micro->report, name, strlen(name));
	report_hash_u64(micro->report, hash);
	report_cell_text(micro->table, "%s", name);
	report_cell(micro->table, ns[count / 2]);
	report_cell(micro->table, ns[0]);
	report_cell(micro->table, 1e9 / ns[count / 2]);
	if (bytes > 0)
		report_cell(micro->table, bytes * 1e3 / ns[count / 2]);
	else
		report_cell_text(micro->table, "%s", "");
	if (latency_ns > 0)
		report_cell(micro->table, latency_ns);
	else
		report_cell_text(micro->table, "%s", "");
}

bool
micro_too_large(struct micro *micro, const char *name, uint64_t bytes)
{
	uint64_t have = bench_memory_available();
	if (bytes <= have)
		return false;
	report_note(micro->report, "%s is left out: it takes %" PRIu64 " MiB, and %" PRIu64 " MiB are available.", name,
	    bytes >> 20, have >> 20);
	return true;
}
