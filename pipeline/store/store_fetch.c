/*
 * Reading some strings for the slow path of late records: GET or GETRANGE, pipelined in groups so that the answers of one
 * group are the most that is held. No fence: reading changes nothing. Store thread only.
 */
#include "pipeline/store/store_priv.h"

#define GROUP 128

static void
write_fetch(struct weir_store *store, uint32_t partition, const struct weir_store_fetch *fetch)
{
	struct weir_buf *out = &store->out;
	int key_len = (int)strnlen(fetch->key, sizeof(fetch->key));
	if (fetch->len == 0 && fetch->from == 0) {
		weir_store_command(store, 2);
		weir_resp_text(out, "GET");
		weir_resp_key(out, store->prefix, partition, "%.*s", key_len, fetch->key);
		return;
	}
	weir_store_command(store, 4);
	weir_resp_text(out, "GETRANGE");
	weir_resp_key(out, store->prefix, partition, "%.*s", key_len, fetch->key);
	weir_resp_i64(out, fetch->from);
	weir_resp_i64(out, fetch->len == 0 ? -1 : (int64_t)fetch->from + fetch->len - 1);
}

static enum weir_step
read_value(struct weir_store *store, struct weir_store_request *request, struct weir_store_fetch *fetch)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = weir_store_reply(store, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	fetch->value_out.len = 0;
	if (reply->type == WEIR_REPLY_STRING)
		weir_buf_append(&fetch->value_out, reply->str, reply->len);
	else if (reply->type == WEIR_REPLY_ERROR)
		step = weir_store_refuse(store, request, reply);
	else if (reply->type != WEIR_REPLY_NIL)
		step = weir_store_nonsense(store, "GET", reply);
	weir_reply_free(reply);
	return step;
}

enum weir_step
weir_store_fetch_all(struct weir_store *store, struct weir_store_request *request)
{
	WEIR_CHECK(request->fetch_count == 0 || request->fetches != NULL);
	for (uint32_t first = 0; first < request->fetch_count; first += GROUP) {
		uint32_t left = request->fetch_count - first;
		uint32_t count = left < GROUP ? left : GROUP;
		for (uint32_t i = 0; i < count; i++)
			write_fetch(store, request->partition, &request->fetches[first + i]);
		enum weir_step step = weir_store_send_out(store);
		for (uint32_t i = 0; i < count && step == WEIR_STEP_OK; i++)
			step = read_value(store, request, &request->fetches[first + i]);
		if (step != WEIR_STEP_OK)
			return step;
	}
	weir_store_count(&store->fetches, request->fetch_count);
	request->result = WEIR_STORE_DONE;
	return WEIR_STEP_ANSWERED;
}
