/* What a thread of the API works with: a reader and a connection for the API's own keys; see api_priv.h. */
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"

struct weir_api_hand *
weir_api_hand_new(struct weir_api *api)
{
	struct weir_api_hand *hand = weir_calloc(1, sizeof(*hand));
	struct weir_reader_opts opts = {.settings = api->settings};
	hand->api = api;
	hand->reader = weir_reader_new(&opts);
	hand->redis = weir_api_redis_new(api->settings);
	return hand;
}

void
weir_api_hand_free(struct weir_api_hand *hand)
{
	if (hand == NULL)
		return;
	weir_reader_free(hand->reader);
	weir_api_redis_free(hand->redis);
	free(hand);
}
