/* Feeds: beginning and end, what is restated, and sealed messages on their way out; see feeds.h. */
#include "aggregators/rollups/feeds.h"

#include <stdlib.h>
#include <string.h>

#include "aggregators/rollups/feed_cards.h"
#include "aggregators/rollups/feed_rows.h"
#include "aggregators/rollups/feed_state.h"
#include "aggregators/rollups/restated.h"

#define S_US 1000000ll

/* ---- beginning and end ---- */

void
weir_feeds_init(struct weir_partition *p)
{
	WEIR_CHECK(p->feeds == NULL);
	struct weir_feeds *f = p->feeds = weir_calloc(1, sizeof(*f));
	f->watermarks = weir_calloc((size_t)p->opts.partitions + 1, sizeof(*f->watermarks));
	f->epochs = weir_calloc((size_t)p->opts.partitions + 1, sizeof(*f->epochs));
	f->revision = p->opts.epoch; /* which follows the clock: rows of a later owner have later revisions */
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		weir_windows_init(&p->tables.windows[kind]);
}

void
weir_feeds_free(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		weir_windows_free(&p->tables.windows[kind]);
	for (uint32_t i = 0; i < f->text_cap; i++)
		free(f->texts[i]);
	for (uint32_t i = 0; i < f->early_count; i++)
		free(f->early[i].text);
	weir_feed_pairs_free(&f->hours.again);
	weir_feed_pairs_free(&f->days.again);
	weir_feed_pairs_free(&f->hour_rows);
	weir_feed_pairs_free(&f->day_rows);
	weir_buf_free(&f->sealed_bytes);
	weir_buf_free(&f->remembered);
	weir_buf_free(&f->json);
	free(f->hours.sealing.v);
	free(f->days.sealing.v);
	free(f->kept);
	free(f->sealed);
	free(f->watermarks);
	free(f->epochs);
	free(f->waiting);
	free(f->texts);
	free(f->early);
	free(f);
}

/* ---- the watermark ---- */

void
weir_partition_watermark(struct weir_partition *p, int64_t at_us)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	struct weir_feeds *f = p->feeds;
	at_us = (at_us < p->clock.now_us ? at_us : p->clock.now_us) - (int64_t)p->opts.feed_grace_s * S_US;
	if (at_us <= f->watermark_us)
		return;
	f->watermark_us = at_us;
	weir_feeds_begin(p, at_us);
}

int64_t
weir_partition_watermark_us(const struct weir_partition *p)
{
	return p->feeds->watermark_us;
}

int64_t
weir_partition_complete_us(const struct weir_partition *p)
{
	return p->feeds->whole_us;
}

/* ---- sealed messages ---- */

void
weir_feeds_encode(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	if (f->sealed_count == f->given) {
		WEIR_CHECK(f->kept_sealed <= f->kept_count);
		f->sealed_count = f->given = 0;
		f->sealed_bytes.len = 0;
		f->stored = false;
		f->hours.sealing.n = f->days.sealing.n = 0;
		f->kept_count -= f->kept_sealed;
		if (f->kept_sealed > 0)
			memmove(f->kept, f->kept + f->kept_sealed, f->kept_count * sizeof(*f->kept));
		f->kept_sealed = 0;
		f->hours.safe = f->hours.now;
		f->days.safe = f->days.now;
		weir_feeds_seal(p);
	}
	weir_feeds_edge(p);
	weir_feeds_remember(p);
}

void
weir_partition_stored(struct weir_partition *p)
{
	p->feeds->stored = true;
}

bool
weir_feeds_give(struct weir_partition *p, uint32_t max)
{
	struct weir_feeds *f = p->feeds;
	if (!f->stored)
		return false;
	for (; max > 0 && f->given < f->sealed_count; max--, f->given++) {
		const struct weir_outbox_message *message = &f->sealed[f->given];
		const uint8_t *at = f->sealed_bytes.data + message->at;
		char key[WEIR_FEED_KEY_MAX] = "";
		WEIR_CHECK((size_t)message->at + message->key_len + message->value_len <= f->sealed_bytes.len);
		WEIR_CHECK(message->key_len < sizeof(key));
		memcpy(key, at, message->key_len);
		weir_outbox_add(p, (enum weir_outbox_topic)message->topic, message->partition, key, at + message->key_len,
		    message->value_len);
	}
	return f->given < f->sealed_count;
}

static bool
is_behind(const struct weir_feeds *f, const struct weir_feed_source *source)
{
	return source->again.list.n > 0 || source->now.scan.running ||
	       (source->now.published_us != 0 && weir_feeds_quarter(f->watermark_us) > source->now.published_us);
}

bool
weir_partition_feeds_due(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	return f->kept_count > f->kept_sealed || is_behind(f, &f->hours) || is_behind(f, &f->days) ||
	       (!f->placed && f->hours.now.published_us != 0) ||
	       (f->sealed_count > 0 && f->given == f->sealed_count); /* that they were is to be written down */
}

uint32_t
weir_feeds_waiting(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	return f->waiting_count + (f->stored ? f->sealed_count - f->given : 0);
}
