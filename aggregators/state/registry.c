/*
 * Carriers and plans of a partition: their numbers and definitions.
 *
 * Slots hold small numbers, not names; a partition gives each name a number once, in order of appearance, and stores the
 * list with its state. Carriers and plans count apart, so that a carrier's number fits a byte however many plans there are.
 * A plan may be named by a card before it is defined (its cards then have no plan limit yet); a carrier must be defined
 * first, because without its calendar a record cannot be put in a cycle.
 */
#include "aggregators/state/registry.h"

#include <string.h>

#include "aggregators/state/state.h"

static void
remember_name(struct weir_partition *p, char kind, const char *id)
{
	weir_buf_printf(&p->registry.new_names, "%c:%s\n", kind, id);
	p->registry.new_name_count++;
}

static uint32_t
find_carrier(const struct weir_partition *p, const char *id)
{
	for (uint32_t i = 0; i < p->registry.carrier_count; i++)
		if (strcmp(p->registry.carriers[i].ref.id, id) == 0)
			return i;
	return UINT32_MAX;
}

static uint32_t
add_carrier(struct weir_partition *p, const char *id)
{
	if (p->registry.carrier_count == WEIR_CARRIER_NUMBERS)
		return UINT32_MAX;
	p->registry.carriers =
	    weir_realloc(p->registry.carriers, (p->registry.carrier_count + 1) * sizeof(*p->registry.carriers));
	struct weir_carrier_entry *carrier = &p->registry.carriers[p->registry.carrier_count];
	*carrier = (struct weir_carrier_entry){0};
	(void)strncpy(carrier->ref.id, id, sizeof(carrier->ref.id) - 1);
	return p->registry.carrier_count++;
}

uint32_t
weir_partition_carrier_number(struct weir_partition *p, const char *id)
{
	uint32_t number = find_carrier(p, id);
	return number != UINT32_MAX && p->registry.carriers[number].known ? number : UINT32_MAX;
}

/* Plans are found by a linear scan: control plane, a few thousand at most. */
static uint32_t
find_plan(const struct weir_partition *p, const char *id)
{
	for (uint32_t i = 0; i < p->registry.plan_count; i++)
		if (strcmp(p->registry.plans[i].ref.id, id) == 0)
			return i;
	return UINT32_MAX;
}

static uint32_t
add_plan(struct weir_partition *p, const char *id)
{
	if (p->registry.plan_count == UINT16_MAX)
		return UINT32_MAX;
	if ((p->registry.plan_count & (p->registry.plan_count + 1)) == 0 || p->registry.plan_count == 0)
		p->registry.plans =
		    weir_realloc(p->registry.plans, ((size_t)p->registry.plan_count + 1) * 2 * sizeof(*p->registry.plans));
	struct weir_plan_entry *plan = &p->registry.plans[p->registry.plan_count];
	*plan = (struct weir_plan_entry){.ref = {.limit_bytes = WEIR_NO_LIMIT}};
	(void)strncpy(plan->ref.id, id, sizeof(plan->ref.id) - 1);
	return p->registry.plan_count++;
}

uint32_t
weir_partition_plan_number(struct weir_partition *p, const char *id)
{
	uint32_t number = find_plan(p, id);
	if (number != UINT32_MAX)
		return number;
	number = add_plan(p, id);
	if (number != UINT32_MAX)
		remember_name(p, 'p', id);
	return number;
}

void
weir_partition_scan_all(struct weir_partition *p)
{
	p->scans.scan_running = p->scans.scan_all = p->tables.cards.used > 0;
	p->scans.scan_slot = 0;
}

enum weir_class
weir_partition_define_carrier(struct weir_partition *p, const struct weir_ref_carrier *ref, struct weir_error *err)
{
	WEIR_CHECK(ref->id[0] != '\0');
	struct weir_zone *zone = NULL;
	enum weir_class class = weir_zone_open(ref->zone, &zone, err);
	if (class != WEIR_OK)
		return class;
	uint32_t number = find_carrier(p, ref->id);
	if (number == UINT32_MAX) {
		number = add_carrier(p, ref->id);
		if (number == UINT32_MAX) {
			weir_zone_free(zone);
			return weir_error_set(
			    err, WEIR_POISON, "carrier %s: more than %d carriers", ref->id, WEIR_CARRIER_NUMBERS);
		}
		remember_name(p, 'c', ref->id);
	}
	struct weir_carrier_entry *carrier = &p->registry.carriers[number];
	if (carrier->zone != NULL)
		weir_zone_free(carrier->zone);
	carrier->ref = *ref;
	carrier->zone = zone;
	carrier->known = true;
	carrier->current = weir_zone_cycle(zone, ref->cycle_day, ref->named_after_end, p->clock.now_us);
	carrier->other = carrier->current;
	carrier->hour = carrier->hour_other = carrier->day = carrier->day_other = (struct weir_window){0};
	carrier->hour_s = carrier->hour_len_s = 0;
	weir_partition_scan_all(p); /* what it can enforce may be another (SUS-4) */
	return WEIR_OK;
}

/* ---- ladders ---- */

/* rule ALR-2: the ladder of all that name none. */
static const struct weir_ref_alerts DEFAULT_LADDER = {
    .id = "default", .level_count = 4, .levels = {{true, 50}, {true, 70}, {true, 90}, {true, 100}}};

static uint32_t
add_ladder(struct weir_partition *p, const char *id)
{
	WEIR_CHECK(id[0] != '\0');
	if (p->registry.ladder_count >= UINT16_MAX)
		return UINT32_MAX;
	if ((p->registry.ladder_count & (p->registry.ladder_count + 1)) == 0)
		p->registry.ladders = weir_realloc(
		    p->registry.ladders, ((size_t)p->registry.ladder_count + 1) * 2 * sizeof(*p->registry.ladders));
	struct weir_ladder_entry *ladder = &p->registry.ladders[p->registry.ladder_count];
	*ladder = (struct weir_ladder_entry){0};
	(void)strncpy(ladder->ref.id, id, sizeof(ladder->ref.id) - 1);
	return p->registry.ladder_count++;
}

static void
add_default_ladder(struct weir_partition *p)
{
	if (p->registry.ladder_count > 0)
		return;
	(void)add_ladder(p, DEFAULT_LADDER.id);
	p->registry.ladders[0] = (struct weir_ladder_entry){DEFAULT_LADDER, true};
}

uint32_t
weir_ladder_number(struct weir_partition *p, const char *id)
{
	add_default_ladder(p);
	for (uint32_t i = 0; i < p->registry.ladder_count; i++)
		if (strcmp(p->registry.ladders[i].ref.id, id) == 0)
			return i;
	uint32_t number = add_ladder(p, id);
	if (number != UINT32_MAX)
		remember_name(p, 'l', id);
	return number;
}

/* Next thresholds hold the next level: cards of plans with this ladder, and pools, are checked anew. */
void
weir_ladder_define(struct weir_partition *p, const struct weir_ref_alerts *ref)
{
	uint32_t number = weir_ladder_number(p, ref->id);
	if (number == UINT32_MAX)
		return;
	p->registry.ladders[number].ref = *ref;
	p->registry.ladders[number].known = true;
	for (uint32_t i = 0; i < p->registry.plan_count; i++) {
		const char *named =
		    p->registry.plans[i].ref.alerts[0] == '\0' ? DEFAULT_LADDER.id : p->registry.plans[i].ref.alerts;
		if (strcmp(named, ref->id) != 0)
			continue;
		p->registry.plans[i].changed = true;
		p->scans.scan_running = p->tables.cards.used > 0;
		p->scans.scan_slot = 0;
	}
}

const struct weir_ref_alerts *
weir_ladder_of(const struct weir_partition *p, uint16_t ladder_plus_1)
{
	uint32_t number = ladder_plus_1 == 0 ? 0 : ladder_plus_1 - 1u;
	return number < p->registry.ladder_count ? &p->registry.ladders[number].ref : &DEFAULT_LADDER;
}

void
weir_partition_define_plan(struct weir_partition *p, const struct weir_ref_plan *ref)
{
	WEIR_CHECK(ref->id[0] != '\0');
	uint32_t number = weir_partition_plan_number(p, ref->id);
	if (number == UINT32_MAX)
		return;
	uint32_t ladder = ref->alerts[0] == '\0' ? UINT32_MAX : weir_ladder_number(p, ref->alerts);
	struct weir_plan_entry *plan = &p->registry.plans[number];
	plan->ref = *ref;
	plan->known = true;
	plan->changed = true;
	plan->alerts = (uint16_t)(ladder == UINT32_MAX ? 0 : ladder + 1);
	p->scans.scan_running = p->tables.cards.used > 0;
	p->scans.scan_slot = 0;
}

const char *
weir_partition_carrier_name(const struct weir_partition *p, uint32_t number_plus_1)
{
	return number_plus_1 == 0 || number_plus_1 > p->registry.carrier_count
		   ? ""
		   : p->registry.carriers[number_plus_1 - 1].ref.id;
}

const char *
weir_partition_plan_name(const struct weir_partition *p, uint32_t number_plus_1)
{
	return number_plus_1 == 0 || number_plus_1 > p->registry.plan_count ? ""
									    : p->registry.plans[number_plus_1 - 1].ref.id;
}

static bool
load_ladder_name(struct weir_partition *p, const char *id)
{
	add_default_ladder(p);
	return add_ladder(p, id) != UINT32_MAX;
}

bool
weir_partition_load_name(struct weir_partition *p, struct weir_slice name)
{
	char id[WEIR_ID_MAX] = {0};
	if (name.len < 3 || name.data[1] != ':' || name.len - 2 >= sizeof(id))
		return false;
	memcpy(id, name.data + 2, name.len - 2);
	if (name.data[0] == 'c')
		return add_carrier(p, id) != UINT32_MAX;
	if (name.data[0] == 'l')
		return load_ladder_name(p, id);
	return name.data[0] == 'p' && add_plan(p, id) != UINT32_MAX;
}
