/*
 * One round of a batch over the nodes: every command that waits goes to its slot's node, or to the one that ASK named.
 * All nodes' pipelines go out before the first reply is read, so that they work at the same time. A node that fails costs
 * its own commands their replies, not the others'. See batch.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/redis/batch.h"

static const char MULTI[] = "*1\r\n$5\r\nMULTI\r\n";
static const char EXEC[] = "*1\r\n$4\r\nEXEC\r\n";
static const char ASKING[] = "*1\r\n$6\r\nASKING\r\n";

bool
weir_redis_is_edge(const struct batch *batch, uint32_t i, int step)
{
	WEIR_CHECK(i < batch->count);
	uint32_t j = i + (uint32_t)step;
	return (step < 0 && i == 0) || j >= batch->count || batch->commands[j].slot != batch->commands[i].slot;
}

/* Where each unanswered command goes this round. A transaction goes as one, where its first command goes. */
static void
choose_nodes(struct weir_redis *redis, bool together)
{
	struct batch *batch = &redis->batch;
	memset(redis->used, 0, sizeof(redis->used));
	for (uint32_t i = 0; i < batch->count; i++) {
		struct batch_command *command = &batch->commands[i];
		if (!batch_command_waits(command))
			continue;
		bool first = !together || weir_redis_is_edge(batch, i, -1);
		uint32_t node = command->asked_node;
		if (!first) {
			node = batch->commands[i - 1].sent_to;
			command->asked_node = batch->commands[i - 1].asked_node;
		} else if (node == NODE_BY_SLOT) {
			node = weir_cluster_node_of(redis->cluster, command->slot);
		}
		command->sent_to = node;
		redis->used[node] = true;
	}
}

/* ---- out ---- */

/* One pipeline of a node, built and sent as one piece. */
static enum weir_exchange
write_node(struct weir_redis *redis, uint32_t node, bool together)
{
	const struct batch *batch = &redis->batch;
	struct weir_buf out = {0};
	uint32_t count = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct batch_command *command = &batch->commands[i];
		if (!batch_command_waits(command) || command->sent_to != node)
			continue;
		bool begins = !together || weir_redis_is_edge(batch, i, -1);
		if (begins && command->asked_node != NODE_BY_SLOT) {
			weir_buf_append(&out, ASKING, sizeof(ASKING) - 1);
			count++;
		}
		if (together && begins) {
			weir_buf_append(&out, MULTI, sizeof(MULTI) - 1);
			count++;
		}
		weir_buf_append(&out, batch->bytes.data + command->at, command->len);
		count++;
		if (together && weir_redis_is_edge(batch, i, 1)) {
			weir_buf_append(&out, EXEC, sizeof(EXEC) - 1);
			count++;
		}
	}
	enum weir_exchange end =
	    weir_connection_send(weir_cluster_connection(redis->cluster, node), out.data, out.len, count);
	weir_buf_free(&out);
	return end;
}

/* ---- in ---- */

/* What an error reply teaches. true: the command goes out again next round, and has no reply yet. */
static bool
take_redirect(struct weir_redis *redis, struct batch_command *command, const struct weir_reply *error, struct round *round)
{
	uint32_t node;
	switch (weir_refusal_of(error)) {
	case WEIR_REFUSAL_MOVED:
		return weir_cluster_moved(redis->cluster, command->sent_to, command->slot, error);
	case WEIR_REFUSAL_ASK:
		if (!weir_cluster_asked(redis->cluster, command->sent_to, error, &node))
			return false;
		command->asked_node = node;
		return true;
	case WEIR_REFUSAL_LATER:
		if (!weir_refusal_says(error, "TRYAGAIN"))
			return false;
		round->waits = true;
		return true;
	default:
		return false;
	}
}

static enum weir_exchange
next_reply(struct weir_redis *redis, uint32_t node, struct weir_reply **reply_out)
{
	*reply_out = NULL;
	return weir_connection_reply(weir_cluster_connection(redis->cluster, node), reply_out);
}

/* A reply that only says "taken": OK, QUEUED. An error among them is kept, the first one. */
static enum weir_exchange
skip_reply(struct weir_redis *redis, uint32_t node, struct weir_reply **first_error)
{
	struct weir_reply *reply;
	enum weir_exchange end = next_reply(redis, node, &reply);
	if (end == WEIR_EXCHANGE_OK && reply->type == WEIR_REPLY_ERROR && *first_error == NULL)
		WEIR_TAKE(*first_error, reply);
	weir_reply_free(reply);
	return end;
}

static enum weir_exchange
read_one(struct weir_redis *redis, struct batch_command *command, struct round *round)
{
	struct weir_reply *reply, *error = NULL;
	enum weir_exchange end = WEIR_EXCHANGE_OK;
	if (command->asked_node != NODE_BY_SLOT)
		end = skip_reply(redis, command->sent_to, &error);
	weir_reply_free(error); /* a refused ASKING shows in the command's own reply */
	command->asked_node = NODE_BY_SLOT;
	if (end == WEIR_EXCHANGE_OK)
		end = next_reply(redis, command->sent_to, &reply);
	if (end != WEIR_EXCHANGE_OK)
		return end;
	if (take_redirect(redis, command, reply, round))
		weir_reply_free(reply);
	else
		WEIR_TAKE(command->reply, reply);
	return WEIR_EXCHANGE_OK;
}

/* EXEC's answers go to the commands first..last. */
static bool
share_out(struct batch *batch, uint32_t first, uint32_t last, struct weir_reply *reply)
{
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements != last - first + 1)
		return false;
	for (uint32_t i = first; i <= last; i++) {
		WEIR_CHECK(batch->commands[i].reply == NULL);
		WEIR_TAKE(batch->commands[i].reply, reply->element[i - first]);
	}
	return true;
}

/* Notes an outcome that is not OK. */
static void __attribute__((format(printf, 3, 4)))
round_failed(struct round *round, enum weir_class class, const char *fmt, ...)
{
	char text[400];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)weir_error_set(round->err, class, "%s", text);
	if (class > round->class)
		round->class = class;
}

/* What a transaction that was refused means: it goes out again, or is given up. */
static void
transaction_refused(
    struct weir_redis *redis, uint32_t first, uint32_t last, const struct weir_reply *error, struct round *round)
{
	struct batch *batch = &redis->batch;
	for (uint32_t i = first; i <= last; i++)
		batch->commands[i].asked_node = NODE_BY_SLOT;
	if (take_redirect(redis, &batch->commands[first], error, round))
		return;
	for (uint32_t i = first; i <= last; i++)
		batch->commands[i].given_up = true;
	round_failed(round, weir_refusal_of(error) == WEIR_REFUSAL_FINAL ? WEIR_FATAL : WEIR_RETRY, "Redis: %.300s",
	    weir_reply_text(error));
}

/* Replies of one transaction: ASKING's if it was sent, OK, QUEUED for each, then EXEC's. */
static enum weir_exchange
read_transaction(struct weir_redis *redis, uint32_t first, uint32_t last, struct round *round)
{
	struct batch *batch = &redis->batch;
	uint32_t node = batch->commands[first].sent_to;
	uint32_t skip = last - first + 2 + (batch->commands[first].asked_node != NODE_BY_SLOT);
	struct weir_reply *error = NULL, *reply = NULL;
	enum weir_exchange end = WEIR_EXCHANGE_OK;
	for (uint32_t i = 0; i < skip && end == WEIR_EXCHANGE_OK; i++)
		end = skip_reply(redis, node, &error);
	if (end == WEIR_EXCHANGE_OK)
		end = next_reply(redis, node, &reply);
	if (end == WEIR_EXCHANGE_OK && (error != NULL || reply->type == WEIR_REPLY_ERROR)) {
		transaction_refused(redis, first, last, error != NULL ? error : reply, round);
	} else if (end == WEIR_EXCHANGE_OK && !share_out(batch, first, last, reply)) {
		for (uint32_t i = first; i <= last; i++)
			batch->commands[i].given_up = true;
		round_failed(round, WEIR_RETRY, "Redis answered something that is no transaction's");
	}
	weir_reply_free(error);
	weir_reply_free(reply);
	return end;
}

static enum weir_exchange
read_node(struct weir_redis *redis, uint32_t node, struct round *round)
{
	struct batch *batch = &redis->batch;
	enum weir_exchange end = WEIR_EXCHANGE_OK;
	for (uint32_t i = 0; i < batch->count && end == WEIR_EXCHANGE_OK; i++) {
		if (!batch_command_waits(&batch->commands[i]) || batch->commands[i].sent_to != node)
			continue;
		uint32_t last = i;
		while (round->together && !weir_redis_is_edge(batch, last, 1))
			last++;
		end =
		    round->together ? read_transaction(redis, i, last, round) : read_one(redis, &batch->commands[i], round);
		i = last;
	}
	WEIR_CHECK(end != WEIR_EXCHANGE_OK || weir_connection_owed(weir_cluster_connection(redis->cluster, node)) == 0);
	return end;
}

/* ---- a round ---- */

/* The node's commands of this round get no reply; they may go out once more when its connection had been idle. */
static void
give_up(struct weir_redis *redis, uint32_t node, bool once_more)
{
	struct batch *batch = &redis->batch;
	redis->used[node] = false;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct batch_command *command = &batch->commands[i];
		if (!batch_command_waits(command) || command->sent_to != node)
			continue;
		command->asked_node = NODE_BY_SLOT;
		command->given_up = !once_more;
	}
}

static void
node_failed(struct weir_redis *redis, uint32_t node, enum weir_exchange end, bool was_open, struct round *round)
{
	const struct weir_connection *connection = weir_cluster_connection(redis->cluster, node);
	bool final = end == WEIR_EXCHANGE_REFUSED && weir_connection_refusal(connection) == WEIR_REFUSAL_FINAL;
	bool once_more = was_open && round->idle_allowed;
	WEIR_CHECK(end != WEIR_EXCHANGE_OK);
	round->idle_lost |= once_more;
	if (!once_more) {
		round_failed(round, final ? WEIR_FATAL : WEIR_RETRY, "%s", weir_connection_why(connection));
		redis->rest_until[node] = weir_steady_in_ms(redis->opts.rest_ms);
	}
	give_up(redis, node, once_more);
	weir_cluster_failed(redis->cluster, node);
}

static void
send_node(struct weir_redis *redis, uint32_t node, struct round *round, bool *was_open_out)
{
	struct weir_connection *connection = weir_cluster_connection(redis->cluster, node);
	*was_open_out = weir_connection_is_open(connection);
	if (!*was_open_out && !weir_steady_reached(redis->rest_until[node])) {
		round_failed(round, WEIR_RETRY, "Redis did not answer a moment ago");
		give_up(redis, node, false);
		return;
	}
	enum weir_exchange end = weir_connection_open(connection);
	if (end == WEIR_EXCHANGE_OK)
		end = write_node(redis, node, round->together);
	if (end != WEIR_EXCHANGE_OK)
		node_failed(redis, node, end, *was_open_out, round);
}

void
weir_redis_round(struct weir_redis *redis, struct round *round)
{
	bool was_open[WEIR_NODES_MAX] = {false};
	choose_nodes(redis, round->together);
	uint32_t end = weir_cluster_node_end(redis->cluster);
	for (uint32_t node = 0; node < end; node++)
		if (redis->used[node])
			send_node(redis, node, round, &was_open[node]);
	for (uint32_t node = 0; node < end; node++) { /* nodes that MOVED adds meanwhile have nothing to answer */
		if (!redis->used[node])
			continue;
		enum weir_exchange answer = read_node(redis, node, round);
		if (answer != WEIR_EXCHANGE_OK)
			node_failed(redis, node, answer, was_open[node], round);
	}
}
