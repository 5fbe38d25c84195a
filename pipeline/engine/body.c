/*
 * What changed in a partition, as Redis commands: the body of a flush. See body.h.
 */
#include "pipeline/engine/body.h"

#include "pipeline/engine/intents.h"
#include "pipeline/redis/resp.h"

static void
write_page(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "SET");
	weir_resp_key(w->bytes, w->prefix, w->partition, "%c:%u", slab, page);
	weir_resp_bulk(w->bytes, data, len);
	w->commands++;
}

static void
write_setrange(struct weir_body *w, uint32_t offset, const uint8_t *data, uint32_t len)
{
	weir_resp_i64(w->bytes, offset);
	weir_resp_bulk(w->bytes, data, len);
	w->commands++;
}

static void
write_range(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 4);
	weir_resp_text(w->bytes, "SETRANGE");
	weir_resp_key(w->bytes, w->prefix, w->partition, "%c:%u", slab, page);
	write_setrange(w, offset, data, len);
}

static void
write_closed_cycle(void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 4);
	weir_resp_text(w->bytes, "SETRANGE");
	weir_resp_key(w->bytes, w->prefix, w->partition, "%c:%u:%u", tag, cycle, page);
	write_setrange(w, offset, data, len);
}

static uint8_t *
write_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "APPEND");
	weir_resp_key(w->bytes, w->prefix, w->partition, "m:%lld:%u", (long long)hour, bucket);
	w->commands++;
	return weir_resp_reserve(w->bytes, len);
}

static uint8_t *
write_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "APPEND");
	weir_resp_key(w->bytes, w->prefix, w->partition, "d:%u", bucket);
	w->commands++;
	return weir_resp_reserve(w->bytes, len);
}

static void
write_name(void *ctx, struct weir_slice name)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "RPUSH");
	weir_resp_key(w->bytes, w->prefix, w->partition, "n");
	weir_resp_bulk(w->bytes, name.data, name.len);
	w->commands++;
}

/* Kinds that the core needs when it loads; the rest (one field a card: tags) is for readers and lies apart. */
static bool
is_loaded(struct weir_slice field)
{
	static const char *const kinds[] = {"carrier:", "plan:", "alerts:", "pool:", "guard:", "children:", "feeds:"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (field.len >= strlen(kinds[i]) && memcmp(field.data, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

static void
write_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 4);
	weir_resp_text(w->bytes, "HSET");
	weir_resp_key(w->bytes, w->prefix, w->partition, is_loaded(field) ? "r" : "x");
	weir_resp_bulk(w->bytes, field.data, field.len);
	weir_resp_bulk(w->bytes, json.data, json.len);
	w->commands++;
}

static void
write_intent_done(void *ctx, const struct weir_unconfirmed_card *intent)
{
	struct weir_body *w = ctx;
	char field[WEIR_INTENT_FIELD_MAX];
	weir_intent_field(intent->iccid, intent->token, field);
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "HDEL");
	weir_resp_key(w->bytes, w->prefix, w->partition, "i");
	weir_resp_text(w->bytes, field);
	w->commands++;
}

static uint8_t *
write_window(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len)
{
	struct weir_body *w = ctx;
	weir_resp_command(w->bytes, 3);
	weir_resp_text(w->bytes, "APPEND");
	weir_resp_key(w->bytes, w->prefix, w->partition, "%s:%d:%u", weir_window_tags(kind), window, page);
	w->commands++;
	return weir_resp_reserve(w->bytes, len);
}

struct weir_writer
weir_body_writer(struct weir_body *body)
{
	return (struct weir_writer){body, write_page, write_range, write_closed_cycle, write_dedupe_keys, write_directory,
	    write_name, write_reference, write_intent_done, write_window};
}
