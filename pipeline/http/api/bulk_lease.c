/* The lease on a bulk request: one process works on it, and another takes over when that one dies. */
#include <stdio.h>
#include <string.h>

#include "pipeline/http/api/bulk_priv.h"

#define LEASE_MS "15000"
#define RENEW_US 4000000

bool
weir_bulk_lease_take(struct weir_api_bulks *bulks, const char *id)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "w:%s", id);
	struct weir_reply *reply =
	    weir_api_redis_texts(bulks->worker->redis, name, &err, "SET", bulks->owner, "NX", "PX", LEASE_MS, NULL);
	bool ours = reply != NULL && reply->type == WEIR_REPLY_STATUS;
	(void)weir_bulk_done(reply);
	return ours;
}

bool
weir_bulk_lease_keep(struct weir_api_bulks *bulks, struct weir_bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	if (!weir_steady_is_past(bulk->renewed, RENEW_US))
		return true;
	(void)snprintf(name, sizeof(name), "w:%s", bulk->id);
	struct weir_reply *reply = weir_api_redis_texts(bulks->worker->redis, name, &err, "GET", NULL);
	bool lost = reply != NULL && reply->type == WEIR_REPLY_STRING && strcmp(reply->str, bulks->owner) != 0;
	(void)weir_bulk_done(reply);
	if (lost)
		return false;
	(void)weir_bulk_done(
	    weir_api_redis_texts(bulks->worker->redis, name, &err, "SET", bulks->owner, "PX", LEASE_MS, NULL));
	bulk->renewed = weir_steady_now();
	return true;
}

void
weir_bulk_lease_drop(struct weir_api_bulks *bulks, const struct weir_bulk *bulk)
{
	char name[64];
	struct weir_error err = {0};
	(void)snprintf(name, sizeof(name), "w:%s", bulk->id);
	(void)weir_bulk_done(weir_api_redis_texts(bulks->worker->redis, name, &err, "DEL", NULL));
}
