/* The round of questions; see log_identity.h. */
#include "consumers/wire/log_identity.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "config/base/backoff.h"
#include "config/base/clock.h"
#include "consumers/wire/log_identity_priv.h"
#include "consumers/wire/transport.h"

#define EVENTS_MAX 32
#define PAUSE_US 20000u
#define PAUSE_MAX_US 500000u

/* ---- open and close ---- */

const char *
log_identity_unable(const struct weir_settings *settings, char *text, size_t size)
{
	return security_unable(settings, text, size);
}

enum weir_class
log_identity_open(const struct log_identity_opts *opts, struct log_identity **client_out, struct weir_error *err)
{
	char text[128];
	const char *unable = security_unable(opts->settings, text, sizeof(text));
	*client_out = NULL;
	if (unable != NULL)
		return weir_error_set(err, WEIR_FATAL, "weir's own connections to Kafka do not do %s", unable);
	struct log_identity *client = weir_calloc(1, sizeof(*client));
	client->opts = *opts;
	client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	WEIR_CHECK(client->epoll_fd >= 0);
	client->topics = weir_calloc(opts->topic_count, sizeof(*client->topics));
	transport_random((uint8_t *)&client->random.state, sizeof(client->random.state));
	client->now_us = weir_steady_now().us;
	enum weir_class class = security_open(&client->security, opts->settings, err);
	if (class != WEIR_OK) {
		log_identity_close(client);
		return class;
	}
	log_nodes_open(client);
	*client_out = client;
	return WEIR_OK;
}

void
log_identity_close(struct log_identity *client)
{
	if (client == NULL)
		return;
	client->phase = LOG_IDLE;
	log_nodes_close(client);
	(void)close(client->epoll_fd);
	security_close(&client->security);
	free(client->topics);
	free(client->tries);
	free(client->questions);
	free(client);
}

/* ---- the round ---- */

static void
begin_try(struct log_identity *client)
{
	client->attempt++;
	client->phase = LOG_METADATA;
	client->metadata_node = NULL;
	for (uint32_t i = 0; i < client->node_count; i++)
		client->nodes[i]->asked = false;
	for (uint32_t i = 0; i < client->part_count; i++)
		client->tries[i] = (struct log_try){.open = !client->parts[i].decided};
}

static bool
is_decided(const struct log_identity *client)
{
	for (uint32_t i = 0; i < client->part_count; i++)
		if (!client->parts[i].decided)
			return false;
	return true;
}

static void
end_try(struct log_identity *client)
{
	if (client->part_count > 0 && !is_decided(client)) {
		client->phase = LOG_PAUSE;
		uint64_t pause_us = weir_backoff_grow(PAUSE_US, PAUSE_MAX_US, client->failed_tries++);
		client->pause_until_us =
		    client->now_us + (int64_t)weir_backoff_jitter(pause_us, weir_random_next(&client->random));
		return;
	}
	client->phase = LOG_IDLE;
}

static bool
any_asked(const struct log_identity *client)
{
	for (uint32_t i = 0; i < client->node_count; i++)
		if (client->nodes[i]->asked)
			return true;
	return false;
}

static bool
is_ordered(const struct log_part *parts, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (parts[i - 1].topic > parts[i].topic ||
		    (parts[i - 1].topic == parts[i].topic && parts[i - 1].partition >= parts[i].partition))
			return false;
	return true;
}

void
log_identity_begin(struct log_identity *client, struct log_part *parts, uint32_t count, uint32_t timeout_ms)
{
	WEIR_CHECK(client->phase == LOG_IDLE);
	WEIR_CHECK(is_ordered(parts, count));
	client->now_us = weir_steady_now().us;
	if (count > client->part_cap) {
		client->tries = weir_realloc(client->tries, count * sizeof(*client->tries));
		client->questions = weir_realloc(client->questions, count * sizeof(*client->questions));
		client->part_cap = count;
	}
	client->parts = parts;
	client->part_count = count;
	for (uint32_t i = 0; i < count; i++) {
		WEIR_CHECK(parts[i].topic < client->opts.topic_count);
		parts[i].decided = false;
		parts[i].error = 0;
		parts[i].leader = parts[i].leader_epoch = -1;
		parts[i].evidence = LOG_NO_EVIDENCE;
	}
	for (uint32_t t = 0; t < client->opts.topic_count; t++)
		client->topics[t] = (struct log_topic){0};
	client->deadline_us = client->now_us + (int64_t)timeout_ms * 1000;
	client->failed_tries = 0;
	begin_try(client);
}

bool
log_identity_is_busy(const struct log_identity *client)
{
	return client->phase != LOG_IDLE;
}

const struct log_topic *
log_identity_topic(const struct log_identity *client, uint32_t topic)
{
	WEIR_CHECK(topic < client->opts.topic_count);
	return &client->topics[topic];
}

int
log_identity_fd(const struct log_identity *client)
{
	return client->epoll_fd;
}

/* ---- what the brokers' answers lead to ---- */

static struct log_node *
leader_node(struct log_identity *client, int32_t leader)
{
	for (uint32_t i = 0; i < client->node_count; i++)
		if (client->nodes[i]->id == leader && leader >= 0)
			return client->nodes[i];
	return NULL;
}

/* The leader of each open part has something to answer. */
void
log_round_took_metadata(struct log_identity *client)
{
	client->phase = LOG_LEADERS;
	client->metadata_node = NULL;
	for (uint32_t i = 0; i < client->part_count; i++) {
		struct log_part *part = &client->parts[i];
		struct log_try *try = &client->tries[i];
		struct log_node *node = leader_node(client, part->leader);
		if (!try->open || try->failed || node == NULL)
			continue;
		part->evidence = LOG_NO_EVIDENCE;
		part->evidence.id = client->topics[part->topic].id;
		try->missing = 1u << ASK_FIRST | 1u << ASK_END;
		if (part->epoch != LOG_EPOCH_UNKNOWN)
			try->missing |= 1u << ASK_EPOCH_END;
		node->asked = true;
		node->next = 0;
	}
	if (!any_asked(client))
		end_try(client);
}

/* The last one ends the try. */
static void
leader_done(struct log_identity *client, struct log_node *node)
{
	if (!node->asked)
		return;
	node->asked = false;
	if (client->phase == LOG_LEADERS && !any_asked(client))
		end_try(client);
}

void
log_round_took_leader(struct log_identity *client, struct log_node *node)
{
	for (uint32_t i = 0; i < client->part_count; i++) {
		struct log_part *part = &client->parts[i];
		struct log_try *try = &client->tries[i];
		if (!try->open || part->leader != node->id)
			continue;
		part->decided = try->confirmed && !try->failed && try->missing == 0;
		try->open = false;
	}
	leader_done(client, node);
}

void
log_round_lost(struct log_identity *client, struct log_node *node)
{
	if (client->metadata_node == node)
		client->metadata_node = NULL;
	leader_done(client, node);
}

/* ---- serving ---- */

static void
take_events(struct log_identity *client)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++)
		conn_io(events[i].data.ptr, events[i].events, client->now_us);
}

/* One step of the round; what it sends is answered through take_events. */
static void
step(struct log_identity *client)
{
	if (client->phase == LOG_PAUSE && client->now_us >= client->pause_until_us)
		begin_try(client);
	if (client->phase == LOG_METADATA && client->metadata_node == NULL)
		log_metadata_send(client);
	for (uint32_t i = 0; i < client->node_count && client->phase == LOG_LEADERS; i++)
		if (client->nodes[i]->asked)
			log_node_send(client, client->nodes[i]);
}

int64_t
log_identity_serve(struct log_identity *client)
{
	client->now_us = weir_steady_now().us;
	take_events(client);
	if (client->phase == LOG_IDLE)
		return INT64_MAX;
	if (client->now_us >= client->deadline_us) {
		client->attempt++; /* answers that come later are to nobody */
		client->metadata_node = NULL;
		for (uint32_t i = 0; i < client->node_count; i++)
			client->nodes[i]->asked = false;
		client->phase = LOG_IDLE;
		return INT64_MAX;
	}
	step(client);
	int64_t due_us = log_nodes_tick(client);
	if (client->phase == LOG_IDLE)
		return INT64_MAX;
	if (client->phase == LOG_PAUSE && client->pause_until_us < due_us)
		due_us = client->pause_until_us;
	if (client->deadline_us < due_us)
		due_us = client->deadline_us;
	return due_us > client->now_us ? due_us - client->now_us : 1000;
}

/* Which part has no answer, and why. */
static enum weir_class
undecided(const struct log_identity *client, struct weir_error *err)
{
	for (uint32_t i = 0; i < client->part_count; i++) {
		const struct log_part *part = &client->parts[i];
		if (part->decided)
			continue;
		const char *topic = client->opts.topics[part->topic];
		return part->error == 0 ? weir_error_set(err, WEIR_RETRY, "%s [%u]: no broker says which log it is", topic,
					      part->partition)
					: weir_error_set(err, WEIR_RETRY,
					      "%s [%u]: no broker says which log it is; the last one's error is %d", topic,
					      part->partition, part->error);
	}
	for (uint32_t t = 0; t < client->opts.topic_count; t++)
		if (!client->topics[t].known)
			return weir_error_set(err, WEIR_RETRY, "no broker knows topic %s", client->opts.topics[t]);
	return WEIR_OK;
}

enum weir_class
log_identity_ask(
    struct log_identity *client, struct log_part *parts, uint32_t count, uint32_t timeout_ms, struct weir_error *err)
{
	log_identity_begin(client, parts, count, timeout_ms);
	for (;;) {
		int64_t due_us = log_identity_serve(client);
		if (!log_identity_is_busy(client))
			return undecided(client, err);
		struct pollfd fd = {.fd = client->epoll_fd, .events = POLLIN};
		(void)poll(&fd, 1, due_us < 100000 ? (int)((due_us + 999) / 1000) : 100);
	}
}
