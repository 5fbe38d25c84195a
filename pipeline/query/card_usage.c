/*
 * A card's usage by window (ROL-1, ROL-2), of one card and of a page of them.
 *
 * Baselines, current counters and closed cycles are read in one transaction a partition: two flushes mixed would give a
 * window what belongs to none.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define CLOSED_CYCLE_BYTES ((uint32_t)sizeof(struct weir_closed_cycle_slot))
#define CLOSED_CYCLES_A_PAGE (WEIR_SLAB_PAGE_BYTES / CLOSED_CYCLE_BYTES)

/* ---- totals of cycles ---- */

struct closed_cycle_total {
	int32_t cycle;
	uint32_t command;
	struct weir_volume volume;
};
/* What a card had in each cycle: the current one by its slot, others by pages y. */
struct totals {
	int32_t cycle;
	struct weir_volume volume;
	struct closed_cycle_total *closed_cycles;
	uint32_t count, cap;
};

static struct closed_cycle_total *
closed_cycle_of(struct totals *totals, int32_t cycle)
{
	for (uint32_t i = 0; i < totals->count; i++)
		if (totals->closed_cycles[i].cycle == cycle)
			return &totals->closed_cycles[i];
	return NULL;
}

static struct weir_volume
total_of(void *ctx, int32_t cycle)
{
	struct totals *totals = ctx;
	const struct closed_cycle_total *closed_cycles = closed_cycle_of(totals, cycle);
	if (cycle == totals->cycle)
		return totals->volume;
	return closed_cycles != NULL ? closed_cycles->volume : (struct weir_volume){0};
}

static struct weir_volume
closed_cycle_volume(struct weir_slice bytes)
{
	struct weir_closed_cycle_slot slot = {0};
	if (bytes.len >= sizeof(slot))
		memcpy(&slot, bytes.data, sizeof(slot));
	return (struct weir_volume){slot.up, slot.down, slot.records, slot.sessions};
}

static void
want_closed_cycle(struct weir_reader *reader, struct totals *totals, int32_t cycle)
{
	if (closed_cycle_of(totals, cycle) != NULL)
		return;
	if (totals->count == totals->cap) {
		struct closed_cycle_total *more = arena_take(&reader->arena, totals->cap + 16, sizeof(*more));
		if (totals->count > 0)
			memcpy(more, totals->closed_cycles, totals->count * sizeof(*more));
		totals->closed_cycles = more;
		totals->cap += 16;
	}
	totals->closed_cycles[totals->count++] = (struct closed_cycle_total){.cycle = cycle};
}

/* ---- one card ---- */

static void
query_baselines(struct weir_reader *reader, const struct card_raw *card, bool day, int32_t number)
{
	(void)query_get(reader, card->partition, "%s:%d:%u", day ? "wd" : "wh", number, card->slot / BASELINES_A_PAGE);
}

static enum weir_read
broken_baselines(struct weir_error *err, const char *tags, int32_t number, uint32_t page, uint32_t partition)
{
	return read_fail(err, WEIR_READ_BROKEN, "%s:%d:%u of partition %u in Redis is no list of baselines", tags, number,
	    page, partition);
}

static enum weir_read
take_card(const struct weir_reader *reader, const struct card_raw *card, struct totals *totals, struct weir_error *err)
{
	struct weir_card_slot slot;
	(void)slot_of_page(query_bytes(reader, 0), 0, sizeof(slot), &slot);
	if (!weir_iccid_equal(slot.iccid, card->iccid))
		return read_fail(err, WEIR_READ_AWAY, "the card's slot has changed: Redis has lost writes");
	totals->cycle = slot.cycle;
	totals->volume = (struct weir_volume){slot.up, slot.down, slot.records, slot.sessions};
	for (uint32_t i = 0; i < totals->count; i++)
		totals->closed_cycles[i].volume =
		    closed_cycle_volume(query_bytes(reader, totals->closed_cycles[i].command));
	return WEIR_READ_OK;
}

/* Card's slot, closed cycles, then baselines of rows and tail, in this order. Returns the number of the first baseline's
 * question. */
static uint32_t
query_card_usage(
    struct weir_reader *reader, const struct card_raw *card, const struct span_plan *plan, struct totals *totals)
{
	const uint32_t size = sizeof(struct weir_card_slot);
	query_clear(reader);
	(void)query_range(
	    reader, card->partition, card->slot % slots_a_page(size) * size, size, "c:%u", card->slot / slots_a_page(size));
	for (uint32_t i = 0; i < plan->count; i++)
		want_closed_cycle(reader, totals, plan->rows[i].cycle);
	for (uint32_t i = 0; i < totals->count; i++)
		totals->closed_cycles[i].command =
		    query_range(reader, card->partition, card->slot % CLOSED_CYCLES_A_PAGE * CLOSED_CYCLE_BYTES,
			CLOSED_CYCLE_BYTES, "y:%d:%u", totals->closed_cycles[i].cycle, card->slot / CLOSED_CYCLES_A_PAGE);
	uint32_t first = query_count(reader);
	for (uint32_t i = 0; plan->span != WEIR_SPAN_CYCLE && i < plan->count; i++)
		query_baselines(reader, card, plan->span == WEIR_SPAN_DAY, plan->rows[i].window.number);
	for (uint32_t i = 0; i < plan->tail_count; i++)
		query_baselines(reader, card, plan->tail[i].day, plan->tail[i].number);
	return first;
}

static enum weir_read
take_baselines(struct weir_reader *reader, const struct card_raw *card, const struct span_plan *plan, uint32_t first,
    struct totals *totals, struct weir_error *err)
{
	uint32_t count = plan->count + plan->tail_count;
	struct baseline_point *points = arena_take(&reader->arena, count + 1, sizeof(*points));
	for (uint32_t i = 0; i < count; i++) {
		const struct tail_window *tail = i >= plan->count ? &plan->tail[i - plan->count] : NULL;
		points[i].cycle = tail != NULL ? tail->cycle : plan->rows[i].cycle;
		if (!baselines_find(query_bytes(reader, first + i), card->slot, &points[i].found, &points[i].at))
			return broken_baselines(err, (tail != NULL ? tail->day : plan->span == WEIR_SPAN_DAY) ? "wd" : "wh",
			    tail != NULL ? tail->number : plan->rows[i].window.number, card->slot / BASELINES_A_PAGE,
			    card->partition);
	}
	baselines_to_volumes(points, count, total_of, totals);
	for (uint32_t i = 0; i < plan->count; i++)
		plan->rows[i].volume = points[i].volume;
	return WEIR_READ_OK;
}

static enum weir_read
card_usage(struct weir_reader *reader, const struct card_raw *card, const struct span_plan *plan, struct weir_error *err)
{
	struct totals totals = {0};
	uint32_t first = query_card_usage(reader, card, plan, &totals);
	enum weir_read answer = query_send_together(reader, err);
	if (answer == WEIR_READ_OK)
		answer = take_card(reader, card, &totals, err);
	if (answer != WEIR_READ_OK || plan->span != WEIR_SPAN_CYCLE)
		return answer == WEIR_READ_OK ? take_baselines(reader, card, plan, first, &totals, err) : answer;
	for (uint32_t i = 0; i < plan->count; i++)
		plan->rows[i].volume = total_of(&totals, plan->rows[i].cycle);
	return WEIR_READ_OK;
}

enum weir_read
weir_read_card_usage(struct weir_reader *reader, struct weir_iccid iccid, enum weir_span span, int64_t from_us,
    int64_t to_us, struct weir_usage_rows *rows_out, struct weir_error *err)
{
	struct card_raw raw = {.iccid = iccid};
	struct span_plan plan;
	enum weir_read answer = card_find(reader, &raw, err);
	if (answer != WEIR_READ_OK)
		return answer;
	const struct partition_carrier *carrier = partition_carrier(reader, raw.partition, raw.card.carrier);
	answer = windows_plan(reader, carrier, span, from_us, to_us, false, &plan, err);
	if (answer == WEIR_READ_OK)
		answer = card_usage(reader, &raw, &plan, err);
	if (answer != WEIR_READ_OK)
		return answer;
	*rows_out = (struct weir_usage_rows){
	    span, arena_text(&reader->arena, carrier->ref.zone, strlen(carrier->ref.zone)), plan.rows, plan.count};
	return WEIR_READ_OK;
}

/* ---- a page of cards ---- */

#define PAGE_WINDOWS_MAX 366u

/* Cards of one partition whose slots share a page of baselines: they are read together. */
struct group {
	struct weir_reader *reader;
	const struct weir_card_view *const *cards; /* sorted */
	const uint32_t *index;                     /* of each card in the page asked for */
	uint32_t count;
	uint32_t partition, page;
	enum weir_span span;
	int32_t first;
	uint32_t windows, tail;
	struct weir_volume *out;
	struct totals cycles;             /* which closed cycles are asked for; their volumes differ by card */
	struct baselines_page *baselines; /* windows, then tail */
};

/* A carrier's calendar: cycles of the windows, [windows + tail] (NULL when it is not known), and the oldest one kept. */
struct calendar_cycles {
	int32_t *cycles, oldest;
};

static struct calendar_cycles
cycles_of(const struct group *g, const struct partition_carrier *carrier)
{
	if (carrier == NULL || carrier->zone == NULL)
		return (struct calendar_cycles){0};
	int32_t *cycles = arena_take(&g->reader->arena, g->windows + g->tail, sizeof(*cycles));
	for (uint32_t w = 0; w < g->windows + g->tail; w++)
		cycles[w] = g->span == WEIR_SPAN_CYCLE ? g->first + (int32_t)w
						       : windows_cycle_of_day(carrier, g->first + (int32_t)w);
	return (struct calendar_cycles){cycles, windows_oldest_cycle(g->reader, carrier, g->span)};
}

/* By carrier number of the partition; made when first needed. */
struct calendars {
	struct calendar_cycles of[256];
	bool known[256];
};

static const struct calendar_cycles *
calendar_of(const struct group *g, struct calendars *calendars, uint8_t carrier)
{
	if (!calendars->known[carrier]) {
		calendars->known[carrier] = true;
		calendars->of[carrier] = cycles_of(g, partition_carrier(g->reader, g->partition, carrier));
	}
	return &calendars->of[carrier];
}

static uint8_t
carrier_number(const struct group *g, const struct weir_card_view *card)
{
	const struct partition_meta *partition_meta = &g->reader->partition_metas[g->partition];
	for (uint32_t i = 0; i < partition_meta->carrier_count && i < 255; i++)
		if (strcmp(partition_meta->carriers[i].id, card->carrier) == 0)
			return (uint8_t)(i + 1);
	return 0;
}

/* Both pages of closed cycles that a page of baselines may straddle are the same one: 128 divides 256. */
static uint32_t
query_group(struct group *g, struct calendars *calendars)
{
	query_clear(g->reader);
	(void)query_get(g->reader, g->partition, "c:%u", g->page);
	for (uint32_t i = 0; i < g->count; i++) {
		const int32_t *cycles = calendar_of(g, calendars, carrier_number(g, g->cards[i]))->cycles;
		for (uint32_t w = 0; cycles != NULL && w < g->windows; w++)
			want_closed_cycle(g->reader, &g->cycles, cycles[w]);
	}
	for (uint32_t i = 0; i < g->cycles.count; i++)
		g->cycles.closed_cycles[i].command =
		    query_get(g->reader, g->partition, "y:%d:%u", g->cycles.closed_cycles[i].cycle, g->page / 2);
	uint32_t first = query_count(g->reader);
	for (uint32_t w = 0; g->span == WEIR_SPAN_DAY && w < g->windows + g->tail; w++)
		(void)query_get(g->reader, g->partition, "wd:%d:%u", g->first + (int32_t)w, g->page);
	return first;
}

/* What the card had in each window that is kept; the others stay as they are. */
static void
card_of_group(const struct group *g, uint32_t i, const struct weir_card_slot *slot, const struct calendar_cycles *calendar)
{
	const int32_t *cycles = calendar->cycles;
	const struct weir_card_view *card = g->cards[i];
	struct weir_volume *out = g->out + (size_t)g->index[i] * g->windows;
	struct totals totals = g->cycles;
	struct closed_cycle_total *closed_cycles = arena_take(&g->reader->arena, totals.count + 1, sizeof(*closed_cycles));
	for (uint32_t k = 0; k < totals.count; k++) {
		uint8_t bytes[CLOSED_CYCLE_BYTES];
		closed_cycles[k] = totals.closed_cycles[k];
		(void)slot_of_page(query_bytes(g->reader, closed_cycles[k].command), card->slot, CLOSED_CYCLE_BYTES, bytes);
		closed_cycles[k].volume = closed_cycle_volume((struct weir_slice){bytes, sizeof(bytes)});
	}
	totals.closed_cycles = closed_cycles;
	totals.cycle = slot->cycle;
	totals.volume = (struct weir_volume){slot->up, slot->down, slot->records, slot->sessions};
	if (g->span == WEIR_SPAN_CYCLE) {
		for (uint32_t w = 0; w < g->windows; w++)
			if (cycles[w] >= calendar->oldest)
				out[w] = total_of(&totals, cycles[w]);
		return;
	}
	struct baseline_point points[PAGE_WINDOWS_MAX + READ_TAIL_MAX];
	uint32_t count = g->windows + g->tail, at = card->slot % BASELINES_A_PAGE;
	for (uint32_t w = 0; w < count; w++)
		points[w] = (struct baseline_point){
		    .cycle = cycles[w], .found = g->baselines[w].found[at], .at = g->baselines[w].at[at]};
	baselines_to_volumes(points, count, total_of, &totals);
	for (uint32_t w = 0; w < g->windows; w++)
		if (cycles[w] >= calendar->oldest)
			out[w] = points[w].volume;
}

static enum weir_read
read_group(struct group *g, struct calendars *calendars, struct weir_error *err)
{
	uint32_t first = query_group(g, calendars);
	enum weir_read answer = query_send_together(g->reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	for (uint32_t w = 0; g->span == WEIR_SPAN_DAY && w < g->windows + g->tail; w++)
		if (!baselines_read(query_bytes(g->reader, first + w), &g->baselines[w]))
			return broken_baselines(err, "wd", g->first + (int32_t)w, g->page, g->partition);
	for (uint32_t i = 0; i < g->count; i++) {
		struct weir_card_slot slot;
		const struct calendar_cycles *calendar = calendar_of(g, calendars, carrier_number(g, g->cards[i]));
		(void)slot_of_page(query_bytes(g->reader, 0), g->cards[i]->slot, sizeof(slot), &slot);
		if (calendar->cycles != NULL && weir_iccid_equal(slot.iccid, g->cards[i]->iccid))
			card_of_group(g, i, &slot, calendar);
	}
	return WEIR_READ_OK;
}

struct sorted {
	const struct weir_card_view *card;
	uint32_t index;
};

static int
sorted_order(const void *a, const void *b)
{
	const struct weir_card_view *x = ((const struct sorted *)a)->card, *y = ((const struct sorted *)b)->card;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* Days after the last one asked for that may end it: up to tomorrow anywhere, two cycles at most. */
static uint32_t
days_after(const struct weir_reader *reader, int32_t last)
{
	int64_t tomorrow = read_now_us(reader) / INT64_C(86400000000) + 1;
	int64_t days = tomorrow > last ? tomorrow - last : 0;
	return days > READ_TAIL_MAX ? READ_TAIL_MAX : (uint32_t)days;
}

static enum weir_read
read_groups(struct group *g, const struct sorted *sorted, uint32_t count, struct weir_error *err)
{
	const struct weir_card_view **cards = arena_take(&g->reader->arena, count + 1, sizeof(*cards));
	uint32_t *index = arena_take(&g->reader->arena, count + 1, sizeof(*index));
	struct calendars *calendars = arena_take(&g->reader->arena, 1, sizeof(*calendars));
	for (uint32_t from = 0, to; from < count; from = to) {
		const struct weir_card_view *head = sorted[from].card;
		for (to = from; to < count && sorted[to].card->partition == head->partition &&
				sorted[to].card->slot / BASELINES_A_PAGE == head->slot / BASELINES_A_PAGE;
		     to++) {
			cards[to - from] = sorted[to].card;
			index[to - from] = sorted[to].index;
		}
		if (from == 0 || head->partition != g->partition)
			memset(calendars, 0, sizeof(*calendars));
		g->cards = cards;
		g->index = index;
		g->count = to - from;
		g->partition = head->partition;
		g->page = head->slot / BASELINES_A_PAGE;
		g->cycles = (struct totals){0};
		enum weir_read answer = read_group(g, calendars, err);
		if (answer != WEIR_READ_OK)
			return answer;
	}
	return WEIR_READ_OK;
}

enum weir_read
weir_read_page_usage(struct weir_reader *reader, const struct weir_card_page *page, enum weir_span span, int32_t first,
    uint32_t count, const struct weir_volume **volumes_out, struct weir_error *err)
{
	if (span == WEIR_SPAN_HOUR || count == 0 || count > PAGE_WINDOWS_MAX)
		return read_fail(
		    err, WEIR_READ_REFUSED, "1 to %u days or cycles can be shown of many cards", PAGE_WINDOWS_MAX);
	struct sorted *sorted = arena_take(&reader->arena, page->count + 1, sizeof(*sorted));
	for (uint32_t i = 0; i < page->count; i++)
		sorted[i] = (struct sorted){&page->cards[i], i};
	qsort(sorted, page->count, sizeof(*sorted), sorted_order);
	struct group g = {.reader = reader,
	    .span = span,
	    .first = first,
	    .windows = count,
	    .tail = span == WEIR_SPAN_DAY ? days_after(reader, first + (int32_t)count - 1) : 0,
	    .out = arena_take(&reader->arena, (size_t)page->count * count + 1, sizeof(*g.out))};
	for (size_t i = 0; i < (size_t)page->count * count; i++)
		g.out[i].sessions = WEIR_VOLUME_NOT_KEPT;
	g.baselines = arena_take(&reader->arena, g.windows + g.tail, sizeof(*g.baselines));
	*volumes_out = g.out;
	return read_groups(&g, sorted, page->count, err);
}
