/* What a thread of the API works with: a reader and a connection for the API's own keys; see api_priv.h. */
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"

struct weir_api_worker *
weir_api_worker_new(struct weir_api *api)
{
	struct weir_api_worker *worker = weir_calloc(1, sizeof(*worker));
	struct weir_reader_opts opts = {.settings = api->settings};
	worker->api = api;
	worker->reader = weir_reader_new(&opts);
	worker->redis = weir_api_redis_new(api->settings);
	return worker;
}

void
weir_api_worker_free(struct weir_api_worker *worker)
{
	if (worker == NULL)
		return;
	weir_reader_free(worker->reader);
	weir_api_redis_free(worker->redis);
	free(worker);
}
