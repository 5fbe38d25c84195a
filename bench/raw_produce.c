/* The producer over the bare protocol; see raw_produce.h. */
#include "bench/raw_produce.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "bench/raw_produce_priv.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum {
	PRODUCE = 0, /* the request's number in the protocol */
	PRODUCE_VERSION = 7,
	BROKER_TIMEOUT_MS = 30000,
	STUCK_US = 30000000,   /* sending waits no longer than this for an answer */
	ANSWER_PARTITION = 30, /* bytes: number, error code, three 64-bit numbers */
};

static enum weir_class
connection_lost(const struct connection *c, const char *why, struct weir_error *err)
{
	return weir_error_set(err, WEIR_FATAL, "broker %s: %s", c->name, why);
}

/* ---- requests ---- */

static uint8_t *
put_string(uint8_t *at, const char *text)
{
	size_t len = strlen(text);
	at = raw_put16(at, (uint16_t)len);
	memcpy(at, text, len);
	return at + len;
}

/* Header and body up to the first partition; the request's length is filled in by the caller. */
static size_t
put_head(const struct raw_produce *rp, uint8_t *head, uint32_t correlation, uint32_t partitions)
{
	uint8_t *at = raw_put16(head + 4, PRODUCE);
	at = raw_put16(at, PRODUCE_VERSION);
	at = raw_put32(at, correlation);
	at = put_string(at, "weir-bench");
	at = raw_put16(at, UINT16_MAX); /* no transaction */
	at = raw_put16(at, 1);          /* acks: the leader's */
	at = raw_put32(at, BROKER_TIMEOUT_MS);
	at = raw_put32(at, 1); /* topics */
	at = put_string(at, rp->opts.topic);
	at = raw_put32(at, partitions);
	return (size_t)(at - head);
}

/* Closes the open request's batches and lists what is to be written. */
static void
seal_batch(const struct raw_produce *rp, struct connection *c)
{
	struct request *r = c->open;
	size_t bytes = 0;
	r->iov_first = 0;
	r->iov_count = 1;
	r->records = 0;
	for (uint32_t i = 0; i < c->partition_count; i++) {
		struct raw_batch *batch = &r->batches[i];
		if (batch->records == 0)
			continue;
		raw_batch_seal(batch);
		(void)raw_put32(raw_put32(r->prefixes[i], (uint32_t)c->partitions[i]), (uint32_t)batch->len);
		r->iov[r->iov_count++] = (struct iovec){r->prefixes[i], sizeof(r->prefixes[i])};
		r->iov[r->iov_count++] = (struct iovec){batch->bytes, batch->len};
		r->records += batch->records;
		bytes += sizeof(r->prefixes[i]) + batch->len;
	}
	size_t head = put_head(rp, r->head, c->sent, r->iov_count / 2);
	(void)raw_put32(r->head, (uint32_t)(head + bytes - 4));
	r->iov[0] = (struct iovec){r->head, head};
}

/* ---- writing and reading ---- */

static void
skip_written(struct request *r, size_t written)
{
	while (r->iov_first < r->iov_count && written >= r->iov[r->iov_first].iov_len)
		written -= r->iov[r->iov_first++].iov_len;
	if (written == 0)
		return;
	struct iovec *part = &r->iov[r->iov_first];
	part->iov_base = (uint8_t *)part->iov_base + written;
	part->iov_len -= written;
}

static void
make_spare(struct connection *c, struct request *r)
{
	for (uint32_t i = 0; i < c->partition_count; i++)
		raw_batch_clear(&r->batches[i]);
	r->next = c->spare;
	c->spare = r;
}

/* Writes as much of the queue as the socket takes now. */
static enum weir_class
write_queued(struct connection *c, struct weir_error *err)
{
	while (c->first != NULL) {
		struct request *r = c->first;
		uint32_t left = r->iov_count - r->iov_first;
		struct msghdr message = {.msg_iov = r->iov + r->iov_first, .msg_iovlen = left < IOV_MAX ? left : IOV_MAX};
		ssize_t written = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno == EAGAIN ? WEIR_OK : connection_lost(c, strerror(errno), err);
		skip_written(r, (size_t)written);
		if (r->iov_first < r->iov_count)
			continue;
		c->first = r->next;
		if (c->first == NULL)
			c->last = &c->first;
		make_spare(c, r);
	}
	return WEIR_OK;
}

static uint32_t
get32(const uint8_t *at)
{
	uint32_t big;
	memcpy(&big, at, sizeof(big));
	return __builtin_bswap32(big);
}

static uint32_t
place_in(const struct connection *c, int32_t partition)
{
	uint32_t i = 0;
	while (i < c->partition_count && c->partitions[i] != partition)
		i++;
	return i;
}

/* Tells of one partition of an answered request; `batches` are that request's. */
static void
report_written(
    const struct raw_produce *rp, const struct connection *c, const struct sent_batch *batches, const uint8_t *at)
{
	int32_t partition = (int32_t)get32(at);
	uint32_t i = place_in(c, partition);
	if (i == c->partition_count || batches[i].records == 0)
		return;
	const struct raw_written written = {.partition = partition,
	    .offset = (int64_t)((uint64_t)get32(at + 6) << 32 | get32(at + 10)),
	    .records = batches[i].records,
	    .first_ms = batches[i].first_ms,
	    .last_ms = batches[i].last_ms};
	rp->opts.on_written(rp->opts.ctx, &written);
}

/* The partitions' part of an answer: error codes, and where the records lie. `batches` NULL: nobody wants to know. */
static enum weir_class
check_partitions(const struct raw_produce *rp, struct connection *c, const struct sent_batch *batches, const uint8_t *at,
    size_t len, struct weir_error *err)
{
	size_t topic = 4 + 2 + strlen(rp->opts.topic); /* number of topics, name */
	if (len < topic + 4 || get32(at) != 1)
		return connection_lost(c, "an answer that is not one to Produce", err);
	uint32_t count = get32(at + topic);
	at += topic + 4;
	len -= topic + 4;
	if (count > c->partition_count || len < (size_t)count * ANSWER_PARTITION)
		return connection_lost(c, "an answer that is too short", err);
	for (uint32_t i = 0; i < count; i++, at += ANSWER_PARTITION) {
		int16_t code = (int16_t)(at[4] << 8 | at[5]);
		if (code != 0)
			return weir_error_set(err, WEIR_FATAL, "broker %s refused records of %s partition %u: %s (%d)",
			    c->name, rp->opts.topic, get32(at), rd_kafka_err2str((rd_kafka_resp_err_t)code), code);
		if (batches != NULL)
			report_written(rp, c, batches, at);
	}
	return WEIR_OK;
}

static enum weir_class
one_answer(struct raw_produce *rp, struct connection *c, const uint8_t *at, size_t len, struct weir_error *err)
{
	if (len < 4 || c->answered == c->sent || get32(at) != c->answered)
		return connection_lost(c, "an answer to no request", err);
	uint32_t number = c->answered++ % rp->opts.requests_max;
	rp->unanswered -= c->unanswered[number];
	const struct sent_batch *batches =
	    c->sent_batches != NULL ? &c->sent_batches[(size_t)number * c->partition_count] : NULL;
	return check_partitions(rp, c, batches, at + 4, len - 4, err);
}

/* Reads what has arrived and checks every answer that is complete. */
static enum weir_class
read_answers(struct raw_produce *rp, struct connection *c, struct weir_error *err)
{
	for (;;) {
		ssize_t n = recv(c->fd, c->answer + c->answer_len, c->answer_cap - c->answer_len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return WEIR_OK;
		if (n <= 0)
			return connection_lost(c, n == 0 ? "closed the connection" : strerror(errno), err);
		c->answer_len += (size_t)n;
		size_t at = 0;
		while (c->answer_len - at >= 4) {
			size_t len = get32(c->answer + at);
			if (len > c->answer_cap - 4)
				return connection_lost(c, "an answer that is too long", err);
			if (c->answer_len - at - 4 < len)
				break;
			if (one_answer(rp, c, c->answer + at + 4, len, err) != WEIR_OK)
				return WEIR_FATAL;
			at += 4 + len;
		}
		c->answer_len -= at;
		memmove(c->answer, c->answer + at, c->answer_len);
	}
}

/* Serves all connections once, asleep up to wait_us for the events named (writing only where something is queued). */
static enum weir_class
poll_connections(struct raw_produce *rp, int64_t wait_us, short events, struct weir_error *err)
{
	for (uint32_t i = 0; i < rp->connection_count; i++)
		rp->polls[i] = (struct pollfd){.fd = rp->connections[i].fd,
		    .events = (short)(events | (rp->connections[i].first != NULL ? POLLOUT : 0))};
	struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
	(void)ppoll(rp->polls, rp->connection_count, &wait, NULL);
	for (uint32_t i = 0; i < rp->connection_count; i++)
		if (write_queued(&rp->connections[i], err) != WEIR_OK ||
		    read_answers(rp, &rp->connections[i], err) != WEIR_OK)
			return WEIR_FATAL;
	return WEIR_OK;
}

enum weir_class
raw_produce_wait(struct raw_produce *rp, int64_t wait_us, struct weir_error *err)
{
	/* Answers alone do not wake it: they are read in passing, which saves a switch of the CPU for each of them. */
	struct weir_steady until = weir_steady_in_us(wait_us);
	do {
		if (poll_connections(rp, wait_us, 0, err) != WEIR_OK)
			return WEIR_FATAL;
		wait_us = weir_steady_left_us(until);
	} while (wait_us > 0);
	return WEIR_OK;
}

static void
take_open(const struct raw_produce *rp, struct connection *c)
{
	c->open = c->spare;
	if (c->open == NULL) {
		c->open = raw_request_new(rp, c);
		return;
	}
	c->spare = c->open->next;
	c->open->next = NULL;
}

static void
note_sent(const struct raw_produce *rp, struct connection *c)
{
	if (c->sent_batches == NULL)
		return;
	struct sent_batch *batches = &c->sent_batches[(size_t)(c->sent % rp->opts.requests_max) * c->partition_count];
	for (uint32_t i = 0; i < c->partition_count; i++) {
		const struct raw_batch *b = &c->open->batches[i];
		batches[i] = (struct sent_batch){b->records, b->base_ms, b->max_ms};
	}
}

static enum weir_class
send_open(struct raw_produce *rp, struct connection *c, struct weir_error *err)
{
	seal_batch(rp, c);
	if (c->open->records == 0)
		return WEIR_OK;
	struct weir_steady until = weir_steady_in_us(STUCK_US);
	while (c->sent - c->answered >= rp->opts.requests_max) {
		if (poll_connections(rp, 100000, POLLIN, err) != WEIR_OK)
			return WEIR_FATAL;
		if (weir_steady_reached(until))
			return connection_lost(c, "answers nothing", err);
	}
	note_sent(rp, c);
	c->unanswered[c->sent++ % rp->opts.requests_max] = c->open->records;
	rp->unanswered += c->open->records;
	*c->last = c->open;
	c->last = &c->open->next;
	c->open->next = NULL;
	take_open(rp, c);
	return write_queued(c, err);
}

enum weir_class
raw_produce_send(struct raw_produce *rp, struct weir_error *err)
{
	for (uint32_t i = 0; i < rp->connection_count; i++)
		if (send_open(rp, &rp->connections[i], err) != WEIR_OK)
			return WEIR_FATAL;
	return WEIR_OK;
}

static enum weir_class
add_at(struct raw_produce *rp, uint32_t partition, const char *key, size_t key_len, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err)
{
	const struct place *place = &rp->places[partition];
	struct connection *c = &rp->connections[place->connection];
	if (raw_batch_add(&c->open->batches[place->index], key, key_len, value, value_len, timestamp_ms))
		return WEIR_OK;
	if (send_open(rp, c, err) != WEIR_OK)
		return WEIR_FATAL;
	if (raw_batch_add(&c->open->batches[place->index], key, key_len, value, value_len, timestamp_ms))
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL, "a record of %zu bytes is larger than a batch", value_len);
}

enum weir_class
raw_produce_add(struct raw_produce *rp, const char *key, size_t key_len, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err)
{
	return add_at(rp, raw_produce_place(rp, key, key_len), key, key_len, value, value_len, timestamp_ms, err);
}

enum weir_class
raw_produce_add_to(struct raw_produce *rp, uint32_t partition, const char *value, size_t value_len, int64_t timestamp_ms,
    struct weir_error *err)
{
	WEIR_CHECK(partition < rp->partition_count);
	return add_at(rp, partition, "", 0, value, value_len, timestamp_ms, err);
}

uint32_t
raw_produce_partitions(const struct raw_produce *rp)
{
	return rp->partition_count;
}

uint32_t
raw_produce_place(const struct raw_produce *rp, const char *key, size_t key_len)
{
	return (raw_murmur2(key, key_len) & INT32_MAX) % rp->partition_count;
}

enum weir_class
raw_produce_finish(struct raw_produce *rp, int64_t timeout_us, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_us(timeout_us);
	if (raw_produce_send(rp, err) != WEIR_OK)
		return WEIR_FATAL;
	while (rp->unanswered > 0) {
		if (poll_connections(rp, 10000, POLLIN, err) != WEIR_OK)
			return WEIR_FATAL;
		if (weir_steady_reached(until))
			return weir_error_set(
			    err, WEIR_FATAL, "%llu records were never answered", (unsigned long long)rp->unanswered);
	}
	return WEIR_OK;
}

uint64_t
raw_produce_unanswered(const struct raw_produce *rp)
{
	return rp->unanswered;
}
