/*
 * Reading a partition into the lane's sink: header, names, reference data, pages, fresh hours' dedupe keys, intents. Pages
 * come in pieces of 2 MiB and dedupe keys in quarters of an hour's 256 strings, so that neither Redis nor weir holds a
 * whole partition as one answer. Plain reads after the epoch was raised: nobody else's flush can pass the fence, and
 * store_take.c looks at the epoch again at the end. Store thread only; what a key holds is the sink's to judge.
 */
#include <string.h>

#include "pipeline/store/store_priv.h"

#define PAGES_A_PIECE (2 * 1024 * 1024 / WEIR_SLAB_PAGE_BYTES)
#define BUCKETS 256
#define BUCKETS_A_PIECE 64
#define HOUR_US INT64_C(3600000000)

#define SLOT_SIZE(number, member, tag, type, field) [number] = sizeof(type),
static const uint32_t SLOT_BYTES[WEIR_SLABS] = {WEIR_SLAB_LIST(SLOT_SIZE)};
#undef SLOT_SIZE

static enum weir_step
poisoned(struct weir_store *store, struct weir_store_request *request, const char *what)
{
	return weir_store_fail(
	    request, WEIR_POISON, "%s:{%u}:%s holds what this weir cannot read", store->prefix, request->partition, what);
}

/* One command on one key of the partition, answered by an array. */
static enum weir_step
ask_array(struct weir_store *store, struct weir_store_request *request, const char *command, const char *name,
    const char *from, const char *to, struct weir_reply **reply_out)
{
	struct weir_buf *out = &store->out;
	weir_store_command(store, from != NULL ? 4 : 2);
	weir_resp_text(out, command);
	weir_resp_key(out, store->prefix, request->partition, "%s", name);
	if (from != NULL) {
		weir_resp_text(out, from);
		weir_resp_text(out, to);
	}
	return weir_store_ask_for(store, request, WEIR_REPLY_ARRAY, reply_out);
}

static struct weir_slice
slice_of(const struct weir_reply *reply)
{
	return (struct weir_slice){(const uint8_t *)reply->str, reply->len};
}

/* All elements are strings. */
static bool
all_strings(const struct weir_reply *reply)
{
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != WEIR_REPLY_STRING)
			return false;
	return true;
}

static enum weir_step
load_names(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = ask_array(store, request, "LRANGE", "n", "0", "-1", &reply);
	if (step != WEIR_STEP_OK)
		return step;
	bool good = all_strings(reply);
	for (size_t i = 0; i < reply->elements && good; i++)
		good = request->sink.name(request->sink.ctx, (uint32_t)i, slice_of(reply->element[i]));
	weir_reply_free(reply);
	return good ? WEIR_STEP_OK : poisoned(store, request, "n");
}

static enum weir_step
load_reference(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = ask_array(store, request, "HGETALL", "r", NULL, NULL, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	bool good = all_strings(reply) && reply->elements % 2 == 0;
	for (size_t i = 0; i + 1 < reply->elements && good; i += 2)
		good = request->sink.reference(
		    request->sink.ctx, slice_of(reply->element[i]), slice_of(reply->element[i + 1]));
	weir_reply_free(reply);
	return good ? WEIR_STEP_OK : poisoned(store, request, "r");
}

static bool
give_intent(struct weir_store_request *request, const struct weir_reply *field, const struct weir_reply *value)
{
	struct weir_iccid iccid;
	uint64_t token = 0, desired = 0;
	const char *colon = memchr(field->str, ':', field->len);
	if (colon == NULL)
		return false;
	size_t len = (size_t)(colon - field->str);
	return weir_iccid_parse((const uint8_t *)field->str, len, &iccid) &&
	       weir_parse_u64(colon + 1, field->len - len - 1, &token) &&
	       weir_parse_u64(value->str, value->len, &desired) && desired <= UINT8_MAX &&
	       request->sink.intent(request->sink.ctx, iccid, token, (uint8_t)desired);
}

static enum weir_step
load_intents(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = ask_array(store, request, "HGETALL", "i", NULL, NULL, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	bool good = all_strings(reply) && reply->elements % 2 == 0;
	for (size_t i = 0; i + 1 < reply->elements && good; i += 2)
		good = give_intent(request, reply->element[i], reply->element[i + 1]);
	weir_reply_free(reply);
	return good ? WEIR_STEP_OK : poisoned(store, request, "i");
}

/* Sends the MGET in store->out and checks the shape of its answer. */
static enum weir_step
ask_strings(struct weir_store *store, struct weir_store_request *request, uint32_t expected, struct weir_reply **reply_out)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = weir_store_ask_for(store, request, WEIR_REPLY_ARRAY, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	bool good = reply->elements == expected;
	for (size_t i = 0; i < reply->elements && good; i++)
		good = reply->element[i]->type == WEIR_REPLY_STRING || reply->element[i]->type == WEIR_REPLY_NIL;
	if (!good) {
		step = weir_store_nonsense(store, "MGET", reply);
		weir_reply_free(reply);
		return step;
	}
	*reply_out = reply;
	return WEIR_STEP_OK;
}

static enum weir_step
load_pages_piece(
    struct weir_store *store, struct weir_store_request *request, enum weir_slab_kind slab, uint32_t first, uint32_t count)
{
	char tag = WEIR_SLAB_TAGS[slab];
	weir_store_command(store, 1 + count);
	weir_resp_text(&store->out, "MGET");
	for (uint32_t i = 0; i < count; i++)
		weir_resp_key(&store->out, store->prefix, request->partition, "%c:%u", tag, first + i);
	struct weir_reply *reply = NULL;
	enum weir_step step = ask_strings(store, request, count, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	for (uint32_t i = 0; i < count && step == WEIR_STEP_OK; i++) {
		if (reply->element[i]->type == WEIR_REPLY_NIL)
			continue;
		if (!request->sink.page(request->sink.ctx, slab, first + i, slice_of(reply->element[i]))) {
			char name[24];
			(void)snprintf(name, sizeof(name), "%c:%u", tag, first + i);
			step = poisoned(store, request, name);
		}
	}
	weir_reply_free(reply);
	return step;
}

static enum weir_step
load_slab(struct weir_store *store, struct weir_store_request *request, enum weir_slab_kind slab)
{
	uint64_t slots_a_page = WEIR_SLAB_PAGE_BYTES / SLOT_BYTES[slab];
	uint32_t pages = (uint32_t)((request->header.slots[slab] + slots_a_page - 1) / slots_a_page);
	for (uint32_t first = 0; first < pages; first += PAGES_A_PIECE) {
		uint32_t count = pages - first < PAGES_A_PIECE ? pages - first : PAGES_A_PIECE;
		enum weir_step step = load_pages_piece(store, request, slab, first, count);
		if (step != WEIR_STEP_OK)
			return step;
	}
	return WEIR_STEP_OK;
}

static enum weir_step
load_dedupe_keys_piece(struct weir_store *store, struct weir_store_request *request, int64_t hour, uint32_t first)
{
	weir_store_command(store, 1 + BUCKETS_A_PIECE);
	weir_resp_text(&store->out, "MGET");
	for (uint32_t i = 0; i < BUCKETS_A_PIECE; i++)
		weir_resp_key(&store->out, store->prefix, request->partition, "m:%lld:%u", (long long)hour, first + i);
	struct weir_reply *reply = NULL;
	enum weir_step step = ask_strings(store, request, BUCKETS_A_PIECE, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	for (uint32_t i = 0; i < BUCKETS_A_PIECE && step == WEIR_STEP_OK; i++) {
		if (reply->element[i]->type == WEIR_REPLY_NIL)
			continue;
		if (!request->sink.dedupe_keys(request->sink.ctx, hour, first + i, slice_of(reply->element[i]))) {
			char name[40];
			(void)snprintf(name, sizeof(name), "m:%lld:%u", (long long)hour, first + i);
			step = poisoned(store, request, name);
		}
	}
	weir_reply_free(reply);
	return step;
}

/* Hours (stream hour - fresh_hours) .. stream hour + 1: records may be a little ahead of stream time. */
static enum weir_step
load_dedupe_keys(struct weir_store *store, struct weir_store_request *request)
{
	if (!request->header.exists)
		return WEIR_STEP_OK;
	int64_t stream_hour = request->header.stream_time_us / HOUR_US;
	for (int64_t hour = stream_hour - request->fresh_hours; hour <= stream_hour + 1; hour++) {
		for (uint32_t first = 0; first < BUCKETS; first += BUCKETS_A_PIECE) {
			enum weir_step step = load_dedupe_keys_piece(store, request, hour, first);
			if (step != WEIR_STEP_OK)
				return step;
		}
	}
	return WEIR_STEP_OK;
}

enum weir_step
weir_store_load(struct weir_store *store, struct weir_store_request *request)
{
	if (!request->sink.begin(request->sink.ctx, &request->header))
		return poisoned(store, request, "h");
	enum weir_step step = load_names(store, request);
	if (step == WEIR_STEP_OK)
		step = load_reference(store, request);
	for (uint32_t slab = 0; slab < WEIR_SLABS && step == WEIR_STEP_OK; slab++)
		step = load_slab(store, request, (enum weir_slab_kind)slab);
	if (step == WEIR_STEP_OK)
		step = load_dedupe_keys(store, request);
	if (step == WEIR_STEP_OK)
		step = load_intents(store, request);
	return step;
}
