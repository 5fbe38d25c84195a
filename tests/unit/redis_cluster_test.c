/*
 * The Redis client and the store in a Redis Cluster of three masters, told of one: hash slots as Redis computes them,
 * batches and transactions over nodes, functions on each master, slots that move under a client and under a store, a map
 * that is refused, a master that is lost.
 */
#include "pipeline/redis/batch.h"
#include "pipeline/redis/functions.h"
#include "private_cluster.h"
#include "store_lane.h"

#define PARTITIONS 24u

static int
start_cluster(void **state)
{
	(void)state;
	if (!cluster_start(3, 4))
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

static int
slot_of(uint32_t partition)
{
	return weir_slot_of_partition("weir", partition);
}

static struct weir_redis *
client_open(void)
{
	return weir_redis_new(&(struct weir_redis_opts){.settings = &settings});
}

/* Adds a command on key `weir:{<partition>}:<name>`. */
static uint32_t
add(struct weir_redis *redis, const char *command, uint32_t partition, const char *name, const char *value)
{
	struct weir_buf *out;
	uint32_t number = weir_redis_add(redis, (uint16_t)slot_of(partition), value != NULL ? 3 : 2, &out);
	weir_resp_text(out, command);
	weir_resp_key(out, "weir", partition, "%s", name);
	if (value != NULL)
		weir_resp_text(out, value);
	return number;
}

static void
assert_string(const struct weir_redis *redis, uint32_t number, const char *expected)
{
	const struct weir_reply *reply = weir_redis_reply(redis, number);
	assert_non_null(reply);
	assert_int_equal(reply->type, expected != NULL ? WEIR_REPLY_STRING : WEIR_REPLY_NIL);
	if (expected != NULL)
		assert_string_equal(reply->str, expected);
}

static void
move_slot(int slot)
{
	int from = owner_of_slot(slot), to = (from + 1) % 3;
	slot_move_begin(slot, from, to);
	slot_move_end(slot, from, to);
}

/* ---- slots ---- */

static void
slots_are_redis_own(void **state)
{
	(void)state;
	static const char *const KEYS[] = {"", "a", "foo", "123456789", "weir:{0}:h", "weir:{1337}:c:17", "{}x", "a{}b{c}d",
	    "a{{b}}c", "a{b}{c}", "weir:{api}:q:7", "weir:partitions", "x{y", "x}y{z}"};
	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		redisReply *reply = answer_of_node(&nodes[0], "CLUSTER KEYSLOT %s", KEYS[i]);
		assert_int_equal(weir_slot_of_key(weir_slice_of(KEYS[i])), reply->integer);
		freeReplyObject(reply);
	}
	for (uint32_t p = 0; p < 200; p++) {
		redisReply *reply = answer_of_node(&nodes[0], "CLUSTER KEYSLOT a{b:{%u}:h", p); /* a prefix with a brace */
		assert_int_equal(weir_slot_of_partition("a{b", p), reply->integer);
		freeReplyObject(reply);
	}
}

/* ---- the client ---- */

static void
a_batch_goes_to_all_nodes(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	char value[16];
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		(void)snprintf(value, sizeof(value), "%u", p);
		(void)add(redis, "SET", p, "v", value);
	}
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	assert_int_equal(weir_redis_errors(redis, &err), WEIR_OK);
	assert_int_equal(weir_cluster_node_end(redis->cluster), 3);
	weir_redis_clear(redis);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		(void)add(redis, "GET", p, "v", NULL);
		(void)add(redis, "GET", p, "none", NULL);
	}
	assert_int_equal(weir_redis_send_together(redis, &err), WEIR_OK);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		(void)snprintf(value, sizeof(value), "%u", p);
		assert_string(redis, p * 2, value);
		assert_string(redis, p * 2 + 1, NULL);
	}
	weir_redis_free(redis);
}

static void
an_error_is_one_command_s_alone(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	(void)add(redis, "LLEN", 3, "v", NULL); /* a string */
	(void)add(redis, "GET", 4, "v", NULL);
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	assert_int_equal(weir_redis_reply(redis, 0)->type, WEIR_REPLY_ERROR);
	assert_string(redis, 1, "4");
	assert_int_equal(weir_redis_errors(redis, &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "WRONGTYPE"));
	/* a command that cannot even be queued refuses its transaction, and not the other one */
	weir_redis_clear(redis);
	(void)add(redis, "GET", 3, "v", NULL);
	(void)add(redis, "NOSUCH", 3, "v", NULL);
	(void)add(redis, "GET", 4, "v", NULL);
	assert_int_equal(weir_redis_send_together(redis, &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "NOSUCH"));
	assert_null(weir_redis_reply(redis, 0));
	assert_string(redis, 2, "4");
	weir_redis_free(redis);
}

static void
moved_slots_are_followed(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	for (uint32_t p = 0; p < 4; p++) {
		for (uint32_t q = 0; q < PARTITIONS; q++) {
			(void)add(redis, "GET", q, "v", NULL);
			(void)add(redis, "STRLEN", q, "v", NULL);
		}
		assert_int_equal((p % 2 == 0 ? weir_redis_send : weir_redis_send_together)(redis, &err), WEIR_OK);
		assert_int_equal(weir_redis_errors(redis, &err), WEIR_OK);
		weir_redis_clear(redis);
		move_slot(slot_of(p));
	}
	weir_redis_free(redis);
}

/* While a slot is on its way, single keys are found at either end; a transaction where all its keys are. */
static void
a_slot_on_its_way_is_followed(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	uint32_t p = 9;
	int slot = slot_of(p), from = owner_of_slot(slot), to = (from + 1) % 3;
	(void)add(redis, "SET", p, "w", "second");
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	slot_move_begin(slot, from, to);
	slot_move_key(from, to, "weir:{9}:v");
	weir_redis_clear(redis);
	(void)add(redis, "GET", p, "v", NULL);    /* there */
	(void)add(redis, "GET", p, "w", NULL);    /* here */
	(void)add(redis, "GET", p, "none", NULL); /* nowhere */
	(void)add(redis, "GET", 10, "v", NULL);   /* another slot */
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	assert_string(redis, 0, "9");
	assert_string(redis, 1, "second");
	assert_string(redis, 2, NULL);
	assert_string(redis, 3, "10");
	/* two keys at two nodes: no transaction can see both, and the client says so instead of mixing */
	weir_redis_clear(redis);
	(void)add(redis, "GET", p, "v", NULL);
	(void)add(redis, "GET", p, "w", NULL);
	assert_int_equal(weir_redis_send_together(redis, &err), WEIR_RETRY);
	slot_move_key(from, to, "weir:{9}:w");
	weir_redis_clear(redis);
	(void)add(redis, "GET", p, "v", NULL);
	(void)add(redis, "GET", p, "w", NULL);
	assert_int_equal(weir_redis_send_together(redis, &err), WEIR_OK); /* ASK, all at the new node */
	assert_string(redis, 1, "second");
	slot_move_end(slot, from, to);
	weir_redis_clear(redis);
	(void)add(redis, "GET", p, "v", NULL);
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	assert_string(redis, 0, "9");
	weir_redis_free(redis);
}

/* An idle connection that the other side closed costs nothing but a new one. */
static void
closed_connections_are_opened_again(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	for (int i = 0; i < 3; i++) {
		weir_redis_clear(redis);
		for (uint32_t p = 0; p < PARTITIONS; p++)
			(void)add(redis, "GET", p, "v", NULL);
		assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
		assert_int_equal(weir_redis_errors(redis, &err), WEIR_OK);
		for (int n = 0; n < 3; n++)
			ask_node(&nodes[n], "CLIENT KILL TYPE normal SKIPME yes");
	}
	weir_redis_free(redis);
}

static bool
has_functions(int node)
{
	redisReply *reply = answer_of_node(&nodes[node], "FUNCTION LIST LIBRARYNAME weir");
	bool has = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;
	freeReplyObject(reply);
	return has;
}

static void
functions_are_on_each_master(void **state)
{
	(void)state;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	assert_int_equal(weir_redis_install_functions(redis, "weir", &err), WEIR_OK);
	for (int n = 0; n < 3; n++)
		assert_true(has_functions(n));
	assert_false(has_functions(3)); /* no master: it has no slots */
	weir_redis_free(redis);
}

/* A user that may not ask for the map: MOVED alone teaches, and slots that move are followed all the same. */
static void
a_map_that_is_refused_is_not_needed(void **state)
{
	(void)state;
	char url[96];
	for (int n = 0; n < 3; n++)
		ask_node(&nodes[n], "ACL SETUSER blind on >secret ~* +@all -cluster");
	(void)snprintf(url, sizeof(url), "redis://blind:secret@127.0.0.1:%u", nodes[0].port);
	settings.redis_url = url;
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	for (uint32_t round = 0; round < 3; round++) {
		weir_redis_clear(redis);
		for (uint32_t p = 0; p < PARTITIONS; p++)
			(void)add(redis, "GET", p, "v", NULL);
		assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
		assert_int_equal(weir_redis_errors(redis, &err), WEIR_OK);
		move_slot(slot_of(12 + round));
	}
	weir_redis_free(redis);
	settings.redis_url = nodes[0].url;
}

static void
a_wrong_password_is_final(void **state)
{
	(void)state;
	char url[96];
	struct weir_error err = {0};
	(void)snprintf(url, sizeof(url), "redis://blind:wrong@127.0.0.1:%u", nodes[0].port);
	settings.redis_url = url;
	struct weir_redis *redis = client_open();
	(void)add(redis, "GET", 0, "v", NULL);
	assert_int_equal(weir_redis_send(redis, &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "WRONGPASS"));
	weir_redis_free(redis);
	settings.redis_url = (char *)"http://nowhere";
	redis = client_open();
	(void)add(redis, "GET", 0, "v", NULL);
	assert_int_equal(weir_redis_send(redis, &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "redis.url"));
	weir_redis_free(redis);
	settings.redis_url = nodes[0].url;
}

/* ---- the store ---- */

/* What the flushes of flush_request() left: their number, as the key that each appends to tells. */
static long
flushes_stored(uint32_t partition)
{
	redisReply *reply = answer_of_node(&nodes[owner_of_slot(slot_of(partition))], "STRLEN weir:{%u}:log", partition);
	long count = (long)reply->integer;
	freeReplyObject(reply);
	return count;
}

static void
the_store_follows_moved_slots(void **state)
{
	(void)state;
	struct lane *lane = lane_open("a");
	uint64_t epochs[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++)
		epochs[p] = take(lane, p);
	for (int round = 0; round < 4; round++) {
		for (uint32_t p = 0; p < PARTITIONS; p++)
			assert_int_equal(flush(lane, p, epochs[p], round - 1, round), WEIR_STORE_DONE);
		for (uint32_t p = 0; p < 6; p++)
			move_slot(slot_of(p));
	}
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		assert_int_equal(flushes_stored(p), 4);
		struct loaded loaded = {0};
		struct weir_store_request request = take_request(p, &loaded);
		assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
		assert_int_equal(request.header.offsets[0], 3);
	}
	struct weir_store_counters counters;
	weir_store_counters_get(lane->store, &counters);
	assert_true(counters.refusals >= 6); /* else no slot moved under it */
	lane_close(lane);
}

/* A flush cannot span two nodes: it waits while its slot is on its way, and is applied once, at the new node. */
static void
a_flush_waits_for_its_slot_to_arrive(void **state)
{
	(void)state;
	struct lane *lane = lane_open("a");
	uint32_t p = 17;
	int slot = slot_of(p), from = owner_of_slot(slot), to = (from + 1) % 3;
	long before = flushes_stored(p);
	uint64_t epoch = take(lane, p);
	int64_t offset = 3;
	static const char *const FIRST[] = {"weir:{17}:h", "weir:{17}:c:0"};
	for (int i = 0; i < 2; i++) {
		slot_move_begin(slot, from, to);
		slot_move_key(from, to, FIRST[i]);
		struct weir_store_request request = flush_request(p, epoch, offset, offset + 1);
		assert_true(weir_store_submit(lane->store, &request));
		assert_null(wait_answer(lane, 400)); /* half of its keys are elsewhere */
		slot_move_end(slot, from, to);
		assert_ptr_equal(wait_answer(lane, 10000), &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		weir_buf_free(&request.body);
		offset++;
		assert_int_equal(flushes_stored(p), before + i + 1);
		int old = from;
		from = to;
		to = old;
	}
	lane_close(lane);
}

/* The last of all: redis.url's own master dies, its replica is promoted, and store and client go on without the dead one.
 */
static void
a_promoted_replica_is_found(void **state)
{
	(void)state;
	struct lane *lane = lane_open("a");
	struct weir_redis *redis = client_open();
	struct weir_error err = {0};
	uint64_t epochs[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		struct loaded loaded = {0};
		struct weir_store_request request = take_request(p, &loaded);
		assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
		epochs[p] = request.header.epoch;
		(void)add(redis, "GET", p, "v", NULL);
	}
	assert_int_equal(weir_redis_send(redis, &err), WEIR_OK);
	ask_node(&nodes[3], "CLUSTER REPLICATE %s", nodes[0].id);
	for (bool linked = false; !linked; usleep(20000)) {
		redisReply *info = answer_of_node(&nodes[3], "INFO replication");
		linked = strstr(info->str, "master_link_status:up") != NULL;
		freeReplyObject(info);
	}
	uint32_t p = 0;
	while (owner_of_slot(slot_of(p)) != 0)
		p++;
	long before = flushes_stored(p);
	node_kill(&nodes[0]);
	struct weir_store_request request = flush_request(p, epochs[p], p == 17 ? 5 : 3, 9);
	assert_true(weir_store_submit(lane->store, &request));
	assert_null(wait_answer(lane, 300));
	ask_node(&nodes[3], "CLUSTER FAILOVER TAKEOVER");
	assert_ptr_equal(wait_answer(lane, 20000), &request);
	assert_int_equal(request.result, WEIR_STORE_DONE);
	assert_int_equal(flushes_stored(p), before + 1);
	weir_buf_free(&request.body);
	enum weir_class class = WEIR_RETRY;
	for (int i = 0; i < 100 && class == WEIR_RETRY; i++) {
		weir_redis_clear(redis);
		for (uint32_t q = 0; q < PARTITIONS; q++)
			(void)add(redis, "GET", q, "v", NULL);
		class = weir_redis_send(redis, &err);
		if (class == WEIR_OK)
			class = weir_redis_errors(redis, &err);
		usleep(50000);
	}
	assert_int_equal(class, WEIR_OK);
	weir_redis_free(redis);
	lane_close(lane);
}

int
main(void)
{
	if (!redis_is_installed("redis_cluster_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_are_redis_own),
	    cmocka_unit_test(a_batch_goes_to_all_nodes),
	    cmocka_unit_test(an_error_is_one_command_s_alone),
	    cmocka_unit_test(moved_slots_are_followed),
	    cmocka_unit_test(a_slot_on_its_way_is_followed),
	    cmocka_unit_test(closed_connections_are_opened_again),
	    cmocka_unit_test(functions_are_on_each_master),
	    cmocka_unit_test(a_map_that_is_refused_is_not_needed),
	    cmocka_unit_test(a_wrong_password_is_final),
	    cmocka_unit_test(the_store_follows_moved_slots),
	    cmocka_unit_test(a_flush_waits_for_its_slot_to_arrive),
	    cmocka_unit_test(a_promoted_replica_is_found),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
