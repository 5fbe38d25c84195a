/* What is stored of bulk requests: their fields and their entries; see bulk_priv.h. */
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/http/api/bulk_priv.h"

#define PIECE 32768u /* entries of one write: a mebibyte */

void
weir_bulk_add(struct weir_bulk_entries *entries, struct weir_iccid iccid)
{
	if (entries->n == entries->cap) {
		entries->cap = entries->cap == 0 ? 1024 : entries->cap * 2;
		entries->v = weir_realloc(entries->v, entries->cap * sizeof(*entries->v));
	}
	entries->v[entries->n++] = (struct weir_bulk_entry){.iccid = iccid};
}

bool
weir_bulk_done(struct weir_reply *reply)
{
	weir_reply_free(reply);
	return reply != NULL;
}

bool
weir_bulk_store(struct weir_api_redis *redis, const char *id, const struct weir_bulk_entries *entries, uint32_t first,
    uint32_t count, struct weir_error *err)
{
	char name[64], at[24];
	(void)snprintf(name, sizeof(name), "l:%s", id);
	for (uint32_t from = first; from < first + count; from += PIECE) {
		uint32_t n = first + count - from < PIECE ? first + count - from : PIECE;
		(void)snprintf(at, sizeof(at), "%zu", from * sizeof(*entries->v));
		const struct weir_slice argv[] = {weir_slice_of("SETRANGE"), weir_slice_of(at),
		    {(const uint8_t *)&entries->v[from], n * sizeof(*entries->v)}};
		if (!weir_bulk_done(weir_api_redis_query(redis, name, err, 3, argv)))
			return false;
	}
	return true;
}

bool
weir_bulk_set(struct weir_api_redis *redis, const char *id, struct weir_error *err, ...)
{
	struct weir_slice argv[23] = {weir_slice_of("HSET")};
	uint32_t argc = 1;
	char name[64];
	va_list args;
	(void)snprintf(name, sizeof(name), "b:%s", id);
	va_start(args, err);
	for (const char *text; (text = va_arg(args, const char *)) != NULL && argc < 23;)
		argv[argc++] = weir_slice_of(text);
	va_end(args);
	return weir_bulk_done(weir_api_redis_query(redis, name, err, argc, argv));
}

bool
weir_bulk_keep(struct weir_api_redis *redis, const char *id, const struct weir_settings *settings, struct weir_error *err)
{
	char list[64], hash[64], seconds[16];
	(void)snprintf(list, sizeof(list), "l:%s", id);
	(void)snprintf(hash, sizeof(hash), "b:%s", id);
	(void)snprintf(seconds, sizeof(seconds), "%u", settings->api_kept_h * 3600u);
	return weir_bulk_done(weir_api_redis_texts(redis, list, err, "EXPIRE", seconds, NULL)) &&
	       weir_bulk_done(weir_api_redis_texts(redis, hash, err, "EXPIRE", seconds, NULL));
}
