/* Records, randomness and clocks of the benchmarks; see records.h. */
#include "bench/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

int64_t
bench_now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
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
bench_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void
bench_iccid(uint64_t card, char out[32])
{
	(void)snprintf(out, 32, "8986%016" PRIu64, card);
}

int
bench_record(char *out, size_t cap, const char *iccid, uint64_t n, uint64_t random, time_t end_s, bool by_sequence)
{
	char end[32], start[32];
	struct tm tm;
	time_t start_s = end_s - 300;
	(void)gmtime_r(&end_s, &tm);
	(void)strftime(end, sizeof(end), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	(void)gmtime_r(&start_s, &tm);
	(void)strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	char id[64] = "";
	if (!by_sequence)
		(void)snprintf(id, sizeof(id), "\"id\":\"01K%023" PRIu64 "\",", n);
	return snprintf(out, cap,
	    "{%s\"iccid\":\"%s\",\"session\":\"d0-%s\",\"start\":\"%s\",\"end\":\"%s\",\"up\":%u,\"down\":%u,\"imei\":"
	    "\"860000000000001\","
	    "\"apn\":\"cmiot\",\"rat\":\"LTE\",\"plmn\":\"46000\",\"event\":\"update\",\"seq\":%" PRIu64 "}",
	    id, iccid, iccid + 8, start, end, (unsigned)(random & 0xffff), (unsigned)(random >> 16 & 0xfffff), n);
}
