/*
 * Ladders of alerts (ALR-1, ALR-2): levels in percent of what a card or pool may use, or in bytes, or a step.
 *
 * What was reached in the cycle is two bytes of the card or pool: a bit a level (a list mixes percents and bytes, and a
 * base that grows moves the percents among them, so that a count would not say which), or how many steps. A level whose
 * bit is set gives no second alert in the cycle, also when an add-on puts it out of reach again. Ladders have numbers like
 * carriers and plans have; number 0 is "default" and always there.
 */
#include "aggregators/alerts/ladders.h"

#include <inttypes.h>
#include <stdio.h>

#include "aggregators/state/card_table.h"
#include "config/base/timetext.h"

/* ---- another ladder in mid-cycle ---- */

uint16_t
weir_card_ladder(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	uint16_t ladder = overrides != NULL ? overrides->alerts : 0;
	return ladder == 0 && card->plan != 0 ? p->registry.plans[card->plan - 1].alerts : ladder;
}

/* rule ALR-1: what was alerted of `from`, in levels of `to`: each once a cycle, whatever its place in the list. */
static uint16_t
carry(const struct weir_ref_alerts *from, const struct weir_ref_alerts *to, uint16_t reached)
{
	uint16_t carried = 0;
	if (from->step_bytes > 0 && to->step_bytes > 0) {
		unsigned __int128 steps = (unsigned __int128)reached * from->step_bytes / to->step_bytes;
		return steps > UINT16_MAX ? UINT16_MAX : (uint16_t)steps;
	}
	if (from->step_bytes > 0 || to->step_bytes > 0)
		return 0;
	for (uint32_t i = 0; i < to->level_count; i++)
		for (uint32_t k = 0; k < from->level_count; k++)
			if ((reached >> k & 1) != 0 && from->levels[k].is_percent == to->levels[i].is_percent &&
			    from->levels[k].value == to->levels[i].value)
				carried |= (uint16_t)(1u << i);
	return carried;
}

/* True when *reached_io has changed. */
static bool
carry_on(const struct weir_ref_alerts *from, const struct weir_ref_alerts *to, uint16_t *reached_io)
{
	uint16_t carried = *reached_io == 0 ? 0 : carry(from, to, *reached_io);
	bool other = carried != *reached_io;
	*reached_io = carried;
	return other;
}

void
weir_ladder_moved(struct weir_partition *p, uint32_t slot, uint16_t before)
{
	WEIR_CHECK(slot < p->tables.lifecycles.used);
	const struct weir_ref_alerts *from = weir_ladder_of(p, before), *to = weir_ladder_of(p, weir_card_ladder(p, slot));
	if (from != to && carry_on(from, to, &weir_lifecycle_at(p, slot)->ladder))
		weir_slab_dirty(&p->tables.lifecycles, slot);
}

/* All at once, since a record may come before a scan does; only who has climbed it is checked twice. */
void
weir_ladder_redefine(struct weir_partition *p, const struct weir_ref_alerts *ref)
{
	uint32_t number = weir_ladder_number(p, ref->id);
	if (number == UINT32_MAX)
		return;
	const struct weir_ref_alerts before = p->registry.ladders[number].ref;
	weir_ladder_define(p, ref);
	const struct weir_ref_alerts *now = &p->registry.ladders[number].ref;
	for (uint32_t slot = 0; slot < p->tables.cards.used; slot++) {
		struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
		if (weir_slab_is_filler(&p->tables.cards, slot) || lifecycle->ladder == 0 ||
		    weir_ladder_of(p, weir_card_ladder(p, slot)) != now)
			continue;
		if (carry_on(&before, now, &lifecycle->ladder))
			weir_slab_dirty(&p->tables.lifecycles, slot);
	}
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++) {
		if (weir_slab_is_filler(&p->tables.pools, slot))
			continue;
		struct weir_pool_slot *pool = weir_slab_at(&p->tables.pools, slot);
		if (weir_ladder_of(p, pool->alerts) == now && carry_on(&before, now, &pool->ladder))
			weir_slab_dirty(&p->tables.pools, slot);
	}
}

/* ---- what is reached ---- */

/* Usage at which the level is reached; UINT64_MAX = never. */
static uint64_t
level_at(const struct weir_ref_alerts *ladder, uint32_t i, uint64_t base)
{
	if (!ladder->levels[i].is_percent)
		return ladder->levels[i].value;
	if (base == 0 || base == UINT64_MAX)
		return UINT64_MAX;
	unsigned __int128 at = ((unsigned __int128)base * ladder->levels[i].value + 99) / 100;
	return at > UINT64_MAX ? UINT64_MAX : (uint64_t)at;
}

static uint16_t
steps_reached(uint64_t step, uint64_t used, uint64_t *next_out)
{
	WEIR_CHECK(step > 0);
	uint64_t count = used / step;
	if (count >= UINT16_MAX)
		return UINT16_MAX; /* the last that can be remembered */
	if (__builtin_mul_overflow(count + 1, step, next_out))
		*next_out = UINT64_MAX;
	return (uint16_t)count;
}

uint16_t
weir_ladder_reached(
    const struct weir_partition *p, uint16_t ladder_plus_1, uint64_t base, uint64_t used, uint64_t *next_out)
{
	const struct weir_ref_alerts *ladder = weir_ladder_of(p, ladder_plus_1);
	uint16_t reached = 0;
	*next_out = UINT64_MAX;
	if (ladder->step_bytes > 0)
		return steps_reached(ladder->step_bytes, used, next_out);
	for (uint32_t i = 0; i < ladder->level_count; i++) {
		uint64_t at = level_at(ladder, i, base);
		if (at != UINT64_MAX && used >= at)
			reached |= (uint16_t)(1u << i);
		else if (at < *next_out)
			*next_out = at;
	}
	return reached;
}

/* `"levels":[…]` of a list, or the steps passed: the first and the last of them. */
static void
print_levels(char *out, size_t size, const struct weir_ref_alerts *ladder, uint16_t had, uint16_t reached)
{
	size_t n = 0;
	if (ladder->step_bytes > 0) {
		(void)snprintf(out, size, "\"step\":%" PRIu64 ",\"first_step\":%u,\"last_step\":%u", ladder->step_bytes,
		    had + 1u, reached);
		return;
	}
	n += (size_t)snprintf(out, size, "\"levels\":[");
	for (uint32_t i = 0, count = 0; i < ladder->level_count; i++)
		if ((reached >> i & 1) != 0 && (had >> i & 1) == 0)
			n += (size_t)snprintf(out + n, size - n, "%s{\"%s\":%" PRIu64 "}", count++ > 0 ? "," : "",
			    ladder->levels[i].is_percent ? "percent" : "bytes", ladder->levels[i].value);
	(void)snprintf(out + n, size - n, "]");
}

bool
weir_ladder_alert(struct weir_partition *p, const char *scope, const char *key, uint16_t ladder_plus_1, uint64_t base,
    uint64_t used, int32_t cycle, uint16_t *reached_io, const struct weir_cause *cause)
{
	const struct weir_ref_alerts *ladder = weir_ladder_of(p, ladder_plus_1);
	uint64_t next;
	uint16_t had = *reached_io, reached = weir_ladder_reached(p, ladder_plus_1, base, used, &next);
	if (ladder->step_bytes > 0 ? reached <= had : (reached & ~had) == 0)
		return false;
	char levels[WEIR_ALERT_LEVELS_MAX * 40 + 80], at[WEIR_TIME_TEXT_MAX], named[16], id[WEIR_JSON_ID_MAX],
	    ladder_id[WEIR_JSON_ID_MAX];
	print_levels(levels, sizeof(levels), ladder, had, reached);
	WEIR_CHECK(levels[0] == '"');
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_cycle_format(cycle, named);
	weir_json_id(key, id);
	weir_json_id(ladder->id, ladder_id);
	weir_partition_alert(p, key,
	    "{\"type\":\"alert\",\"kind\":\"usage\",\"%s\":\"%s\",\"cycle\":\"%s\",\"ladder\":\"%s\",%s,\"used\":%" PRIu64
	    ",\"base\":%" PRIu64 ",\"at\":\"%s\",\"input\":%d,\"partition\":%u,\"offset\":%" PRId64 "}",
	    scope, id, named, ladder_id, levels, used, base == UINT64_MAX ? 0 : base, at,
	    cause->input == UINT32_MAX ? -1 : (int)cause->input, p->opts.number, cause->offset);
	*reached_io = ladder->step_bytes > 0 ? reached : (uint16_t)(had | reached);
	return true;
}
