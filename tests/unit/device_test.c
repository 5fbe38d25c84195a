/* Device lock (SUS-5): binding, change, rebind, by carriers that suspend, that only tell, and that do neither. */
#include "tests/unit/partition_fixture.h"

#define FIRST 86000000000001ull
#define SECOND 86000000000002ull
#define THIRD 86000000000003ull

static struct weir_record
record_from(const char *iccid, uint64_t id, uint64_t imei14, int64_t end_us)
{
	struct weir_record r = record(iccid, id, 1, 0, end_us);
	r.imei14 = imei14;
	return r;
}

static uint64_t
bound_imei(struct weir_partition *p, const char *iccid)
{
	const struct weir_lifecycle_slot *slot = lifecycle(p, iccid);
	return (uint64_t)slot->imei_high << 32 | slot->imei_low;
}

static struct weir_partition *
locked_partition(const char *lock)
{
	struct weir_partition *p = make(NOW);
	SEND(p,
	    "{\"type\":\"carrier\",\"id\":\"x\",\"zone\":\"Asia/Shanghai\",\"device_lock\":\"%s\",\"rebinds_per_month\":2}",
	    lock);
	CARD(p, A, ",\"carrier\":\"x\"");
	return p;
}

/* rule SUS-5: the first record with an IMEI binds; another device cuts off, once; a rebind takes it. */
static void
test_lock(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("suspend");
	fold(p, record_from(A, 1, 0, NOW - 9 * S));
	assert_int_equal(bound_imei(p, A), 0);
	fold(p, record_from(A, 2, FIRST, NOW - 8 * S));
	assert_int_equal(bound_imei(p, A), FIRST);
	fold(p, record_from(A, 3, SECOND, NOW - 7 * S));
	assert_int_equal(card(p, A)->reasons, HAS(DEVICE_CHANGE));
	fold(p, record_from(A, 4, THIRD, NOW - 6 * S));
	fold(p, record_from(A, 5, FIRST, NOW - 5 * S));
	fold(p, record_from(A, 6, SECOND, NOW - 4 * S));
	assert_int_equal(card(p, A)->reasons, HAS(DEVICE_CHANGE));
	assert_int_equal(p->stats.suspends, 1);
	assert_int_equal(card(p, A)->records, 6); /* all count */
	REQUEST(p, A, "rebind", "");
	assert_int_equal(bound_imei(p, A), SECOND);
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record_from(A, 7, SECOND, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule SUS-5: a record of the old device that comes late does not cut off again after the rebind. */
static void
test_late_records(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("suspend");
	fold(p, record_from(A, 1, FIRST, NOW - 100 * S));
	fold(p, record_from(A, 2, SECOND, NOW - 50 * S));
	REQUEST(p, A, "rebind", "");
	fold(p, record_from(A, 3, FIRST, NOW - 60 * S));
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(bound_imei(p, A), SECOND);
	weir_partition_free(p);
}

/*
 * rule SUS-5: which of a card's records is the newest is seen in their order, whichever of them wait for a look-up. Of two
 * cards the first has a record of a new device wait, with a newer one behind it that says nothing of devices; the second
 * has a newer one wait, and behind it an older one of a new device.
 */
static void
test_order_behind_a_look_up(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("suspend");
	CARD(p, B, ",\"carrier\":\"x\"");
	fold(p, record_from(A, 1, FIRST, NOW - 30 * HOUR));
	fold(p, record_from(B, 1, FIRST, NOW - 30 * HOUR));
	serve(p);
	uint64_t parked_before = p->stats.parked;
	fold(p, record_from(A, 2, SECOND, NOW - 20 * HOUR));
	fold(p, record_from(B, 2, FIRST, NOW - 20 * HOUR));
	assert_int_equal(p->stats.parked, parked_before + 2);
	fold(p, record_from(A, 3, 0, NOW));
	fold(p, record_from(B, 0, SECOND, NOW - 21 * HOUR)); /* has no identity to be looked up */
	serve(p);
	assert_int_equal(card(p, A)->records, 3);
	assert_int_equal(card(p, B)->records, 3);
	assert_int_equal(card(p, A)->reasons, HAS(DEVICE_CHANGE));
	assert_int_equal(card(p, B)->reasons, 0);
	weir_partition_free(p);
	store_clear();
}

/* rule SUS-5: nor may a newer one overtake the record that binds, and the other device's behind it. */
static void
test_binding_behind_a_look_up(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("suspend");
	CARD(p, B, ",\"carrier\":\"x\"");
	fold(p, record_from(B, 1, 0, NOW - 20 * HOUR));
	assert_int_equal(p->parked.records.n, 1);
	fold(p, record_from(A, 1, FIRST, NOW - 3 * S));
	fold(p, record_from(A, 2, SECOND, NOW - 2 * S));
	fold(p, record_from(A, 3, 0, NOW));
	serve(p);
	assert_int_equal(bound_imei(p, A), FIRST);
	assert_int_equal(card(p, A)->reasons, HAS(DEVICE_CHANGE));
	weir_partition_free(p);
	store_clear();
}

/* rule SUS-5: a carrier that only tells: one alert a new device, no reason. */
static void
test_alert_only(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("alert");
	fold(p, record_from(A, 1, FIRST, NOW - 9 * S));
	fold(p, record_from(A, 2, SECOND, NOW - 8 * S));
	fold(p, record_from(A, 3, SECOND, NOW - 7 * S));
	fold(p, record_from(A, 4, FIRST, NOW - 6 * S));
	assert_int_equal(alerts(p, "\"kind\":\"device_change\""), 1);
	assert_int_equal(alerts(p, "\"bound\":\"86000000000001\",\"seen\":\"86000000000002\""), 1);
	fold(p, record_from(A, 5, THIRD, NOW - 5 * S));
	assert_int_equal(alerts(p, "\"kind\":\"device_change\""), 2);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(p->effects.pending_commands.n, 0);
	weir_partition_free(p);
}

/* rule SUS-5: as shipped, ct only tells and cm cuts off. */
static void
test_shipped(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"ct\"");
	CARD(p, B, ",\"carrier\":\"cm\"");
	fold(p, record_from(A, 1, FIRST, NOW - 9 * S));
	fold(p, record_from(A, 2, SECOND, NOW - 8 * S));
	fold(p, record_from(B, 1, FIRST, NOW - 9 * S));
	fold(p, record_from(B, 2, SECOND, NOW - 8 * S));
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(alerts(p, "\"kind\":\"device_change\""), 1);
	assert_int_equal(card(p, B)->reasons, HAS(DEVICE_CHANGE));
	weir_partition_free(p);
}

/* rule SUS-5: two successful rebinds a calendar month of the carrier's zone; refused ones do not count. */
static void
test_rebinds_a_month(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("alert");
	uint64_t id = 1;
	REQUEST_REFUSED(p, A, "rebind", "");
	fold(p, record_from(A, id++, FIRST, NOW));
	REQUEST_REFUSED(p, A, "rebind", ""); /* nothing to take */
	for (uint64_t device = SECOND; device <= THIRD; device++) {
		fold(p, record_from(A, id++, device, NOW));
		REQUEST(p, A, "rebind", "");
		assert_int_equal(bound_imei(p, A), device);
	}
	fold(p, record_from(A, id++, FIRST, NOW));
	REQUEST_REFUSED(p, A, "rebind", "");
	assert_int_equal(bound_imei(p, A), THIRD);
	advance(p, at("2026-03-31T23:59:59+08:00"));
	REQUEST_REFUSED(p, A, "rebind", "");
	advance(p, at("2026-04-01T00:00:00+08:00"));
	REQUEST(p, A, "rebind", "");
	assert_int_equal(bound_imei(p, A), FIRST);
	weir_partition_free(p);
}

/* rule SUS-5: reference data binds by 14 digits, unbinds by null, and the same again changes nothing. */
static void
test_bound_by_reference(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("suspend");
	CARD(p, A, ",\"imei\":\"860000000000011\""); /* 15 digits: the last is a check digit */
	assert_int_equal(bound_imei(p, A), FIRST);
	fold(p, record_from(A, 1, FIRST, NOW - 9 * S));
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record_from(A, 2, SECOND, NOW - 8 * S));
	CARD(p, A, ",\"imei\":\"8600000000000199\"");
	assert_int_equal(card(p, A)->reasons, HAS(DEVICE_CHANGE));
	CARD(p, A, ",\"imei\":\"86000000000002\"");
	assert_int_equal(card(p, A)->reasons, 0);
	CARD(p, A, ",\"imei\":null");
	assert_int_equal(bound_imei(p, A), 0);
	fold(p, record_from(A, 3, THIRD, NOW));
	assert_int_equal(bound_imei(p, A), THIRD);
	weir_partition_free(p);
}

/* rule SUS-5: without a lock the first device stays bound, nothing happens, and a rebind lets the next one bind. */
static void
test_no_lock(void **state)
{
	(void)state;
	struct weir_partition *p = locked_partition("none");
	fold(p, record_from(A, 1, FIRST, NOW - 9 * S));
	fold(p, record_from(A, 2, SECOND, NOW - 8 * S));
	assert_int_equal(bound_imei(p, A), FIRST);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(p->effects.outbox.n, 0);
	assert_int_equal(card(p, A)->overrides, 0);
	REQUEST(p, A, "rebind", "");
	fold(p, record_from(A, 3, SECOND, NOW - 7 * S));
	assert_int_equal(bound_imei(p, A), SECOND);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lock),
	    cmocka_unit_test(test_late_records),
	    cmocka_unit_test(test_order_behind_a_look_up),
	    cmocka_unit_test(test_binding_behind_a_look_up),
	    cmocka_unit_test(test_alert_only),
	    cmocka_unit_test(test_shipped),
	    cmocka_unit_test(test_rebinds_a_month),
	    cmocka_unit_test(test_bound_by_reference),
	    cmocka_unit_test(test_no_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
