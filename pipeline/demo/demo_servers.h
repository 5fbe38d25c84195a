/*
 * What stands beside the demo's engine for whoever looks: the HTTP API with the console, and the port of metrics, both on
 * free loopback ports. The API only reads: what an operator asked for through it the traffic's generator would not know of,
 * and the comparison at the end would call it wrong. Main thread.
 */
#ifndef WEIR_PIPELINE_DEMO_VIEWS_H
#define WEIR_PIPELINE_DEMO_VIEWS_H

#include "config/base/clock.h"
#include "config/settings/settings.h"
#include "pipeline/http/api/api.h"
#include "pipeline/http/metrics/metrics_server.h"

#define WEIR_DEMO_LINES 3

struct weir_demo_views {
	struct weir_api *api;
	struct weir_metrics_server *metrics;
	struct weir_health health;
	char lines[WEIR_DEMO_LINES][128]; /* where to look, for people */
};

/* The caller closes also after a failure. settings, run and looks stay until then. config: the settings' file. */
enum weir_class weir_demo_views_open(const struct weir_settings *settings, const char *config, struct weir_run *run,
    struct weir_demo_views *views, struct weir_error *err);
/* Now and then, for /healthz. */
void weir_demo_views_observe(struct weir_demo_views *views, struct weir_run *run, struct weir_steady now);
/* Before the run ends. */
void weir_demo_views_close(struct weir_demo_views *views);

#endif
