/*
 * Baselines: windows of cards and pool locals as differences of counters that are there anyway (ROL-1, ROL-2;
 * docs/rollups.md).
 *
 * A window's baseline is where the counters of its cycle stood before the first record in it. Its usage is the next
 * baseline of the same cycle less its own, or the cycle's total less its own. So hours add up to their day and days to
 * their cycle whatever happens, and one append a window is all that usage by hour costs. The newest window with a baseline
 * is known without looking: a card's by the end time of its newest record, a pool local's by a number in its slot.
 *
 * A record of an older window raises the baselines of all later ones of its cycle, and gives its own one if it had none:
 * that of the next window before the raising. All of those must be in memory first, so they are checked before anything is
 * changed, and the record is parked for what is missing.
 */
#include "aggregators/rollups/window_usage.h"

#include "aggregators/rollups/restated.h"
#include "aggregators/state/carrier_windows.h"

#define S_US 1000000ll

/* ---- a row of windows ---- */

/* Windows of one kind of one card or pool local, around one of them. */
struct row {
	enum weir_window_kind kind;
	uint32_t slot;
	int32_t number; /* the one that is checked */
	int32_t newest; /* the newest that has a baseline; any lower than number when it is older */
	int32_t end;    /* windows from here on are of a later cycle */
};

/* Past the last window whose base the record may change, or which gives the usage. */
static int32_t
row_end(const struct row *row)
{
	return row->newest < row->end ? row->newest + 1 : row->end;
}

static bool
row_is_ready(struct weir_partition *p, const struct row *row)
{
	bool ready = true;
	for (int32_t n = row->number; n < row_end(row); n++) {
		if (weir_windows_ready(&p->tables.windows[row->kind], n, row->slot))
			continue;
		weir_partition_request_window(p, row->kind, n, row->slot);
		ready = false;
	}
	return ready;
}

/* For a record: one in the newest window, or after it, changes no base that is there. */
static bool
row_may_count(struct weir_partition *p, const struct row *row)
{
	return row->number >= row->newest || row_is_ready(p, row);
}

/* The first base after the row's window, or NULL when there is none in its cycle. */
static const struct weir_counts *
next_baseline(const struct weir_partition *p, const struct row *row)
{
	const struct weir_counts *next = NULL;
	for (int32_t n = row->number + 1; n < row_end(row) && next == NULL; n++)
		next = weir_windows_find(&p->tables.windows[row->kind], n, row->slot);
	return next;
}

/* A record of a window before the newest: all baselines after it grow. */
static __attribute__((noinline)) void
row_count_late(
    struct weir_partition *p, const struct row *row, const struct weir_counts *before, const struct weir_counts *more)
{
	struct weir_windows *windows = &p->tables.windows[row->kind];
	const struct weir_counts *next = next_baseline(p, row);
	struct weir_counts baseline = next != NULL ? *next : *before;
	weir_windows_make(windows, row->number, row->slot, &baseline);
	for (int32_t n = row->number + 1; n < row_end(row); n++)
		if (weir_windows_find(windows, n, row->slot) != NULL)
			weir_counts_add(weir_windows_change(windows, n, row->slot), more);
}

static void
row_count(struct weir_partition *p, const struct row *row, const struct weir_counts *before, const struct weir_counts *more)
{
	if (row->number == row->newest)
		return;
	/*
	 * One may be there that the newest window does not tell of: the card had another carrier, by whose calendar its
	 * newest record was in a later window. It stays.
	 */
	if (row->number > row->newest)
		weir_windows_make(&p->tables.windows[row->kind], row->number, row->slot, before);
	else
		row_count_late(p, row, before, more);
}

/* The window has a baseline. */
static struct weir_counts
row_usage(const struct weir_partition *p, const struct row *row, const struct weir_counts *total)
{
	const struct weir_counts *baseline = weir_windows_find(&p->tables.windows[row->kind], row->number, row->slot);
	const struct weir_counts *next = next_baseline(p, row);
	return weir_counts_less(next != NULL ? next : total, baseline);
}

/* ---- a card's and a pool local's rows ---- */

/* Where the cycle of at_us ends, in windows: its first instant begins an hour and a day. */
static void
set_ends(struct weir_carrier_entry *carrier, int64_t at_us, struct row *hours, struct row *days)
{
	int64_t end_us = weir_partition_cycle_window(carrier, at_us)->end_us;
	hours->end = (int32_t)(end_us / WEIR_HOUR_US);
	days->end = weir_zone_day(carrier->zone, end_us).number;
}

/* The newest hour and day of an owner whose newest record is after the hour of at_us. */
static __attribute__((noinline)) void
rows_late(struct weir_carrier_entry *carrier, int64_t at_us, int64_t newest_us, struct row *hours, struct row *days)
{
	hours->newest = weir_window_holds(&carrier->hour, newest_us) ? carrier->hour.number
								     : weir_zone_hour(carrier->zone, newest_us).number;
	if (newest_us >= weir_carrier_day(carrier, at_us)->end_us)
		days->newest = weir_window_holds(&carrier->day, newest_us) ? carrier->day.number
									   : weir_zone_day(carrier->zone, newest_us).number;
	set_ends(carrier, at_us, hours, days);
}

/* newest_us: an instant in the owner's newest hour and day with a baseline; INT64_MIN = none. */
static void
rows_at(struct weir_carrier_entry *carrier, int64_t at_us, int64_t newest_us, struct row *hours, struct row *days)
{
	const struct weir_window *hour = weir_carrier_hour(carrier, at_us), *day = weir_carrier_day(carrier, at_us);
	hours->number = hours->newest = hour->number;
	days->number = days->newest = day->number;
	if (newest_us < hour->start_us)
		hours->newest--; /* older; how much does not matter */
	if (newest_us < day->start_us)
		days->newest--;
	hours->end = days->end = INT32_MAX;
	if (newest_us >= hour->end_us)
		rows_late(carrier, at_us, newest_us, hours, days);
}

static struct weir_carrier_entry *
card_carrier(const struct weir_partition *p, uint32_t slot)
{
	return &p->registry.carriers[weir_card_at(p, slot)->carrier - 1];
}

static void
card_rows(const struct weir_partition *p, uint32_t slot, int64_t at_us, struct row *hours, struct row *days)
{
	uint32_t last_s = weir_card_at(p, slot)->last_s;
	*hours = (struct row){.kind = WEIR_WINDOW_CARD_HOUR, .slot = slot};
	*days = (struct row){.kind = WEIR_WINDOW_CARD_DAY, .slot = slot};
	rows_at(card_carrier(p, slot), at_us, last_s == 0 ? INT64_MIN : (int64_t)last_s * S_US, hours, days);
}

static void
pool_local_rows(const struct weir_partition *p, uint32_t pool_local, struct weir_carrier_entry *carrier, int64_t at_us,
    struct row *hours, struct row *days)
{
	int32_t hour = weir_pool_local_at(p, pool_local)->hour;
	*hours = (struct row){.kind = WEIR_WINDOW_POOL_LOCAL_HOUR, .slot = pool_local};
	*days = (struct row){.kind = WEIR_WINDOW_POOL_LOCAL_DAY, .slot = pool_local};
	rows_at(carrier, at_us, hour == 0 ? INT64_MIN : weir_hour_instant(hour), hours, days);
}

bool
weir_window_ready(struct weir_partition *p, uint32_t slot, uint32_t pool_local, const struct weir_record *r)
{
	struct row hours, days;
	card_rows(p, slot, r->end_us, &hours, &days);
	bool ready = row_may_count(p, &hours);
	ready = row_may_count(p, &days) && ready;
	if (pool_local == 0)
		return ready;
	struct weir_carrier_entry *carrier = card_carrier(p, slot);
	pool_local_rows(p, pool_local - 1, carrier, r->end_us, &hours, &days);
	ready = row_may_count(p, &hours) && ready;
	return row_may_count(p, &days) && ready;
}

void
weir_window_count_card(struct weir_partition *p, uint32_t slot, const struct weir_record *r,
    const struct weir_counts *before, const struct weir_counts *more)
{
	struct row hours, days;
	card_rows(p, slot, r->end_us, &hours, &days);
	row_count(p, &hours, before, more);
	row_count(p, &days, before, more);
	if (__builtin_expect(r->end_us < p->clock.published_edge_us, 0))
		weir_feeds_card_changed(p, slot, weir_carrier_day(card_carrier(p, slot), r->end_us));
}

/* The pool local's totals of a cycle; false when it does not hold it. */
static bool
pool_local_total(const struct weir_pool_local_slot *a, int32_t cycle, struct weir_counts *total_out)
{
	*total_out = (struct weir_counts){0};
	if (cycle == a->cycle)
		*total_out = (struct weir_counts){a->up, a->down, a->records, a->sessions};
	else if (cycle + 1 == a->cycle)
		*total_out = (struct weir_counts){a->before_up, a->before_down, a->before_records, a->before_sessions};
	return cycle + 1 >= a->cycle;
}

void
weir_window_count_pool_local(struct weir_partition *p, uint32_t pool_local, uint32_t card_slot, const struct weir_record *r,
    int32_t cycle, const struct weir_counts *more)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	struct weir_carrier_entry *carrier = card_carrier(p, card_slot);
	struct weir_counts before;
	struct row hours, days;
	if (!pool_local_total(a, cycle, &before))
		return; /* nor does it count it */
	pool_local_rows(p, pool_local, carrier, r->end_us, &hours, &days);
	row_count(p, &hours, &before, more);
	row_count(p, &days, &before, more);
	if (hours.number > a->hour)
		a->hour = hours.number; /* the count that follows marks the slot dirty */
	a->zone = weir_card_at(p, card_slot)->carrier;
	if (__builtin_expect(r->end_us < p->clock.published_edge_us, 0))
		weir_feeds_pool_local_changed(p, pool_local, weir_carrier_hour(carrier, r->end_us));
}

/* ---- what a window holds ---- */

static bool
is_hour(enum weir_window_kind kind)
{
	return kind == WEIR_WINDOW_CARD_HOUR || kind == WEIR_WINDOW_POOL_LOCAL_HOUR;
}

/* The card's totals of a cycle; false when they must be fetched. */
static bool
card_total(struct weir_partition *p, uint32_t slot, int32_t cycle, struct weir_counts *total_out)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	*total_out = (struct weir_counts){0};
	if (cycle > card->cycle)
		return true;
	if (cycle == card->cycle) {
		*total_out = (struct weir_counts){card->up, card->down, card->records, card->sessions};
		return true;
	}
	const struct weir_closed_cycle_entry *closed_cycles = weir_partition_closed_cycle(p, (uint16_t)cycle, slot);
	if (closed_cycles != NULL)
		*total_out = (struct weir_counts){closed_cycles->value.up, closed_cycles->value.down,
		    closed_cycles->value.records, closed_cycles->value.sessions};
	return closed_cycles != NULL;
}

/* The card's or pool local's calendar; NULL when it has never counted. */
static struct weir_carrier_entry *
calendar_of(const struct weir_partition *p, enum weir_window_kind kind, uint32_t slot)
{
	bool card = kind == WEIR_WINDOW_CARD_HOUR || kind == WEIR_WINDOW_CARD_DAY;
	uint8_t carrier = card ? weir_card_at(p, slot)->carrier : weir_pool_local_at(p, slot)->zone;
	return carrier == 0 ? NULL : &p->registry.carriers[carrier - 1];
}

enum weir_window_usage_answer
weir_window_usage(
    struct weir_partition *p, enum weir_window_kind kind, uint32_t slot, int32_t number, struct weir_counts *usage_out)
{
	WEIR_CHECK(kind <= WEIR_WINDOW_POOL_LOCAL_DAY);
	bool card = kind == WEIR_WINDOW_CARD_HOUR || kind == WEIR_WINDOW_CARD_DAY;
	struct weir_carrier_entry *carrier = calendar_of(p, kind, slot);
	*usage_out = (struct weir_counts){0};
	if (carrier == NULL)
		return WEIR_WINDOW_USAGE_NONE;
	int64_t at_us = is_hour(kind) ? weir_hour_instant(number) : weir_carrier_day_by_number(carrier, number).start_us;
	struct row hours, days;
	if (card)
		card_rows(p, slot, at_us, &hours, &days);
	else
		pool_local_rows(p, slot, carrier, at_us, &hours, &days);
	const struct row *row = is_hour(kind) ? &hours : &days;
	if (row->newest < number)
		return WEIR_WINDOW_USAGE_NONE;
	if (!row_is_ready(p, row))
		return WEIR_WINDOW_USAGE_WAIT;
	int32_t cycle = weir_partition_cycle_of(carrier, at_us);
	struct weir_counts total = {0};
	if (weir_windows_find(&p->tables.windows[kind], number, slot) == NULL)
		return WEIR_WINDOW_USAGE_NONE;
	if (card ? !card_total(p, slot, cycle, &total) : !pool_local_total(weir_pool_local_at(p, slot), cycle, &total))
		return card ? WEIR_WINDOW_USAGE_WAIT : WEIR_WINDOW_USAGE_GONE;
	*usage_out = row_usage(p, row, &total);
	return WEIR_WINDOW_USAGE_KNOWN;
}

/* ---- loading and keeping ---- */

/* Windows that began after the newest record cannot be in Redis. Zones are at most 14 hours ahead of UTC. */
void
weir_window_baselines_load(struct weir_partition *p)
{
	uint32_t last_s = 0;
	int32_t hour = 0;
	for (uint32_t slot = 0; slot < p->tables.cards.used; slot++)
		if (!weir_slab_is_filler(&p->tables.cards, slot) && weir_card_at(p, slot)->last_s > last_s)
			last_s = weir_card_at(p, slot)->last_s;
	for (uint32_t slot = 0; slot < p->tables.pool_locals.used; slot++)
		if (!weir_slab_is_filler(&p->tables.pool_locals, slot) && weir_pool_local_at(p, slot)->hour > hour)
			hour = weir_pool_local_at(p, slot)->hour;
	if (last_s != 0) {
		p->tables.windows[WEIR_WINDOW_CARD_HOUR].known_after = (int32_t)(last_s / 3600);
		p->tables.windows[WEIR_WINDOW_CARD_DAY].known_after = (int32_t)(((int64_t)last_s + 15 * 3600) / 86400);
	}
	if (hour != 0) {
		p->tables.windows[WEIR_WINDOW_POOL_LOCAL_HOUR].known_after = hour;
		p->tables.windows[WEIR_WINDOW_POOL_LOCAL_DAY].known_after = (hour + 16) / 24;
	}
}
