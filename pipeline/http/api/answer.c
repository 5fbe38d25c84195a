/*
 * Answers: what a request holds becomes libmicrohttpd's response.
 *
 * The console's pages may load nothing that is not built in (Content-Security-Policy), and answers of the API are kept
 * by no cache.
 */
#include <stdio.h>
#include <string.h>

#include "config/base/log.h"
#include "pipeline/http/api/api_priv.h"

#define CSP                                                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri "     \
	"'none'; form-action 'none'; frame-ancestors 'none'"

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

static bool
header_has(const struct weir_api_request *request, const char *name, const char *word)
{
	const char *value = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
	return value != NULL && strstr(value, word) != NULL;
}

static struct MHD_Response *
file_response(struct weir_api_request *request)
{
	const struct weir_api_file *file = request->file;
	bool gzip = file->gzip != NULL && header_has(request, "Accept-Encoding", "gzip");
	bool same = header_has(request, "If-None-Match", file->etag);
	const uint8_t *data = gzip ? file->gzip : file->data;
	size_t len = gzip ? file->gzip_len : file->len;
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(same ? 0 : len, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
	request->status = same ? 304 : 200;
	add_header(response, "Content-Type", file->type);
	add_header(response, "ETag", file->etag);
	add_header(response, "Cache-Control", "no-cache");
	add_header(response, "Vary", "Accept-Encoding");
	add_header(response, "Content-Security-Policy", CSP);
	add_header(response, "Referrer-Policy", "no-referrer");
	if (gzip && !same)
		add_header(response, "Content-Encoding", "gzip");
	return response;
}

static struct MHD_Response *
text_response(struct weir_api_request *request)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(request->out.len, request->out.data, MHD_RESPMEM_MUST_FREE);
	char seconds[16];
	request->out = (struct weir_buf){0};
	add_header(response, "Content-Type", request->content_type);
	add_header(response, "Cache-Control", "no-store");
	if (request->location[0] != '\0')
		add_header(response, "Location", request->location);
	if (request->allow[0] != '\0' && request->status == 405)
		add_header(response, "Allow", request->allow);
	if (request->status == 401)
		add_header(response, "WWW-Authenticate", "Bearer realm=\"weir\"");
	if (request->retry_after_s > 0) {
		(void)snprintf(seconds, sizeof(seconds), "%u", request->retry_after_s);
		add_header(response, "Retry-After", seconds);
	}
	return response;
}

static void
count(struct weir_api_request *request)
{
	struct weir_api *api = request->api;
	weir_api_count(&api->requests, 1);
	weir_api_count(&api->by_class[request->status / 100 % 6], 1);
	int64_t took_us = request->began.us != 0 ? weir_steady_since_us(request->began) : 0;
	weir_api_count(&api->answer_us_total, (uint64_t)took_us);
	weir_api_count(&api->answer_bucket[weir_histogram_bucket((uint64_t)took_us)], 1);
	if (weir_log_enabled(WEIR_LOG_DEBUG))
		weir_log(WEIR_LOG_DEBUG, "api_request", "method=%s path=%s status=%u took_us=%lld by=%s", request->method,
		    request->route != NULL ? request->route->path : "-", request->status, (long long)took_us,
		    request->caller.name[0] != '\0' ? request->caller.name : "-");
}

enum MHD_Result
weir_api_queue(struct weir_api_request *request)
{
	struct MHD_Response *response = request->file != NULL ? file_response(request)
					: request->export != NULL && request->status == 200
					    ? weir_api_export_response(request)
					    : text_response(request);
	if (response == NULL)
		return MHD_NO;
	add_header(response, "X-Content-Type-Options", "nosniff");
	count(request);
	request->state = WEIR_API_QUEUED;
	enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}
