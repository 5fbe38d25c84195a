/*
 * What the demo shows while it runs: one screen that is redrawn on a terminal and fits it, or a line a second elsewhere.
 * Reads snapshots only. Main thread.
 */
#ifndef WEIR_PIPELINE_DEMO_VIEW_H
#define WEIR_PIPELINE_DEMO_VIEW_H

#include "config/base/clock.h"
#include "pipeline/demo/demo_servers.h"
#include "pipeline/demo/traffic.h"

struct weir_demo_view {
	bool screen;
	uint32_t columns, lines, used; /* of the terminal; lines drawn so far */
	const struct weir_demo_views *views;
	struct weir_steady begin, last;
	uint64_t last_records;
	uint64_t records_per_s;
};

/* looks are borrowed. */
void weir_demo_view_begin(
    struct weir_demo_view *view, bool screen, const struct weir_demo_views *views, struct weir_steady now);
void weir_demo_view_draw(
    struct weir_demo_view *view, struct weir_run *run, const struct weir_demo_traffic *traffic, struct weir_steady now);

#endif
