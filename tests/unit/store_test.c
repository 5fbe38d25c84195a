/*
 * The store against a real Redis of its own: taking, flushing, fencing, forgetting, a lost acknowledgement, Redis killed in
 * the middle, loading, cancelling, and what weir_card says. Skipped, saying so, where redis-server is not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "config/base/iccid.h"
#include "pipeline/store/resp.h"
#include "pipeline/store/store.h"
#include "private_redis.h"

static struct private_redis server;
static bool have_server;
static struct weir_settings settings;
static const char *const TOPICS[] = {"weir.records", "weir.cards"};

struct lane { /* a store and its bell */
	struct weir_store *store;
	int bell_fd;
};

static void
ring(void *ctx)
{
	uint64_t one = 1;
	assert_int_equal(write(*(int *)ctx, &one, sizeof(one)), sizeof(one));
}

static int64_t
now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct lane *
lane_open(const char *owner)
{
	struct lane *lane = weir_calloc(1, sizeof(*lane));
	lane->bell_fd = eventfd(0, 0);
	struct weir_error err = {0};
	lane->store = weir_store_start(&(struct weir_store_opts){.settings = &settings,
					   .topics = TOPICS,
					   .topic_count = 2,
					   .bell = ring,
					   .bell_ctx = &lane->bell_fd,
					   .owner_name = owner},
	    &err);
	assert_non_null(lane->store);
	return lane;
}

static void
lane_close(struct lane *lane)
{
	weir_store_free(lane->store);
	(void)close(lane->bell_fd);
	free(lane);
}

static struct weir_store_request *
wait_answer(struct lane *lane, int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms;
	for (;;) {
		struct weir_store_request *request = weir_store_next(lane->store);
		if (request != NULL || now_ms() >= until)
			return request;
		struct pollfd bell = {.fd = lane->bell_fd, .events = POLLIN};
		if (poll(&bell, 1, (int)(until - now_ms()) + 1) > 0) {
			uint64_t rings;
			assert_int_equal(read(lane->bell_fd, &rings, sizeof(rings)), sizeof(rings));
		}
	}
}

static enum weir_store_result
run(struct lane *lane, struct weir_store_request *request)
{
	assert_true(weir_store_submit(lane->store, request));
	assert_ptr_equal(wait_answer(lane, 20000), request);
	return request->result;
}

/* What a load brought, counted and sampled. */
struct loaded {
	uint32_t begins, names, references, pages[WEIR_SLAB_COUNT], marks, intents;
	uint64_t page_bytes, mark_bytes;
	char last_name[32], last_json[64];
	uint32_t intent_slot;
	int64_t last_hour;
	bool reject_pages;
};

static bool
on_begin(void *ctx, const struct weir_store_header *header)
{
	struct loaded *loaded = ctx;
	uint32_t begins = loaded->begins + 1;
	bool reject = loaded->reject_pages;
	*loaded = (struct loaded){.begins = begins, .reject_pages = reject};
	return header->epoch > 0;
}

static bool
on_name(void *ctx, uint32_t index, struct weir_slice name)
{
	struct loaded *loaded = ctx;
	assert_int_equal(index, loaded->names);
	loaded->names++;
	(void)snprintf(loaded->last_name, sizeof(loaded->last_name), "%.*s", (int)name.len, (const char *)name.data);
	return true;
}

static bool
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	struct loaded *loaded = ctx;
	loaded->references++;
	(void)field;
	(void)snprintf(loaded->last_json, sizeof(loaded->last_json), "%.*s", (int)json.len, (const char *)json.data);
	return true;
}

static bool
on_page(void *ctx, enum weir_slab_kind slab, uint32_t page, struct weir_slice bytes)
{
	struct loaded *loaded = ctx;
	(void)page;
	loaded->pages[slab]++;
	loaded->page_bytes += bytes.len;
	return !loaded->reject_pages;
}

static bool
on_marks(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes)
{
	struct loaded *loaded = ctx;
	assert_true(bucket < 256);
	loaded->marks++;
	loaded->mark_bytes += bytes.len;
	loaded->last_hour = hour;
	return true;
}

static bool
on_intent(void *ctx, uint32_t slot, uint8_t desired)
{
	struct loaded *loaded = ctx;
	loaded->intents++;
	loaded->intent_slot = slot;
	return desired <= 2;
}

static struct weir_store_request
take_request(uint32_t partition, struct loaded *loaded)
{
	return (struct weir_store_request){.kind = WEIR_STORE_TAKE,
	    .partition = partition,
	    .fresh_hours = 1,
	    .sink = {loaded, on_begin, on_name, on_reference, on_page, on_marks, on_intent}};
}

/* A flush that sets the offset of weir.records from `before` to `after`, and a key of its own. */
static struct weir_store_request
flush_request(uint32_t partition, uint64_t epoch, int64_t before, int64_t after)
{
	struct weir_store_request request = {
	    .kind = WEIR_STORE_FLUSH, .partition = partition, .epoch = epoch, .commands = 3};
	for (uint32_t i = 0; i <= WEIR_INPUTS_MAX; i++)
		request.offsets_before[i] = request.offsets_after[i] = -1;
	request.offsets_before[0] = before;
	request.offsets_after[0] = after;
	weir_resp_command(&request.body, 3);
	weir_resp_text(&request.body, "APPEND");
	weir_resp_key(&request.body, "weir", partition, "log");
	weir_resp_text(&request.body, "x");
	weir_resp_command(&request.body, 3);
	weir_resp_text(&request.body, "SET");
	weir_resp_key(&request.body, "weir", partition, "c:0");
	memset(weir_resp_reserve(&request.body, WEIR_PAGE_BYTES), 'p', WEIR_PAGE_BYTES);
	weir_resp_command(&request.body, 8);
	weir_resp_text(&request.body, "HSET");
	weir_resp_key(&request.body, "weir", partition, "h");
	weir_resp_text(&request.body, "o:weir.records");
	weir_resp_i64(&request.body, after);
	weir_resp_text(&request.body, "stream_time_us");
	weir_resp_text(&request.body, "1774847286000000");
	weir_resp_text(&request.body, "cards");
	weir_resp_text(&request.body, "1");
	return request;
}

static enum weir_store_result
flush(struct lane *lane, uint32_t partition, uint64_t epoch, int64_t before, int64_t after)
{
	struct weir_store_request request = flush_request(partition, epoch, before, after);
	enum weir_store_result result = run(lane, &request);
	weir_buf_free(&request.body);
	return result;
}

static uint64_t
take(struct lane *lane, uint32_t partition)
{
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(partition, &loaded);
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	return request.header.epoch;
}

static redisContext *
by_hand(void)
{
	struct weir_error err = {0};
	redisContext *redis = weir_redis_connect(&settings, &err);
	assert_non_null(redis);
	return redis;
}

static long long
say(const char *fmt, ...)
{
	redisContext *redis = by_hand();
	va_list args;
	va_start(args, fmt);
	redisReply *reply = redisvCommand(redis, fmt, args);
	va_end(args);
	assert_non_null(reply);
	assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
	long long number = reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : reply->integer;
	freeReplyObject(reply);
	redisFree(redis);
	return number;
}

static void
taking_raises_the_epoch(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(1, &loaded);
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(request.header.epoch, 1);
	assert_false(request.header.exists);
	assert_int_equal(request.header.offsets[0], -1);
	assert_int_equal(loaded.begins, 1);
	request.epoch_floor = 41;
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(request.header.epoch, 42);
	assert_int_equal(say("HGET weir:{1}:h epoch"), 42);
	(void)say("HSET weir:{1}:h epoch 18446744073709551615");
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_POISON);
	assert_int_equal(take(lane, 2), 1);
	lane_close(lane);
}

static void
flushing_moves_offsets_once(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	assert_int_equal(flush(lane, 1, epoch, -1, 10), WEIR_STORE_DONE);
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_DONE);
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_DONE); /* already applied */
	assert_int_equal(say("STRLEN weir:{1}:log"), 2);
	struct weir_store_counters counters;
	weir_store_counters_get(lane->store, &counters);
	assert_int_equal(counters.flushes, 3);
	assert_true(counters.connected);
	lane_close(lane);
}

static void
an_older_owner_is_fenced(void **state)
{
	(void)state;
	struct lane *first = lane_open("one"), *second = lane_open("two");
	uint64_t old = take(first, 1);
	assert_int_equal(flush(first, 1, old, -1, 10), WEIR_STORE_DONE);
	uint64_t new = take(second, 1);
	assert_true(new > old);
	assert_int_equal(flush(first, 1, old, 10, 20), WEIR_STORE_FENCED);
	assert_int_equal(flush(second, 1, new, 10, 30), WEIR_STORE_DONE);
	assert_int_equal(flush(first, 1, old, 10, 30), WEIR_STORE_FENCED);
	assert_int_equal(say("STRLEN weir:{1}:log"), 2);
	assert_int_equal(say("HGET weir:{1}:h o:weir.records"), 30);
	lane_close(first);
	lane_close(second);
}

/* Both owners flush as fast as they can while the other takes: each taking must fence all that follows. */
static void
owners_that_race_never_both_write(void **state)
{
	(void)state;
	struct lane *lanes[2] = {lane_open("one"), lane_open("two")};
	int64_t offset = -1, written = 0;
	for (int round = 0; round < 60; round++) {
		struct loaded loaded = {0};
		struct lane *mine = lanes[round & 1], *other = lanes[~round & 1];
		uint64_t epoch = take(mine, 1);
		struct weir_store_request racing = flush_request(1, epoch, offset, offset + 10);
		struct weir_store_request taking = take_request(1, &loaded);
		assert_true(weir_store_submit(mine->store, &racing));
		assert_true(weir_store_submit(other->store, &taking));
		assert_ptr_equal(wait_answer(mine, 20000), &racing);
		assert_ptr_equal(wait_answer(other, 20000), &taking);
		assert_int_equal(taking.result, WEIR_STORE_DONE);
		if (racing.result == WEIR_STORE_DONE) {
			offset += 10;
			written++;
			assert_int_equal(taking.header.offsets[0], offset);
		} else {
			assert_int_equal(racing.result, WEIR_STORE_FENCED);
			assert_int_equal(taking.header.offsets[0], offset);
		}
		weir_buf_free(&racing.body);
	}
	assert_int_equal(say("STRLEN weir:{1}:log"), written);
	lane_close(lanes[0]);
	lane_close(lanes[1]);
}

static void
a_redis_that_forgot_is_noticed(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	assert_int_equal(flush(lane, 1, epoch, -1, 10), WEIR_STORE_DONE);
	(void)say("HSET weir:{1}:h o:weir.records 7");
	struct weir_store_request request = flush_request(1, epoch, 10, 20);
	assert_int_equal(run(lane, &request), WEIR_STORE_FORGOT);
	assert_int_equal(request.header.offsets[0], 7);
	(void)say("DEL weir:{1}:h");
	assert_int_equal(run(lane, &request), WEIR_STORE_FORGOT);
	assert_false(request.header.exists);
	weir_buf_free(&request.body);
	(void)say("HSET weir:{1}:h epoch nonsense");
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_FAILED);
	lane_close(lane);
}

static void
an_error_inside_the_transaction_is_fatal_and_loud(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	(void)say("LPUSH weir:{1}:log not-a-string");
	struct weir_store_request request = flush_request(1, epoch, -1, 10);
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_FATAL);
	assert_non_null(strstr(request.error.text, "WRONGTYPE"));
	assert_non_null(strstr(request.error.text, "does not roll back"));
	weir_buf_free(&request.body);
	/* and a command that cannot even be queued: nothing of the body is done */
	request = flush_request(2, take(lane, 2), -1, 10);
	weir_resp_command(&request.body, 1);
	weir_resp_text(&request.body, "NOSUCH");
	request.commands++;
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(say("EXISTS weir:{2}:log"), 0);
	weir_buf_free(&request.body);
	assert_int_equal(flush(lane, 2, 1, -1, 10), WEIR_STORE_DONE); /* the store goes on */
	lane_close(lane);
}

/* Connections are killed all the time; each flush must be applied exactly once. */
static void
lost_acknowledgements_cost_no_count(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	redisContext *redis = by_hand();
	const int rounds = 300;
	for (int i = 0; i < rounds; i++) {
		struct weir_store_request request = flush_request(1, epoch, i - 1, i);
		assert_true(weir_store_submit(lane->store, &request));
		usleep((useconds_t)(i * 7 % 200));
		freeReplyObject(redisCommand(redis, "CLIENT KILL TYPE normal SKIPME yes"));
		assert_ptr_equal(wait_answer(lane, 20000), &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		weir_buf_free(&request.body);
	}
	redisFree(redis);
	assert_int_equal(say("STRLEN weir:{1}:log"), rounds);
	struct weir_store_counters counters;
	weir_store_counters_get(lane->store, &counters);
	assert_true(counters.reconnects > 0);
	lane_close(lane);
}

static void
a_killed_redis_is_waited_for(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	for (int i = 0; i < 4; i++) {
		struct weir_store_request request = flush_request(1, epoch, i - 1, i);
		for (int page = 0; page < 4000; page++) { /* 32 MB: long enough to be hit */
			weir_resp_command(&request.body, 3);
			weir_resp_text(&request.body, "SET");
			weir_resp_key(&request.body, "weir", 1, "s:%d", page);
			memset(weir_resp_reserve(&request.body, WEIR_PAGE_BYTES), 'p', WEIR_PAGE_BYTES);
			request.commands++;
		}
		assert_true(weir_store_submit(lane->store, &request));
		usleep((useconds_t)i * 15000);
		private_redis_kill(&server);
		usleep(50000);
		assert_true(private_redis_run(&server));
		assert_ptr_equal(wait_answer(lane, 60000), &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		assert_int_equal(say("STRLEN weir:{1}:log"), i + 1);
		weir_buf_free(&request.body);
	}
	lane_close(lane);
}

static void
cancel_and_stop_do_not_wait(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	private_redis_kill(&server);
	struct weir_store_request a = flush_request(1, epoch, -1, 1), b = flush_request(2, epoch, -1, 1),
				  c = flush_request(1, epoch, 1, 2);
	assert_true(weir_store_submit(lane->store, &a));
	assert_true(weir_store_submit(lane->store, &b));
	assert_true(weir_store_submit(lane->store, &c));
	usleep(300000);
	assert_null(weir_store_next(lane->store));
	int64_t before = now_ms();
	weir_store_cancel(lane->store, 1);
	assert_ptr_equal(wait_answer(lane, 5000), &a);
	assert_true(now_ms() - before < 100);
	assert_int_equal(a.result, WEIR_STORE_CANCELLED);
	assert_null(wait_answer(lane, 50)); /* answers keep their order: b waits for Redis, c behind it */
	before = now_ms();
	weir_store_stop(lane->store);
	assert_true(now_ms() - before < 100);
	assert_ptr_equal(weir_store_next(lane->store), &b);
	assert_ptr_equal(weir_store_next(lane->store), &c);
	assert_int_equal(b.result, WEIR_STORE_CANCELLED);
	assert_int_equal(c.result, WEIR_STORE_CANCELLED);
	assert_false(weir_store_submit(lane->store, &a));
	weir_buf_free(&a.body);
	weir_buf_free(&b.body);
	weir_buf_free(&c.body);
	lane_close(lane);
	assert_true(private_redis_run(&server));
}

static void
the_ring_is_bounded_and_in_order(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	static struct weir_store_request requests[257];
	for (int i = 0; i < 257; i++)
		requests[i] = (struct weir_store_request){.kind = WEIR_STORE_FETCH};
	for (int i = 0; i < 256; i++)
		assert_true(weir_store_submit(lane->store, &requests[i]));
	assert_false(weir_store_submit(lane->store, &requests[256]));
	for (int i = 0; i < 256; i++)
		assert_ptr_equal(wait_answer(lane, 5000), &requests[i]);
	assert_true(weir_store_submit(lane->store, &requests[256]));
	assert_ptr_equal(wait_answer(lane, 5000), &requests[256]);
	lane_close(lane);
}

static void
a_partition_is_loaded_whole(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	static char page[WEIR_PAGE_BYTES];
	int64_t hour = 1774847286 / 3600;
	freeReplyObject(redisCommand(redis,
	    "HSET weir:{5}:h format 1 epoch 6 stream_time_us 1774847286000000 cards %d terms 130 enforcements 33 sessions "
	    "1 "
	    "o:weir.records 5 o:weir.cards 9007199254740993",
	    600 * 128));
	for (int i = 0; i < 600; i++)
		freeReplyObject(redisCommand(redis, "SET weir:{5}:c:%d %b", i, page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:t:1 short"));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:e:1 %b", page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:c:600 beyond"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{5}:n cm gold"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:r plan:gold {}"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:i 77 2"));
	for (int i = 0; i < 256; i++)
		for (int64_t h = hour - 2; h <= hour + 2; h++)
			freeReplyObject(redisCommand(redis, "SET weir:{5}:m:%lld:%d 1234567", (long long)h, i));
	struct lane *lane = lane_open("one");
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(5, &loaded);
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_true(request.header.exists);
	assert_int_equal(request.header.epoch, 7);
	assert_true(request.header.offsets[1] == INT64_C(9007199254740993));
	assert_int_equal(request.header.stream_time_us, INT64_C(1774847286000000));
	assert_int_equal(loaded.pages[WEIR_SLAB_CARDS], 600);
	assert_int_equal(loaded.pages[WEIR_SLAB_TERMS], 1);
	assert_int_equal(loaded.pages[WEIR_SLAB_ENFORCEMENTS], 1);
	assert_int_equal(loaded.page_bytes, 601 * WEIR_PAGE_BYTES + 5);
	assert_int_equal(loaded.names, 2);
	assert_string_equal(loaded.last_name, "gold");
	assert_string_equal(loaded.last_json, "{}");
	assert_int_equal(loaded.intent_slot, 77);
	assert_int_equal(loaded.marks, 3 * 256);
	assert_int_equal(loaded.mark_bytes, 3 * 256 * 7);
	assert_int_equal(loaded.last_hour, hour + 1);

	loaded.reject_pages = true;
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_POISON);
	assert_non_null(strstr(request.error.text, "weir:{5}:c:0"));
	loaded.reject_pages = false;
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:i 77 many"));
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	freeReplyObject(redisCommand(redis, "SET weir:{5}:i string"));
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	freeReplyObject(redisCommand(redis, "DEL weir:{5}:i"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:h format 2"));
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:h format 1"));
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	lane_close(lane);
	redisFree(redis);
}

static void
fetching_reads_whole_strings_and_ranges(void **state)
{
	(void)state;
	(void)say("SET weir:{3}:m:1:2 0123456789");
	struct lane *lane = lane_open("one");
	struct weir_store_fetch fetches[300] = {{.key = "m:1:2"}, {.key = "m:1:2", .from = 2, .len = 3}, {.key = "none"},
	    {.key = "m:1:2", .from = 8, .len = 9}};
	for (int i = 4; i < 300; i++)
		(void)snprintf(fetches[i].key, sizeof(fetches[i].key), "m:1:%d", i == 299 ? 2 : 3);
	struct weir_store_request request = {
	    .kind = WEIR_STORE_FETCH, .partition = 3, .fetches = fetches, .fetch_count = 300};
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(fetches[0].value_out.len, 10);
	assert_int_equal(fetches[1].value_out.len, 3);
	assert_memory_equal(fetches[1].value_out.data, "234", 3);
	assert_int_equal(fetches[2].value_out.len, 0);
	assert_int_equal(fetches[3].value_out.len, 2);
	assert_int_equal(fetches[298].value_out.len, 0);
	assert_int_equal(fetches[299].value_out.len, 10);
	for (int i = 0; i < 300; i++)
		weir_buf_free(&fetches[i].value_out);
	lane_close(lane);
}

/* -- weir_card -- */

static void
put(uint8_t *at, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(number >> (8 * i));
}

static void
store_card(redisContext *redis, const char *text, uint32_t slot, uint64_t up, uint64_t down)
{
	uint8_t card[64] = {0}, terms[64] = {0}, enforcement[256] = {0}, past[32] = {0}, entry[16] = {0};
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	put(card, iccid.hi, 8);
	put(card + 8, iccid.lo, 8);
	put(card + 16, up, 8);
	put(card + 24, down, 8);
	put(card + 40, 4294967295u, 4);
	put(card + 44, 12, 4);
	put(card + 48, 1774847286, 4);
	put(card + 52, 56 * 12 + 2, 2); /* 2026-03 */
	put(card + 54, 1 << 1 | 1 << 6, 2);
	put(card + 56, 2, 2);
	card[58] = 1;
	card[59] = 2 | 8;
	put(card + 60, 131, 4);
	put(terms, slot + 1, 4);
	put(terms + 4, 34, 4);
	put(terms + 8, (UINT64_C(1) << 53) + 1, 8);
	put(terms + 16, UINT64_MAX, 8);
	put(terms + 32, 56 * 12 + 2, 2);
	put(enforcement, slot + 1, 4);
	enforcement[4] = 2;
	enforcement[5] = 1;
	enforcement[6] = 3;
	memcpy(enforcement + 96, "T-0042", 6);
	put(past, 1000, 8);
	put(past + 8, 337, 8);
	uint32_t tag = weir_iccid_tag(iccid);
	put(entry, tag, 4); /* a neighbour with the same tag, whose slot holds another card */
	put(entry + 4, slot + 1, 4);
	put(entry + 8, tag, 4);
	put(entry + 12, slot, 4);
	freeReplyObject(
	    redisCommand(redis, "SETRANGE weir:{3}:c:%u %u %b", slot / 128, slot % 128 * 64, card, sizeof(card)));
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:t:1 %d %b", 2 * 64, terms, sizeof(terms)));
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:e:1 %d %b", 1 * 256, enforcement, sizeof(enforcement)));
	freeReplyObject(redisCommand(
	    redis, "SETRANGE weir:{3}:y:%d:%u %u %b", 56 * 12 + 1, slot / 256, slot % 256 * 32, past, sizeof(past)));
	freeReplyObject(redisCommand(redis, "APPEND weir:{3}:d:%u %b", tag % 1024, entry, sizeof(entry)));
}

/* Compares the answer with "field=value" lines. */
static void
assert_card(redisContext *redis, const char *iccid, bool by_key, const char *expected)
{
	redisReply *reply = by_key ? redisCommand(redis, "FCALL_RO weir_card 1 weir:{3}:h %s", iccid)
				   : redisCommand(redis, "FCALL_RO weir_card 0 %s", iccid);
	struct weir_buf got = {0};
	weir_buf_reserve(&got, 1);
	got.data[0] = 0;
	if (reply->type == REDIS_REPLY_ERROR)
		weir_buf_printf(&got, "%s", reply->str);
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		assert_int_equal(reply->element[i + 1]->type, REDIS_REPLY_STRING);
		weir_buf_printf(&got, "%s=%s\n", reply->element[i]->str, reply->element[i + 1]->str);
	}
	assert_string_equal((const char *)got.data, expected);
	weir_buf_free(&got);
	freeReplyObject(reply);
}

static void
weir_card_answers_in_words(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(weir_redis_install_functions(redis, &err), WEIR_OK);
	assert_int_equal(weir_redis_install_functions(redis, &err), WEIR_OK);
	assert_card(redis, "89860000000000000001", false, "ERR weir_card: weir:partitions is not set: has weir run?");
	freeReplyObject(redisCommand(redis, "SET weir:partitions 12"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{3}:n cm gold"));
	freeReplyObject(
	    redisCommand(redis, "HSET weir:{3}:r plan:gold %s", "{\"limit\":9007199254740995,\"id\":\"gold\"}"));
	store_card(redis, "8986000000000000000a", 1000, UINT64_MAX - 1, (UINT64_C(1) << 53) + 1);
	static const char EXPECTED[] =
	    "iccid=8986000000000000000A\npartition=3\nslot=1000\ncarrier=cm\nplan=gold\nstatus=in_use\ncycle=2026-03\n"
	    "up_bytes=18446744073709551614\ndown_bytes=9007199254740993\nused_bytes=18455751272964292607\n"
	    "records=4294967295\nsessions=12\nlast_record=2026-03-30T05:08:06Z\nreasons=usage_limit,manual\n"
	    "limit_bytes=9007199254740993\naddon_bytes=18446744073709551615\ndesired=suspended\nconfirmed=active\n"
	    "command=accepted\nticket=T-0042\nprevious=2026-02:1337\n";
	assert_card(redis, "8986000000000000000a", false, EXPECTED);
	assert_card(redis, "8986000000000000000A", true, EXPECTED);
	assert_card(redis, "89860000000000000002", false, "");
	assert_card(redis, "89860000000000000002", true, "");
	assert_card(redis, "8986", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");
	assert_card(redis, "8986000000000000-001", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");

	/* 19 characters, no terms: defaults and the plan's limit, digit by digit */
	store_card(redis, "ZZ86000000000000001", 5, 0, 0);
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:c:0 %d %b", 5 * 64 + 60, "\0\0\0\0", (size_t)4));
	redisReply *reply = redisCommand(redis, "FCALL_RO weir_card 0 ZZ86000000000000001");
	assert_int_equal(reply->elements, 46 - 4);
	assert_string_equal(reply->element[29]->str, "9007199254740995");
	assert_string_equal(reply->element[31]->str, "0");
	assert_string_equal(reply->element[33]->str, "active");
	freeReplyObject(reply);

	/* another prefix: the library is replaced */
	assert_int_equal(weir_redis_install_functions_at(redis, "other", &err), WEIR_OK);
	assert_card(redis, "89860000000000000001", false, "ERR weir_card: other:partitions is not set: has weir run?");
	assert_int_equal(weir_redis_install_functions_at(redis, "it's", &err), WEIR_POISON);
	redisFree(redis);
}

static int
empty_server(void **state)
{
	(void)state;
	if (!have_server)
		return 0;
	(void)say("FLUSHALL");
	return 0;
}

static int
start_server(void **state)
{
	(void)state;
	have_server = private_redis_start(&server);
	settings =
	    (struct weir_settings){.redis_url = server.url, .redis_prefix = (char *)"weir", .redis_timeout_ms = 2000};
	return 0;
}

static int
stop_server(void **state)
{
	(void)state;
	if (have_server)
		private_redis_stop(&server);
	return 0;
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (system("command -v redis-server > /dev/null") != 0) {
		(void)fprintf(stderr, "store_test: skipped, redis-server is not installed\n");
		return 0;
	}
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(taking_raises_the_epoch, empty_server),
	    cmocka_unit_test_setup(flushing_moves_offsets_once, empty_server),
	    cmocka_unit_test_setup(an_older_owner_is_fenced, empty_server),
	    cmocka_unit_test_setup(owners_that_race_never_both_write, empty_server),
	    cmocka_unit_test_setup(a_redis_that_forgot_is_noticed, empty_server),
	    cmocka_unit_test_setup(an_error_inside_the_transaction_is_fatal_and_loud, empty_server),
	    cmocka_unit_test_setup(lost_acknowledgements_cost_no_count, empty_server),
	    cmocka_unit_test_setup(a_killed_redis_is_waited_for, empty_server),
	    cmocka_unit_test_setup(cancel_and_stop_do_not_wait, empty_server),
	    cmocka_unit_test_setup(the_ring_is_bounded_and_in_order, empty_server),
	    cmocka_unit_test_setup(a_partition_is_loaded_whole, empty_server),
	    cmocka_unit_test_setup(fetching_reads_whole_strings_and_ranges, empty_server),
	    cmocka_unit_test_setup(weir_card_answers_in_words, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
