/* The words of Redis' error replies and their meaning; see refusal.h. */
#include "pipeline/redis/refusal.h"

#include <string.h>

static const struct {
	const char *word;
	enum weir_refusal meaning;
} WORDS[] = {
    {"MOVED", WEIR_REFUSAL_MOVED}, {"ASK", WEIR_REFUSAL_ASK}, {"LOADING", WEIR_REFUSAL_LATER},
    {"READONLY", WEIR_REFUSAL_ELSEWHERE}, /* a demoted master */
    {"MASTERDOWN", WEIR_REFUSAL_ELSEWHERE}, {"CLUSTERDOWN", WEIR_REFUSAL_ELSEWHERE},
    {"ERR max number of clients", WEIR_REFUSAL_ELSEWHERE}, {"OOM", WEIR_REFUSAL_LATER}, {"MISCONF", WEIR_REFUSAL_LATER},
    {"TRYAGAIN", WEIR_REFUSAL_LATER}, /* some keys of one command have moved, others have not */
    {"BUSY", WEIR_REFUSAL_LATER}, {"NOREPLICAS", WEIR_REFUSAL_LATER},
    {"EXECABORT", WEIR_REFUSAL_LATER}, /* its cause was told before, at the command that was refused */
};

bool
weir_refusal_says(const struct weir_reply *error, const char *word)
{
	size_t len = strlen(word);
	return error->type == WEIR_REPLY_ERROR && error->len >= len && memcmp(error->str, word, len) == 0 &&
	       (error->len == len || error->str[len] == ' ');
}

/* "MOVED 3999 127.0.0.1:6381" without its last word says nothing. */
static bool
names_a_node(const struct weir_reply *moved)
{
	const char *space = strrchr(moved->str, ' ');
	return space != NULL && space > moved->str + strlen("MOVED") && space[1] != '\0';
}

enum weir_refusal
weir_refusal_of(const struct weir_reply *reply)
{
	if (reply->type != WEIR_REPLY_ERROR)
		return WEIR_REFUSAL_NONE;
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (weir_refusal_says(reply, WORDS[i].word))
			return WORDS[i].meaning == WEIR_REFUSAL_MOVED && !names_a_node(reply) ? WEIR_REFUSAL_FINAL
											      : WORDS[i].meaning;
	return WEIR_REFUSAL_FINAL;
}
