/*
 * Messages of weir.partials: usage reports of pools by their sources, hours of theirs, and how far a source has told them.
 * Bytes from a topic are input: what cannot be is refused.
 */
#include <string.h>

#include "aggregators/apply/apply.h"
#include "aggregators/pools/shares.h"
#include "aggregators/rollups/feed_pools.h"

static enum weir_class
read_partial(const struct weir_partition *p, struct weir_slice value, struct weir_partial *out, struct weir_error *err)
{
	if (value.len != sizeof(*out))
		return weir_error_set(
		    err, WEIR_POISON, "a partial is %zu bytes long, this one %zu", sizeof(*out), value.len);
	memcpy(out, value.data, sizeof(*out));
	if (memcmp(out->magic, "WPA1", sizeof(out->magic)) != 0)
		return weir_error_set(err, WEIR_POISON, "no partial: it does not begin with WPA1");
	if (!weir_is_text_of_id(out->pool))
		return weir_error_set(err, WEIR_POISON, "a partial without a pool's id");
	if (out->source >= p->opts.partitions)
		return weir_error_set(
		    err, WEIR_POISON, "a partial of partition %u, but there are %u", out->source, p->opts.partitions);
	if (out->active > out->members)
		return weir_error_set(
		    err, WEIR_POISON, "a partial of %u activated members, but %u members", out->active, out->members);
	return WEIR_OK;
}

enum weir_class
weir_partition_partial(struct weir_partition *p, struct weir_slice value, int64_t arrived_us, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	struct weir_partial_window window;
	struct weir_partial_mark mark;
	struct weir_partial partial;
	if (value.len == sizeof(window) && memcmp(value.data, "WPH1", sizeof(window.magic)) == 0) {
		memcpy(&window, value.data, sizeof(window));
		return weir_feeds_window(p, &window, err);
	}
	if (value.len == sizeof(mark) &&
	    (memcmp(value.data, "WPM1", sizeof(mark.magic)) == 0 || memcmp(value.data, "WPB1", sizeof(mark.magic)) == 0)) {
		memcpy(&mark, value.data, sizeof(mark));
		return weir_feeds_mark(p, &mark, err);
	}
	enum weir_class class = read_partial(p, value, &partial, err);
	if (class != WEIR_OK)
		return class;
	(void)weir_feeds_is_of_owner(p, partial.source, partial.epoch);
	weir_share_take(p, &partial, arrived_us);
	return WEIR_OK;
}
