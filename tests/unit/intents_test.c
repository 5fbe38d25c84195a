/*
 * Intents in Redis Cluster: three masters share the slots, weir is told of one. Each partition's intents are written to the
 * node that holds its slot: at once, after the slot was given to another node (MOVED), while it is on its way (ASK), and
 * after a master was lost and its replica promoted.
 *
 * The fault that this is of: the intents' connection went to redis.url's node and nowhere else, so that the intents of two
 * partitions in three were skipped, and a crash in the middle of a call was not known of.
 */
#include "config/base/clock.h"
#include "config/settings/settings.h"
#include "pipeline/engine/intents.h"
#include "private_cluster.h"

#define PARTITIONS 24u

static struct weir_settings settings;
static uint64_t token;

static int
start_cluster(void **state)
{
	(void)state;
	if (!cluster_start(3, 4)) /* the fourth is nobody's yet */
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

static struct weir_pending_command
command_of(uint32_t partition)
{
	struct weir_pending_command offer = {.partition = partition, .token = ++token, .desired = WEIR_DESIRED_SUSPENDED};
	char text[WEIR_ICCID_TEXT_MAX];
	(void)snprintf(text, sizeof(text), "898600000000%08u", partition);
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &offer.iccid));
	return offer;
}

/* Field `<iccid>:<token>` as the node holds it; -1: not there, or not the node's. */
static int
intent_at(int node, const struct weir_pending_command *offer)
{
	char field[WEIR_INTENT_FIELD_MAX];
	redisContext *redis = node_open(&nodes[node]);
	weir_intent_field(offer->iccid, offer->token, field);
	freeReplyObject(redisCommand(redis, "ASKING"));
	redisReply *reply = redisCommand(redis, "HGET weir:{%u}:i %s", offer->partition, field);
	int value = reply->type == REDIS_REPLY_STRING ? atoi(reply->str) : -1;
	freeReplyObject(reply);
	redisFree(redis);
	return value;
}

static int
slot_of(uint32_t partition)
{
	redisReply *reply = answer_of_node(&nodes[0], "CLUSTER KEYSLOT weir:{%u}:i", partition);
	int slot = (int)reply->integer;
	freeReplyObject(reply);
	return slot;
}

/* One intent for each partition, all in one call as the dispatcher does; each must be where its slot is. */
static void
write_and_look(struct weir_intents *intents)
{
	struct weir_pending_command pending_commands[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++)
		pending_commands[p] = command_of(p);
	weir_intents_write(intents, pending_commands, PARTITIONS);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		int owner = owner_of_slot(slot_of(p));
		if (intent_at(owner, &pending_commands[p]) != WEIR_DESIRED_SUSPENDED)
			fail_msg("the intent of partition %u is not at node %d, which holds its slot", p, owner);
	}
}

static void
each_partition_s_intents_are_where_its_slot_is(void **state)
{
	(void)state;
	struct weir_intents *intents = weir_intents_new(&settings);
	bool of_node[3] = {false};
	write_and_look(intents);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		of_node[owner_of_slot(slot_of(p))] = true;
	assert_true(of_node[0] && of_node[1] && of_node[2]); /* else this shows nothing */
	assert_int_equal(weir_intents_skipped(intents), 0);
	weir_intents_free(intents);
}

static void
a_slot_that_was_moved_is_followed(void **state)
{
	(void)state;
	struct weir_intents *intents = weir_intents_new(&settings);
	write_and_look(intents);
	for (uint32_t p = 0; p < 6; p++) {
		int slot = slot_of(p), from = owner_of_slot(slot), to = (from + 1) % 3;
		slot_move_begin(slot, from, to);
		slot_move_end(slot, from, to);
		assert_int_equal(owner_of_slot(slot), to);
		write_and_look(intents);
	}
	assert_int_equal(weir_intents_skipped(intents), 0);
	weir_intents_free(intents);
}

/* The key of a slot on its way is at one node or the other; a new one is made at the new node. */
static void
a_slot_on_its_way_is_followed(void **state)
{
	(void)state;
	struct weir_intents *intents = weir_intents_new(&settings);
	uint32_t p = 7;
	int slot = slot_of(p), from = owner_of_slot(slot), to = (from + 1) % 3;
	write_and_look(intents);
	slot_move_begin(slot, from, to);
	struct weir_pending_command offer = command_of(p);
	weir_intents_write(intents, &offer, 1);
	assert_int_equal(intent_at(from, &offer), WEIR_DESIRED_SUSPENDED); /* it has the key still */
	slot_move_key(from, to, "weir:{7}:i");
	struct weir_pending_command pending_commands[3] = {command_of(p), command_of(8), command_of(p)};
	weir_intents_write(intents, pending_commands, 3);
	assert_int_equal(intent_at(to, &offer), WEIR_DESIRED_SUSPENDED);
	assert_int_equal(intent_at(to, &pending_commands[0]), WEIR_DESIRED_SUSPENDED);
	assert_int_equal(intent_at(to, &pending_commands[2]), WEIR_DESIRED_SUSPENDED);
	assert_int_equal(intent_at(owner_of_slot(slot_of(8)), &pending_commands[1]), WEIR_DESIRED_SUSPENDED);
	slot_move_end(slot, from, to);
	write_and_look(intents);
	assert_int_equal(weir_intents_skipped(intents), 0);
	weir_intents_free(intents);
}

/* A master that dies costs its own partitions' intents, within a bounded time, until its replica is promoted. */
static void
a_lost_master_costs_its_own_intents_alone(void **state)
{
	(void)state;
	struct weir_intents *intents = weir_intents_new(&settings);
	struct weir_pending_command pending_commands[PARTITIONS];
	uint32_t of_lost = 0;
	write_and_look(intents);
	ask_node(&nodes[3], "CLUSTER REPLICATE %s", nodes[0].id); /* of redis.url's own node */
	for (int i = 0; i < 500; i++) {
		redisReply *info = answer_of_node(&nodes[3], "INFO replication");
		bool linked = strstr(info->str, "master_link_status:up") != NULL;
		freeReplyObject(info);
		if (linked)
			break;
		usleep(20000);
	}
	bool lost[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		pending_commands[p] = command_of(p);
		lost[p] = owner_of_slot(slot_of(p)) == 0;
		of_lost += lost[p];
	}
	node_kill(&nodes[0]);
	struct weir_steady before = weir_steady_now();
	weir_intents_write(intents, pending_commands, PARTITIONS);
	assert_true(weir_steady_since_us(before) < 2000000);
	assert_int_equal(weir_intents_skipped(intents), of_lost);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		assert_true(lost[p] || intent_at(1, &pending_commands[p]) == WEIR_DESIRED_SUSPENDED ||
			    intent_at(2, &pending_commands[p]) == WEIR_DESIRED_SUSPENDED);
	ask_node(&nodes[3], "CLUSTER FAILOVER TAKEOVER");
	uint64_t skipped = 0, now = weir_intents_skipped(intents);
	for (int i = 0; i < 100 && skipped != now; i++) {
		usleep(100000);
		skipped = now;
		weir_intents_write(intents, pending_commands, PARTITIONS);
		now = weir_intents_skipped(intents);
	}
	assert_int_equal(skipped, now); /* all are written again, though redis.url's node is gone for good */
	weir_intents_free(intents);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (system("command -v redis-server > /dev/null") != 0) {
		(void)fprintf(stderr, "intents_test: skipped, redis-server is not installed\n");
		return 0;
	}
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_partition_s_intents_are_where_its_slot_is),
	    cmocka_unit_test(a_slot_that_was_moved_is_followed),
	    cmocka_unit_test(a_slot_on_its_way_is_followed),
	    cmocka_unit_test(a_lost_master_costs_its_own_intents_alone),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
