/*
 * The client that asks brokers which logs they serve, against one that is scripted: that changes its mind, refuses, says
 * nothing, or talks nonsense (rule REC-9; docs/logs.md).
 *
 * The broker is a thread with one listener on loopback. What it answers is data: the script of the test at hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "consumers/wire/log_identity.h"
#include "consumers/wire/protocol.h"

#define CONNECTIONS 16
#define TOPIC "t"
#define NEVER 1000000

/* What goes wrong; each counts down the answers that go wrong so. */
struct script {
	int other_id_at_last; /* a leader's last Metadata names another id */
	int fenced;           /* ListOffsets: FENCED_LEADER_EPOCH */
	int garbage;          /* Metadata that makes no sense */
	int silent;           /* leaders' questions without an answer */
	int closes;           /* the connection ends instead of an answer to ListOffsets */
	int dead_leader;      /* Metadata names a leader that is not there */
	bool too_much;        /* answers name partitions that nobody asked for, and each one twice */
	bool old;             /* no topic ids, no ends of epochs */
};

struct broker {
	pthread_t thread;
	int listener, port, dead_port;
	_Atomic bool stop;
	struct script script;
	int fds[CONNECTIONS];
	struct weir_buf in[CONNECTIONS];
	int count;
	int metadata_asked;
};

/* ---- answers ---- */

static void
put_versions(const struct broker *b, struct weir_buf *out)
{
	const int16_t table[][3] = {
	    {1, 4, 13}, {2, 1, b->script.old ? 4 : 6}, {3, 1, b->script.old ? 8 : 12}, {18, 0, 3}, {23, 2, 4}};
	uint32_t count = b->script.old ? 4 : 5;
	wire_put16(out, 0);
	wire_put_count(out, true, count);
	for (uint32_t i = 0; i < count; i++) {
		for (int k = 0; k < 3; k++)
			wire_put16(out, (uint16_t)table[i][k]);
		wire_put_tags(out, true);
	}
	wire_put32(out, 0);
	wire_put_tags(out, true);
}

static void
put_broker(struct weir_buf *out, bool flexible, uint32_t id, int port)
{
	wire_put32(out, id);
	wire_put_string(out, flexible, weir_slice_of("127.0.0.1"));
	wire_put32(out, (uint32_t)port);
	if (flexible)
		wire_put8(out, 0);
	else
		wire_put16(out, UINT16_MAX);
	wire_put_tags(out, flexible);
}

static void
put_partition(struct weir_buf *out, bool flexible, uint32_t number, uint32_t leader)
{
	wire_put16(out, 0);
	wire_put32(out, number);
	wire_put32(out, leader);
	wire_put32(out, 7); /* its epoch */
	for (int i = 0; i < 3; i++)
		wire_put_count(out, flexible, 0);
	wire_put_tags(out, flexible);
}

static void
put_metadata(struct broker *b, struct weir_buf *out, int16_t version)
{
	bool flexible = version >= 9, last = b->metadata_asked++ % 2 == 1;
	uint32_t leader = !last && b->script.dead_leader-- > 0 ? 2 : 1;
	if (!last && b->script.garbage-- > 0) {
		wire_put32(out, UINT32_MAX);
		b->metadata_asked--;
		return;
	}
	if (leader == 2)
		b->metadata_asked--; /* there will be no last one */
	wire_put32(out, 0);
	wire_put_count(out, flexible, 2);
	put_broker(out, flexible, 1, b->port);
	put_broker(out, flexible, 2, b->dead_port);
	wire_put_string(out, flexible, weir_slice_of("cluster"));
	wire_put32(out, 1);
	wire_put_count(out, flexible, 1);
	wire_put16(out, 0);
	wire_put_string(out, flexible, weir_slice_of(TOPIC));
	if (version >= 10)
		weir_buf_append(
		    out, last && b->script.other_id_at_last-- > 0 ? "JJJJJJJJJJJJJJJJ" : "IIIIIIIIIIIIIIII", 16);
	wire_put8(out, 0);
	wire_put_count(out, flexible, 3);
	for (uint32_t p = 0; p < 3; p++)
		put_partition(out, flexible, p, leader);
	wire_put32(out, 0);
	wire_put_tags(out, flexible);
	if (version >= 8 && version <= 10)
		wire_put32(out, 0);
	wire_put_tags(out, flexible);
}

/* Offsets of the partitions in `numbers`: first 10, end 100 + partition; an epoch's end 50 + partition. */
static void
put_offsets(struct broker *b, struct weir_buf *out, bool ends, int16_t version, bool first)
{
	static const uint32_t ASKED[] = {0, 2}, MANY[] = {0, 2, 1, 9, UINT32_MAX, 0, 2};
	const uint32_t *numbers = b->script.too_much ? MANY : ASKED;
	uint32_t count = b->script.too_much ? 7 : 2;
	bool flexible = version >= (ends ? 4 : 6);
	uint16_t error = !ends && b->script.fenced-- > 0 ? KAFKA_FENCED_EPOCH : KAFKA_OK;
	wire_put32(out, 0);
	wire_put_count(out, flexible, 1);
	wire_put_string(out, flexible, weir_slice_of(TOPIC));
	wire_put_count(out, flexible, count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t extra = i > 1 ? 1000 : 0; /* what must not be believed */
		if (ends)
			wire_put16(out, error);
		wire_put32(out, numbers[i]);
		if (!ends) {
			wire_put16(out, error);
			wire_put64(out, UINT64_MAX);
			wire_put64(out, (first ? 10 : 100 + numbers[i]) + extra);
		}
		if (ends || version >= 4)
			wire_put32(out, 5);
		if (ends)
			wire_put64(out, 50 + numbers[i] + extra);
		wire_put_tags(out, flexible);
	}
	wire_put_tags(out, flexible);
	wire_put_tags(out, flexible);
}

/* A request's frame behind its length; what is appended is the answer's frame. False: the connection ends. */
static bool
answer(struct broker *b, const uint8_t *frame, size_t len, struct weir_buf *out)
{
	struct wire_reader r = {frame, frame + len, false};
	int16_t key = wire_i16(&r), version = wire_i16(&r);
	uint32_t correlation = (uint32_t)wire_i32(&r);
	bool flexible = key == 3 ? version >= 9 : key == 2 ? version >= 6 : key == 23 ? version >= 4 : false;
	size_t from = out->len;
	if ((key == 2 || key == 23) && b->script.silent > 0)
		return true;
	if (key == 2 && b->script.closes-- > 0) {
		b->metadata_asked = 0;
		return false;
	}
	wire_put32(out, 0);
	wire_put32(out, correlation);
	wire_put_tags(out, flexible);
	if (key == 18)
		put_versions(b, out);
	else if (key == 3)
		put_metadata(b, out, version);
	else
		put_offsets(b, out, key == 23, version, memmem(frame, len, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8) != NULL);
	protocol_end(out, from);
	return true;
}

/* ---- the broker's thread ---- */

static bool
serve_one(struct broker *b, int i)
{
	uint8_t bytes[4096];
	ssize_t n = recv(b->fds[i], bytes, sizeof(bytes), 0);
	if (n <= 0)
		return false;
	struct weir_buf *in = &b->in[i], out = {0};
	weir_buf_append(in, bytes, (size_t)n);
	bool stays = true;
	while (stays && in->len >= 4 && in->len >= 4 + (size_t)wire_load32(in->data)) {
		size_t len = 4 + (size_t)wire_load32(in->data);
		stays = answer(b, in->data + 4, len - 4, &out);
		memmove(in->data, in->data + len, in->len - len);
		in->len -= len;
	}
	if (out.len > 0)
		(void)!send(b->fds[i], out.data, out.len, MSG_NOSIGNAL);
	weir_buf_free(&out);
	return stays;
}

static void *
serve(void *arg)
{
	struct broker *b = arg;
	while (!b->stop) {
		struct pollfd fds[CONNECTIONS + 1] = {{.fd = b->listener, .events = POLLIN}};
		for (int i = 0; i < b->count; i++)
			fds[i + 1] = (struct pollfd){.fd = b->fds[i], .events = POLLIN};
		if (poll(fds, (nfds_t)b->count + 1, 20) <= 0)
			continue;
		for (int i = b->count; i-- > 0;) {
			if (fds[i + 1].revents == 0 || serve_one(b, i))
				continue;
			(void)close(b->fds[i]);
			b->fds[i] = -1; /* poll passes over it */
		}
		if (fds[0].revents != 0 && b->count < CONNECTIONS)
			b->fds[b->count++] = accept(b->listener, NULL, NULL);
	}
	return NULL;
}

static int
bound(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

struct world {
	struct broker broker;
	int dead; /* bound and not listening */
	struct weir_settings settings;
	char brokers[32];
	struct log_identity *client;
	struct log_part parts[2];
};

static void
world_open(struct world *w, struct script script)
{
	static const char *const TOPICS[] = {TOPIC};
	struct weir_error err;
	*w = (struct world){.broker.script = script};
	w->broker.listener = bound(&w->broker.port);
	w->dead = bound(&w->broker.dead_port);
	assert_int_equal(listen(w->broker.listener, 8), 0);
	assert_int_equal(pthread_create(&w->broker.thread, NULL, serve, &w->broker), 0);
	(void)snprintf(w->brokers, sizeof(w->brokers), "127.0.0.1:%d", w->broker.port);
	w->settings.kafka_brokers = w->brokers;
	struct log_identity_opts opts = {&w->settings, TOPICS, 1};
	assert_int_equal(log_identity_open(&opts, &w->client, &err), WEIR_OK);
	w->parts[0] = (struct log_part){.partition = 0, .epoch = 5};
	w->parts[1] = (struct log_part){.partition = 2, .epoch = LOG_EPOCH_UNKNOWN};
}

static void
world_close(struct world *w)
{
	log_identity_close(w->client);
	w->broker.stop = true;
	assert_int_equal(pthread_join(w->broker.thread, NULL), 0);
	for (int i = 0; i < w->broker.count; i++) {
		if (w->broker.fds[i] >= 0)
			(void)close(w->broker.fds[i]);
		weir_buf_free(&w->broker.in[i]);
	}
	(void)close(w->broker.listener);
	(void)close(w->dead);
}

static void
assert_answers(const struct world *w)
{
	const struct log_part *asked = &w->parts[0], *unasked = &w->parts[1];
	for (int i = 0; i < 2; i++) {
		assert_true(w->parts[i].decided);
		assert_int_equal(w->parts[i].leader, 1);
		assert_int_equal(w->parts[i].leader_epoch, 7);
		assert_int_equal(w->parts[i].evidence.id.bytes[3], 'I');
		assert_int_equal(w->parts[i].evidence.first_offset, 10);
		assert_int_equal(w->parts[i].evidence.end_offset, 100 + w->parts[i].partition);
	}
	assert_true(asked->evidence.epoch_answered);
	assert_int_equal(asked->evidence.epoch_found, 5);
	assert_int_equal(asked->evidence.epoch_end, 50);
	assert_false(unasked->evidence.epoch_answered);
	assert_int_equal(log_identity_topic(w->client, 0)->partition_count, 3);
}

/* Whatever goes wrong a few times, the answer is the right one in the end; and the next round is like the first. */
static void
decided_with(struct script script)
{
	struct world w;
	struct weir_error err;
	world_open(&w, script);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(log_identity_ask(w.client, w.parts, 2, 10000, &err), WEIR_OK);
		assert_false(log_identity_is_busy(w.client));
		assert_answers(&w);
	}
	world_close(&w);
}

static void
test_decided(void **state)
{
	(void)state;
	decided_with((struct script){0});
}

static void
test_created_again_meanwhile(void **state)
{
	(void)state;
	decided_with((struct script){.other_id_at_last = 2});
}

static void
test_refusals(void **state)
{
	(void)state;
	decided_with((struct script){.fenced = 3});
	decided_with((struct script){.closes = 1});
	decided_with((struct script){.dead_leader = 2});
}

static void
test_nonsense(void **state)
{
	(void)state;
	decided_with((struct script){.garbage = 2});
	decided_with((struct script){.too_much = true});
}

static void
test_old_broker(void **state)
{
	(void)state;
	struct world w;
	struct weir_error err;
	world_open(&w, (struct script){.old = true});
	assert_int_equal(log_identity_ask(w.client, w.parts, 2, 10000, &err), WEIR_OK);
	assert_true(w.parts[0].decided);
	assert_false(log_id_is_known(&w.parts[0].evidence.id));
	assert_false(w.parts[0].evidence.epoch_answered);
	assert_int_equal(w.parts[0].evidence.first_offset, 10);
	assert_int_equal(w.parts[0].evidence.end_offset, LOG_OFFSET_UNKNOWN); /* a new leader's may be too low */
	world_close(&w);
}

static int64_t
now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Undecided within the time, not decided wrongly and not for ever. */
static void
undecided_with(struct script script, int16_t error)
{
	struct world w;
	struct weir_error err;
	int64_t from_ms = now_ms();
	world_open(&w, script);
	assert_int_equal(log_identity_ask(w.client, w.parts, 2, 300, &err), WEIR_RETRY);
	assert_true(now_ms() - from_ms >= 290 && now_ms() - from_ms < 5000);
	assert_non_null(strstr(err.text, "t [0]"));
	assert_false(w.parts[0].decided);
	assert_false(w.parts[1].decided);
	assert_int_equal(w.parts[0].error, error);
	world_close(&w);
}

static void
test_undecided(void **state)
{
	(void)state;
	undecided_with((struct script){.silent = NEVER}, 0);
	undecided_with((struct script){.other_id_at_last = NEVER}, 0);
	undecided_with((struct script){.fenced = NEVER}, KAFKA_FENCED_EPOCH);
	undecided_with((struct script){.garbage = NEVER}, 0);
}

static void
test_unable(void **state)
{
	(void)state;
	static struct weir_property properties[] = {
	    {"security.protocol", "SASL_PLAINTEXT"}, {"sasl.mechanism", "OAUTHBEARER"}};
	struct weir_settings settings = {
	    .kafka_brokers = "127.0.0.1:1", .kafka_properties = properties, .kafka_property_count = 2};
	struct log_identity_opts opts = {.settings = &settings};
	struct log_identity *client;
	struct weir_error err;
	char text[128];
	assert_non_null(log_identity_unable(&settings, text, sizeof(text)));
	assert_int_equal(log_identity_open(&opts, &client, &err), WEIR_FATAL);
	assert_null(client);
	assert_non_null(strstr(err.text, "OAUTHBEARER"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_decided), cmocka_unit_test(test_created_again_meanwhile),
	    cmocka_unit_test(test_refusals), cmocka_unit_test(test_nonsense), cmocka_unit_test(test_old_broker),
	    cmocka_unit_test(test_undecided), cmocka_unit_test(test_unable)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
