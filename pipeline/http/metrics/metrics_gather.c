/* Where the figures come from: the run, the API, the log, the kernel. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "pipeline/http/metrics/metrics.h"

static uint64_t
cpu_us(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t
open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;
	if (folder == NULL)
		return 0;
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	(void)closedir(folder);
	return count > 0 ? count - 1 : 0; /* less the folder itself */
}

static uint64_t
resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Field 22 of /proc/self/stat, in ticks since boot; what lies before may hold spaces within its brackets. */
static uint64_t
started_us(void)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "r");
	if (file == NULL)
		return 0;
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[len] = '\0';
	unsigned long long ticks = 0;
	const char *behind = strrchr(text, ')');
	if (behind == NULL ||
	    sscanf(behind, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) !=
		1)
		return 0;
	return (uint64_t)weir_wall_boot().us + ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint32_t
at_most(uint32_t count, uint32_t max)
{
	return count < max ? count : max;
}

static void
gather_run(struct weir_run *run, struct weir_metrics_figures *out)
{
	uint32_t max = weir_run_partition_count(run);
	if (out->partitions == NULL)
		out->partitions = weir_calloc(max > 0 ? max : 1, sizeof(*out->partitions));
	out->topic_partitions = max;
	weir_run_counters_get(run, &out->run);
	out->lane_count = at_most(weir_run_lanes(run, out->lanes, WEIR_METRICS_LANES_MAX), WEIR_METRICS_LANES_MAX);
	out->partition_count = at_most(weir_run_partitions(run, out->partitions, max), max);
	out->carrier_count =
	    at_most(weir_run_carriers(run, out->carriers, WEIR_METRICS_CARRIERS_MAX), WEIR_METRICS_CARRIERS_MAX);
	out->topic_count = weir_run_topics(run, &out->topics);
	out->ready = weir_run_is_ready(run);
}

void
weir_metrics_gather(struct weir_metrics_of of, struct weir_metrics_figures *out)
{
	out->has_run = of.run != NULL;
	out->has_api = of.api != NULL;
	if (out->has_run)
		gather_run(of.run, out);
	if (out->has_api)
		of.api_counters(of.api, &out->api);
	weir_log_counters_get(&out->log);
	if (out->process.started_us == 0)
		out->process.started_us = started_us();
	out->process.cpu_us = cpu_us();
	out->process.open_fds = open_fds();
	out->process.resident_bytes = resident_bytes();
}

void
weir_metrics_figures_free(struct weir_metrics_figures *figures)
{
	free(figures->partitions);
	figures->partitions = NULL;
}
