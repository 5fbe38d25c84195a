/*
 * `weir verify`: counts anew from Kafka what each card must have used, as far back as Kafka keeps it, and compares it with
 * Redis: every card, every cycle that is kept, every byte. weir may run meanwhile: a partition is compared as of one flush.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/calendar/instants.h"
#include "consumers/decode/decode.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/cli/recount.h"
#include "pipeline/cli/replay.h"
#include "pipeline/cli/table.h"

#define ALL_PARTITIONS UINT64_MAX

static const struct weir_usage usage = {
    .command = "verify",
    .arguments = "",
    .text = "Counts anew from Kafka, from the log's beginning to what is stored in Redis, and compares up, down and\n"
	    "records of every card and kept cycle (sessions are compared and told, but are no difference).\n"
	    "Where Kafka no longer has the beginning, only cycles that began after its oldest record can be compared;\n"
	    "the others are counted as not verifiable, with the time from which on they are. Reads without a consumer\n"
	    "group and writes nothing. Exit code 1 when there is any difference.\n",
};

struct result { /* of one partition, and of all */
	uint64_t cards, cycles, differences, not_verifiable;
	uint64_t session_differences; /* see compare_cycle */
	struct weir_recount_stats stats;
	int64_t exact_from_us; /* 0: Kafka has it all; INT64_MAX: nothing of it */
};

struct verify {
	struct weir_reading reading;
	rd_kafka_t *kafka;
	struct weir_decoder *decoders[WEIR_INPUTS_MAX];
	uint64_t partition, max; /* the only one to look at; differences to tell */
	bool as_json;
	struct weir_json json;
	struct weir_buf out;
	struct weir_table table;
	uint64_t reported;
};

/* ---- counting ---- */

static int64_t
stored_offset(const struct weir_partition_view *partition, const char *topic)
{
	for (uint32_t i = 0; i < partition->topic_count; i++)
		if (strcmp(partition->topics[i], topic) == 0)
			return partition->offsets[i];
	return 0;
}

/* When each card was known first; a topic whose beginning is gone tells nothing of that. */
static enum weir_class
read_definitions(
    struct verify *v, const struct weir_snapshot *snapshot, struct weir_recount *recount, struct weir_error *err)
{
	struct weir_replay_topic topic = {.topic = v->reading.settings->topic_cards};
	struct weir_replay *reader;
	struct weir_replay_message message;
	bool more = true;
	topic.end = stored_offset(&snapshot->partition, topic.topic);
	enum weir_class class = weir_replay_open(v->kafka, snapshot->partition.partition, &topic, 1, &reader, err);
	while (class == WEIR_OK && topic.low == 0) {
		class = weir_replay_next(reader, &message, &more, err);
		if (class != WEIR_OK || !more)
			break;
		struct weir_reference reference;
		if (message.value.data != NULL && weir_reference_parse(message.value, &reference, NULL) == WEIR_OK &&
		    reference.type == WEIR_REF_CARD)
			weir_recount_card(recount, reference.card.iccid, message.timestamp_us);
	}
	weir_replay_close(reader);
	return class;
}

static void
count_message(
    struct verify *v, struct weir_recount *recount, const struct weir_replay_message *message, struct weir_records *records)
{
	records->n = 0;
	(void)weir_decode(v->decoders[message->topic], message->key, message->value, 0, records);
	for (uint32_t i = 0; i < records->n; i++) {
		records->v[i].arrived_us = message->timestamp_us;
		weir_recount_record(recount, &records->v[i]);
	}
}

/* Kafka has lost the beginning of a topic: what is exact begins with the oldest message, and the skew it may be ahead. */
static void
note_truncation(struct verify *v, const struct weir_replay_topic *topics, uint32_t count, struct weir_recount *recount,
    struct result *result)
{
	for (uint32_t i = 0; i < count; i++) {
		if (topics[i].low == 0 || topics[i].end == 0)
			continue;
		int64_t skew_us = (int64_t)v->reading.settings->future_skew_s * 1000000;
		int64_t from_us = topics[i].first_us == 0 ? INT64_MAX : topics[i].first_us + skew_us;
		weir_recount_truncated(recount, from_us);
		if (from_us > result->exact_from_us)
			result->exact_from_us = from_us;
	}
}

static enum weir_class
read_records(struct verify *v, const struct weir_snapshot *snapshot, struct weir_recount *recount, struct result *result,
    struct weir_error *err)
{
	const struct weir_settings *settings = v->reading.settings;
	struct weir_replay_topic topics[WEIR_INPUTS_MAX] = {0};
	struct weir_replay *reader;
	struct weir_replay_message message;
	struct weir_records records = {0};
	bool more = true;
	for (uint32_t i = 0; i < settings->input_count; i++) {
		topics[i].topic = settings->inputs[i].topic;
		topics[i].end = stored_offset(&snapshot->partition, topics[i].topic);
	}
	enum weir_class class =
	    weir_replay_open(v->kafka, snapshot->partition.partition, topics, settings->input_count, &reader, err);
	/* Sessions whose totals were under way must be told apart from the first record on. */
	for (uint32_t i = 0; i < settings->input_count && class == WEIR_OK; i++)
		if (topics[i].low > 0 && topics[i].end > 0)
			weir_recount_truncated(recount, 0);
	while (class == WEIR_OK) {
		class = weir_replay_next(reader, &message, &more, err);
		if (class != WEIR_OK || !more)
			break;
		count_message(v, recount, &message, &records);
	}
	weir_replay_close(reader);
	weir_records_free(&records);
	if (class == WEIR_OK)
		note_truncation(v, topics, settings->input_count, recount, result);
	return class;
}

/* ---- comparing ---- */

static bool
is_equal(const struct weir_volume *a, const struct weir_volume *b)
{
	return a->up == b->up && a->down == b->down && a->records == b->records;
}

static struct weir_volume
all_of(const struct weir_recounted *counted)
{
	return (struct weir_volume){counted->sure.up + counted->early.up, counted->sure.down + counted->early.down,
	    counted->sure.records + counted->early.records, counted->sure.sessions + counted->early.sessions};
}

/* Records before the card's first definition count or not: so far as the two topics' order can be told. */
static bool
matches(const struct weir_volume *stored, const struct weir_recounted *counted)
{
	struct weir_volume all = all_of(counted);
	return is_equal(stored, &counted->sure) || is_equal(stored, &all);
}

static void
json_volume(struct weir_json *json, const char *name, const struct weir_volume *volume)
{
	weir_json_open(json, name, '{');
	weir_json_u64(json, "up_bytes", volume->up);
	weir_json_u64(json, "down_bytes", volume->down);
	weir_json_u64(json, "records", volume->records);
	weir_json_u64(json, "sessions", volume->sessions);
	weir_json_close(json, '}');
}

static void
print_difference(struct verify *v, struct weir_iccid iccid, int32_t cycle, const struct weir_volume *stored,
    const struct weir_volume *counted)
{
	char text[WEIR_ICCID_TEXT_MAX], month[16];
	if (v->reported++ >= v->max)
		return;
	(void)weir_iccid_format(iccid, text);
	weir_cycle_format(cycle, month);
	if (v->as_json) {
		weir_json_open(&v->json, NULL, '{');
		weir_json_text(&v->json, "iccid", text);
		weir_json_text(&v->json, "cycle", month);
		json_volume(&v->json, "stored", stored);
		json_volume(&v->json, "counted", counted);
		weir_json_close(&v->json, '}');
		return;
	}
	(void)printf("card %s, cycle %s: Redis has up %" PRIu64 ", down %" PRIu64 ", %" PRIu64 " records, %" PRIu64
		     " sessions; Kafka has %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n",
	    text, month, stored->up, stored->down, stored->records, stored->sessions, counted->up, counted->down,
	    counted->records, counted->sessions);
}

/*
 * Sessions are told apart: in which cycle a session is counted that reaches into two depends on which of its records is
 * folded first, and a late one waits for its look-ups while others go on.
 */
static void
compare_cycle(struct verify *v, const struct weir_snapshot *snapshot, const struct weir_recount *recount, uint32_t slot,
    int32_t cycle, const struct weir_volume *stored, struct result *result)
{
	struct weir_recounted counted = weir_recount_get(recount, slot, cycle);
	static const struct weir_volume zero = {0};
	bool whole = weir_recount_is_whole(recount, slot, cycle);
	if (is_equal(stored, &zero) && matches(stored, &counted))
		return; /* nothing on either side: no cycle of this card */
	struct weir_volume all = all_of(&counted);
	if (matches(stored, &counted)) {
		result->cycles++;
		result->session_differences += whole && !counted.unsure && stored->sessions != counted.sure.sessions &&
					       stored->sessions != all.sessions;
	} else if (!whole || counted.unsure) {
		result->not_verifiable++;
	} else {
		result->cycles++;
		result->differences++;
		print_difference(v, snapshot->cards[slot].iccid, cycle, stored, &all);
	}
}

static void
compare(struct verify *v, const struct weir_snapshot *snapshot, const struct weir_recount *recount, struct result *result)
{
	for (uint32_t slot = 0; slot < snapshot->card_slots; slot++) {
		const struct weir_card_slot *card = &snapshot->cards[slot];
		if (weir_iccid_is_zero(card->iccid))
			continue;
		result->cards++;
		const struct weir_volume now = {card->up, card->down, card->records, card->sessions};
		for (uint32_t i = 0; i < snapshot->closed_cycle_count; i++) {
			const struct weir_closed_cycle_slot *closed_cycles = &snapshot->closed_cycles[i].slots[slot];
			const struct weir_volume then = {
			    closed_cycles->up, closed_cycles->down, closed_cycles->records, closed_cycles->sessions};
			int32_t cycle = snapshot->closed_cycles[i].cycle;
			compare_cycle(v, snapshot, recount, slot, cycle, cycle == card->cycle ? &now : &then, result);
		}
	}
}

/* ---- a partition ---- */

static void
print_partition(struct verify *v, uint32_t partition, const struct result *r)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], c[WEIR_AMOUNT_TEXT_MAX];
	if (v->as_json)
		return;
	weir_table_cell(&v->table, "%u", partition);
	weir_table_cell(&v->table, "%s", weir_count_text(r->stats.records, a));
	weir_table_cell(&v->table, "%s", weir_count_text(r->stats.duplicates, a));
	weir_table_cell(&v->table, "%s", weir_count_text(r->cards, a));
	weir_table_cell(&v->table, "%s", weir_count_text(r->cycles, b));
	weir_table_cell(&v->table, "%s", weir_count_text(r->not_verifiable, c));
	weir_table_cell(&v->table, "%s", weir_count_text(r->differences, a));
	weir_table_cell(&v->table, "%s",
	    r->exact_from_us == 0           ? "all of it"
	    : r->exact_from_us == INT64_MAX ? "nothing"
					    : weir_instant_text(r->exact_from_us, a));
}

static void
add_result(struct result *sum, const struct result *r)
{
	const uint64_t *from = (const uint64_t *)&r->stats;
	sum->cards += r->cards;
	sum->cycles += r->cycles;
	sum->differences += r->differences;
	sum->session_differences += r->session_differences;
	sum->not_verifiable += r->not_verifiable;
	for (size_t i = 0; i < sizeof(r->stats) / sizeof(uint64_t); i++)
		((uint64_t *)&sum->stats)[i] += from[i];
	if (r->exact_from_us > sum->exact_from_us)
		sum->exact_from_us = r->exact_from_us;
}

static int
verify_partition(struct verify *v, uint32_t partition, struct result *sum)
{
	const struct weir_snapshot *snapshot;
	struct weir_error err = {0};
	struct result result = {0};
	enum weir_read answer = weir_read_snapshot(v->reading.reader, partition, &snapshot, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(&v->reading, answer, &err);
	struct weir_recount *recount = weir_recount_new(v->reading.settings, snapshot, weir_wall_now().us);
	enum weir_class class = read_definitions(v, snapshot, recount, &err);
	if (class == WEIR_OK)
		class = read_records(v, snapshot, recount, &result, &err);
	if (class == WEIR_OK) {
		result.stats = *weir_recount_stats(recount);
		compare(v, snapshot, recount, &result);
		print_partition(v, partition, &result);
		add_result(sum, &result);
	}
	weir_recount_free(recount);
	return class == WEIR_OK ? WEIR_EXIT_OK : weir_exit_fail("verify", WEIR_EXIT_UNREACHABLE, &err);
}

/* ---- the command ---- */

static void
print_end(struct verify *v, const struct result *sum)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX];
	if (v->as_json) {
		struct weir_json *json = &v->json;
		weir_json_close(json, ']');
		weir_json_bool(json, "equal", sum->differences == 0);
		weir_json_u64(json, "difference_count", sum->differences);
		weir_json_u64(json, "session_differences", sum->session_differences);
		weir_json_u64(json, "cards", sum->cards);
		weir_json_u64(json, "cycles_compared", sum->cycles);
		weir_json_u64(json, "cycles_not_verifiable", sum->not_verifiable);
		weir_json_u64(json, "records", sum->stats.records);
		weir_json_u64(json, "records_counted", sum->stats.counted);
		weir_json_u64(json, "duplicates", sum->stats.duplicates);
		weir_json_u64(json, "too_late", sum->stats.too_late);
		weir_json_u64(json, "future", sum->stats.future);
		weir_json_u64(json, "rejected", sum->stats.rejected);
		weir_json_u64(json, "unknown_cards", sum->stats.unknown_cards);
		weir_json_bool(json, "kafka_is_whole", sum->exact_from_us == 0);
		weir_json_time(json, "exact_from", sum->exact_from_us);
		weir_json_close(json, '}');
		(void)weir_reading_put(&v->out);
		return;
	}
	if (v->reported > v->max)
		(void)printf("and %" PRIu64 " more differences; --max N tells more\n", v->reported - v->max);
	weir_table_print(&v->table, stdout);
	if (sum->not_verifiable > 0)
		(void)printf("%s cycles began before what Kafka still has: they cannot be verified. Those that began after "
			     "the time under 'exact from' were.\n",
		    weir_count_text(sum->not_verifiable, a));
	if (sum->session_differences > 0)
		(void)printf("%s cycles count another number of sessions: sessions that reach into two cycles\n",
		    weir_count_text(sum->session_differences, a));
	(void)printf("%s cards, %s cycles compared: %s\n", weir_count_text(sum->cards, a), weir_count_text(sum->cycles, b),
	    sum->differences == 0 ? "equal" : "there are differences");
}

static int
verify_all(struct verify *v)
{
	struct weir_error err = {0};
	struct result sum = {0};
	uint32_t partitions = 0;
	enum weir_read answer = weir_reader_check(v->reading.reader, &partitions, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(&v->reading, answer, &err);
	if (v->partition != ALL_PARTITIONS && v->partition >= partitions) {
		(void)weir_error_set(&err, WEIR_POISON, "--partition %" PRIu64 ": there are %u", v->partition, partitions);
		return weir_exit_fail("verify", WEIR_EXIT_USAGE, &err);
	}
	for (uint32_t p = 0; p < partitions; p++) {
		if (v->partition != ALL_PARTITIONS && v->partition != p)
			continue;
		int code = verify_partition(v, p, &sum);
		if (code != WEIR_EXIT_OK)
			return code;
	}
	print_end(v, &sum);
	return sum.differences == 0 ? WEIR_EXIT_OK : WEIR_EXIT_FAILED;
}

static int
run(struct verify *v)
{
	static const struct weir_column columns[] = {{"partition", 'r'}, {"records", 'r'}, {"duplicates", 'r'},
	    {"cards", 'r'}, {"cycles", 'r'}, {"not verifiable", 'r'}, {"differences", 'r'}, {"exact from", 'l'}, {NULL, 0}};
	struct weir_settings *settings = v->reading.settings;
	struct weir_error err = {0};
	v->kafka = weir_replay_consumer(settings, &err);
	if (v->kafka == NULL)
		return weir_exit_fail("verify", WEIR_EXIT_SETTINGS, &err);
	for (uint32_t i = 0; i < settings->input_count; i++)
		v->decoders[i] = weir_decoder_new(settings->inputs[i].mapping, settings->message_max_bytes);
	weir_table_init(&v->table, columns);
	v->json = (struct weir_json){&v->out, false};
	weir_json_open(&v->json, NULL, '{');
	weir_json_open(&v->json, "differences", '[');
	int code = verify_all(v);
	weir_table_free(&v->table);
	weir_buf_free(&v->out);
	for (uint32_t i = 0; i < settings->input_count; i++)
		weir_decoder_free(v->decoders[i]);
	rd_kafka_destroy(v->kafka);
	return code;
}

int
weir_cli_verify(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct verify v = {.partition = ALL_PARTITIONS, .max = 20};
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "partition", .placeholder = "N", .help = "this one only", .number = &v.partition},
	    {.name = "max", .placeholder = "N", .help = "tell at most so many differences (20)", .number = &v.max},
	    {.name = "json", .help = "one JSON object instead of tables", .flag = &v.as_json}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	code = weir_reading_open(&v.reading, "verify", &common);
	if (code == WEIR_EXIT_OK)
		code = run(&v);
	weir_reading_close(&v.reading);
	return code;
}
