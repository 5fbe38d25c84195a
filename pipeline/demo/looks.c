/* API, console and metrics of the demo; see looks.h. */
#include "pipeline/demo/looks.h"

#include <stdio.h>

#include "config/base/clock.h"

static void
lines_make(struct weir_demo_looks *looks, const char *config)
{
	(void)snprintf(looks->lines[0], sizeof(looks->lines[0]), "console  http://127.0.0.1:%u/   (it only reads)",
	    weir_api_port(looks->api));
	(void)snprintf(looks->lines[1], sizeof(looks->lines[1]), "metrics  http://127.0.0.1:%u/metrics",
	    weir_metrics_server_port(looks->metrics));
	(void)snprintf(looks->lines[2], sizeof(looks->lines[2]), "look     weir top --config %.96s", config);
}

enum weir_class
weir_demo_looks_open(const struct weir_settings *settings, const char *config, struct weir_run *run,
    struct weir_demo_looks *looks, struct weir_error *err)
{
	enum weir_class class = weir_api_start(settings, &looks->api, err);
	if (class != WEIR_OK)
		return class;
	weir_health_begin(&looks->health, settings->lane_count, weir_steady_now());
	struct weir_metrics_of of = {.run = run, .api = looks->api, .api_counters = weir_api_counters_get};
	class = weir_metrics_server_start(settings->metrics_listen, of, &looks->health, &looks->metrics, err);
	if (class == WEIR_OK)
		lines_make(looks, config);
	return class;
}

void
weir_demo_looks_observe(struct weir_demo_looks *looks, struct weir_run *run, struct weir_steady now)
{
	struct weir_run_lane lanes[WEIR_METRICS_LANES_MAX];
	(void)weir_run_lanes(run, lanes, WEIR_METRICS_LANES_MAX);
	weir_health_observe(&looks->health, lanes, now);
}

void
weir_demo_looks_close(struct weir_demo_looks *looks)
{
	weir_metrics_server_stop(looks->metrics); /* before what it tells of */
	looks->metrics = NULL;
	if (looks->api == NULL)
		return;
	weir_api_stop(looks->api);
	weir_api_free(looks->api);
	looks->api = NULL;
}
