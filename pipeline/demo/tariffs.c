/* The demo's carriers, plans and billing cycles; see demo_fleet.h. */
#include <time.h>

#include "pipeline/demo/demo_fleet.h"

#define MIB UINT64_C(1048576)
#define SHANGHAI "Asia/Shanghai", 28800

const struct weir_demo_carrier weir_demo_carriers[] = {
    {"cm", SHANGHAI, 1, false},
    {"cu", SHANGHAI, 27, true},
    {"ct", SHANGHAI, 1, false},
    {"al", SHANGHAI, 0, false},
    {"overseas", "UTC", 0, 0, false},
};
const uint32_t weir_demo_carrier_count = sizeof(weir_demo_carriers) / sizeof(weir_demo_carriers[0]);

const struct weir_demo_plan weir_demo_plans[] = {
    {"cm-single-30m", 0, "single", 30 * MIB, WEIR_DEMO_NO_LIMIT, true},
    {"cm-pool-3m", 0, "accumulative", 3 * MIB, 40 * MIB, false},
    {"cu-single-100m", 1, "single", 100 * MIB, 80 * MIB, true},
    {"ct-metered", 2, "metered", 0, 25 * MIB, false},
    {"ct-single-10m", 2, "single", 10 * MIB, WEIR_DEMO_NO_LIMIT, true},
    {"al-fixed", 3, "fixed", 0, WEIR_DEMO_NO_LIMIT, false},
    {"al-single-50m", 3, "single", 50 * MIB, WEIR_DEMO_NO_LIMIT, true},
    {"overseas-single-50m", 4, "single", 50000000, WEIR_DEMO_NO_LIMIT, true},
    {"overseas-metered", 4, "metered", 0, 60000000, false},
};
const uint32_t weir_demo_plan_count = sizeof(weir_demo_plans) / sizeof(weir_demo_plans[0]);

static struct tm
local_time(int64_t at_us, int32_t offset_s)
{
	time_t local = (time_t)(at_us / 1000000) + offset_s;
	struct tm parts;
	(void)gmtime_r(&local, &parts);
	return parts;
}

int32_t
weir_demo_cycle_number(int64_t at_us, int32_t offset_s, uint32_t cycle_day, bool named_after_end)
{
	struct tm parts = local_time(at_us, offset_s);
	int32_t month = (parts.tm_year - 70) * 12 + parts.tm_mon;
	if (parts.tm_mday < (int)cycle_day)
		month--; /* the cycle began the month before */
	/* A cycle from the 1st ends in the month in which it starts; any other in the next. */
	return named_after_end && cycle_day > 1 ? month + 1 : month;
}

int
weir_demo_day_of_month(int64_t at_us, int32_t offset_s)
{
	return local_time(at_us, offset_s).tm_mday;
}
