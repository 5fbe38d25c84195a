/*
 * Idempotency keys: the same key and the same request give the same answer, another request under the key is a conflict.
 *
 * What is kept in Redis under a hash of caller and key: `<fingerprint> <id> <status> <location>\n<body>`, status 0 while
 * the request is under way. A repeat that finds it under way, or finds that it failed, goes on with the same id: requests
 * are absolute, or told apart by that id, so it does not matter which of the two was first, and a client that never got an
 * answer may ask again without harm.
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/http/api/api_priv.h"

#define FINGERPRINT 64

void
weir_api_id_new(char id_out[WEIR_API_ID_TEXT])
{
	uint8_t bytes[(WEIR_API_ID_TEXT - 1) / 2];
	WEIR_CHECK(gnutls_rnd(GNUTLS_RND_NONCE, bytes, sizeof(bytes)) == 0);
	weir_api_hex(bytes, sizeof(bytes), id_out);
}

bool
weir_api_id_is_valid(const char *text)
{
	return strlen(text) == WEIR_API_ID_TEXT - 1 && strspn(text, "0123456789abcdef") == WEIR_API_ID_TEXT - 1;
}

static void
hash_text(const struct weir_buf *text, char out[2 * WEIR_API_HASH + 1])
{
	uint8_t hash[WEIR_API_HASH];
	weir_api_sha256(text->data, text->len, hash);
	weir_api_hex(hash, sizeof(hash), out);
}

/* Of caller and key: two callers' keys are two keys. */
static void
key_name(const struct weir_api_request *request, char out[2 + 2 * WEIR_API_HASH + 1])
{
	struct weir_buf text = {0};
	weir_buf_printf(&text, "%s\n%s", request->caller.name, request->key);
	memcpy(out, "k:", 2);
	hash_text(&text, out + 2);
	weir_buf_free(&text);
}

static void
fingerprint(const struct weir_api_request *request, char out[2 * WEIR_API_HASH + 1])
{
	struct weir_buf text = {0};
	weir_buf_printf(&text, "%s %s", request->route->method, request->route->path);
	for (uint32_t i = 0; i < WEIR_API_SEGMENTS_MAX && request->segments[i] != NULL; i++)
		weir_buf_printf(&text, "\n%s", request->segments[i]);
	weir_buf_append(&text, "\n", 1);
	weir_buf_append(&text, request->body.data, request->body.len);
	hash_text(&text, out);
	weir_buf_free(&text);
}

/* What is stored -> the answer. False when there is no answer yet; id_out is then its id. */
static bool
stored_answer(struct weir_api_request *request, const char *text, char id_out[WEIR_API_ID_TEXT])
{
	unsigned status = 0;
	const char *rest = text + FINGERPRINT + 1;
	const char *body = strchr(rest, '\n');
	if (body == NULL || strlen(rest) < WEIR_API_ID_TEXT + 2)
		return false;
	memcpy(id_out, rest, WEIR_API_ID_TEXT - 1);
	id_out[WEIR_API_ID_TEXT - 1] = '\0';
	char *end;
	status = (unsigned)strtoul(rest + WEIR_API_ID_TEXT, &end, 10);
	if (status == 0)
		return false;
	struct weir_json json = weir_api_json(request, status);
	(void)json;
	(void)snprintf(
	    request->location, sizeof(request->location), "%.*s", (int)(body - end - 1), end + (*end == ' ' ? 1 : 0));
	weir_buf_append(&request->out, body + 1, strlen(body + 1));
	return true;
}

static enum weir_api_key
check_stored(struct weir_api_request *request, const char *print, const struct weir_reply *reply, char *id_out)
{
	if (reply->len <= FINGERPRINT || memcmp(reply->str, print, FINGERPRINT) != 0) {
		weir_api_problem(request, 409, "key-reused", "Idempotency-Key",
		    "Idempotency-Key: this key was used with another request");
		return WEIR_API_KEY_ANSWERED;
	}
	return stored_answer(request, reply->str, id_out) ? WEIR_API_KEY_ANSWERED : WEIR_API_KEY_GO_ON;
}

static enum weir_api_key
redis_is_away(struct weir_api_request *request)
{
	weir_api_problem(request, 503, "storage-away", NULL, "the storage does not answer; try again");
	return WEIR_API_KEY_ANSWERED;
}

static void
kept_seconds(const struct weir_api_request *request, char out[16])
{
	(void)snprintf(out, 16, "%u", request->api->settings->api_kept_h * 3600u);
}

enum weir_api_key
weir_api_key_begin(struct weir_api_request *request, struct weir_api_worker *worker, char id_out[WEIR_API_ID_TEXT])
{
	char name[2 + 2 * WEIR_API_HASH + 1], print[2 * WEIR_API_HASH + 1], seconds[16], value[128];
	struct weir_error err = {0};
	weir_api_id_new(id_out);
	if (request->key[0] == '\0')
		return WEIR_API_KEY_GO_ON;
	key_name(request, name);
	fingerprint(request, print);
	kept_seconds(request, seconds);
	(void)snprintf(value, sizeof(value), "%s %s 0 \n", print, id_out);
	struct weir_reply *reply = weir_api_redis_texts(worker->redis, name, &err, "SET", value, "NX", "EX", seconds, NULL);
	if (reply == NULL)
		return redis_is_away(request);
	bool fresh = reply->type == WEIR_REPLY_STATUS;
	weir_reply_free(reply);
	if (fresh)
		return WEIR_API_KEY_GO_ON;
	reply = weir_api_redis_texts(worker->redis, name, &err, "GET", NULL);
	if (reply == NULL)
		return redis_is_away(request);
	enum weir_api_key answer =
	    reply->type == WEIR_REPLY_STRING ? check_stored(request, print, reply, id_out) : WEIR_API_KEY_GO_ON;
	weir_reply_free(reply);
	return answer;
}

void
weir_api_key_end(struct weir_api_request *request, struct weir_api_worker *worker, const char *id)
{
	char name[2 + 2 * WEIR_API_HASH + 1], print[2 * WEIR_API_HASH + 1], seconds[16];
	struct weir_error err = {0};
	struct weir_buf value = {0};
	if (request->key[0] == '\0')
		return;
	key_name(request, name);
	fingerprint(request, print);
	kept_seconds(request, seconds);
	weir_buf_printf(&value, "%s %s %u %s\n", print, id, request->status, request->location);
	weir_buf_append(&value, request->out.data, request->out.len);
	const struct weir_slice argv[] = {
	    weir_slice_of("SET"), {value.data, value.len}, weir_slice_of("EX"), weir_slice_of(seconds)};
	/* When this fails, a repeat sends the same request under the same id once more, which changes nothing. */
	struct weir_reply *reply = weir_api_redis_query(worker->redis, name, &err, 4, argv);
	weir_reply_free(reply);
	weir_buf_free(&value);
}
