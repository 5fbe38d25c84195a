/* API, console and metrics of the demo; see demo_servers.h. */
#include "pipeline/demo/demo_servers.h"

#include <stdio.h>

#include "config/base/clock.h"

static void
lines_make(struct weir_demo_views *views, const char *config)
{
	(void)snprintf(views->lines[0], sizeof(views->lines[0]), "console  http://127.0.0.1:%u/   (it only reads)",
	    weir_api_port(views->api));
	(void)snprintf(views->lines[1], sizeof(views->lines[1]), "metrics  http://127.0.0.1:%u/metrics",
	    weir_metrics_server_port(views->metrics));
	(void)snprintf(views->lines[2], sizeof(views->lines[2]), "look     weir top --config %.96s", config);
}

enum weir_class
weir_demo_views_open(const struct weir_settings *settings, const char *config, struct weir_run *run,
    struct weir_demo_views *views, struct weir_error *err)
{
	enum weir_class class = weir_api_start(settings, &views->api, err);
	if (class != WEIR_OK)
		return class;
	weir_health_begin(&views->health, settings->lane_count, weir_steady_now());
	struct weir_metrics_of of = {.run = run, .api = views->api, .api_counters = weir_api_counters_get};
	class = weir_metrics_server_start(settings->metrics_listen, of, &views->health, &views->metrics, err);
	if (class == WEIR_OK)
		lines_make(views, config);
	return class;
}

void
weir_demo_views_observe(struct weir_demo_views *views, struct weir_run *run, struct weir_steady now)
{
	struct weir_run_lane lanes[WEIR_METRICS_LANES_MAX];
	(void)weir_run_lanes(run, lanes, WEIR_METRICS_LANES_MAX);
	weir_health_observe(&views->health, lanes, now);
}

void
weir_demo_views_close(struct weir_demo_views *views)
{
	weir_metrics_server_stop(views->metrics); /* before what it tells of */
	views->metrics = NULL;
	if (views->api == NULL)
		return;
	weir_api_stop(views->api);
	weir_api_free(views->api);
	views->api = NULL;
}
