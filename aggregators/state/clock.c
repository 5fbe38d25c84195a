/* Time of a partition; see clock.h. A carrier's boundary begins a scan of all that are suspended (CYC-4). */
#include "aggregators/state/clock.h"

#include "aggregators/state/state.h"

/* Past a carrier's boundary: the new window, and a scan of all that are suspended (CYC-4). */
static void
advance_cycles(struct weir_partition *p)
{
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		if (!carrier->known || p->clock.now_us < carrier->current.end_us)
			continue;
		carrier->current =
		    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, p->clock.now_us);
		p->scans.boundary_running = true;
		p->scans.boundary_slot = 0;
	}
}

void
weir_partition_set_time(struct weir_partition *p, int64_t now_us, int64_t stream_us)
{
	if (now_us != p->clock.now_us) {
		p->clock.now_us = now_us;
		advance_cycles(p);
	}
	if (stream_us > now_us)
		stream_us = now_us;
	if (stream_us > p->clock.stream_time_us)
		p->clock.stream_time_us = stream_us;
	weir_clock_limits(
	    &p->clock, &p->opts, &p->tables.dedupe_keys, p->clock.stream_time_us != 0 ? p->clock.stream_time_us : now_us);
	WEIR_CHECK(p->clock.too_late_us <= p->clock.future_us);
}
