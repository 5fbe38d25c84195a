/*
 * For the store's tests: a store with its bell, a sink that counts, requests that set recognisable keys, and a Redis to
 * talk to by hand. Included by one test file each.
 */
#ifndef WEIR_TESTS_STORE_LANE_H
#define WEIR_TESTS_STORE_LANE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "config/base/clock.h"
#include "pipeline/redis/resp.h"
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

static inline void
ring(void *ctx)
{
	uint64_t one = 1;
	assert_int_equal(write(*(int *)ctx, &one, sizeof(one)), sizeof(one));
}

static inline struct lane *
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

static inline void
lane_close(struct lane *lane)
{
	weir_store_free(lane->store);
	(void)close(lane->bell_fd);
	free(lane);
}

static inline struct weir_store_request *
wait_answer(struct lane *lane, int timeout_ms)
{
	struct weir_steady until = weir_steady_in_ms(timeout_ms);
	for (;;) {
		struct weir_store_request *request = weir_store_next(lane->store);
		if (request != NULL || weir_steady_reached(until))
			return request;
		struct pollfd bell = {.fd = lane->bell_fd, .events = POLLIN};
		if (poll(&bell, 1, (int)(weir_steady_left_us(until) / 1000) + 1) > 0) {
			uint64_t rings;
			assert_int_equal(read(lane->bell_fd, &rings, sizeof(rings)), sizeof(rings));
		}
	}
}

static inline enum weir_store_result
run(struct lane *lane, struct weir_store_request *request)
{
	assert_true(weir_store_submit(lane->store, request));
	assert_ptr_equal(wait_answer(lane, 20000), request);
	return request->result;
}

/* What a load brought, counted and sampled. */
struct loaded {
	uint32_t begins, names, references, pages[WEIR_SLABS], dedupe_keys, intents;
	uint64_t epoch, page_bytes, dedupe_key_bytes;
	char last_name[32], last_json[64];
	uint64_t intent_token;
	int64_t last_hour;
	bool reject_pages;
};

static inline bool
on_begin(void *ctx, const struct weir_store_header *header)
{
	struct loaded *loaded = ctx;
	uint32_t begins = loaded->begins + 1;
	bool reject = loaded->reject_pages;
	*loaded = (struct loaded){.begins = begins, .reject_pages = reject, .epoch = header->epoch};
	return header->epoch > 0;
}

static inline bool
on_name(void *ctx, uint32_t index, struct weir_slice name)
{
	struct loaded *loaded = ctx;
	assert_int_equal(index, loaded->names);
	loaded->names++;
	(void)snprintf(loaded->last_name, sizeof(loaded->last_name), "%.*s", (int)name.len, (const char *)name.data);
	return true;
}

static inline bool
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	struct loaded *loaded = ctx;
	loaded->references++;
	(void)field;
	(void)snprintf(loaded->last_json, sizeof(loaded->last_json), "%.*s", (int)json.len, (const char *)json.data);
	return true;
}

static inline bool
on_page(void *ctx, enum weir_slab_kind slab, uint32_t page, struct weir_slice bytes)
{
	struct loaded *loaded = ctx;
	(void)page;
	loaded->pages[slab]++;
	loaded->page_bytes += bytes.len;
	return !loaded->reject_pages;
}

static inline bool
on_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes)
{
	struct loaded *loaded = ctx;
	assert_true(bucket < 256);
	loaded->dedupe_keys++;
	loaded->dedupe_key_bytes += bytes.len;
	loaded->last_hour = hour;
	return true;
}

static inline bool
on_intent(void *ctx, struct weir_iccid iccid, uint64_t token, uint8_t desired)
{
	struct loaded *loaded = ctx;
	loaded->intents++;
	loaded->intent_token = token;
	return desired <= 2 && !weir_iccid_is_zero(iccid);
}

static inline struct weir_store_request
take_request(uint32_t partition, struct loaded *loaded)
{
	return (struct weir_store_request){.kind = WEIR_STORE_TAKE,
	    .partition = partition,
	    .fresh_hours = 1,
	    .sink = {loaded, on_begin, on_name, on_reference, on_page, on_dedupe_keys, on_intent}};
}

/* A flush that sets the offset of weir.records from `before` to `after`, and a key of its own. */
static inline struct weir_store_request
flush_request(uint32_t partition, uint64_t epoch, int64_t before, int64_t after)
{
	struct weir_store_request request = {
	    .kind = WEIR_STORE_FLUSH, .partition = partition, .epoch = epoch, .commands = 3};
	for (uint32_t i = 0; i < WEIR_CHECKPOINT_OFFSETS_MAX; i++)
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
	memset(weir_resp_reserve(&request.body, WEIR_SLAB_PAGE_BYTES), 'p', WEIR_SLAB_PAGE_BYTES);
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

static inline enum weir_store_result
flush(struct lane *lane, uint32_t partition, uint64_t epoch, int64_t before, int64_t after)
{
	struct weir_store_request request = flush_request(partition, epoch, before, after);
	enum weir_store_result result = run(lane, &request);
	weir_buf_free(&request.body);
	return result;
}

static inline uint64_t
take(struct lane *lane, uint32_t partition)
{
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(partition, &loaded);
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	return request.header.epoch;
}

static inline redisContext *
by_hand(void)
{
	redisContext *redis = redisConnectUnix(server.socket);
	assert_non_null(redis);
	assert_int_equal(redis->err, 0);
	return redis;
}

static inline long long
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

static inline int
empty_server(void **state)
{
	(void)state;
	if (!have_server)
		return 0;
	(void)say("FLUSHALL");
	return 0;
}

static inline int
start_server(void **state)
{
	(void)state;
	have_server = private_redis_start(&server);
	settings =
	    (struct weir_settings){.redis_url = server.url, .redis_prefix = (char *)"weir", .redis_timeout_ms = 2000};
	return 0;
}

static inline int
stop_server(void **state)
{
	(void)state;
	if (have_server)
		private_redis_stop(&server);
	return 0;
}

/* Says so when it is not. */
static inline bool
redis_is_installed(const char *test)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (system("command -v redis-server > /dev/null") == 0)
		return true;
	(void)fprintf(stderr, "%s: skipped, redis-server is not installed\n", test);
	return false;
}

#endif
