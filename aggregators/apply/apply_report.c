/*
 * Messages of weir.partials: usage reports of pools by their sources, hours of theirs, and how far a source has published
 * them. Bytes from a topic are input: what cannot be is refused.
 */
#include <string.h>

#include "aggregators/apply/apply.h"
#include "aggregators/pools/pool_sources.h"
#include "aggregators/rollups/feed_pools.h"

static enum weir_class
read_report(const struct weir_partition *p, struct weir_slice value, struct weir_usage_report *out, struct weir_error *err)
{
	if (value.len != sizeof(*out))
		return weir_error_set(
		    err, WEIR_POISON, "a usage report is %zu bytes long, this one %zu", sizeof(*out), value.len);
	memcpy(out, value.data, sizeof(*out));
	if (memcmp(out->magic, "WPA1", sizeof(out->magic)) != 0)
		return weir_error_set(err, WEIR_POISON, "no usage report: it does not begin with WPA1");
	if (!weir_is_text_of_id(out->pool))
		return weir_error_set(err, WEIR_POISON, "a usage report without a pool's id");
	if (out->source >= p->opts.partitions)
		return weir_error_set(
		    err, WEIR_POISON, "a usage report of partition %u, but there are %u", out->source, p->opts.partitions);
	if (out->active > out->members)
		return weir_error_set(
		    err, WEIR_POISON, "a usage report of %u activated members, but %u members", out->active, out->members);
	return WEIR_OK;
}

enum weir_class
weir_partition_apply_report(struct weir_partition *p, struct weir_slice value, int64_t arrived_us, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	struct weir_usage_report_hour window;
	struct weir_source_watermark watermark;
	struct weir_usage_report report;
	if (value.len == sizeof(window) && memcmp(value.data, "WPH1", sizeof(window.magic)) == 0) {
		memcpy(&window, value.data, sizeof(window));
		return weir_feeds_window(p, &window, err);
	}
	if (value.len == sizeof(watermark) && (memcmp(value.data, "WPM1", sizeof(watermark.magic)) == 0 ||
						  memcmp(value.data, "WPB1", sizeof(watermark.magic)) == 0)) {
		memcpy(&watermark, value.data, sizeof(watermark));
		return weir_feeds_watermark_of_source(p, &watermark, err);
	}
	enum weir_class class = read_report(p, value, &report, err);
	if (class != WEIR_OK)
		return class;
	(void)weir_feeds_is_of_owner(p, report.source, report.epoch);
	weir_pool_source_take(p, &report, arrived_us);
	return WEIR_OK;
}
