/*
 * Carriers and plans of a partition: their numbers and definitions.
 *
 * Slots hold small numbers, not names; a partition gives each name a number once, in order of appearance, and stores the
 * list with its state. Carriers and plans count apart, so that a carrier's number fits a byte however many plans there are.
 * A plan may be named by a card before it is defined (its cards then have no plan limit yet); a carrier must be defined
 * first, because without its calendar a record cannot be put in a cycle.
 */
#include <stdlib.h>
#include <string.h>

#include "aggregators/partition_priv.h"

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

/* Plans are found by a linear walk: control plane, a few thousand at most. */
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

enum weir_class
weir_partition_define_carrier(struct weir_partition *p, const struct weir_ref_carrier *ref, struct weir_error *err)
{
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

void
weir_partition_define_plan(struct weir_partition *p, const struct weir_ref_plan *ref)
{
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
		return weir_ladder_load_name(p, id);
	return name.data[0] == 'p' && add_plan(p, id) != UINT32_MAX;
}
