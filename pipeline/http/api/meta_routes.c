/* What is asked about the service itself: health, readiness, who one is, its description, and the fleet's summary. */
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"

#define FLEET_PAUSE_US 1000000 /* an answer serves others for so long */

/*
 * The scan of all cards is long, and one serves all who ask: one reader for the process, which whoever comes first after a
 * second moves on, and the text of what it said.
 */
struct weir_api_fleet {
	pthread_mutex_t lock;
	struct weir_api_worker *worker; /* under lock, as all below */
	struct weir_buf text;
	struct weir_steady at; /* 0 = none yet */
};

struct weir_api_fleet *
weir_api_fleet_new(struct weir_api *api)
{
	struct weir_api_fleet *fleet = weir_calloc(1, sizeof(*fleet));
	(void)pthread_mutex_init(&fleet->lock, NULL);
	fleet->worker = weir_api_worker_new(api);
	return fleet;
}

void
weir_api_fleet_free(struct weir_api_fleet *fleet)
{
	if (fleet == NULL)
		return;
	weir_api_worker_free(fleet->worker);
	weir_buf_free(&fleet->text);
	(void)pthread_mutex_destroy(&fleet->lock);
	free(fleet);
}

/* Under lock. */
static enum weir_read
fleet_refresh(struct weir_api_fleet *fleet, struct weir_error *err)
{
	const struct weir_fleet_view *view;
	struct weir_steady now = weir_steady_now();
	if (!weir_steady_is_past(fleet->at, FLEET_PAUSE_US))
		return WEIR_READ_OK;
	enum weir_read code = weir_read_fleet(fleet->worker->reader, &view, err);
	if (code != WEIR_READ_OK)
		return code;
	/* While the first look is under way each question moves it on. */
	fleet->at = view->as_of_us != 0 ? now : (struct weir_steady){0};
	fleet->text.len = 0;
	struct weir_json json = {.out = &fleet->text};
	weir_print_fleet(&json, NULL, view);
	return WEIR_READ_OK;
}

void
weir_api_fleet(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_api_fleet *fleet = request->api->fleet;
	struct weir_error err = {0};
	(void)pthread_mutex_lock(&fleet->lock);
	enum weir_read code = fleet_refresh(fleet, &err);
	if (code == WEIR_READ_OK) {
		(void)weir_api_json(request, 200);
		weir_buf_append(&request->out, fleet->text.data, fleet->text.len);
	}
	(void)pthread_mutex_unlock(&fleet->lock);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
}

void
weir_api_me(struct weir_api_request *request, struct weir_api_worker *worker)
{
	(void)worker;
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "name", request->caller.name);
	weir_json_text(&json, "role", weir_api_role_name(request->caller.role));
	weir_json_text(&json, "version", WEIR_VERSION);
	weir_json_close(&json, '}');
}

void
weir_api_healthz(struct weir_api_request *request, struct weir_api_worker *worker)
{
	(void)worker;
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "status", "ok");
	weir_json_close(&json, '}');
}

void
weir_api_readyz(struct weir_api_request *request, struct weir_api_worker *worker)
{
	uint32_t partitions;
	struct weir_error err = {0};
	enum weir_read code = weir_reader_check(worker->reader, &partitions, &err);
	if (code != WEIR_READ_OK) {
		weir_api_problem(request, 503, "storage-away", NULL, "Redis does not answer, or weir has not run yet");
		return;
	}
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "status", "ready");
	weir_json_u64(&json, "partitions", partitions);
	weir_json_close(&json, '}');
}

void
weir_api_openapi(struct weir_api_request *request, struct weir_api_worker *worker)
{
	(void)worker;
	request->file = weir_api_file_openapi();
	request->status = 200;
}
