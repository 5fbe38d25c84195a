/*
 * The producer against librdkafka's broker inside the process: each message's delivery is told once, with its headers; too
 * large a value is cut, a full queue refuses, what is left at the end is given up, and a wrong property is said.
 */
#include "pipeline/kafka/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "pipeline/kafka/admin.h"

#define PARTITIONS 4
#define MESSAGES 200u

struct told {
	uint32_t times[MESSAGES]; /* by tag */
	int32_t partition[MESSAGES];
	uint32_t acknowledged, refused, given_up;
	char header[32];
};

static void
on_delivery(void *ctx, const struct weir_delivery *delivery)
{
	struct told *told = ctx;
	uintptr_t number = (uintptr_t)delivery->tag;
	assert_true(number < MESSAGES);
	told->times[number]++;
	told->partition[number] = delivery->partition;
	*(delivery->error == NULL ? &told->acknowledged : delivery->given_up ? &told->given_up : &told->refused) += 1;
	struct weir_slice header = weir_delivery_header(delivery, "cut_from_bytes");
	if (header.len > 0)
		(void)snprintf(told->header, sizeof(told->header), "%.*s", (int)header.len, (const char *)header.data);
}

static struct weir_producer *
open_producer(struct told *told, const char *name, const char *value, uint32_t cut_bytes, bool has_thread)
{
	const struct weir_producer_property properties[] = {
	    {"test.mock.num.brokers", "1", false}, {"linger.ms", "1", false}, {name, value, false}};
	const struct weir_producer_opts opts = {.properties = properties,
	    .property_count = 3,
	    .on_delivery = on_delivery,
	    .ctx = told,
	    .has_thread = has_thread,
	    .is_command = true,
	    .cut_bytes = cut_bytes};
	struct weir_producer *producer = NULL;
	struct weir_error err = {0};
	assert_int_equal(weir_producer_open(&opts, &producer, &err), WEIR_OK);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(weir_producer_handle(producer));
	assert_non_null(cluster);
	assert_int_equal(rd_kafka_mock_topic_create(cluster, "t", PARTITIONS, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
	return producer;
}

static enum weir_sent
send_one(struct weir_producer *producer, uintptr_t number, int32_t partition, const char *key, size_t value_len)
{
	static uint8_t value[4096];
	static const struct weir_producer_header headers[] = {{"reason", "test"}};
	struct weir_error err = {0};
	const struct weir_producer_message message = {.topic = "t",
	    .partition = partition,
	    .key = weir_slice_of(key),
	    .value = {value, value_len},
	    .headers = headers,
	    .header_count = 1,
	    .tag = (void *)number};
	return weir_producer_send(producer, &message, &err);
}

/* By key they lie where Java's producers would put them; else where they are told to. */
static void
each_delivery_is_told_once(void **state)
{
	for (int has_thread = 0; has_thread < 2; has_thread++) {
		struct told told = {0};
		struct weir_producer *producer = open_producer(&told, "linger.ms", "2", 0, has_thread != 0);
		struct weir_error err = {0};
		uint32_t partitions = 0;
		char key[16];
		(void)state;
		assert_int_equal(
		    weir_topic_partitions(weir_producer_handle(producer), "t", 5000, &partitions, &err), WEIR_OK);
		assert_int_equal(partitions, PARTITIONS);
		assert_int_equal(
		    weir_topic_partitions(weir_producer_handle(producer), "none", 5000, &partitions, &err), WEIR_FATAL);
		for (uintptr_t i = 0; i < MESSAGES; i++) {
			(void)snprintf(key, sizeof(key), "key-%u", (unsigned)i);
			assert_int_equal(send_one(producer, i,
					     i % 2 == 0 ? WEIR_PARTITION_BY_KEY : (int32_t)(i / 2 % PARTITIONS), key, 10),
			    WEIR_SENT_OK);
		}
		assert_true(weir_producer_flush(producer, 10000));
		weir_producer_close(producer, 10000);
		assert_int_equal(told.acknowledged, MESSAGES);
		for (uintptr_t i = 0; i < MESSAGES; i++) {
			int len = snprintf(key, sizeof(key), "key-%u", (unsigned)i);
			int32_t by_key = rd_kafka_msg_partitioner_murmur2(NULL, key, (size_t)len, PARTITIONS, NULL, NULL);
			assert_int_equal(told.times[i], 1);
			assert_int_equal(told.partition[i], i % 2 == 0 ? by_key : (int32_t)(i / 2 % PARTITIONS));
		}
	}
}

static void
a_value_too_large_is_cut_or_refused(void **state)
{
	(void)state;
	struct told told = {0};
	struct weir_producer *producer = open_producer(&told, "message.max.bytes", "2000", 1000, false);
	assert_int_equal(send_one(producer, 0, 0, "k", 3000), WEIR_SENT_OK);
	assert_true(weir_producer_flush(producer, 10000));
	assert_int_equal(told.acknowledged, 1);
	assert_string_equal(told.header, "3000");
	weir_producer_close(producer, 0);
	producer = open_producer(&told, "message.max.bytes", "2000", 0, false);
	assert_int_equal(send_one(producer, 1, 0, "k", 3000), WEIR_SENT_REFUSED);
	assert_int_equal(weir_producer_queued(producer), 0);
	weir_producer_close(producer, 0);
	assert_int_equal(told.times[1], 0); /* what was refused at once is not told again */
}

static void
a_full_queue_says_so_and_the_end_gives_up(void **state)
{
	(void)state;
	struct told told = {0};
	struct weir_producer *producer = open_producer(&told, "queue.buffering.max.messages", "3", 0, false);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(weir_producer_handle(producer));
	assert_int_equal(rd_kafka_mock_broker_set_down(cluster, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(send_one(producer, i, 0, "k", 10), WEIR_SENT_OK);
	assert_int_equal(send_one(producer, 3, 0, "k", 10), WEIR_SENT_FULL);
	assert_int_equal(weir_producer_queued(producer), 3);
	assert_false(weir_producer_flush(producer, 50));
	weir_producer_close(producer, 0);
	assert_int_equal(told.given_up, 3);
	assert_int_equal(told.times[3], 0);
}

static void
the_settings_have_the_last_word_on_defaults(void **state)
{
	(void)state;
	char name[] = "linger.ms", good[] = "7", bad[] = "never";
	struct weir_property given = {name, good};
	struct weir_settings settings = {
	    .kafka_brokers = (char *)"127.0.0.1:1", .kafka_properties = &given, .kafka_property_count = 1};
	const struct weir_producer_property ours[] = {{"linger.ms", "nonsense", true}};
	struct weir_producer_opts opts = {
	    .settings = &settings, .properties = ours, .property_count = 1, .is_command = true};
	struct weir_producer *producer = NULL;
	struct weir_error err = {0};
	assert_int_equal(weir_producer_open(&opts, &producer, &err), WEIR_OK); /* else "nonsense" would have been set */
	weir_producer_close(producer, 0);
	given.value = bad;
	assert_int_equal(weir_producer_open(&opts, &producer, &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "kafka.properties.linger.ms"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_delivery_is_told_once),
	    cmocka_unit_test(a_value_too_large_is_cut_or_refused),
	    cmocka_unit_test(a_full_queue_says_so_and_the_end_gives_up),
	    cmocka_unit_test(the_settings_have_the_last_word_on_defaults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
