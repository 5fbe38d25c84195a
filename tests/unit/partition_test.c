/*
 * The pure core of the card stage: fold, sessions, cycles, evaluator, requests, and the way to bytes and back, driven with
 * a clock of its own and a store made of a few arrays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregators/partition.h"

#define S 1000000ll
#define HOUR (3600 * S)
#define NOW (1774847296ll * S) /* 2026-03-30T05:08:16Z */

/* ---- a store that is a list of keys ---- */

struct item {
	char key[64];
	uint8_t *data;
	size_t len;
};
static struct item items[4096];
static int item_count;
static struct weir_buf names, references;

static struct item *
item_get(const char *key)
{
	for (int i = 0; i < item_count; i++)
		if (strcmp(items[i].key, key) == 0)
			return &items[i];
	assert_true(item_count < 4096);
	struct item *made = &items[item_count++];
	*made = (struct item){0};
	(void)snprintf(made->key, sizeof(made->key), "%s", key);
	return made;
}

static uint8_t *
item_grow(struct item *item, size_t len)
{
	if (len > item->len) {
		item->data = weir_realloc(item->data, len);
		memset(item->data + item->len, 0, len - item->len);
		item->len = len;
	}
	return item->data;
}

static void
store_clear(void)
{
	for (int i = 0; i < item_count; i++)
		free(items[i].data);
	item_count = 0;
	weir_buf_free(&names);
	weir_buf_free(&references);
}

static void
on_range(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "%c:%u", slab, page);
	memcpy(item_grow(item_get(key), offset + len) + offset, data, len);
}
static void
on_page(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len)
{
	on_range(ctx, slab, page, 0, data, len);
}
static void
on_past(void *ctx, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "y:%u:%u", cycle, page);
	memcpy(item_grow(item_get(key), offset + len) + offset, data, len);
}
static uint8_t *
append(const char *key, uint32_t len)
{
	struct item *item = item_get(key);
	size_t at = item->len;
	return item_grow(item, at + len) + at;
}
static uint8_t *
on_marks(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "m:%lld:%u", (long long)hour, bucket);
	return append(key, len);
}
static uint8_t *
on_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	(void)ctx;
	char key[64];
	(void)snprintf(key, sizeof(key), "d:%u", bucket);
	return append(key, len);
}
static void
on_name(void *ctx, struct weir_slice name)
{
	(void)ctx;
	weir_buf_append(&names, name.data, name.len);
	weir_buf_append(&names, "\n", 1);
}
static void
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)ctx;
	(void)field;
	weir_buf_append(&references, json.data, json.len);
	weir_buf_append(&references, "\n", 1);
}
static void
on_intent_done(void *ctx, uint32_t slot)
{
	(void)ctx;
	(void)slot;
}
static const struct weir_writer WRITER = {
    NULL, on_page, on_range, on_past, on_marks, on_directory, on_name, on_reference, on_intent_done};

/* ---- partitions ---- */

static struct weir_partition *
make(int64_t now_us)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 1000,
	    .auto_register_carrier = "cm"};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, now_us, now_us);
	assert_true(weir_partition_load_finish(p));
	return p;
}

static void
apply_class(struct weir_partition *p, const char *json, enum weir_class expected)
{
	struct weir_reference reference;
	struct weir_error err = {0};
	struct weir_cause cause = {9, 1, p->now_us, p->now_us, 0};
	enum weir_class class = weir_reference_parse(weir_slice_of(json), &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(p, &reference, weir_slice_of(json), &cause, &err);
	if (class != expected)
		print_message("%s -> %s\n", json, err.text);
	assert_int_equal(class, expected);
}
static void
apply(struct weir_partition *p, const char *json)
{
	apply_class(p, json, WEIR_OK);
}

static struct weir_iccid
iccid_of(const char *text)
{
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

#define A "8986000000000000000A"
#define B "89860000000000000002"

static struct weir_record
record(const char *iccid, uint64_t id, uint64_t up, uint64_t down, int64_t end_us)
{
	struct weir_record r = {.iccid = iccid_of(iccid), .up = up, .down = down, .end_us = end_us};
	if (id != 0)
		r.id_hash = weir_identity_hash_u64(r.iccid, id);
	return r;
}

static void
fold(struct weir_partition *p, struct weir_record r)
{
	weir_partition_fold(p, &r, 1);
}

static struct weir_card_slot *
card(struct weir_partition *p, const char *iccid)
{
	uint32_t slot;
	struct weir_card_slot *found = weir_partition_find(p, iccid_of(iccid), &slot);
	assert_non_null(found);
	return found;
}

static struct weir_enforcement_slot *
enforcement(struct weir_partition *p, const char *iccid)
{
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(iccid), &slot));
	return weir_partition_enforcement(p, slot);
}

static const char PLAN[] = "{\"type\":\"plan\",\"id\":\"p1\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000}";
static const char CARD_A[] = "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cm\",\"plan\":\"p1\"}";

static struct weir_partition *
with_card(int64_t now_us)
{
	struct weir_partition *p = make(now_us);
	apply(p, PLAN);
	apply(p, CARD_A);
	return p;
}

/* Answers all wishes out of the store and folds what was parked. */
static void
serve(struct weir_partition *p)
{
	while (p->wish_count > 0) {
		uint32_t count = p->wish_count;
		p->wish_count = 0;
		for (uint32_t i = 0; i < count; i++) {
			struct weir_wish wish = p->wishes[i];
			char key[64];
			struct weir_slice value = {0};
			if (wish.past)
				(void)snprintf(key, sizeof(key), "y:%lld:%u", (long long)wish.hour_or_cycle,
				    wish.bucket_or_slot / 256);
			else
				(void)snprintf(
				    key, sizeof(key), "m:%lld:%u", (long long)wish.hour_or_cycle, wish.bucket_or_slot);
			struct item *item = item_get(key);
			value = (struct weir_slice){item->data, item->len};
			size_t from = wish.bucket_or_slot % 256 * sizeof(struct weir_past_slot);
			if (wish.past)
				value = item->len >= from + 32 ? (struct weir_slice){item->data + from, 32}
							       : (struct weir_slice){0};
			assert_true(weir_partition_wish_answer(p, &wish, value));
		}
		weir_partition_unpark(p);
	}
}

static struct weir_partition *
reload(const struct weir_partition *old, int64_t now_us)
{
	struct weir_partition *p = weir_partition_new(&old->opts);
	const uint32_t sizes[4] = {old->cards.used, old->terms.used, old->enforcements.used, old->sessions.used};
	weir_partition_set_time(p, now_us, old->stream_time_us);
	weir_partition_load_sizes(p, sizes, old->stream_time_us);
	for (size_t at = 0; at < names.len;) {
		size_t len = (size_t)((uint8_t *)memchr(names.data + at, '\n', names.len - at) - (names.data + at));
		assert_true(weir_partition_load_name(p, (struct weir_slice){names.data + at, len}));
		at += len + 1;
	}
	for (size_t at = 0; at < references.len;) {
		size_t len =
		    (size_t)((uint8_t *)memchr(references.data + at, '\n', references.len - at) - (references.data + at));
		assert_true(weir_partition_load_reference(p, (struct weir_slice){references.data + at, len}));
		at += len + 1;
	}
	for (int i = 0; i < item_count; i++) {
		const char *letter = strchr("ctes", items[i].key[0]);
		long long a;
		unsigned b;
		if (letter != NULL)
			assert_true(weir_partition_load_page(p, (uint32_t)(letter - "ctes"),
			    (uint32_t)atoi(items[i].key + 2), (struct weir_slice){items[i].data, items[i].len}));
		else if (sscanf(items[i].key, "m:%lld:%u", &a, &b) == 2 && a >= p->marks.fresh_from)
			assert_true(weir_marks_load(&p->marks, a, b, items[i].data, items[i].len));
	}
	assert_true(weir_partition_load_finish(p));
	return p;
}

/* ---- REC ---- */

/* rule REC-3, rule REC-4: each once, in any order. */
static void
test_records_count_once(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 2, 10, 20, NOW - 5 * S));
	fold(p, record(A, 1, 1, 2, NOW - 60 * S));
	fold(p, record(A, 2, 10, 20, NOW - 5 * S));
	assert_int_equal(card(p, A)->up, 11);
	assert_int_equal(card(p, A)->down, 22);
	assert_int_equal(card(p, A)->records, 2);
	assert_int_equal(p->stats.duplicates, 1);
	weir_partition_free(p);
}

/* rule REC-3: what is older than the horizon goes away as too late; rule REC-7: the future and unknown cards likewise. */
static void
test_rejects(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1, 0, NOW - 48 * HOUR - 1));
	fold(p, record(A, 2, 1, 0, NOW + 300 * S + 1));
	fold(p, record(B, 3, 1, 0, NOW));
	assert_int_equal(p->rejects.n, 3);
	assert_int_equal(p->rejects.v[0].reject, WEIR_REJECT_TOO_LATE);
	assert_int_equal(p->rejects.v[1].reject, WEIR_REJECT_FUTURE);
	assert_int_equal(p->rejects.v[2].reject, WEIR_REJECT_UNKNOWN_CARD);
	fold(p, record(A, 4, 1, 0, NOW + 300 * S));
	fold(p, record(A, 5, 1, 0, NOW - 47 * HOUR));
	serve(p);
	assert_int_equal(card(p, A)->records, 2);
	weir_partition_free(p);
	store_clear();
}

/* rule REC-3: an old hour's duplicate is told after its marks left memory; neighbours go on meanwhile. */
static void
test_old_hours_are_looked_up(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 5, 0, NOW - 10 * HOUR));
	assert_int_equal(p->parked.n, 1);
	fold(p, record(A, 9, 7, 0, NOW));
	assert_int_equal(card(p, A)->up, 7);
	serve(p);
	assert_int_equal(card(p, A)->up, 12);
	weir_partition_encode(p, &WRITER, 12);
	struct weir_partition *q = reload(p, NOW);
	fold(q, record(A, 1, 5, 0, NOW - 10 * HOUR));
	fold(q, record(A, 1, 5, 0, NOW - 10 * HOUR));
	fold(q, record(A, 2, 1, 0, NOW - 10 * HOUR));
	fold(q, record(A, 9, 7, 0, NOW));
	serve(q);
	assert_int_equal(card(q, A)->up, 13);
	assert_int_equal(q->stats.duplicates, 3);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

static struct weir_record
sequenced(uint64_t session, uint64_t seq, uint64_t up, int64_t end_us)
{
	struct weir_record r = record(A, 0, up, 0, end_us);
	r.session_hash = session;
	r.seq = seq;
	r.flags = WEIR_RECORD_HAS_SEQ;
	return r;
}

/* rule REC-4 with sequences: a random order with duplicates, jumps beyond the window, each number counts once. */
static void
test_sequences_against_a_plain_set(void **state)
{
	(void)state;
	srand(5);
	for (int round = 0; round < 300; round++) {
		struct weir_partition *p = with_card(NOW);
		uint8_t seen[400] = {0};
		uint64_t counted = 0, given_up = 0;
		for (int i = 0; i < 600; i++) {
			int base = i * 300 / 600;
			int seq = base + rand() % (round % 2 == 0 ? 60 : 100);
			uint64_t before = p->stats.counted, lost = p->stats.rejected[WEIR_REJECT_TOO_LATE];
			fold(p, sequenced(77, (uint64_t)seq, 1, NOW));
			bool counts = p->stats.counted > before;
			bool gave_up = p->stats.rejected[WEIR_REJECT_TOO_LATE] > lost;
			if (seen[seq])
				assert_false(counts); /* never twice */
			else
				assert_true(counts || gave_up);
			seen[seq] |= counts;
			counted += counts;
			given_up += gave_up;
		}
		assert_int_equal(card(p, A)->up, counted);
		if (round % 2 == 0)
			assert_int_equal(given_up, 0); /* within the window nothing is given up */
		weir_partition_free(p);
	}
}

static struct weir_record
total(uint64_t session, uint64_t up, int64_t end_us, uint8_t flags)
{
	struct weir_record r = record(A, 0, up, 0, end_us);
	r.session_hash = session;
	r.flags = WEIR_RECORD_TOTALS | flags;
	return r;
}

/* rule REC-2: totals count by what they exceed the high-water mark; a start marker begins anew. */
static void
test_totals(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, total(5, 100, NOW - 100 * S, 0));
	fold(p, total(5, 250, NOW - 80 * S, 0));
	fold(p, total(5, 200, NOW - 90 * S, 0)); /* old */
	fold(p, total(5, 250, NOW - 80 * S, 0)); /* repeated */
	assert_int_equal(card(p, A)->up, 250);
	assert_int_equal(p->stats.stale, 2);
	fold(p, total(5, 0, NOW - 50 * S, WEIR_RECORD_START));
	fold(p, total(5, 30, NOW - 40 * S, 0));
	fold(p, total(5, 0, NOW - 50 * S, WEIR_RECORD_START)); /* repeated start */
	fold(p, total(5, 31, NOW - 30 * S, 0));
	assert_int_equal(card(p, A)->up, 281);
	weir_partition_free(p);
}

/* rule REC-2, rule REC-6: totals of a closed cycle that wait for a look-up are not overtaken by their successors. */
static void
test_parked_totals_keep_their_order(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary + HOUR);
	fold(p, total(5, 100, boundary - 100 * S, 0));
	assert_int_equal(p->parked.n, 1);
	struct weir_wish wish = p->wishes[0];
	p->wish_count = 0;
	assert_true(weir_partition_wish_answer(p, &wish, (struct weir_slice){0}));
	fold(p, total(5, 300, boundary - 50 * S, 0)); /* could be counted at once: the look-up is answered */
	weir_partition_unpark(p);
	assert_int_equal(p->stats.counted, 2);
	assert_int_equal(p->stats.stale, 0);
	weir_partition_free(p);
}

/* ---- CYC ---- */

/* rule CYC-3, rule REC-5, rule REC-6: a new cycle starts at zero, the old one stays and is restated by late records. */
static void
test_cycle_rolls_and_late_records_restate(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S; /* 2026-04-01T00:00+08:00 = 2026-03-31T16:00Z */
	struct weir_partition *p = with_card(boundary - HOUR);
	fold(p, record(A, 1, 400, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + HOUR, boundary + HOUR);
	fold(p, record(A, 2, 50, 0, boundary));
	assert_int_equal(card(p, A)->up, 50);
	assert_int_equal(card(p, A)->cycle, (2026 - 1970) * 12 + 3);
	fold(p, record(A, 3, 7, 3, boundary - 1));
	serve(p);
	assert_int_equal(card(p, A)->up, 50);
	weir_partition_encode(p, &WRITER, 12);
	struct item *page = item_get("y:674:0");
	struct weir_past_slot past;
	assert_true(page->len >= 32);
	memcpy(&past, page->data, 32);
	assert_int_equal(past.up, 407);
	assert_int_equal(past.down, 3);
	assert_int_equal(past.records, 2);
	struct weir_partition *q = reload(p, boundary + HOUR);
	fold(q, record(A, 4, 1000, 0, boundary - 2)); /* over the allowance, but of the closed cycle */
	serve(q);
	assert_int_equal(card(q, A)->reasons, 0);
	weir_partition_encode(q, &WRITER, 12);
	memcpy(&past, item_get("y:674:0")->data, 32);
	assert_int_equal(past.up, 1407);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

/* rule CYC-1: China Unicom's cycle turns at the end of the 26th. */
static void
test_unicom_boundary(void **state)
{
	(void)state;
	int64_t boundary = 1774540800ll * S; /* 2026-03-27T00:00+08:00 */
	struct weir_partition *p = make(boundary + 60 * S);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cu\"}");
	fold(p, record(A, 1, 1, 0, boundary));
	fold(p, record(A, 2, 2, 0, boundary - 1));
	serve(p);
	assert_int_equal(card(p, A)->up, 1);
	assert_int_equal(card(p, A)->cycle, (2026 - 1970) * 12 + 3); /* named after April, in which it ends */
	weir_partition_free(p);
	store_clear();
}

/* rule CYC-4: at the boundary plan_exhausted clears without any record; manual stays. */
static void
test_boundary_resumes_the_suspended_only(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"cm\"}");
	fold(p, record(A, 1, 1000, 0, boundary - HOUR));
	apply(p, "{\"type\":\"request\",\"iccid\":\"" B "\",\"action\":\"suspend\"}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	struct weir_command_report done = {0, 4, WEIR_DESIRED_SUSPENDED, 1, boundary - HOUR, 0, "", ""};
	weir_partition_command(p, &done);
	done.slot = 1;
	weir_partition_command(p, &done);
	weir_partition_set_time(p, boundary, boundary);
	while (weir_partition_tick(p, 1)) {
	}
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_ACTIVE);
	assert_int_equal(enforcement(p, B)->desired, WEIR_DESIRED_SUSPENDED);
	done = (struct weir_command_report){0, 4, WEIR_DESIRED_ACTIVE, 1, boundary, 0, "", ""};
	weir_partition_command(p, &done);
	assert_null(enforcement(p, A)); /* nothing more to know */
	weir_partition_free(p);
}

/* ---- SUS ---- */

/* rule SUS-1: an operator resume lifts the limit for this cycle, other reasons remain and are told. */
static void
test_operator_resume(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":500}");
	fold(p, record(A, 1, 600, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 2, 100, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 3, 300, 0, NOW)); /* 1000: the plan */
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"suspend\"}");
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	const struct weir_audit *last = &p->audits[p->audit_count - 1];
	assert_int_equal(last->event, WEIR_AUDIT_REQUEST);
	assert_non_null(strstr(last->text, "other reasons remain"));
	apply(
	    p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":400}"); /* changed: holds again */
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED | 1 << WEIR_REASON_USAGE_LIMIT);
	weir_partition_free(p);
}

/* rule SUS-2: add-on, limit up and plan change clear at once; limit down raises at once; a repeated add-on counts once. */
static void
test_terms_change_at_once(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_int_equal(p->stats.suspends, 1);
	const char *addon = "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":500,\"id\":\"x1\"}";
	apply(p, addon);
	apply(p, addon);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(card(p, A)->gate, 1500);
	fold(p, record(A, 2, 500, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	apply(p, "{\"type\":\"plan\",\"id\":\"p1\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":5000}");
	while (weir_partition_tick(p, 100)) {
	}
	assert_int_equal(card(p, A)->reasons, 0);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":1500}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":null}");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule SUS: a second reason sends nothing, removing one of two sends nothing. */
static void
test_set_of_reasons(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"suspend\"}");
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_int_equal(p->stats.suspends, 1);
	assert_int_equal(p->offers.n, 1);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(p->stats.resumes, 0);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":1}");
	assert_int_equal(p->stats.resumes, 1);
	weir_partition_free(p);
}

/* rule CYC-4: without auto_restore the limit's reason holds over the boundary until the operator speaks. */
static void
test_limit_without_auto_restore(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":10,\"auto_restore\":false}");
	fold(p, record(A, 1, 10, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + 1, boundary + 1);
	while (weir_partition_tick(p, 10)) {
	}
	assert_int_equal(card(p, A)->up, 0);
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* A card may come before its plan; the result is that of the other order. */
static void
test_order_of_reference_data(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	apply(p, CARD_A);
	fold(p, record(A, 1, 2000, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	apply(p, PLAN);
	while (weir_partition_tick(p, 100)) {
	}
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	apply_class(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"nobody\"}", WEIR_POISON);
	apply_class(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"cu\",\"plan\":\"p1\"}", WEIR_POISON);
	apply_class(p, "{\"type\":\"request\",\"iccid\":\"" B "\",\"action\":\"suspend\"}", WEIR_POISON);
	weir_partition_free(p);
}

/* Many cards, several flushes by pages and by runs, a reload: all slots are the same bytes. */
static void
test_pages_round_trip(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	apply(p, PLAN);
	for (int i = 0; i < 3000; i++) {
		char json[200];
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"card\",\"iccid\":\"898600000000000%05d\",\"carrier\":\"cm\",\"plan\":\"p1\"%s}", i,
		    i % 10 == 0 ? ",\"limit\":700" : "");
		apply(p, json);
	}
	srand(1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < (round % 2 == 0 ? 2000 : 5); i++) {
			char iccid[32];
			(void)snprintf(iccid, sizeof(iccid), "898600000000000%05d", rand() % 3000);
			struct weir_record r =
			    record(iccid, (uint64_t)(round * 10000 + i + 1), (uint64_t)(rand() % 100), 3, NOW);
			if (i % 3 == 0) {
				r.id_hash = 0;
				r.session_hash = (uint64_t)rand() % 500 + 1;
				r.seq = (uint64_t)rand() % 200;
				r.flags = WEIR_RECORD_HAS_SEQ;
			}
			fold(p, r);
		}
		weir_partition_encode(p, &WRITER, 12);
		assert_int_equal(weir_partition_unflushed(p) - p->audit_count * sizeof(struct weir_audit), 0);
	}
	struct weir_partition *q = reload(p, NOW);
	struct weir_slab *a[4] = {&p->cards, &p->terms, &p->enforcements, &p->sessions};
	struct weir_slab *b[4] = {&q->cards, &q->terms, &q->enforcements, &q->sessions};
	for (int s = 0; s < 4; s++) {
		assert_int_equal(a[s]->used, b[s]->used);
		assert_int_equal(a[s]->free_count, b[s]->free_count);
		for (uint32_t i = 0; i < a[s]->used; i++)
			assert_memory_equal(weir_slab_at(a[s], i), weir_slab_at(b[s], i), a[s]->slot_bytes);
	}
	assert_true(p->enforcements.used > 0 && p->sessions.used > 0);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

/* Stored bytes are input: slots that contradict each other fail the load, never an assert. */
static void
test_contradicting_pages_are_refused(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	const uint32_t sizes[4] = {1, 0, 0, 0};
	for (size_t byte = 16; byte < 64; byte++) {
		struct weir_card_slot slot = *card(p, A);
		((uint8_t *)&slot)[byte] = 0xff;
		struct weir_partition *q = weir_partition_new(&p->opts);
		weir_partition_set_time(q, NOW, NOW);
		weir_partition_load_sizes(q, sizes, NOW);
		assert_true(weir_partition_load_name(q, weir_slice_of("c:cm")));
		assert_true(weir_partition_load_page(q, 0, 0, (struct weir_slice){(uint8_t *)&slot, 64}));
		assert_false(weir_partition_load_page(q, 0, 7, (struct weir_slice){(uint8_t *)&slot, 64}));
		(void)weir_partition_load_finish(q);
		weir_partition_free(q);
	}
	weir_partition_free(p);
}

/* rule CMD-4: a decision's audit holds reason, limit, usage before and after, overshoot and the record's place. */
static void
test_audit_of_a_decision(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	p->audit_count = 0;
	fold(p, record(A, 1, 900, 0, NOW - S));
	struct weir_record r = record(A, 2, 0, 350, NOW - 2 * S);
	r.offset = 4711;
	fold(p, r);
	assert_int_equal(p->audit_count, 1);
	const struct weir_audit *a = &p->audits[0];
	assert_int_equal(a->event, WEIR_AUDIT_DECIDED);
	assert_int_equal(a->action, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(a->reason, WEIR_REASON_PLAN_EXHAUSTED);
	assert_int_equal(a->limit, 1000);
	assert_int_equal(a->usage_before, 900);
	assert_int_equal(a->usage_after, 1250);
	assert_int_equal(a->overshoot, 250);
	assert_int_equal(a->offset, 4711);
	assert_int_equal(a->record_us, NOW - 2 * S);
	weir_partition_free(p);
}

/* rule CMD-1: a card no longer desired suspended before it was sent is offered as active; rule LIFE-6: no command for the
 * deactivated. */
static void
test_withdrawn_and_deactivated(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1000, 0, NOW));
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":9}");
	assert_null(enforcement(p, A));
	assert_int_equal(p->offers.n, 2);
	p->offers.n = 0;
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"status\":\"deactivated\"}");
	fold(p, record(A, 2, 100, 0, NOW));
	assert_int_equal(card(p, A)->up, 1100);
	assert_int_equal(p->offers.n, 0);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records_count_once),
	    cmocka_unit_test(test_rejects),
	    cmocka_unit_test(test_old_hours_are_looked_up),
	    cmocka_unit_test(test_sequences_against_a_plain_set),
	    cmocka_unit_test(test_totals),
	    cmocka_unit_test(test_parked_totals_keep_their_order),
	    cmocka_unit_test(test_cycle_rolls_and_late_records_restate),
	    cmocka_unit_test(test_unicom_boundary),
	    cmocka_unit_test(test_boundary_resumes_the_suspended_only),
	    cmocka_unit_test(test_operator_resume),
	    cmocka_unit_test(test_terms_change_at_once),
	    cmocka_unit_test(test_set_of_reasons),
	    cmocka_unit_test(test_limit_without_auto_restore),
	    cmocka_unit_test(test_order_of_reference_data),
	    cmocka_unit_test(test_pages_round_trip),
	    cmocka_unit_test(test_contradicting_pages_are_refused),
	    cmocka_unit_test(test_audit_of_a_decision),
	    cmocka_unit_test(test_withdrawn_and_deactivated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
