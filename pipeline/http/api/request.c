/* What every part asks of a request and of its connection, and what asks for nothing itself. */
#include <string.h>

#include "pipeline/http/api/api_priv.h"

const char *
weir_api_param(const struct weir_api_request *request, const char *name)
{
	for (uint32_t i = 0; i < request->param_count; i++)
		if (strcmp(request->params[i].name, name) == 0)
			return request->params[i].value;
	return NULL;
}

void
weir_api_peer_step(struct weir_api_peer *peer, bool busy)
{
	if (peer == NULL)
		return;
	/* relaxed: the watcher looks once a second and may see either */
	atomic_store_explicit(&peer->since_us, weir_steady_now().us, memory_order_relaxed);
	atomic_store_explicit(&peer->busy, busy, memory_order_relaxed);
}
