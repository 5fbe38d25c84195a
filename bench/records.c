/* Records of the benchmarks through Kafka; see records.h. */
#include "bench/records.h"

#include <inttypes.h>
#include <stdio.h>

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
