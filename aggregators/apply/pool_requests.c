/*
 * Operators' requests on a pool: add-on, customer in arrears, paid, enable (POOL-1, POOL-5).
 *
 * A request acts on the pool's current cycle. By the clock that is, but while the stage replays by the request's own time
 * in the log, so that an add-on bought a minute before a boundary is not taken for the next cycle's.
 */
#include "aggregators/apply/pool_requests.h"

#include <stdio.h>
#include <string.h>

#include "aggregators/pools/pool_evaluate.h"
#include "aggregators/pools/pool_sources.h"
#include "aggregators/state/carrier_windows.h"

#define S_US 1000000ll

/* When it came to the log; the clock, where nobody knows. */
static int64_t
time_of(const struct weir_partition *p, const struct weir_cause *cause)
{
	return cause->arrived_us > 0 && cause->arrived_us < p->clock.now_us ? cause->arrived_us : p->clock.now_us;
}

static void
roll_over_to_request(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause)
{
	const struct weir_pool_slot *pool = weir_pool_at(p, slot);
	struct weir_carrier_entry *carrier = &p->registry.carriers[pool->carrier - 1];
	int64_t at_us = p->pools_work.pools_caught_up ? p->clock.now_us : time_of(p, cause);
	int32_t cycle = weir_partition_cycle_of(carrier, at_us);
	if (cycle > pool->cycle)
		weir_pool_roll_over(p, slot, cycle);
}

static enum weir_class
add_on(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, const char **reply_out,
    struct weir_error *err)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (request->cycle >= 0 && request->cycle != pool->cycle) {
		char wanted[16], current[16];
		weir_cycle_format(request->cycle, wanted);
		weir_cycle_format(pool->cycle, current);
		return weir_error_set(err, WEIR_POISON,
		    "an add-on for %s, but pool '%s' is in %s: it takes effect at once and ends with its cycle (POOL-1)",
		    wanted, request->pool, current);
	}
	if (pool->addon_cycle != pool->cycle) {
		pool->addon_cycle = pool->cycle;
		pool->addon_bytes = 0;
		memset(pool->addon_id, 0, sizeof(pool->addon_id));
	}
	uint64_t id = request->id_hash;
	for (int i = 0; id != 0 && i < 3; i++) {
		if (pool->addon_id[i] != id)
			continue;
		*reply_out = "repeated id: already applied";
		return WEIR_OK;
	}
	pool->addon_bytes = weir_add_saturating(pool->addon_bytes, request->bytes);
	if (id != 0) {
		pool->addon_id[2] = pool->addon_id[1];
		pool->addon_id[1] = pool->addon_id[0];
		pool->addon_id[0] = id;
	}
	return WEIR_OK;
}

static void
freeze_pool(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if ((pool->flags & WEIR_POOL_FROZEN) != 0) {
		*reply_out = "already in arrears";
		return;
	}
	pool->flags |= WEIR_POOL_FROZEN;
	pool->arrears_s = (uint32_t)(time_of(p, cause) / S_US);
	weir_pool_due(p, p->clock.now_us); /* of the end of retention */
}

static void
thaw_pool(struct weir_pool_slot *pool, const char **reply_out)
{
	if ((pool->flags & WEIR_POOL_FROZEN) == 0)
		*reply_out = "was not in arrears";
	pool->flags &= (uint8_t)~WEIR_POOL_FROZEN;
	pool->arrears_s = 0;
	if (pool->disabled_s != 0)
		*reply_out = "paid; still disabled until it is enabled";
}

/* What the operator reads (own usage: before and after); an entry in the pool's audit. */
static void
audit_request(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, enum weir_audit_event event,
    const char *reply, const struct weir_cause *cause)
{
	WEIR_CHECK(event == WEIR_AUDIT_REQUEST || event == WEIR_AUDIT_REFUSED);
	struct weir_audit *audit = weir_pool_audit(p, slot, event, cause);
	(void)snprintf(
	    audit->text, sizeof(audit->text), "%.11s %.32s: %.143s", weir_action_name(request->action), request->id, reply);
}

/* POOL-5: within one month of the calendar brings pool and cards back, arrears or not. */
static enum weir_class
enable(
    struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out, struct weir_error *err)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (pool->disabled_s == 0) {
		*reply_out = "was not disabled";
		return WEIR_OK;
	}
	const struct weir_zone *zone = p->registry.carriers[pool->carrier - 1].zone;
	if (time_of(p, cause) >= weir_zone_add_months(zone, (int64_t)pool->disabled_s * S_US, 1))
		return weir_error_set(err, WEIR_POISON,
		    "pool '%s' has been disabled for more than a month: it cannot be enabled again (POOL-5)", pool->id);
	pool->flags &= (uint8_t)~WEIR_POOL_FROZEN;
	pool->arrears_s = pool->disabled_s = 0;
	return WEIR_OK;
}

static enum weir_class
act(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, const struct weir_cause *cause,
    const char **reply_out, struct weir_error *err)
{
	switch (request->action) {
	case WEIR_ACTION_ADDON:
		return add_on(p, slot, request, reply_out, err);
	case WEIR_ACTION_FREEZE:
		freeze_pool(p, slot, cause, reply_out);
		return WEIR_OK;
	case WEIR_ACTION_PAID:
		thaw_pool(weir_pool_at(p, slot), reply_out);
		return WEIR_OK;
	case WEIR_ACTION_ENABLE:
		return enable(p, slot, cause, reply_out, err);
	default:
		return weir_error_set(err, WEIR_POISON, "'%s' is no request on a pool", weir_action_name(request->action));
	}
}

enum weir_class
weir_pool_request(struct weir_partition *p, const struct weir_ref_request *request, const struct weir_cause *cause,
    struct weir_error *err)
{
	uint32_t slot;
	const struct weir_pool_slot *pool = weir_partition_find_pool(p, request->pool, &slot);
	if (pool == NULL || (pool->flags & WEIR_POOL_DEFINED) == 0)
		return weir_error_set(err, WEIR_POISON, "pool '%s' is not defined", request->pool);
	roll_over_to_request(p, slot, cause);
	struct weir_cause own = *cause;
	own.usage_before = pool->used;
	const char *reply = "done";
	enum weir_class class = act(p, slot, request, cause, &reply, err);
	if (class != WEIR_OK) {
		audit_request(p, slot, request, WEIR_AUDIT_REFUSED, err->text, &own);
		return class;
	}
	weir_pool_at(p, slot)->changed_us = p->clock.now_us;
	weir_pool_sum(p, slot);
	weir_pool_touch(p, slot);
	audit_request(p, slot, request, WEIR_AUDIT_REQUEST, reply, &own);
	return WEIR_OK;
}
