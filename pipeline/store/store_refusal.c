/*
 * What Redis' error replies mean to a request. Two tables instead of a chain of ifs: which words mean "not now" and
 * which of those say that this node is the wrong one to wait at. Everything not listed is fatal: an unknown refusal of a
 * write must stop a partition loudly, never be retried for ever in silence. Store thread; input from outside, so no
 * asserts.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/store/store_priv.h"

struct refusal {
	const char *word;
	bool reconnect; /* the address may lead to a better node by now */
};

static const struct refusal NOT_NOW[] = {
    {"LOADING", false},
    {"READONLY", true}, /* a demoted master */
    {"MASTERDOWN", true},
    {"OOM", false},
    {"MISCONF", false},
    {"CLUSTERDOWN", true},
    {"TRYAGAIN", false},
    {"ASK", false}, /* a slot on its way: MOVED follows when it has arrived */
    {"BUSY", false},
    {"NOREPLICAS", false},
    {"EXECABORT", false}, /* its cause was told before, at the command that was refused */
    {"ERR max number of clients reached", true},
};

static bool
starts_with_word(const char *text, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	return len >= word_len && memcmp(text, word, word_len) == 0 && (len == word_len || text[word_len] == ' ');
}

/* "MOVED 3999 127.0.0.1:6381" -> store->moved_to */
static bool
read_moved(struct weir_store *store, const char *text, size_t len)
{
	if (!starts_with_word(text, len, "MOVED"))
		return false;
	const char *space = memrchr(text, ' ', len);
	size_t node_len = len - (size_t)(space + 1 - text);
	if (space < text + 6 || node_len == 0 || node_len >= sizeof(store->moved_to))
		return false;
	memcpy(store->moved_to, space + 1, node_len);
	store->moved_to[node_len] = '\0';
	return true;
}

enum weir_step
weir_store_refuse(struct weir_store *store, struct weir_store_request *request, const redisReply *error)
{
	weir_store_count(&store->refusals, 1);
	(void)weir_error_set(&store->why, WEIR_RETRY, "Redis refuses: %.300s", error->str);
	if (read_moved(store, error->str, error->len))
		return WEIR_STEP_MOVED;
	for (size_t i = 0; i < sizeof(NOT_NOW) / sizeof(NOT_NOW[0]); i++) {
		if (!starts_with_word(error->str, error->len, NOT_NOW[i].word))
			continue;
		store->why_reconnect = NOT_NOW[i].reconnect;
		return WEIR_STEP_LATER;
	}
	return weir_store_fail(
	    request, WEIR_FATAL, "Redis refuses partition %u for good: %.300s", request->partition, error->str);
}

enum weir_step
weir_store_fail(struct weir_store_request *request, enum weir_class class, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	request->error.class = class;
	(void)vsnprintf(request->error.text, sizeof(request->error.text), fmt, args);
	va_end(args);
	request->result = WEIR_STORE_FAILED;
	return WEIR_STEP_ANSWERED;
}

enum weir_step
weir_store_nonsense(struct weir_store *store, const char *command, const redisReply *reply)
{
	(void)weir_error_set(
	    &store->why, WEIR_RETRY, "the answer to %s has type %d, which no Redis gives", command, reply->type);
	return WEIR_STEP_LOST;
}
