/*
 * The audit's JSON, end to end: what a carrier answers goes through its adapter, the core and the owner, and the entry that
 * the history and the audit topic get is JSON that holds the carrier's words whole, in whatever script.
 */
#include "partition_fixture.h"

#include <jansson.h>

#include "pipeline/carriers/carrier.h"
#include "pipeline/engine/owner_priv.h"

#define TOPICS 3

/* What the owner gave out: the newest entry, as the topic and the history got it. */
struct world {
	char key[WEIR_ID_MAX];
	struct weir_buf topic, history;
};

static void
on_audit(void *ctx, const struct weir_audit *audit, const char *key, struct weir_slice json)
{
	(void)audit;
	struct world *w = ctx;
	(void)snprintf(w->key, sizeof(w->key), "%s", key);
	w->topic.len = 0;
	weir_buf_append(&w->topic, json.data, json.len);
}

static uint32_t
on_history(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json)
{
	(void)list;
	struct world *w = ctx;
	w->history.len = 0;
	weir_buf_append(&w->history, json.data, json.len);
	weir_buf_append(out, "x", 1);
	return 1;
}

static bool
on_enqueue(void *ctx, const struct weir_pending_command *command)
{
	(void)ctx;
	(void)command;
	return true;
}

static void
on_publish(void *ctx, enum weir_outbox_topic topic, uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	(void)ctx;
	(void)topic;
	(void)partition;
	(void)key;
	(void)value;
}

static void
on_commanded(void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *state)
{
	(void)ctx;
	(void)result;
	(void)state;
}

static const struct owner_io IO = {
    .audit = on_audit, .keep_history = on_history, .enqueue = on_enqueue, .publish = on_publish, .commanded = on_commanded};

/* What the carrier said with that status, as a final answer about card A. */
static struct weir_command_result
refused(const struct weir_partition *p, uint32_t status, const char *body)
{
	const struct weir_carrier_command command = {
	    .kind = WEIR_CALL_SET, .iccid = iccid_of(A), .target = WEIR_DESIRED_SUSPENDED};
	const struct weir_carrier_response response = {
	    .transport = WEIR_TRANSPORT_ANSWERED, .status = status, .body = weir_slice_of(body), .transport_text = ""};
	struct weir_outcome outcome = {0};
	weir_carrier_cisco.classify(&command, &response, &outcome);
	struct weir_command_result result = {.iccid = iccid_of(A),
	    .state = WEIR_COMMAND_FAILED,
	    .target = WEIR_DESIRED_SUSPENDED,
	    .attempts = 1,
	    .at_us = NOW + 2 * S};
	assert_non_null(weir_partition_find(p, iccid_of(A), &result.slot));
	memcpy(result.text, outcome.text, sizeof(result.text));
	return result;
}

/* The member of the entry as it was read back; both copies of the entry are the same bytes. */
static void
assert_entry(const struct world *w, const char *name, const char *expected)
{
	assert_int_equal(w->topic.len, w->history.len);
	assert_memory_equal(w->topic.data, w->history.data, w->topic.len);
	json_error_t error;
	json_t *entry = json_loadb((const char *)w->topic.data, w->topic.len, JSON_REJECT_DUPLICATES, &error);
	if (entry == NULL)
		fail_msg("%s: %.*s", error.text, (int)w->topic.len, (const char *)w->topic.data);
	assert_string_equal(json_string_value(json_object_get(entry, name)), expected);
	json_decref(entry);
}

static bool
holds(const struct weir_buf *buf, const char *text)
{
	return memmem(buf->data, buf->len, text, strlen(text)) != NULL;
}

static void
a_carriers_words_reach_the_audit_whole(void **state)
{
	(void)state;
	static const struct {
		const char *body, *reply;
	} ROWS[] = {
	    {"{\"errorMessage\":\"该卡已销户，不能停机\"}", "HTTP 404: 该卡已销户，不能停机"},
	    {"{\"errorMessage\":\"\\u8be5\\u5361 \\\"A\\\" \\\\ Gr\\u00f6\\u00dfe\"}", "HTTP 404: 该卡 \"A\" \\ Größe"},
	    {"{\"errorMessage\":\"\xf0\x9f\x93\xb5 line\\none\"}", "HTTP 404: \xf0\x9f\x93\xb5 line?one"},
	};
	struct owner_rules rules = {.topics = {"weir.records", "weir.cards", "weir.partials"},
	    .topic_count = TOPICS,
	    .cards = 1,
	    .reports = 2,
	    .fetch_max = 1,
	    .fetching_max = 1};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct world w = {0};
		struct owner *o = owner_new(&rules, 0, &IO, &w);
		o->core = with_card(NOW);
		o->state = OWNER_RUNNING;
		fold(o->core, record(A, 1, 2000, 0, NOW));
		serve(o->core);
		const struct owner_now now = {NOW + 2 * S, 2 * S};
		struct weir_command_result result = refused(o->core, 404, ROWS[i].body);
		owner_command_result(o, now, &result);
		assert_string_equal(w.key, A);
		assert_entry(&w, "event", "failed");
		assert_entry(&w, "reason", "plan_exhausted");
		assert_entry(&w, "carrier", "cm");
		assert_entry(&w, "reply", ROWS[i].reply);
		owner_free(o);
		weir_buf_free(&w.topic);
		weir_buf_free(&w.history);
	}
}

/* Words that are no UTF-8, as no adapter gives them on, and ids with a backslash: the entry is JSON all the same. */
static void
whatever_an_entry_holds_is_json(void **state)
{
	(void)state;
	struct owner_rules rules = {.topics = {"weir.records", "c", "p"},
	    .topic_count = TOPICS,
	    .cards = 1,
	    .reports = 2,
	    .fetch_max = 1,
	    .fetching_max = 1};
	struct world w = {0};
	struct owner *o = owner_new(&rules, 7, &IO, &w);
	o->core = make(NOW);
	apply(o->core, "{\"type\":\"carrier\",\"id\":\"c\\\\m\",\"zone\":\"Asia/Shanghai\"}");
	apply(o->core, "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"c\\\\m\",\"kind\":\"single\",\"allowance\":1000}");
	apply(o->core, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"c\\\\m\",\"plan\":\"p\"}");
	struct weir_audit audit = {.event = WEIR_AUDIT_FAILED,
	    .action = WEIR_DESIRED_SUSPENDED,
	    .iccid = iccid_of(A),
	    .input = 0,
	    .offset = 5,
	    .carrier = card(o->core, A)->carrier};
	memcpy(audit.text, "\xe5\x81\"\xff\x01", 6);
	memcpy(audit.ticket, "T\\\"\x80", 5);
	owner_audit(o, &audit);
	assert_entry(&w, "carrier", "c\\m");
	assert_entry(&w, "reply", "\xef\xbf\xbd\xef\xbf\xbd\"\xef\xbf\xbd\x01");
	assert_entry(&w, "ticket", "T\\\"\xef\xbf\xbd");
	assert_entry(&w, "topic", "weir.records");
	assert_true(holds(&w.topic, "\"partition\":7,\"offset\":5,"));
	(void)snprintf(audit.pool, sizeof(audit.pool), "%s", "pool\\1");
	audit.cycle = 56 * 12;
	owner_audit(o, &audit);
	assert_string_equal(w.key, "pool\\1");
	assert_entry(&w, "pool", "pool\\1");
	assert_entry(&w, "cycle", "2026-01");
	owner_free(o);
	weir_buf_free(&w.topic);
	weir_buf_free(&w.history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_carriers_words_reach_the_audit_whole),
	    cmocka_unit_test(whatever_an_entry_holds_is_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
