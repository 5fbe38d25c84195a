/*
 * All that is judged before a body is read: the path, the caller, its role and rate, the parameters, the announced size.
 *
 * Anonymous access (api.anonymous) exists for a console on the same machine. A page of any origin can make a browser
 * ask a loopback address, so such requests must name a loopback host (no DNS rebinding) and, when they say where they come
 * from, come from there.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/http/api/api_priv.h"

#define LARGE_BODIES_MAX 4

static const char *
request_header(const struct weir_api_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* "localhost:8470", "127.0.0.1", "[::1]:80"; with a scheme before it when it is an origin. */
static bool
is_loopback_host(const char *text)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	const char *scheme = strstr(text, "://");
	if (scheme != NULL)
		text = scheme + 3;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		size_t len = strlen(hosts[i]);
		if (strncasecmp(text, hosts[i], len) == 0 && (text[len] == '\0' || text[len] == ':'))
			return true;
	}
	return false;
}

static bool
may_be_anonymous(const struct weir_api_request *request)
{
	const char *host = request_header(request, "Host"), *origin = request_header(request, "Origin");
	return request->api->anonymous != WEIR_API_NOBODY && host != NULL && is_loopback_host(host) &&
	       (origin == NULL || is_loopback_host(origin));
}

static uint64_t
address_key(const struct weir_api_request *request)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	uint8_t bytes[17] = {0}, hash[WEIR_API_HASH];
	uint64_t key;
	if (info != NULL && info->client_addr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, info->client_addr, sizeof(in));
		memcpy(bytes, &in.sin_addr, 4);
	} else if (info != NULL && info->client_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, info->client_addr, sizeof(in6));
		memcpy(bytes, &in6.sin6_addr, 8); /* a network of /64 is one caller */
		bytes[16] = 6;
	}
	weir_api_sha256(bytes, sizeof(bytes), hash);
	memcpy(&key, hash, sizeof(key));
	return key;
}

/* Who asks. False: a token was given that is none. */
static bool
caller_find(struct weir_api_request *request)
{
	struct weir_api *api = request->api;
	const char *given = request_header(request, "Authorization");
	request->caller = (struct weir_api_caller){.role = WEIR_API_NOBODY, .rate_key = address_key(request)};
	if (given == NULL) {
		if (may_be_anonymous(request)) {
			request->caller.role = api->anonymous;
			(void)snprintf(request->caller.name, sizeof(request->caller.name), "anonymous");
		}
		return true;
	}
	if (strncasecmp(given, "Bearer ", 7) != 0)
		return false;
	const char *token = given + 7 + strspn(given + 7, " ");
	(void)pthread_rwlock_rdlock(&api->tokens_lock);
	bool found = api->tokens != NULL && weir_api_tokens_find(api->tokens, token, strlen(token), &request->caller);
	(void)pthread_rwlock_unlock(&api->tokens_lock);
	return found;
}

static bool
admit_caller(struct weir_api_request *request, enum weir_api_role needed)
{
	struct weir_api *api = request->api;
	bool known = caller_find(request);
	if (!weir_api_limits_admit(api->limits, request->caller.rate_key, weir_steady_now())) {
		weir_api_count(&api->refused_rate, 1);
		weir_api_problem(request, 429, "too-many-requests", NULL, "more than %u requests a second",
		    api->settings->api_rate_per_s);
		return false;
	}
	if (needed == WEIR_API_NOBODY)
		return true;
	if (!known || request->caller.role == WEIR_API_NOBODY) {
		weir_api_count(&api->refused_token, 1);
		weir_api_problem(
		    request, 401, "token", NULL, "%s", known ? "a bearer token is needed" : "this token is not known");
		return false;
	}
	if (request->caller.role < needed) {
		weir_api_count(&api->refused_role, 1);
		weir_api_problem(request, 403, "role", NULL, "this needs the role %s; %s has %s",
		    weir_api_role_name(needed), request->caller.name, weir_api_role_name(request->caller.role));
		return false;
	}
	return true;
}

static bool
segments_take(struct weir_api_request *request, const struct weir_slice segments[WEIR_API_SEGMENTS_MAX])
{
	for (uint32_t i = 0; i < WEIR_API_SEGMENTS_MAX && segments[i].data != NULL; i++)
		if (!weir_api_decode(segments[i], false, &request->segments[i])) {
			weir_api_problem(request, 400, "bad-parameter", NULL, "the path holds a malformed %%-sequence");
			return false;
		}
	return true;
}

static bool
key_take(struct weir_api_request *request)
{
	const char *key = request_header(request, "Idempotency-Key");
	size_t len = key != NULL ? strlen(key) : 0;
	bool right = len < sizeof(request->key) && (key == NULL || len > 0);
	for (size_t i = 0; right && i < len; i++)
		right = key[i] >= 0x20 && key[i] < 0x7f;
	if (right)
		memcpy(request->key, key != NULL ? key : "", len);
	else
		weir_api_problem(request, 400, "bad-parameter", "Idempotency-Key",
		    "Idempotency-Key: must be 1 to 255 printable characters");
	return right;
}

/* Few large bodies at a time: each is held in memory whole. */
static bool
large_body_admit(struct weir_api_request *request)
{
	struct weir_api *api = request->api;
	/* relaxed: a count by itself */
	if (atomic_fetch_add_explicit(&api->large_bodies, 1, memory_order_relaxed) < LARGE_BODIES_MAX) {
		request->body_max = api->settings->api_bulk_body_max;
		request->large = true;
		return true;
	}
	(void)atomic_fetch_sub_explicit(&api->large_bodies, 1, memory_order_relaxed);
	weir_api_problem(request, 503, "busy", NULL, "%d large bodies are being taken; try again", LARGE_BODIES_MAX);
	return false;
}

static bool
body_admit(struct weir_api_request *request)
{
	if (strcmp(request->route->method, "GET") == 0)
		return true;
	const char *type = request_header(request, "Content-Type"), *length = request_header(request, "Content-Length");
	size_t len = type != NULL ? strcspn(type, "; ") : 0;
	if (len != 16 || strncasecmp(type, "application/json", 16) != 0) {
		weir_api_problem(request, 415, "media-type", "Content-Type", "Content-Type: must be application/json");
		return false;
	}
	request->body_max = request->api->settings->api_body_max;
	unsigned long long announced = length != NULL ? strtoull(length, NULL, 10) : UINT64_MAX;
	bool may_be_large = (request->route->flags & WEIR_API_BULK_BODY) != 0;
	if (may_be_large && announced > request->body_max && !large_body_admit(request))
		return false;
	if (length != NULL && announced / 4 > request->body_max) { /* less is read, so that its sender sees the answer */
		weir_api_problem(request, 413, "too-large", NULL, "the body must be at most %zu bytes", request->body_max);
		return false;
	}
	return true;
}

/* What is built in: the console. */
static bool
file_find(struct weir_api_request *request, const char *url, const char *method)
{
	bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	const struct weir_api_file *file = weir_api_file_find(strcmp(url, "/") == 0 ? "/index.html" : url);
	if (!get || file == NULL)
		return false;
	request->file = file;
	request->status = 200;
	return true;
}

static void
admit_route(struct weir_api_request *request, const char *url, const char *method)
{
	struct weir_slice segments[WEIR_API_SEGMENTS_MAX];
	request->route = weir_api_route_find(method, url, segments, request->allow);
	if (request->route == NULL) {
		if (!admit_caller(request, WEIR_API_NOBODY) || file_find(request, url, method))
			return;
		if (request->allow[0] != '\0')
			weir_api_problem(request, 405, "method", NULL, "the method must be one of %s here", request->allow);
		else
			weir_api_problem(
			    request, 404, "no-such-path", NULL, "there is no such path; /v1/openapi lists them");
		return;
	}
	if (admit_caller(request, request->route->role) && segments_take(request, segments) &&
	    weir_api_params_take(request) && key_take(request) && body_admit(request))
		request->state = WEIR_API_TAKING;
}

void
weir_api_admit(struct weir_api_request *request, const char *url, const char *method)
{
	(void)snprintf(request->method, sizeof(request->method), "%s", method);
	request->state = WEIR_API_ANSWERED;
	admit_route(request, url, method);
}
