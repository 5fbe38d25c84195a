/*
 * Cards as the reader tells them, out of slots written by hand: everything of struct weir_card_view, smart cards, the cycle
 * by the clock, history, and what Redis may hold or say that is wrong.
 */
#include "read_fixture.h"

#define CARD "89860000000000000001"
#define OTHER "8986000000000000002S"

static const struct weir_card_view *
read_card(struct weir_reader *reader, const char *text)
{
	const struct weir_card_view *card = NULL;
	struct weir_error err = {0};
	enum weir_read answer = weir_read_card(reader, iccid_of(text), &card, &err);
	if (answer != WEIR_READ_OK)
		print_message("%s\n", err.text);
	assert_int_equal(answer, WEIR_READ_OK);
	return card;
}

static const struct weir_card_slot IN_USE = {.up = 600,
    .down = 150,
    .records = 9,
    .sessions = 3,
    .last_s = NOW_S - 60,
    .cycle = CYCLE(2026, 3),
    .plan = 1,
    .carrier = 1,
    .flags = WEIR_STATUS_IN_USE};
static const struct weir_lifecycle_slot LIFE = {
    .activated_s = NOW_S - 86400, .expires_s = WEIR_LIFECYCLE_NEVER, .imei_low = 4711, .imei_high = 2};

/* rule ROL-4: what is told is what lies in Redis now. */
static void
a_card_is_shown_as_stored(void **state)
{
	put_card(CARD, 130, IN_USE, LIFE);
	const struct weir_card_view *card = read_card(*state, CARD);
	assert_string_equal(card->text, CARD);
	assert_int_equal(card->partition, home_of(CARD));
	assert_int_equal(card->slot, 130);
	assert_string_equal(card->carrier, "cm");
	assert_string_equal(card->plan, "single");
	assert_string_equal(card->pool, "");
	assert_true(card->plan_known);
	assert_int_equal(card->plan_allowance, 1000);
	assert_string_equal(card->status, "in_use");
	assert_int_equal(card->activated_us, (NOW_S - 86400) * S_US);
	assert_int_equal(card->expires_us, INT64_MAX);
	assert_int_equal(card->imei14, UINT64_C(2) << 32 | 4711);
	assert_int_equal(card->cycle.number, CYCLE(2026, 3));
	assert_int_equal(card->cycle.start_us, INT64_C(1772294400) * S_US);
	assert_string_equal(card->zone, "Asia/Shanghai");
	assert_volume(&card->used, 600, 150, 9, 3);
	assert_int_equal(card->metered, 750);
	assert_int_equal(card->last_record_us, (NOW_S - 60) * S_US);
	/* the plan's allowance is 1000, its limit 800 */
	assert_int_equal(card->limit, 800);
	assert_false(card->limit_own);
	assert_int_equal(card->total, 1000);
	assert_int_equal(card->remaining, 50);
	assert_false(card->command.exists);
	assert_int_equal(card->tag_count, 0);
	/* the next question sees the next flush */
	struct weir_card_slot more = IN_USE;
	more.up = 700;
	put_card(CARD, 130, more, LIFE);
	assert_int_equal(read_card(*state, CARD)->remaining, 0);
}

/* rule SUS-1, rule SUS-4: limits of its own, add-ons, exempted bytes, reasons and the command for them. */
static void
overrides_and_enforcement_are_shown(void **state)
{
	struct weir_card_slot slot = IN_USE;
	struct weir_card_overrides_slot overrides = {.card = 131,
	    .enforcement = 32,
	    .limit = 5000,
	    .addon_bytes = 300,
	    .addon_cycle = CYCLE(2026, 3),
	    .flags = WEIR_OVERRIDES_NO_AUTO_RESTORE,
	    .exempt_cycle = CYCLE(2026, 3),
	    .exempt_bytes = 50};
	struct weir_enforcement_slot e = {.card = 131,
	    .desired = WEIR_DESIRED_SUSPENDED,
	    .confirmed = WEIR_DESIRED_ACTIVE,
	    .command = 3,
	    .target = WEIR_DESIRED_SUSPENDED,
	    .attempts = 2,
	    .reason = WEIR_REASON_USAGE_LIMIT,
	    .input = 0,
	    .offset = 4242,
	    .decided_us = 1000,
	    .limit = 700,
	    .usage_after = 710,
	    .overshoot = 10,
	    .ticket = "T-0042"};
	slot.overrides = 64; /* the second page's first but one */
	slot.reasons = WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_MANUAL);
	put_card(CARD, 130, slot, LIFE);
	put_slot(home_of(CARD), 't', 63, &overrides, sizeof(overrides));
	put_slot(home_of(CARD), 'e', 31, &e, sizeof(e));
	put("HSET weir:{%u}:x tags:%s %s remark:%s %s", home_of(CARD), CARD,
	    "{\"type\":\"card\",\"iccid\":\"" CARD "\",\"tags\":[\"north\",\"meter 7\"]}", CARD,
	    "{\"remark\":\"on the roof\"}");
	const struct weir_card_view *card = read_card(*state, CARD);
	assert_string_equal(card->status, "suspended");
	assert_int_equal(card->stored_status, WEIR_STATUS_IN_USE);
	assert_int_equal(card->limit, 5000);
	assert_true(card->limit_own && !card->auto_restore && !card->limit_lifted);
	assert_int_equal(card->addons, 300);
	assert_int_equal(card->total, 1300);
	assert_int_equal(card->metered, 700);
	assert_int_equal(card->remaining, 600);
	assert_int_equal(card->tag_count, 2);
	assert_string_equal(card->tags[1], "meter 7");
	assert_string_equal(card->remark, "on the roof");
	const struct weir_command_view *command = &card->command;
	assert_true(command->exists);
	assert_string_equal(command->state, "accepted");
	assert_string_equal(command->action, "suspend");
	assert_string_equal(command->ticket, "T-0042");
	assert_string_equal(command->topic, "weir.records");
	assert_int_equal(command->offset, 4242);
	assert_int_equal(command->reason, WEIR_REASON_USAGE_LIMIT);
	assert_int_equal(command->overshoot, 10);
	/* SUS-1: lifted in this cycle */
	overrides.lifted_cycle = CYCLE(2026, 3);
	put_slot(home_of(CARD), 't', 63, &overrides, sizeof(overrides));
	card = read_card(*state, CARD);
	assert_true(card->limit_lifted);
	assert_int_equal(card->limit, WEIR_NO_LIMIT);
	/* SUS-4: cu does not enforce usage_limit outside pools; that reason alone does not suspend */
	slot.carrier = 2;
	slot.reasons = WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT);
	put_card(CARD, 130, slot, LIFE);
	card = read_card(*state, CARD);
	assert_string_equal(card->carrier, "cu");
	assert_string_equal(card->status, "in_use");
	assert_int_equal(card->not_enforced, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT));
}

/* rule CYC-3: a card that has not been seen since its cycle ended has used nothing of the new one. */
static void
the_cycle_goes_by_the_clock(void **state)
{
	struct weir_card_slot slot = IN_USE;
	struct weir_card_overrides_slot overrides = {
	    .card = 131, .limit = WEIR_NO_LIMIT, .addon_bytes = 300, .addon_cycle = CYCLE(2026, 3)};
	slot.overrides = 1;
	put_card(CARD, 130, slot, LIFE);
	put_slot(home_of(CARD), 't', 0, &overrides, sizeof(overrides));
	now_s = NOW_S + 2 * 86400;
	const struct weir_card_view *card = read_card(*state, CARD);
	assert_int_equal(card->cycle.number, CYCLE(2026, 4));
	assert_volume(&card->used, 0, 0, 0, 0);
	assert_int_equal(card->addons, 0);
	assert_int_equal(card->total, 1000);
	assert_int_equal(card->remaining, 800);
	/* a card may be ahead of the clock by a few minutes */
	slot.cycle = CYCLE(2026, 5);
	put_card(CARD, 130, slot, LIFE);
	card = read_card(*state, CARD);
	assert_int_equal(card->cycle.number, CYCLE(2026, 5));
	assert_int_equal(card->used.up, 600);
}

/* rule LIFE-3, rule POOL-4: a testable card's quota; a pool's card has no plan's total of its own. */
static void
lifecycle_and_pool_are_shown(void **state)
{
	struct weir_card_slot slot = IN_USE;
	struct weir_lifecycle_slot lifecycle = {.test_used = (UINT64_C(1) << 53) + 1};
	struct weir_pool_local_slot pool_local = {.pool = "city-7", .members = 1};
	slot.flags = WEIR_STATUS_TESTABLE;
	put_card(CARD, 130, slot, lifecycle);
	const struct weir_card_view *card = read_card(*state, CARD);
	assert_string_equal(card->status, "testable");
	assert_int_equal(card->test_used, (UINT64_C(1) << 53) + 1);
	assert_int_equal(card->activated_us, 0);
	assert_int_equal(card->remaining, WEIR_NO_LIMIT);
	slot.flags = WEIR_STATUS_IN_USE;
	lifecycle = LIFE;
	lifecycle.pool_local = 34;
	put_card(CARD, 130, slot, lifecycle);
	put_slot(home_of(CARD), 'a', 33, &pool_local, sizeof(pool_local));
	card = read_card(*state, CARD);
	assert_string_equal(card->pool, "city-7");
	assert_int_equal(card->total, WEIR_NO_LIMIT);
	assert_int_equal(card->remaining, 50);
}

/* A card that came by another partitioner is found all the same; the same tag is not the same card. */
static void
a_card_is_found_wherever_it_is(void **state)
{
	uint32_t elsewhere = (home_of(CARD) + 1) % PARTITIONS;
	const uint32_t wrong[2] = {weir_iccid_tag(iccid_of(CARD)), 7};
	put_card_at(home_of(CARD), 7, OTHER, IN_USE, LIFE);
	put("APPEND weir:{%u}:d:%u %b", home_of(CARD), wrong[0] % 1024, wrong, sizeof(wrong));
	const struct weir_card_view *card;
	struct weir_error err = {0};
	assert_int_equal(weir_read_card(*state, iccid_of(CARD), &card, &err), WEIR_READ_MISSING);
	assert_string_equal(err.text, "no card " CARD);
	put_card_at(elsewhere, 9, CARD, IN_USE, LIFE);
	assert_int_equal(read_card(*state, CARD)->partition, elsewhere);
	/* many at once, in the order asked for */
	const struct weir_iccid asked[] = {iccid_of(OTHER), iccid_of("89860000000000000099"), iccid_of(CARD)};
	bool found[3];
	assert_int_equal(weir_read_cards(*state, asked, 3, &card, found, &err), WEIR_READ_OK);
	assert_true(found[0] && !found[1] && found[2]);
	assert_string_equal(card[0].text, OTHER);
	assert_string_equal(card[2].text, CARD);
}

/* rule POOL-8: the sum of the children, wherever they are, and partially_in_use while they differ. */
static void
a_smart_card_adds_its_children_up(void **state)
{
	struct weir_card_slot slot = IN_USE;
	struct weir_card_overrides_slot overrides = {.card = 10, .parent = iccid_of(CARD)};
	slot.flags |= WEIR_CARD_HAS_CHILDREN;
	put_card(CARD, 130, slot, LIFE);
	put("HSET weir:{%u}:r children:%s %s", home_of(CARD), CARD,
	    "{\"type\":\"children\",\"parent\":\"" CARD "\",\"children\":[\"" OTHER "\",\"89860000000000000099\"]}");
	slot = IN_USE;
	slot.flags |= WEIR_CARD_HAS_PARENT;
	slot.overrides = 1;
	put_card(OTHER, 9, slot, LIFE);
	put_slot(home_of(OTHER), 't', 0, &overrides, sizeof(overrides));
	const struct weir_card_view *card = read_card(*state, CARD);
	assert_int_equal(card->child_count, 2);
	assert_true(card->children[0].known && !card->children[1].known);
	assert_int_equal(card->children_used, 750);
	assert_string_equal(card->status, "in_use");
	assert_string_equal(read_card(*state, OTHER)->parent, CARD);
	/* the second one has used all of April, which cu's cycle is in already; it is deactivated */
	slot = IN_USE;
	slot.carrier = 2;
	slot.flags = WEIR_STATUS_DEACTIVATED;
	put_card("89860000000000000099", 12, slot, LIFE);
	card = read_card(*state, CARD);
	assert_int_equal(card->children_used, 750);
	assert_string_equal(card->status, "partially_in_use");
}

/* rule CMD-4: entries newest first; what belongs to one decision is one command; nonsense is left out. */
static void
history_and_commands_are_shown(void **state)
{
	uint32_t p = home_of(CARD);
	put_card(CARD, 130, IN_USE, LIFE);
	put("RPUSH weir:{%u}:j:130 %s %s %s %s %s", p,
	    "{\"event\":\"confirmed\",\"action\":\"suspend\",\"iccid\":\"x\",\"reasons\":[\"usage_limit\"],\"reason\":"
	    "\"usage_limit\",\"limit\":700,\"overshoot\":25,\"decided_us\":1000,\"sent_us\":1500,\"confirmed_us\":2500,"
	    "\"at_us\":"
	    "2500,\"carrier\":\"cm\",\"ticket\":\"T-1\",\"reply\":\"done\"}",
	    "{\"event\":\"sent\",\"action\":\"suspend\",\"decided_us\":1000,\"at_us\":1500}", "{no json",
	    "{\"event\":\"decided\",\"action\":\"suspend\",\"reasons\":[\"usage_limit\",\"manual\"],\"reason\":\"usage_"
	    "limit\","
	    "\"rule\":\"SUS "
	    "usage_limit\",\"limit\":700,\"usage_before\":690,\"usage_after\":710,\"overshoot\":10,\"topic\":"
	    "\"weir.records\",\"partition\":3,\"offset\":77,\"at_us\":1000,\"record_us\":900,\"decided_us\":1000}",
	    "{\"event\":\"request\",\"action\":\"suspend\",\"at_us\":10,\"reply\":\"suspend r1: done\"}");
	struct weir_history history;
	struct weir_commands commands;
	struct weir_error err = {0};
	assert_int_equal(weir_read_card_history(*state, iccid_of(CARD), &history, &err), WEIR_READ_OK);
	assert_int_equal(history.count, 4);
	assert_int_equal(history.unreadable, 1);
	assert_string_equal(history.entries[0].event, "confirmed");
	assert_int_equal(
	    history.entries[2].reasons, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_MANUAL));
	assert_int_equal(history.entries[2].reason, WEIR_REASON_USAGE_LIMIT);
	assert_int_equal(history.entries[2].offset, 77);
	assert_int_equal(weir_read_card_commands(*state, iccid_of(CARD), &commands, &err), WEIR_READ_OK);
	assert_int_equal(commands.count, 1);
	const struct weir_command_entry *command = &commands.commands[0];
	assert_string_equal(command->state, "confirmed");
	assert_string_equal(command->ticket, "T-1");
	assert_string_equal(command->reply, "done");
	assert_int_equal(command->overshoot, 25);
	assert_int_equal(command->sent_us, 1500);
	assert_int_equal(command->confirmed_us, 2500);
	assert_int_equal(command->offset, 77);
	assert_int_equal(command->usage_before, 690);
}

/* What is stored is input: references to others' slots, numbers without names, short pages, wrong types. */
static void
what_contradicts_itself_is_an_answer(void **state)
{
	const struct weir_card_view *card;
	struct weir_error err = {0};
	struct weir_card_slot slot = IN_USE;
	struct weir_lifecycle_slot lifecycle = LIFE;
	uint32_t p = home_of(CARD);
	struct weir_iccid iccid = iccid_of(CARD);
	slot.overrides = 5; /* terms that are not there */
	put_card(CARD, 130, slot, lifecycle);
	assert_int_equal(weir_read_card(*state, iccid, &card, &err), WEIR_READ_BROKEN);
	assert_non_null(strstr(err.text, "slots that are not its own"));
	slot.overrides = 0;
	lifecycle.pool_local = UINT32_MAX;
	put_card(CARD, 130, slot, lifecycle);
	assert_int_equal(weir_read_card(*state, iccid, &card, &err), WEIR_READ_BROKEN);
	lifecycle.pool_local = 0;
	slot.plan = 60000;
	slot.carrier = 200;
	put_card(CARD, 130, slot, lifecycle);
	assert_int_equal(weir_read_card(*state, iccid, &card, &err), WEIR_READ_BROKEN);
	assert_non_null(strstr(err.text, "without a name"));
	slot.plan = 0;
	slot.carrier = 0;
	slot.flags = 7;
	slot.reasons = 0xffff;
	put_card(CARD, 130, slot, lifecycle);
	assert_string_equal(read_card(*state, CARD)->status, "unknown");
	put("HSET weir:{%u}:x tags:%s %s", p, CARD, "{\"tags\":{\"a\":[1]}}");
	put("HSET weir:{%u}:r children:%s %s", p, CARD, "[[[");
	slot.flags = WEIR_STATUS_IN_USE | WEIR_CARD_HAS_CHILDREN;
	put_card(CARD, 130, slot, lifecycle);
	assert_int_equal(read_card(*state, CARD)->tag_count, 0);
	assert_int_equal(read_card(*state, CARD)->child_count, 0);
	put("DEL weir:{%u}:l:0", p);
	assert_int_equal(read_card(*state, CARD)->imei14, 0);
	put("SET weir:{%u}:c:1 short", p);
	assert_int_equal(weir_read_card(*state, iccid, &card, &err), WEIR_READ_MISSING);
	put("DEL weir:{%u}:c:1", p);
	put("LPUSH weir:{%u}:c:1 x", p);
	assert_int_equal(weir_read_card(*state, iccid, &card, &err), WEIR_READ_BROKEN);
	assert_non_null(strstr(err.text, "WRONGTYPE"));
}

static void
formats_and_partitions_are_checked(void **state)
{
	const struct weir_card_view *card;
	struct weir_error err = {0};
	uint32_t partitions = 0;
	put_card(CARD, 130, IN_USE, LIFE);
	assert_int_equal(weir_reader_check(*state, &partitions, &err), WEIR_READ_OK);
	assert_int_equal(partitions, PARTITIONS);
	put("HSET weir:{%u}:h format 5", home_of(CARD));
	assert_int_equal(weir_read_card(*state, iccid_of(CARD), &card, &err), WEIR_READ_BROKEN);
	assert_non_null(strstr(err.text, "format 5"));
	put("SET weir:partitions -1");
	assert_int_equal(weir_reader_check(*state, &partitions, &err), WEIR_READ_BROKEN);
	put("SET weir:partitions 99999999999");
	assert_int_equal(weir_reader_check(*state, &partitions, &err), WEIR_READ_BROKEN);
	put("DEL weir:partitions");
	assert_int_equal(weir_reader_check(*state, &partitions, &err), WEIR_READ_AWAY);
	assert_non_null(strstr(err.text, "has not run yet"));
}

/* A connection that was closed is opened again; a Redis that is gone is said so, and found again. */
static void
a_lost_connection_is_opened_again(void **state)
{
	const struct weir_card_view *card;
	struct weir_error err = {0};
	put_card(CARD, 130, IN_USE, LIFE);
	(void)read_card(*state, CARD);
	put("CLIENT KILL TYPE normal SKIPME yes");
	(void)read_card(*state, CARD);
	private_redis_kill(&server);
	assert_int_equal(weir_read_card(*state, iccid_of(CARD), &card, &err), WEIR_READ_AWAY);
	assert_true(private_redis_run(&server));
	(void)read_card(*state, CARD);
}

/* The whole as JSON: names that programs rely on. */
static void
a_card_as_json(void **state)
{
	put_card(CARD, 130, IN_USE, LIFE);
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_print_card(&json, NULL, read_card(*state, CARD));
	weir_buf_append(&buf, "", 1);
	char expected[2000];
	(void)snprintf(expected, sizeof(expected),
	    "{\"iccid\":\"" CARD "\",\"status\":\"in_use\",\"carrier\":\"cm\",\"plan\":\"single\",\"pool\":null,\"cycle\":"
	    "\"2026-03\",\"up_bytes\":600,\"down_bytes\":150,\"used_bytes\":750,\"records\":9,\"sessions\":3,\"last_"
	    "record\":"
	    "\"2026-03-30T05:07:06.000Z\",\"limit_bytes\":800,\"total_bytes\":1000,\"remaining_bytes\":50,\"reasons\":[],"
	    "\"not_enforced\":[],\"mb_bytes\":1048576,\"tags\":[],\"remark\":null,\"stored_status\":\"in_use\",\"plan_"
	    "kind\":\"single\","
	    "\"plan_allowance_bytes\":1000,\"cycle_start\":\"2026-02-28T16:00:00.000Z\",\"cycle_end\":"
	    "\"2026-03-31T16:00:00.000Z\",\"zone\":\"Asia/"
	    "Shanghai\",\"activated\":\"2026-03-29T05:08:06.000Z\",\"expires\":null,"
	    "\"expired\":false,\"auto_registered\":false,\"test_used_bytes\":0,\"imei\":\"00008589939303\",\"metered_"
	    "bytes\":750,"
	    "\"limit_own\":false,\"limit_lifted\":false,\"auto_restore\":true,\"addon_bytes\":0,\"command\":null,"
	    "\"parent\":null,"
	    "\"children\":[],\"children_used_bytes\":null,\"partition\":%u,\"slot\":130}",
	    home_of(CARD));
	assert_string_equal((const char *)buf.data, expected);
	weir_buf_free(&buf);
}

int
main(void)
{
	if (!redis_is_installed("read_cards_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    READ_TEST(a_card_is_shown_as_stored),
	    READ_TEST(overrides_and_enforcement_are_shown),
	    READ_TEST(the_cycle_goes_by_the_clock),
	    READ_TEST(lifecycle_and_pool_are_shown),
	    READ_TEST(a_card_is_found_wherever_it_is),
	    READ_TEST(a_smart_card_adds_its_children_up),
	    READ_TEST(history_and_commands_are_shown),
	    READ_TEST(what_contradicts_itself_is_an_answer),
	    READ_TEST(formats_and_partitions_are_checked),
	    READ_TEST(a_lost_connection_is_opened_again),
	    READ_TEST(a_card_as_json),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
