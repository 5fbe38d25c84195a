/* Options that the benchmarks of the whole share; see servers_options.h. */
#include "bench/servers_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "pipeline/redis/client.h"

static bool
number_take(const char *text, size_t len, uint64_t *out)
{
	uint64_t unit = 1, number = 0;
	if (len > 0 && (text[len - 1] == 'k' || text[len - 1] == 'M'))
		unit = text[--len] == 'k' ? 1000 : 1000000;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || number > UINT64_C(1000000000000))
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*out = number * unit;
	return len > 0;
}

enum weir_class
bench_numbers(
    const char *option, const char *text, uint64_t *out, uint32_t max, uint32_t *count_out, struct weir_error *err)
{
	*count_out = 0;
	for (;;) {
		size_t len = strcspn(text, ",");
		if (*count_out == max || !number_take(text, len, &out[*count_out]) || out[*count_out] == 0)
			return weir_error_set(err, WEIR_POISON,
			    "--%s: '%.*s' is none; must be up to %u numbers such as 1,2,4 or 10k,1M", option, (int)len,
			    text, max);
		(*count_out)++;
		if (text[len] == '\0')
			return WEIR_OK;
		text += len + 1;
	}
}

enum weir_class
bench_choices(const char *option, const char *text, const char *const *words, uint64_t *out, uint32_t max,
    uint32_t *count_out, struct weir_error *err)
{
	*count_out = 0;
	for (;;) {
		size_t len = strcspn(text, ","), i = 0;
		while (words[i] != NULL && (strlen(words[i]) != len || strncmp(words[i], text, len) != 0))
			i++;
		if (words[i] == NULL || *count_out == max)
			return weir_error_set(err, WEIR_POISON, "--%s: '%.*s' is none; must be names such as %s,%s", option,
			    (int)len, text, words[0], words[1]);
		out[(*count_out)++] = i;
		if (text[len] == '\0')
			return WEIR_OK;
		text += len + 1;
	}
}

enum weir_class
bench_place_open(const struct bench_place *place, const char *redis_aof, struct bench_site *site, struct weir_error *err)
{
	const struct bench_site_opts opts = {.common = &place->common,
	    .weir = place->weir,
	    .start = place->start,
	    .kafka_home = place->kafka_home,
	    .redis_aof = redis_aof,
	    .partitions = (uint32_t)place->partitions};
	return bench_site_open(&opts, site, err);
}

void
bench_place_report(const struct bench_place *place, struct bench_site *site, struct report *report)
{
	report_config_text(report, "servers", place->start ? "started for this run" : "those of the settings");
	report_config_number(report, "partitions", place->partitions);
	struct weir_reply *reply = WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, NULL, "INFO", "server");
	const char *at = reply != NULL ? strstr(weir_reply_text(reply), "redis_version:") : NULL;
	if (at != NULL) {
		char version[32];
		(void)snprintf(version, sizeof(version), "%.*s", (int)strcspn(at + 14, "\r\n"), at + 14);
		report_version(report, "redis", version);
	}
	weir_reply_free(reply);
	if (site->kafka_pid == 0)
		report_note(report, "The broker's process is not to be seen from here: its CPU time is left out.");
}

void
bench_short(uint64_t number, char out[24])
{
	if (number >= 1000000 && number % 1000000 == 0)
		(void)snprintf(out, 24, "%" PRIu64 "M", number / 1000000);
	else if (number >= 1000 && number % 1000 == 0)
		(void)snprintf(out, 24, "%" PRIu64 "k", number / 1000);
	else
		(void)snprintf(out, 24, "%" PRIu64, number);
}
