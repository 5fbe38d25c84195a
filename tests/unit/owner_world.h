/*
 * The scripted world of an owner (pipeline/engine/owner.h): the log's batches, the store's answers and the dispatcher's
 * words are those that a test gives, one by one; what the owner asks for is kept in order.
 */
#ifndef WEIR_TESTS_OWNER_WORLD_H
#define WEIR_TESTS_OWNER_WORLD_H

#include "pipeline/engine/owner.h"
#include "tests/unit/partition_fixture.h"

enum { RECORDS, CARDS, REPORTS, TOPICS };

#define C "89860000000000000003"
#define CARD_OF(iccid) "{\"type\":\"card\",\"iccid\":\"" iccid "\",\"carrier\":\"cm\"}"
#define SUSPEND(iccid) "{\"type\":\"request\",\"iccid\":\"" iccid "\",\"action\":\"suspend\"}"

static const struct owner_rules RULES = {.core = {.dedupe_horizon_h = 48,
					     .dedupe_fresh_h = 1,
					     .session_retention_h = 768,
					     .future_skew_s = 300,
					     .parked_max = 1000,
					     .auto_register_carrier = "cm",
					     .partitions = 1,
					     .unreported_floor_bytes = 1,
					     .pool_tick_ms = 1000},
    .topics = {"records", "cards", "partials"},
    .topic_count = TOPICS,
    .cards = CARDS,
    .reports = REPORTS,
    .records_max = 8,
    .cards_max = 8,
    .reports_max = 8,
    .tick_slots = 100,
    .sparse_slots = 12,
    .fetch_max = 1,
    .fetching_max = 2,
    .cycles_kept = 12,
    .unflushed_max = 1u << 20,
    .flush_interval_us = S,
    .backlog_interval_us = S,
    .retake_us = 10 * S,
    .leave_us = 5 * S};

/* What one topic has for the owner: at most one batch at a time. */
struct script {
	struct weir_message messages[8];
	uint32_t count;
	bool is_there, end;
	int64_t next; /* offset of the next message; it goes on over a rewind */
	int reads;    /* how often the owner asked */
};

static struct world {
	struct owner *o;
	int64_t now_us;
	char calls[1024]; /* what the owner asked for since the test last looked, in order */
	struct script topics[TOPICS];
	struct weir_record records[8];
	struct weir_fetch_request fetches[8];
	uint32_t fetch_count;
	struct owner_flush flush; /* as it was sent */
	struct weir_command_result waiting;
	bool waits;   /* `waiting` is handed in by drain_results */
	bool is_full; /* no room for fetches on the way to the store */
} world;

static struct owner_now
now(void)
{
	return (struct owner_now){world.now_us, world.now_us};
}

static void
called(const char *what)
{
	size_t len = strlen(world.calls);
	assert_true(len + strlen(what) + 2 < sizeof(world.calls));
	(void)snprintf(world.calls + len, sizeof(world.calls) - len, "%s%s", len > 0 ? " " : "", what);
}

/* The owner asked for exactly this since the last look. */
static void
assert_calls(const char *expected)
{
	assert_string_equal(world.calls, expected);
	world.calls[0] = '\0';
}

/* ---- the world ---- */

static enum weir_class
next_batch(void *ctx, uint32_t topic, uint32_t max, struct weir_batch *batch_out, struct weir_error *err)
{
	(void)ctx, (void)err;
	struct script *script = &world.topics[topic];
	script->reads++;
	if (!script->is_there)
		return WEIR_RETRY;
	assert_true(script->count <= max);
	script->is_there = false;
	*batch_out = (struct weir_batch){.messages = script->messages, .count = script->count, .end = script->end};
	return WEIR_OK;
}
static void
release_batch(void *ctx, struct weir_batch *batch)
{
	(void)ctx, (void)batch;
}
static uint32_t
decode(void *ctx, uint32_t input, const struct weir_batch *batch, const struct weir_record **records_out)
{
	(void)ctx, (void)input;
	*records_out = world.records;
	return batch->count;
}
static void
source_drop(void *ctx)
{
	(void)ctx;
	called("drop");
}
static enum weir_class
source_rewind(void *ctx, const int64_t *offsets, struct weir_error *err)
{
	(void)ctx, (void)offsets, (void)err;
	called("rewind");
	return WEIR_OK;
}
static int64_t
source_lag(void *ctx, uint32_t topic, int64_t offset)
{
	(void)ctx, (void)topic, (void)offset;
	return 0;
}
static void
source_commit(void *ctx, const int64_t *offsets)
{
	(void)ctx, (void)offsets;
}
static bool
store_connected(void *ctx)
{
	(void)ctx;
	return true;
}
static bool
store_take(void *ctx, uint64_t epoch_floor)
{
	(void)ctx, (void)epoch_floor;
	called("take");
	return true;
}
static void
flush_begin(void *ctx, uint64_t bytes, struct weir_writer *writer_out)
{
	(void)ctx, (void)bytes;
	*writer_out = WRITER;
}
static void
purge_dedupe_keys(void *ctx, int64_t hour)
{
	(void)ctx, (void)hour;
}
static void
purge_closed_cycle(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages)
{
	(void)ctx, (void)cycle, (void)card_pages, (void)pool_pages;
}
static void
purge_window(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages)
{
	(void)ctx, (void)kind, (void)window, (void)first_page, (void)pages;
}
static uint64_t
flush_end(void *ctx, const struct weir_buf *history, uint32_t history_commands)
{
	(void)ctx, (void)history_commands;
	return history->len;
}
static bool
store_flush(void *ctx)
{
	(void)ctx;
	world.flush = world.o->flush;
	called(world.flush.probe ? "probe" : "flush");
	return true;
}
static bool
store_fetch(void *ctx, const struct weir_fetch_request *requests, uint32_t count)
{
	(void)ctx;
	if (world.is_full)
		return false;
	assert_true(count == 1 && world.fetch_count < 8); /* RULES.fetch_max */
	world.fetches[world.fetch_count++] = requests[0];
	called("fetch");
	return true;
}
static void
store_cancel(void *ctx)
{
	(void)ctx;
}
static uint32_t
keep_history(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json)
{
	(void)ctx, (void)list;
	weir_buf_append(out, json.data, json.len);
	return 1;
}
static void
dead_letter(void *ctx, const struct weir_dead_letter *letter)
{
	(void)ctx;
	fail_msg("a dead letter: %s", letter->text);
}
static void
audit(void *ctx, const struct weir_audit *audit, const char *key, struct weir_slice json)
{
	(void)ctx, (void)audit, (void)key, (void)json;
}
static void
publish(void *ctx, enum weir_outbox_topic topic, uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	(void)ctx, (void)topic, (void)partition, (void)key, (void)value;
}
static void
window_close(void *ctx)
{
	(void)ctx;
}
static enum owner_window
window(void *ctx)
{
	(void)ctx;
	return OWNER_WINDOW_ACKNOWLEDGED;
}
static bool
enqueue(void *ctx, const struct weir_pending_command *pending_command)
{
	(void)ctx, (void)pending_command;
	called("enqueue");
	return true;
}
static void
forget_commands(void *ctx)
{
	(void)ctx;
	called("forget");
}
static void
drain_results(void *ctx)
{
	(void)ctx;
	if (world.waits)
		owner_command_result(world.o, now(), &world.waiting);
	world.waits = false;
}
static void
commanded(void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *state)
{
	(void)ctx, (void)result, (void)state;
}
static void
flushed(void *ctx, int64_t took_us)
{
	(void)ctx, (void)took_us;
}
static void
core_ends(void *ctx, const struct weir_partition_stats *stats)
{
	(void)ctx, (void)stats;
}
static void
note(void *ctx, enum owner_note note, const char *text)
{
	(void)ctx;
	if (note == OWNER_NOTE_STOPPED)
		fail_msg("stopped: %s", text);
}

static const struct owner_io IO = {.next_batch = next_batch,
    .release_batch = release_batch,
    .decode = decode,
    .source_drop = source_drop,
    .source_rewind = source_rewind,
    .source_lag = source_lag,
    .source_commit = source_commit,
    .store_connected = store_connected,
    .store_take = store_take,
    .flush_begin = flush_begin,
    .purge_dedupe_keys = purge_dedupe_keys,
    .purge_closed_cycle = purge_closed_cycle,
    .purge_window = purge_window,
    .flush_end = flush_end,
    .store_flush = store_flush,
    .store_fetch = store_fetch,
    .store_cancel = store_cancel,
    .keep_history = keep_history,
    .dead_letter = dead_letter,
    .audit = audit,
    .publish = publish,
    .window_close = window_close,
    .window = window,
    .enqueue = enqueue,
    .forget_commands = forget_commands,
    .drain_results = drain_results,
    .commanded = commanded,
    .flushed = flushed,
    .core_ends = core_ends,
    .note = note};

/* ---- what a test does ---- */

/* A topic's next batch; end: nothing is behind it. */
static void
give(uint32_t topic, const char *const *values, uint32_t count, bool end)
{
	struct script *script = &world.topics[topic];
	assert_false(script->is_there);
	script->is_there = true;
	script->end = end;
	script->count = count;
	for (uint32_t i = 0; i < count; i++)
		script->messages[i] = (struct weir_message){
		    .value = weir_slice_of(values[i]), .offset = script->next++, .timestamp_us = world.now_us};
}
#define GIVE(topic, end, ...)                                                                                              \
	give(topic, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), end)

/* Records for the first input, to its end. */
static void
give_records(const struct weir_record *records, uint32_t count)
{
	static const char *const NOTHING[8] = {"", "", "", "", "", "", "", ""};
	give(RECORDS, NOTHING, count, true);
	for (uint32_t i = 0; i < count; i++) {
		world.records[i] = records[i];
		world.records[i].offset = world.topics[RECORDS].messages[i].offset;
		world.records[i].message = i;
	}
}

/* The store has no state of the partition; its offsets are where the next batch of a test begins. */
static void
answer_take(void)
{
	struct weir_store_header header = {.epoch = world.o->epoch + 1};
	struct owner_answer answer = {.result = WEIR_STORE_DONE, .header = &header};
	for (uint32_t t = 0; t < TOPICS; t++)
		header.offsets[t] = world.topics[t].next;
	assert_true(owner_load_begin(world.o, &header, world.now_us));
	owner_taken(world.o, now(), &answer);
	assert_int_equal(world.o->state, OWNER_RUNNING);
}

static void
answer_flush(enum weir_store_result result, uint64_t epoch)
{
	struct weir_store_header header = {.epoch = epoch};
	struct owner_answer answer = {.result = result, .header = &header};
	owner_flushed(world.o, now(), world.flush.number, &answer);
}

/* The fetch finds nothing stored. */
static void
answer_fetch(uint32_t at)
{
	struct weir_slice value = {0};
	struct owner_answer answer = {.result = WEIR_STORE_DONE};
	owner_fetched(world.o, now(), &answer, &world.fetches[at], &value, 1);
}

static struct weir_command_result
confirmed(const char *iccid)
{
	struct weir_command_result result = {.iccid = iccid_of(iccid),
	    .state = WEIR_COMMAND_CONFIRMED,
	    .target = WEIR_DESIRED_SUSPENDED,
	    .attempts = 1,
	    .at_us = world.now_us};
	if (world.o->state == OWNER_RUNNING)
		assert_non_null(weir_partition_find(world.o->core, result.iccid, &result.slot));
	return result;
}

static void
confirm(const char *iccid)
{
	struct weir_command_result result = confirmed(iccid);
	owner_command_result(world.o, now(), &result);
}

#endif
