/*
 * Replies as this project's own trees, made by hiredis' parser as it reads. A node and its bytes, or its row of elements,
 * are one allocation; hiredis' own replies take two. An array's announced length is input: hiredis 0.14 would allocate
 * whatever a babbling server announces, so lengths beyond ELEMENTS_MAX are refused, which ends the connection.
 */
#include "pipeline/redis/reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/redis/connection_priv.h"

#define ELEMENTS_MAX (1 << 24)

#if HIREDIS_MAJOR >= 1
typedef size_t array_length;
#else
typedef int array_length;
#endif

/* Of a task that brings text. hiredis leaves the announced type in the task of a nil, which has no text. */
static enum weir_reply_type
text_type(const redisReadTask *task)
{
	switch (task->type) {
	case REDIS_REPLY_STRING:
		return WEIR_REPLY_STRING;
	case REDIS_REPLY_STATUS:
		return WEIR_REPLY_STATUS;
	case REDIS_REPLY_ERROR:
		return WEIR_REPLY_ERROR;
	default:
		return WEIR_REPLY_OTHER;
	}
}

/* A node with `extra` bytes behind it, hung into the array that is being read, if one is. */
static struct weir_reply *
node_new(const redisReadTask *task, enum weir_reply_type type, size_t extra)
{
	struct weir_reply *reply = malloc(sizeof(*reply) + extra);
	if (reply == NULL)
		return NULL; /* hiredis says "out of memory", and the connection ends */
	*reply = (struct weir_reply){.type = type};
	if (task->parent != NULL) {
		struct weir_reply *array = task->parent->obj;
		WEIR_CHECK(array->element != NULL && (size_t)task->idx < array->elements);
		array->element[task->idx] = reply;
	}
	return reply;
}

static void *
create_string(const redisReadTask *task, char *text, size_t len)
{
	struct weir_reply *reply = node_new(task, text_type(task), len + 1);
	if (reply == NULL)
		return NULL;
	char *str = (char *)(reply + 1);
	memcpy(str, text, len);
	str[len] = '\0';
	reply->str = str;
	reply->len = len;
	return reply;
}

static void *
create_array(const redisReadTask *task, array_length elements)
{
	if (elements > ELEMENTS_MAX)
		return NULL;
	size_t row_bytes = (size_t)elements * sizeof(struct weir_reply *);
	struct weir_reply *reply =
	    node_new(task, task->type == REDIS_REPLY_ARRAY ? WEIR_REPLY_ARRAY : WEIR_REPLY_OTHER, row_bytes);
	if (reply == NULL)
		return NULL;
	reply->element = (struct weir_reply **)(reply + 1);
	reply->elements = (size_t)elements;
	memset((void *)reply->element, 0, row_bytes);
	return reply;
}

static void *
create_integer(const redisReadTask *task, long long number)
{
	struct weir_reply *reply = node_new(task, WEIR_REPLY_INTEGER, 0);
	if (reply != NULL)
		reply->integer = number;
	return reply;
}

static void *
create_nil(const redisReadTask *task)
{
	return node_new(task, WEIR_REPLY_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
static void *
create_double(const redisReadTask *task, double number, char *text, size_t len)
{
	(void)number;
	(void)text;
	(void)len;
	return node_new(task, WEIR_REPLY_OTHER, 0);
}

static void *
create_bool(const redisReadTask *task, int truth)
{
	(void)truth;
	return node_new(task, WEIR_REPLY_OTHER, 0);
}
#endif

static void
free_object(void *reply)
{
	weir_reply_free(reply);
}

static const redisReplyObjectFunctions FUNCTIONS = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .createNil = create_nil,
    .freeObject = free_object,
};

void
weir_reply_functions_set(struct redisReader *reader)
{
	WEIR_CHECK(reader->reply == NULL); /* nothing may have been parsed with the other functions */
	reader->fn = (redisReplyObjectFunctions *)(uintptr_t)&FUNCTIONS; /* hiredis 0.14 lacks the const; it only calls */
}

void
weir_reply_free(struct weir_reply *reply)
{
	if (reply == NULL)
		return;
	for (size_t i = 0; i < reply->elements; i++)
		weir_reply_free(reply->element[i]);
	free(reply);
}

struct weir_slice
weir_reply_bytes(const struct weir_reply *reply)
{
	if (reply->type != WEIR_REPLY_STRING)
		return (struct weir_slice){(const uint8_t *)"", 0};
	return (struct weir_slice){(const uint8_t *)reply->str, reply->len};
}

const char *
weir_reply_text(const struct weir_reply *reply)
{
	return reply->str != NULL ? reply->str : "";
}
