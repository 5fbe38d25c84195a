/*
 * Cards by tag: what people wrote of cards lies in one hash a partition (`x`), which is scanned by HSCAN: its size is that
 * of the tagged cards, not of the fleet.
 *
 * A scan's batch may hold more than a page takes. The cursor then names the batch and the last card listed of it; batches
 * are listed in order of ICCIDs, so that the rest of it can be found again.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define SCANS_A_CALL 64u
#define SCAN_COUNT "512"
#define FIELD "tags:"

static int
iccid_order(const void *a, const void *b)
{
	const struct weir_iccid *x = a, *y = b;
	return weir_iccid_order(*x, *y);
}

static bool
json_has_tag(const struct weir_reply *value, const char *tag)
{
	/* Most are told apart without parsing; a tag that needs an escape in JSON is not. */
	bool plain = true;
	for (const char *at = tag; *at != '\0'; at++)
		plain &= *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\' && *at != '/';
	if (plain && strstr(value->str, tag) == NULL && strstr(value->str, "\\u") == NULL)
		return false;
	json_t *json = json_loadb(value->str, (size_t)value->len, 0, NULL);
	json_t *tags = json_object_get(json, "tags");
	bool found = false;
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const json_t *one = json_array_get(tags, i);
		found |= json_is_string(one) && strcmp(json_string_value(one), tag) == 0;
	}
	json_decref(json);
	return found;
}

struct batch {
	struct weir_iccid *iccids; /* sorted */
	uint32_t count;
	uint64_t next; /* HSCAN's cursor */
};

/* A cursor of HSCAN, [cursor, [field, value, ...]]. */
static bool
take_scan(struct search *search, const struct weir_reply *reply, struct batch *batch)
{
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != WEIR_REPLY_STRING ||
	    reply->element[1]->type != WEIR_REPLY_ARRAY)
		return false;
	const struct weir_reply *list = reply->element[1];
	batch->next = strtoull(reply->element[0]->str, NULL, 10);
	batch->iccids = arena_take(&search->reader->arena, list->elements / 2 + 1, sizeof(*batch->iccids));
	for (size_t i = 0; i + 1 < list->elements; i += 2) {
		const struct weir_reply *field = list->element[i], *value = list->element[i + 1];
		if (field->type != WEIR_REPLY_STRING || value->type != WEIR_REPLY_STRING ||
		    strncmp(field->str, FIELD, sizeof(FIELD) - 1) != 0)
			continue;
		search->examined++;
		const char *text = field->str + sizeof(FIELD) - 1;
		if (weir_iccid_parse((const uint8_t *)text, strlen(text), &batch->iccids[batch->count]) &&
		    json_has_tag(value, search->query->tag))
			batch->count++;
	}
	qsort(batch->iccids, batch->count, sizeof(*batch->iccids), iccid_order);
	return true;
}

static enum weir_read
scan_tags(struct search *search, struct batch *batch, struct weir_error *err)
{
	struct weir_reader *reader = search->reader;
	struct weir_buf *out;
	char cursor[24];
	*batch = (struct batch){0};
	(void)snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)search->at.a);
	query_clear(reader);
	uint32_t command = query_begin(reader, search->at.partition, 7, &out);
	weir_resp_text(out, "HSCAN");
	weir_resp_key(out, reader->prefix, search->at.partition, "x");
	weir_resp_text(out, cursor);
	weir_resp_text(out, "MATCH");
	weir_resp_text(out, FIELD "*");
	weir_resp_text(out, "COUNT");
	weir_resp_text(out, SCAN_COUNT);
	enum weir_read answer = query_send(reader, err);
	if (answer == WEIR_READ_OK && !take_scan(search, query_reply(reader, command), batch))
		answer =
		    read_fail(err, WEIR_READ_BROKEN, "%s:{%u}:x in Redis is no hash", reader->prefix, search->at.partition);
	return answer;
}

/* Cards of the batch after the last one listed; the cursor moves on when all of them fit. */
static void
take_batch(struct search *search, const struct batch *batch)
{
	struct weir_iccid listed = {search->at.b, search->at.c};
	for (uint32_t i = 0; i < batch->count; i++) {
		if (!weir_iccid_is_zero(listed) && iccid_order(&batch->iccids[i], &listed) <= 0)
			continue;
		if (search->count == search->max)
			return;
		search_push(search, search->at.partition, 0, batch->iccids[i]);
		search->cards[search->count - 1].found = false; /* to be located */
		search->at.b = batch->iccids[i].hi;
		search->at.c = batch->iccids[i].lo;
	}
	search->at = batch->next != 0 ? (struct cursor){.partition = search->at.partition, .a = batch->next}
				      : (struct cursor){.partition = search->at.partition + 1};
}

enum weir_read
search_tagged(struct search *search, struct weir_error *err)
{
	enum weir_read answer = WEIR_READ_OK;
	for (uint32_t scans = 0; scans < SCANS_A_CALL && search->count < search->max && answer == WEIR_READ_OK; scans++) {
		struct batch batch;
		if (search->at.partition >= search->reader->partitions)
			break;
		answer = scan_tags(search, &batch, err);
		if (answer == WEIR_READ_OK)
			take_batch(search, &batch);
	}
	search->done = search->at.partition >= search->reader->partitions;
	return answer == WEIR_READ_OK ? cards_locate(search->reader, search->cards, search->count, err) : answer;
}
