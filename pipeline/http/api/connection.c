/*
 * libmicrohttpd's callbacks: a request's course.
 *
 * First call: admitted or answered at once. Then its body, piece by piece. Then it is answered on this thread, or its
 * connection is suspended and a job does the work; resuming it makes libmicrohttpd call once more, and the answer is
 * queued. A body beyond its limit is read on and thrown away, up to four times the limit, so that its sender gets to see
 * the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/http/api/api_priv.h"

static struct weir_api_peer *
peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info != NULL ? info->socket_context : NULL;
}

static struct weir_api_request *
request_new(struct weir_api *api, struct MHD_Connection *connection)
{
	struct weir_api_request *request = weir_calloc(1, sizeof(*request));
	request->api = api;
	request->connection = connection;
	request->peer = peer_of(connection);
	weir_api_peer_step(request->peer, false);
	return request;
}

static void
request_free(struct weir_api_request *request)
{
	for (uint32_t i = 0; i < WEIR_API_SEGMENTS_MAX; i++)
		free(request->segments[i]);
	for (uint32_t i = 0; i < request->param_count; i++) {
		free(request->params[i].name);
		free(request->params[i].value);
	}
	if (request->large)
		(void)atomic_fetch_sub_explicit(
		    &request->api->large_bodies, 1, memory_order_relaxed); /* a count by itself */
	weir_api_export_free(request->export);
	weir_buf_free(&request->body);
	weir_buf_free(&request->out);
	free(request);
}

static enum MHD_Result
body_take(struct weir_api_request *request, const char *data, size_t *len)
{
	if (request->body.len + *len > request->body_max)
		request->body_large = true;
	if (!request->body_large)
		weir_buf_append(&request->body, data, *len);
	else
		request->body.len += request->body.len <= 4 * request->body_max ? *len : 0; /* counted, not kept */
	bool endless = request->body.len > 4 * request->body_max;
	*len = 0;
	return endless ? MHD_NO : MHD_YES;
}

/* While Redis did not answer a moment ago, others get that answer at once and not after another wait. */
static void
request_handle(struct weir_api_request *request, struct weir_api_worker *worker)
{
	bool needs = (request->route->flags & WEIR_API_NO_STORAGE) == 0;
	if (needs && !weir_steady_reached(worker->away_until))
		weir_api_problem(request, 503, "storage-away", NULL, "the storage does not answer; try again");
	else
		request->route->handle(request, worker);
}

/* On a job's thread. Nothing of the request may be touched after the resume. */
static void
request_run(struct weir_api_job *job, struct weir_api_worker *worker)
{
	struct weir_api_request *request = (struct weir_api_request *)job;
	request_handle(request, worker);
	request->state = WEIR_API_ANSWERED;
	MHD_resume_connection(request->connection);
}

static struct weir_api_worker *
handle_here(struct weir_api *api)
{
	struct weir_api_worker *worker = pthread_getspecific(api->worker_key);
	if (worker == NULL) {
		worker = weir_api_worker_new(api);
		(void)pthread_setspecific(api->worker_key, worker);
	}
	return worker;
}

static enum MHD_Result
request_hand_over(struct weir_api_request *request, struct weir_api_pool *pool)
{
	request->state = WEIR_API_WORKING;
	request->job.run = request_run;
	MHD_suspend_connection(request->connection);
	if (weir_api_pool_submit(pool, &request->job))
		return MHD_YES; /* no longer ours */
	weir_api_problem(request, 503, "busy", NULL, "too many requests wait already; try again");
	request->state = WEIR_API_ANSWERED;
	MHD_resume_connection(request->connection);
	return MHD_YES;
}

static enum MHD_Result
request_work(struct weir_api_request *request)
{
	struct weir_api *api = request->api;
	request->began = weir_steady_now();
	weir_api_peer_step(request->peer, true);
	if (request->body_large) {
		request->body.len = 0;
		weir_api_problem(request, 413, "too-large", NULL, "the body must be at most %zu bytes", request->body_max);
	} else if (request->route->where != WEIR_API_HERE) {
		return request_hand_over(request, request->route->where == WEIR_API_SLOW ? api->slow : api->command_queue);
	} else {
		request_handle(request, handle_here(api));
	}
	request->state = WEIR_API_ANSWERED;
	weir_api_peer_step(request->peer, false);
	return weir_api_queue(request);
}

enum MHD_Result
weir_api_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload_data, size_t *upload_data_size, void **con_cls)
{
	struct weir_api_request *request = *con_cls;
	(void)version;
	if (request == NULL) {
		*con_cls = request = request_new(cls, connection);
		weir_api_admit(request, url, method);
		return request->state == WEIR_API_ANSWERED ? weir_api_queue(request) : MHD_YES;
	}
	switch (request->state) {
	case WEIR_API_TAKING:
		if (*upload_data_size > 0)
			return body_take(request, upload_data, upload_data_size);
		return request_work(request);
	case WEIR_API_ANSWERED:
		weir_api_peer_step(request->peer, false);
		return weir_api_queue(request);
	case WEIR_API_WORKING:
	case WEIR_API_QUEUED:
		break;
	}
	*upload_data_size = 0;
	return MHD_YES;
}

void
weir_api_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code)
{
	struct weir_api_request *request = *con_cls;
	(void)cls, (void)connection, (void)code;
	if (request == NULL)
		return;
	weir_api_peer_step(request->peer, false);
	request_free(request);
	*con_cls = NULL;
}

static void
peer_add(struct weir_api *api, struct MHD_Connection *connection, void **socket_context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct weir_api_peer *peer = weir_calloc(1, sizeof(*peer));
	peer->fd = info != NULL ? info->connect_fd : -1;
	weir_api_peer_step(peer, false);
	(void)pthread_mutex_lock(&api->peers_lock);
	peer->next = api->peers;
	if (peer->next != NULL)
		peer->next->prev = peer;
	api->peers = peer;
	(void)pthread_mutex_unlock(&api->peers_lock);
	weir_api_count(&api->peer_count, 1);
	*socket_context = peer;
}

/* Before the descriptor is closed, so that the watcher never shuts down one that was given out anew. */
static void
peer_remove(struct weir_api *api, struct weir_api_peer *peer)
{
	(void)pthread_mutex_lock(&api->peers_lock);
	*(peer->prev != NULL ? &peer->prev->next : &api->peers) = peer->next;
	if (peer->next != NULL)
		peer->next->prev = peer->prev;
	(void)pthread_mutex_unlock(&api->peers_lock);
	(void)atomic_fetch_sub_explicit(&api->peer_count, 1, memory_order_relaxed); /* a figure by itself */
	free(peer);
}

void
weir_api_connected(
    void *cls, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer_add(cls, connection, socket_context);
	} else if (*socket_context != NULL) {
		peer_remove(cls, *socket_context);
		*socket_context = NULL;
	}
}
