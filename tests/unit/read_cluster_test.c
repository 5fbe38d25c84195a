/*
 * The reader in Redis Cluster: two nodes that share the slots, of which it is told one. What lies on the other is found by
 * MOVED, in pipelines, transactions and scans alike.
 */
#include "read_fixture.h"

#include "pipeline/redis/batch.h"
#include "private_cluster.h"

#define CARDS 40u

static int
start_cluster(void **state)
{
	(void)state;
	if (!cluster_start(2, 2))
		return -1;
	settings =
	    (struct weir_settings){.redis_url = nodes[0].url, .redis_prefix = (char *)"weir", .redis_timeout_ms = 2000};
	return 0;
}

static int
stop_cluster(void **state)
{
	(void)state;
	cluster_stop();
	return 0;
}

/* Writes to whichever node has the key. */
static void
put_somewhere(const char *fmt, ...)
{
	for (int i = 0; i < 2; i++) {
		va_list args;
		va_start(args, fmt);
		redisReply *reply = vask_node(&nodes[i], fmt, args);
		va_end(args);
		bool moved = reply->type == REDIS_REPLY_ERROR;
		freeReplyObject(reply);
		if (!moved)
			return;
	}
	fail_msg("neither node has the key");
}

static void
put_cluster_fleet(void)
{
	put_somewhere("SET weir:partitions %u", PARTITIONS);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		put_somewhere("HSET weir:{%u}:h format 4 cards %u lives %u o:#flush 1", p, CARDS, CARDS);
		put_somewhere("DEL weir:{%u}:n", p);
		put_somewhere("RPUSH weir:{%u}:n c:cm", p);
	}
	for (uint32_t n = 0; n < CARDS; n++) {
		char text[WEIR_ICCID_TEXT_MAX];
		(void)snprintf(text, sizeof(text), "898600000000%08u", n);
		struct weir_card_slot card = {.iccid = iccid_of(text),
		    .up = n,
		    .records = 1,
		    .cycle = CYCLE(2026, 3),
		    .carrier = 1,
		    .flags = WEIR_STATUS_IN_USE};
		const uint32_t p = home_of(text), entry[2] = {weir_iccid_tag(card.iccid), n};
		put_somewhere("SETRANGE weir:{%u}:c:0 %u %b", p, n * 64, &card, sizeof(card));
		put_somewhere("APPEND weir:{%u}:d:%u %b", p, entry[0] % 1024, entry, sizeof(entry));
	}
}

static void
what_lies_on_another_node_is_found(void **state)
{
	(void)state;
	struct weir_reader *reader = reader_open();
	struct weir_card_page page = {0};
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	put_cluster_fleet();
	for (uint32_t n = 0; n < CARDS; n++) {
		const struct weir_card_view *card = NULL;
		char text[WEIR_ICCID_TEXT_MAX];
		(void)snprintf(text, sizeof(text), "898600000000%08u", n);
		enum weir_read answer = weir_read_card(reader, iccid_of(text), &card, &err);
		if (answer != WEIR_READ_OK)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(card->used.up, n);
		/* each partition's in one transaction */
		assert_int_equal(
		    weir_read_card_usage(reader, iccid_of(text), WEIR_SPAN_DAY, 0, 0, &rows, &err), WEIR_READ_OK);
	}
	assert_int_equal(weir_cluster_node_end(reader->redis->cluster), 2);
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, CARDS);
	/* a reader that begins with a scan, and with a transaction */
	weir_reader_free(reader);
	reader = reader_open();
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, CARDS);
	weir_reader_free(reader);
}

static void
a_node_that_is_gone_is_said(void **state)
{
	(void)state;
	struct weir_reader *reader = reader_open();
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	put_cluster_fleet();
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	node_kill(&nodes[1]);
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_AWAY);
	assert_true(strlen(err.text) > 10);
	weir_reader_free(reader);
}

int
main(void)
{
	if (!redis_is_installed("read_cluster_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_lies_on_another_node_is_found),
	    cmocka_unit_test(a_node_that_is_gone_is_said),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
