/*
 * Stored bytes are input: a partition with cards, sessions, commands, pools, shares and past cycles is damaged at random
 * and loaded. Either the load says no, or what it took can be worked with: nothing may crash, hang or read beyond a slot.
 * `make asan` makes that last part sharp. The same seed damages the same bytes.
 */
#include "partition_fixture.h"

#define CARDS 200
#define ROUNDS 2000

static uint64_t seed = 88172645463325252u;

static uint64_t
draw_below(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void
iccid_write(char out[WEIR_ICCID_TEXT_MAX], unsigned i)
{
	(void)snprintf(out, WEIR_ICCID_TEXT_MAX, "898600000000%08u", i);
}

/* What it tells goes to itself: its own partials, its own words. */
static void
publish_to_self(struct weir_partition *p)
{
	weir_partition_publish(p);
	for (uint32_t i = 0; i < p->effects.outbox.n; i++) {
		const struct weir_outbox_message message = p->effects.outbox.v[i];
		struct weir_slice value = {p->effects.outbox.bytes.data + message.at + message.key_len, message.value_len};
		struct weir_reference reference;
		struct weir_error err;
		struct weir_cause cause = {0, 1, p->clock.now_us, p->clock.now_us, 0};
		/* Applying may tell more: the bytes are copied first. */
		uint8_t *copy = malloc(value.len + 1);
		memcpy(copy, value.data, value.len);
		value.data = copy;
		if (message.topic == WEIR_OUTBOX_USAGE_REPORTS)
			(void)weir_partition_apply_report(p, value, p->clock.now_us, &err);
		else if (message.topic == WEIR_OUTBOX_CARDS && weir_reference_parse(value, &reference, &err) == WEIR_OK)
			(void)weir_partition_apply(p, &reference, value, &cause, &err);
		free(copy);
		if (i > 2000)
			break;
	}
	p->effects.outbox.n = 0;
	p->effects.outbox.bytes.len = 0;
}

static void
use_bytes(struct weir_partition *p, unsigned card, uint64_t bytes, int64_t end_us)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	static uint64_t id;
	iccid_write(iccid, card);
	struct weir_record r = record(iccid, ++id, bytes, 1, end_us);
	r.arrived_us = p->clock.now_us;
	if (id % 3 == 0) { /* by session and sequence, with gaps */
		r.id_hash = 0;
		r.session_hash = 77 + card;
		r.seq = id * 3;
		r.flags = WEIR_RECORD_HAS_SEQ;
	}
	if (id % 5 == 0)
		r.imei14 = 86000000000000u + id;
	weir_partition_fold(p, &r, 1);
	p->effects.dead_letters.n = 0;
}

static struct weir_partition *
make_busy(void)
{
	static const char *const plans[] = {"single", "accumulative", "fixed", "metered"};
	static const char *const pools[] = {"", ",\"threshold\":900,\"threshold_action\":\"alert\"", ",\"total\":5000",
	    ",\"threshold\":3000,\"threshold_action\":\"suspend\""};
	struct weir_partition *p = make(NOW - 40 * 24 * HOUR);
	char json[400], iccid[WEIR_ICCID_TEXT_MAX];
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"plan\",\"id\":\"%s\",\"carrier\":\"cm\",\"kind\":\"%s\",\"allowance\":300}", plans[i],
		    plans[i]);
		apply(p, json);
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"pool\",\"id\":\"pool-%u\",\"kind\":\"%s\",\"carrier\":\"cm\",\"plan\":\"%s\"%s}", i,
		    plans[i], plans[i], pools[i]);
		if (i > 0)
			apply(p, json);
	}
	for (unsigned i = 0; i < CARDS; i++) {
		char pool[32] = "";
		iccid_write(iccid, i);
		if (i % 4 > 0)
			(void)snprintf(pool, sizeof(pool), ",\"pool\":\"pool-%u\"", i % 4);
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"plan\":\"%s\",\"status\":\"%s\"%s%s}", iccid,
		    plans[i % 4],
		    i % 11 == 0   ? "testable"
		    : i % 13 == 0 ? "inactive"
				  : "in_use",
		    pool, i % 7 == 0 ? ",\"limit\":100" : "");
		apply(p, json);
	}
	weir_partition_caught_up(p, true, true);
	publish_to_self(p);
	for (unsigned i = 0; i < 3 * CARDS; i++)
		use_bytes(p, i % CARDS, draw_below(60), p->clock.now_us - (int64_t)draw_below(HOUR));
	publish_to_self(p);
	tick(p);
	weir_partition_set_time(p, NOW, NOW); /* cycles have ended: past totals */
	tick(p);
	for (unsigned i = 0; i < 3 * CARDS; i++)
		use_bytes(p, i % CARDS, draw_below(90), NOW - (int64_t)draw_below(HOUR / 2));
	publish_to_self(p);
	publish_to_self(p);
	tick(p);
	return p;
}

/* Some bytes of some pages: small numbers more often than wild ones, they are the ones that pass for references. */
static void
damage_bytes(void)
{
	for (uint64_t n = 1 + draw_below(6); n > 0; n--) {
		struct item *item = &items[draw_below((uint64_t)item_count)];
		if (item->len == 0 || strchr(WEIR_SLAB_TAGS, item->key[0]) == NULL)
			continue;
		uint64_t at = draw_below(item->len);
		for (int tries = 0; tries < 30 && item->data[at] == 0; tries++) /* mostly where something is */
			at = draw_below(item->len);
		item->data[at] = (uint8_t)(draw_below(3) == 0   ? draw_below(256)
					   : draw_below(2) == 0 ? draw_below(8)
								: item->data[at] ^ (1u << draw_below(8)));
	}
}

static bool
load_copy(struct weir_partition *p, const struct weir_partition *old)
{
	uint32_t sizes[WEIR_SLABS];
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		sizes[i] = weir_partition_slab((struct weir_partition *)old, i)->used;
	if (draw_below(8) == 0)
		sizes[draw_below(WEIR_SLABS)] = (uint32_t)draw_below(600);
	weir_partition_set_time(p, NOW, NOW);
	weir_partition_load_sizes(p, sizes, NOW);
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
		const char *tag = strchr(WEIR_SLAB_TAGS, items[i].key[0]);
		if (tag != NULL && !weir_partition_load_page(p, (uint32_t)(tag - WEIR_SLAB_TAGS),
				       (uint32_t)atoi(items[i].key + 2), (struct weir_slice){items[i].data, items[i].len}))
			return false;
	}
	struct weir_unconfirmed_card intent = {.token = draw_below(4), .state = (uint8_t)draw_below(4)};
	intent.iccid.hi = draw_below(3);
	intent.iccid.lo = draw_below(300);
	if (draw_below(4) == 0 && !weir_partition_load_intent(p, &intent))
		return false;
	return weir_partition_load_finish(p);
}

/* What a lane would do with it. */
static void
work_with(struct weir_partition *p)
{
	struct weir_error err;
	struct weir_cause cause = {0, 1, p->clock.now_us, p->clock.now_us, 0};
	weir_partition_enqueue_all(p, true);
	weir_partition_caught_up(p, true, true);
	for (int i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 40; k++)
			use_bytes(
			    p, (unsigned)draw_below(CARDS), draw_below(500), p->clock.now_us - (int64_t)draw_below(HOUR));
		for (int ticks = 0; ticks < 50 && weir_partition_tick(p, 100); ticks++) {
		}
		publish_to_self(p);
		weir_partition_set_time(p, p->clock.now_us + 20 * 24 * HOUR, p->clock.now_us);
		p->effects.fetch_requests.n = 0;
		p->parked.records.n = 0;
	}
	for (unsigned i = 0; i < 8; i++) {
		char json[200], iccid[WEIR_ICCID_TEXT_MAX];
		struct weir_reference reference;
		iccid_write(iccid, (unsigned)draw_below(CARDS));
		(void)snprintf(json, sizeof(json), "{\"type\":\"request\",\"iccid\":\"%s\",\"action\":\"%s\"}", iccid,
		    i % 4 == 0   ? "suspend"
		    : i % 4 == 1 ? "resume"
		    : i % 4 == 2 ? "reset"
				 : "cancel");
		assert_int_equal(weir_reference_parse(weir_slice_of(json), &reference, &err), WEIR_OK);
		(void)weir_partition_apply(p, &reference, weir_slice_of(json), &cause, &err);
		(void)snprintf(json, sizeof(json), "{\"type\":\"card\",\"iccid\":\"%s\",\"pool\":%s}", iccid,
		    i % 2 == 0 ? "null" : "\"pool-2\"");
		assert_int_equal(weir_reference_parse(weir_slice_of(json), &reference, &err), WEIR_OK);
		(void)weir_partition_apply(p, &reference, weir_slice_of(json), &cause, &err);
	}
	for (uint32_t i = 0; i < p->effects.pending_commands.n; i++)
		(void)weir_partition_may_send(p, (uint32_t)p->effects.pending_commands.v[i]);
	p->effects.fetch_requests.n = 0;
	p->parked.records.n = 0;
}

static void
damaged_bytes_are_refused_or_borne(void **state)
{
	(void)state;
	struct weir_partition *busy = make_busy();
	weir_partition_encode(busy, &WRITER, 12);
	assert_true(weir_slab_count(&busy->tables.pools) == 3 && weir_slab_count(&busy->tables.pool_sources) >= 3);
	assert_true(weir_slab_count(&busy->tables.sessions) > 10 && weir_slab_count(&busy->tables.enforcements) > 10);
	struct item *whole = calloc((size_t)item_count, sizeof(*whole));
	for (int i = 0; i < item_count; i++) {
		whole[i] = items[i];
		items[i].data = malloc(items[i].len + 1);
	}
	int refused = 0, count = item_count;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < count; i++)
			memcpy(items[i].data, whole[i].data, whole[i].len);
		if (round > 0)
			damage_bytes();
		struct weir_partition *p = weir_partition_new(&busy->opts);
		bool loaded = load_copy(p, busy);
		refused += !loaded;
		if (loaded)
			work_with(p);
		weir_partition_free(p);
	}
	print_message("%d of %d refused\n", refused, ROUNDS);
	assert_true(refused > ROUNDS / 20 && refused < ROUNDS);
	for (int i = 0; i < count; i++)
		free(whole[i].data);
	free(whole);
	weir_partition_free(busy);
	store_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damaged_bytes_are_refused_or_borne),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
