/* Hours and days (rule ROL-1, rule ROL-2, rule ROL-3): what Redis has of them, and what the feeds told, against the sums
 * over all records. */
#include "tests/sim/sim_check.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- the sink ---- */

static uint64_t
member_of(const struct sim_outgoing *message, const char *name)
{
	char text[4096];
	(void)snprintf(text, sizeof(text), "%.*s", (int)message->value.len, (const char *)message->value.data);
	const char *at = strstr(text, name);
	return at == NULL ? UINT64_MAX : strtoull(at + strlen(name), NULL, 10);
}

/* Where the row is, or would be (topic 0: no row is of that topic). */
static struct sim_row *
place_of(const struct sim *sim, enum weir_outbox_topic topic, const char *key)
{
	uint64_t hash = (uint64_t)topic;
	for (const char *c = key; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
	uint32_t at = (uint32_t)(hash >> 20) & (sim->row_cap - 1);
	while (sim->rows[at].topic != 0 && (sim->rows[at].topic != topic || strcmp(sim->rows[at].key, key) != 0))
		at = (at + 1) & (sim->row_cap - 1);
	return &sim->rows[at];
}

static void
grow(struct sim *sim)
{
	struct sim_row *old = sim->rows;
	uint32_t cap = sim->row_cap;
	sim->row_cap = cap == 0 ? 64 : cap * 2;
	sim->rows = weir_calloc(sim->row_cap, sizeof(*sim->rows));
	for (uint32_t i = 0; i < cap; i++)
		if (old[i].topic != 0)
			*place_of(sim, old[i].topic, old[i].key) = old[i];
	free(old);
}

void
sim_row_take(struct sim *sim, const struct sim_outgoing *message)
{
	struct sim_row row = {.topic = message->topic,
	    .revision = member_of(message, "\"revision\":"),
	    .up = member_of(message, "\"up\":"),
	    .down = member_of(message, "\"down\":"),
	    .records = member_of(message, "\"records\":"),
	    .complete = member_of(message, "\"complete\":true") != UINT64_MAX};
	(void)snprintf(row.key, sizeof(row.key), "%.*s", (int)message->key.len, (const char *)message->key.data);
	SIM_TRACE(sim, "row %d %s: %.*s", row.topic, row.key, (int)message->value.len, (const char *)message->value.data);
	if (sim->row_count + 1 > sim->row_cap / 2)
		grow(sim);
	struct sim_row *held = place_of(sim, row.topic, row.key);
	sim->row_count += held->topic == 0;
	if (held->topic == 0 || row.revision >= held->revision)
		*held = row;
}

static const struct sim_row *
row_of(const struct sim *sim, enum weir_outbox_topic topic, const char *id, int64_t start_us)
{
	char key[160];
	int year, month, day, second;
	model_date(start_us / SIM_SECOND, &year, &month, &day, &second);
	(void)snprintf(key, sizeof(key), "%s|%04d-%02d-%02dT%02d:%02d:%02d.000Z", id, year, month, day, second / 3600,
	    second / 60 % 60, second % 60);
	const struct sim_row *row = sim->row_cap == 0 ? NULL : place_of(sim, topic, key);
	return row == NULL || row->topic == 0 ? NULL : row;
}

/* ---- Redis ---- */

static uint64_t
varint(const uint8_t **at)
{
	uint64_t number = 0;
	for (int shift = 0;; shift += 7) {
		uint8_t byte = *(*at)++;
		number |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return number;
	}
}

/* The last entry of the slot in its string; false when there is none. */
static bool
stored_base(const struct sim *sim, uint32_t partition, enum weir_window_kind kind, int window, uint32_t slot,
    struct model_usage *out)
{
	const struct sim_blob *blob = sim_blob_find(&sim->store[partition], (char)SIM_WINDOW(kind), window, slot / 128);
	bool found = false;
	*out = (struct model_usage){0};
	if (blob == NULL)
		return false;
	for (const uint8_t *at = blob->data; at < blob->data + blob->len;) {
		struct model_usage entry;
		uint64_t of = varint(&at);
		entry.up = varint(&at);
		entry.down = varint(&at);
		entry.records = varint(&at);
		(void)varint(&at); /* sessions */
		if (of != slot % 128)
			continue;
		*out = entry;
		found = true;
	}
	return found;
}

/* ---- bases ---- */

#define HOURS_MAX 800 /* of a cycle */

/* What all records say of a card's windows first, first + 1, ... */
static void
sum_windows(const struct sim *sim, int card, bool hours, int first, struct model_usage right[HOURS_MAX])
{
	memset(right, 0, HOURS_MAX * sizeof(*right));
	for (int i = 0; i < sim->model.fact_count; i++) {
		const struct model_fact *fact = &sim->model.facts[i];
		int at = (hours ? fact->hour : fact->day) - first;
		if (fact->verdict != MODEL_COUNTED || fact->record.card != card || at < 0 || at >= HOURS_MAX)
			continue;
		right[at].up += fact->up;
		right[at].down += fact->down;
		right[at].records++;
	}
}

/* Windows of one cycle from the last to the first: each reaches to the base after it. */
static void
check_baselines(
    struct sim *sim, int card, uint32_t slot, enum weir_window_kind kind, int first, int last, struct model_usage total)
{
	bool hours = kind == WEIR_WINDOW_CARD_HOUR;
	struct model_usage all[HOURS_MAX];
	sum_windows(sim, card, hours, first, all);
	for (int n = last; n >= first; n--) {
		struct model_usage baseline, right = all[n - first];
		struct model_usage is = {0};
		if (stored_base(sim, sim->card[card].partition, kind, n, slot, &baseline)) {
			is = (struct model_usage){
			    total.up - baseline.up, total.down - baseline.down, total.records - baseline.records};
			total = baseline;
		}
		if (is.up != right.up || is.down != right.down || is.records != right.records)
			sim_fail(sim,
			    "card %d %s %d: %" PRIu64 "+%" PRIu64 " in %" PRIu64 "; right are %" PRIu64 "+%" PRIu64
			    " in %" PRIu64,
			    card, hours ? "hour" : "day", n, is.up, is.down, is.records, right.up, right.down,
			    right.records);
	}
	if (total.up + total.down + total.records != 0)
		sim_fail(sim, "card %d: the first base of a cycle is not zero", card);
}

static void
check_card(struct sim *sim, int card, uint32_t slot)
{
	int seen = 0, cycles[64];
	for (int i = 0; i < sim->model.fact_count; i++) {
		const struct model_fact *fact = &sim->model.facts[i];
		bool known = fact->verdict != MODEL_COUNTED || fact->record.card != card;
		for (int k = 0; k < seen && !known; k++)
			known = cycles[k] == fact->cycle;
		if (!known && seen < 64)
			cycles[seen++] = fact->cycle;
	}
	const struct model_carrier *carrier = &sim->model.carriers[sim->model.cards[card].carrier];
	for (int k = 0; k < seen; k++) {
		int64_t start_us = model_cycle_start(carrier, cycles[k]),
			end_us = model_cycle_start(carrier, cycles[k] + 1);
		struct model_usage total = model_usage(&sim->model, card, cycles[k]);
		check_baselines(sim, card, slot, WEIR_WINDOW_CARD_HOUR, (int)(start_us / SIM_HOUR),
		    (int)(end_us / SIM_HOUR) - 1, total);
		check_baselines(sim, card, slot, WEIR_WINDOW_CARD_DAY, model_day(carrier->zone, start_us),
		    model_day(carrier->zone, end_us) - 1, total);
	}
}

/* ---- what was told ---- */

/* Windows that end up to here have been told by all. */
static int64_t
published_us(const struct sim *sim)
{
	int64_t at_us = sim->now_us - (int64_t)sim->opts.feed_grace_s * SIM_SECOND - 3 * SIM_SECOND;
	return at_us - at_us % (SIM_HOUR / 4);
}

/*
 * must: the pool was defined when its record was made. If not, its owner tells rows of the hours just before the definition
 * alone, and an overthrown owner that is behind in its log may be the only one that told older ones, of what it knew.
 */
static void
check_row(
    struct sim *sim, enum weir_outbox_topic topic, const char *id, int64_t start_us, struct model_usage right, bool must)
{
	const struct sim_row *row = row_of(sim, topic, id, start_us);
	if (!must && row != NULL && row->revision < sim_owner_of(sim, sim_partition_of(sim, id))->o->core->opts.epoch)
		return;
	if (sim->opts.feed_pool_hourly && row == NULL && must)
		sim_fail(sim, "no row %d of %s at %" PRId64, topic, id, start_us);
	if (row != NULL &&
	    (row->up != right.up || row->down != right.down || row->records != right.records || (must && !row->complete)))
		sim_fail(sim,
		    "row %s: %" PRIu64 "+%" PRIu64 " in %" PRIu64 "%s; right are %" PRIu64 "+%" PRIu64 " in %" PRIu64,
		    row->key, row->up, row->down, row->records, row->complete ? "" : ", not complete", right.up, right.down,
		    right.records);
}

static void
check_pool_window(struct sim *sim, const struct model_fact *fact, uint32_t partition, uint32_t slot, bool hours)
{
	int pool = fact->pool, number = hours ? fact->hour : fact->day;
	const struct model_carrier *carrier = &sim->model.carriers[sim->model.pools[pool].carrier];
	int64_t start_us = hours ? number * SIM_HOUR : model_instant(carrier->zone, (int64_t)number * 86400);
	int64_t end_us = hours ? start_us + SIM_HOUR : model_instant(carrier->zone, ((int64_t)number + 1) * 86400);
	struct model_usage is, right = model_window_usage(&sim->model, -1, pool, hours ? number : -1, hours ? -1 : number);
	char id[16];
	(void)snprintf(id, sizeof(id), "q%d", pool);
	if (end_us > published_us(sim))
		return;
	(void)stored_base(sim, partition, hours ? WEIR_WINDOW_POOL_HOUR : WEIR_WINDOW_POOL_DAY, number, slot, &is);
	if (is.up != right.up || is.down != right.down || is.records != right.records)
		sim_fail(sim,
		    "pool %s %s %d: %" PRIu64 "+%" PRIu64 " in %" PRIu64 "; right are %" PRIu64 "+%" PRIu64 " in %" PRIu64,
		    id, hours ? "hour" : "day", number, is.up, is.down, is.records, right.up, right.down, right.records);
	check_row(sim, hours ? WEIR_OUTBOX_POOL_HOURLY : WEIR_OUTBOX_POOL_DAILY, id, start_us, right, fact->pool_known);
}

void
sim_check_windows(struct sim *sim)
{
	uint32_t slot;
	for (int i = 0; i < sim->cards; i++) {
		const struct sim_owner *owner = sim_owner_of(sim, sim->card[i].partition);
		if (weir_partition_find(owner->o->core, sim->card[i].packed, &slot) != NULL)
			check_card(sim, i, slot);
	}
	for (int i = 0; i < sim->model.fact_count; i++) {
		const struct model_fact *fact = &sim->model.facts[i];
		if (fact->verdict != MODEL_COUNTED)
			continue;
		int card = fact->record.card;
		const struct model_carrier *carrier = &sim->model.carriers[sim->model.cards[card].carrier];
		if (model_instant(carrier->zone, ((int64_t)fact->day + 1) * 86400) <= published_us(sim))
			check_row(sim, WEIR_OUTBOX_CARD_DAILY, sim->card[card].iccid,
			    model_instant(carrier->zone, (int64_t)fact->day * 86400),
			    model_window_usage(&sim->model, card, -1, -1, fact->day), true);
		if (fact->pool < 0 || !sim->model.pools[fact->pool].known || sim->unattributed)
			continue;
		char id[16];
		(void)snprintf(id, sizeof(id), "q%d", fact->pool);
		uint32_t partition = sim_partition_of(sim, id);
		if (weir_partition_find_pool(sim_owner_of(sim, partition)->o->core, id, &slot) == NULL)
			sim_fail(sim, "pool %s is not there", id);
		check_pool_window(sim, fact, partition, slot, true);
		check_pool_window(sim, fact, partition, slot, false);
	}
}
