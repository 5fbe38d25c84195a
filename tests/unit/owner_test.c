/*
 * The owner of a partition, alone with a scripted world: what it asks for, and in which order, where the simulator's worlds
 * come out right either way. The log, the store's answers and the dispatcher's words are those that a test gives, one by
 * one.
 */
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
purge_past(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages)
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
    .purge_past = purge_past,
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

static void
go_round(void)
{
	(void)owner_round(world.o, now());
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

/* An owner that is being taken. */
static int
set_up(void **state)
{
	(void)state;
	world = (struct world){.now_us = NOW};
	world.o = owner_new(&RULES, 0, &IO, NULL);
	owner_take(world.o, now(), false);
	assert_calls("take");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	owner_free(world.o);
	store_clear();
	return 0;
}

/* Runs; has a card that is to be suspended, and that flush is with the store. */
static void
run_to_a_flush(void)
{
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	world.now_us += S;
	go_round();
	assert_calls("rewind enqueue flush");
}

/* ---- a retake ---- */

/*
 * The dispatcher's queue is of the core that is dropped: its slots may be other cards' after the replay. What is enqueued
 * anew comes behind the word to forget.
 */
static void
test_lost_writes_are_forgotten_before_anything_is_enqueued(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	assert_calls("drop forget take");
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	assert_calls("rewind enqueue");
}

/* Another owner commands these cards from now on: ours are withdrawn at once, not when the group or the clock says so. */
static void
test_a_fenced_owner_withdraws_its_commands_at_once(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_FENCED, world.o->epoch + 5);
	assert_int_equal(world.o->state, OWNER_FENCED);
	assert_calls("drop forget");
	world.now_us += RULES.retake_us;
	go_round();
	assert_calls("forget take");
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	assert_calls("rewind enqueue");
}

/*
 * The store goes back to nothing. A is known to be suspended, C by a result that waited; B was not commanded yet, so it is
 * what the store says. The replay decides to suspend none of them: A and C must be asserted all the same, B need not.
 */
static void
test_lost_writes_keep_what_was_known_of_cards(void **state) /* rule CMD-1 */
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B), CARD_OF(C), SUSPEND(A), SUSPEND(B), SUSPEND(C));
	go_round();
	confirm(A);
	world.waiting = confirmed(C);
	world.waits = true;
	world.now_us += S;
	go_round();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B), CARD_OF(C));
	go_round();
	assert_non_null(enforcement(world.o->core, A));
	assert_int_equal(enforcement(world.o->core, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_non_null(enforcement(world.o->core, C));
	assert_int_equal(enforcement(world.o->core, C)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_null(enforcement(world.o->core, B));
	assert_int_equal(world.o->known.n, 0);
}

/* The core is the loader's then; what was sent before is not in what it loads. */
static void
test_a_result_that_comes_while_taking_is_kept_as_unconfirmed(void **state) /* rule CMD-1 */
{
	(void)state;
	confirm(A);
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B));
	go_round();
	assert_non_null(enforcement(world.o->core, A));
	assert_int_equal(enforcement(world.o->core, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_null(enforcement(world.o->core, B));
	assert_int_equal(world.o->known.n, 0);
}

/* ---- reading ---- */

/* A record that is folded before its card, plan or pool is known counts by other rules: reference data comes first, to its
 * end, after each take. */
static void
read_records_after_cards(void)
{
	const struct weir_record r = record(A, 1, 5, 0, NOW);
	GIVE(CARDS, false, CARD_OF(A));
	give_records(&r, 1);
	world.topics[RECORDS].reads = world.topics[REPORTS].reads = 0;
	go_round();
	go_round(); /* nothing there, and not the end either */
	assert_int_equal(world.topics[RECORDS].reads, 0);
	assert_int_equal(world.topics[REPORTS].reads, 0);
	GIVE(CARDS, true, CARD_OF(B));
	go_round();
	assert_int_equal(world.topics[RECORDS].reads, 1);
	assert_int_equal(world.topics[REPORTS].reads, 1);
	assert_int_equal(card(world.o->core, A)->up, 5);
}

static void
test_records_wait_for_reference_data(void **state)
{
	(void)state;
	answer_take();
	read_records_after_cards();
	world.now_us += S;
	go_round();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	answer_take();
	read_records_after_cards();
}

/* What is parked may wait for several strings; folded with some of them missing, a record would overtake another. */
static void
test_unparking_waits_for_all_fetches(void **state)
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A));
	const struct weir_record records[] = {record(A, 1, 5, 0, NOW), record(A, 2, 5, 0, NOW - 5 * HOUR),
	    record(A, 3, 5, 0, NOW - 10 * HOUR), record(A, 4, 5, 0, NOW - 15 * HOUR), record(A, 5, 5, 0, NOW - 20 * HOUR)};
	give_records(records, 5);
	go_round();
	assert_calls("rewind fetch fetch"); /* RULES.fetching_max; two wait */
	answer_fetch(0);
	answer_fetch(1);
	assert_calls("fetch fetch");
	world.is_full = true;
	answer_fetch(2); /* all were asked for, one is under way */
	assert_int_equal(weir_partition_parked(world.o->core), 4);
	assert_int_equal(card(world.o->core, A)->up, 5);
	answer_fetch(3);
	assert_int_equal(weir_partition_parked(world.o->core), 0);
	assert_int_equal(card(world.o->core, A)->up, 25);
}

/* None is under way, and one was not asked for yet: the way to the store was full. */
static void
test_unparking_waits_for_fetches_that_found_no_room(void **state)
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A));
	const struct weir_record records[] = {record(A, 1, 5, 0, NOW), record(A, 2, 5, 0, NOW - 5 * HOUR),
	    record(A, 3, 5, 0, NOW - 10 * HOUR), record(A, 4, 5, 0, NOW - 15 * HOUR)};
	give_records(records, 4);
	go_round();
	assert_calls("rewind fetch fetch");
	world.is_full = true;
	answer_fetch(0);
	answer_fetch(1);
	assert_int_equal(weir_partition_parked(world.o->core), 3);
	world.is_full = false;
	go_round();
	assert_calls("fetch");
	answer_fetch(2);
	assert_int_equal(weir_partition_parked(world.o->core), 0);
	assert_int_equal(card(world.o->core, A)->up, 20);
}

/* ---- at rest ---- */

/* Nobody would notice otherwise that the store lost what it had acknowledged, until the next record comes. */
static void
test_a_probe_is_sent_at_rest(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_DONE, 0);
	for (int i = 0; i < 49; i++) {
		world.now_us += S / 10;
		go_round();
	}
	assert_calls("");
	world.now_us += S / 10;
	go_round();
	assert_calls("probe");
	assert_memory_equal(world.flush.before, world.flush.after, TOPICS * sizeof(world.flush.before[0]));
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	assert_calls("drop forget take");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lost_writes_are_forgotten_before_anything_is_enqueued),
	    TEST(test_a_fenced_owner_withdraws_its_commands_at_once),
	    TEST(test_lost_writes_keep_what_was_known_of_cards),
	    TEST(test_a_result_that_comes_while_taking_is_kept_as_unconfirmed),
	    TEST(test_records_wait_for_reference_data),
	    TEST(test_unparking_waits_for_all_fetches),
	    TEST(test_unparking_waits_for_fetches_that_found_no_room),
	    TEST(test_a_probe_is_sent_at_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
