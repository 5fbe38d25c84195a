/* Concurrent HTTP calls by libcurl's multi interface; see http_priv.h. */
#include "pipeline/dispatch/http_priv.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#define HEADERS_MAX 16384u /* bytes of header lines kept */

struct http_slot {
	CURL *easy;
	struct http_slot *next; /* of the free list, or of all slots in use */
	struct http_slot *prev;
	const struct weir_carrier_adapter *adapter;
	const struct weir_carrier_settings *settings;
	struct weir_dispatch_call call;
	struct weir_carrier_request request;
	struct curl_slist *headers;
	struct weir_buf answer_headers;
	struct weir_buf answer_body;
};

struct weir_http {
	CURLM *multi;
	struct http_slot *idle;
	struct http_slot *open;
	uint32_t open_count;
};

static pthread_once_t curl_ready = PTHREAD_ONCE_INIT;

static void
curl_prepare(void)
{
	WEIR_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct weir_http *
weir_http_new(void)
{
	WEIR_CHECK(pthread_once(&curl_ready, curl_prepare) == 0);
	struct weir_http *http = weir_calloc(1, sizeof(*http));
	http->multi = curl_multi_init();
	WEIR_CHECK(http->multi != NULL);
	return http;
}

static void
slot_free(struct http_slot *slot)
{
	curl_easy_cleanup(slot->easy);
	curl_slist_free_all(slot->headers);
	weir_carrier_request_free(&slot->request);
	weir_buf_free(&slot->answer_headers);
	weir_buf_free(&slot->answer_body);
	free(slot);
}

void
weir_http_free(struct weir_http *http)
{
	if (http == NULL)
		return;
	while (http->open != NULL) {
		struct http_slot *slot = http->open;
		http->open = slot->next;
		(void)curl_multi_remove_handle(http->multi, slot->easy);
		slot_free(slot);
	}
	while (http->idle != NULL) {
		struct http_slot *slot = http->idle;
		http->idle = slot->next;
		slot_free(slot);
	}
	(void)curl_multi_cleanup(http->multi);
	free(http);
}

/* Keeps at most max bytes; too much body breaks the call off, too many headers are cut. */
static size_t
keep_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http_slot *slot = ctx;
	size_t len = size * count;
	if (slot->answer_body.len + len > WEIR_CARRIER_BODY_MAX)
		return 0;
	weir_buf_append(&slot->answer_body, data, len);
	return len;
}

static size_t
keep_headers(char *data, size_t size, size_t count, void *ctx)
{
	struct http_slot *slot = ctx;
	size_t len = size * count;
	if (slot->answer_headers.len + len <= HEADERS_MAX)
		weir_buf_append(&slot->answer_headers, data, len);
	return len;
}

static struct http_slot *
slot_get(struct weir_http *http)
{
	struct http_slot *slot = http->idle;
	if (slot != NULL) {
		http->idle = slot->next;
	} else {
		slot = weir_calloc(1, sizeof(*slot));
		slot->easy = curl_easy_init();
		WEIR_CHECK(slot->easy != NULL);
	}
	WEIR_CHECK(slot->headers == NULL && (http->open_count == 0) == (http->open == NULL));
	slot->prev = NULL;
	slot->next = http->open;
	if (http->open != NULL)
		http->open->prev = slot;
	http->open = slot;
	http->open_count++;
	weir_carrier_request_reset(&slot->request);
	slot->answer_headers.len = slot->answer_body.len = 0;
	return slot;
}

static void
slot_put(struct weir_http *http, struct http_slot *slot)
{
	WEIR_CHECK(http->open_count > 0 && (slot->prev != NULL ? slot->prev->next : http->open) == slot);
	if (slot->prev != NULL)
		slot->prev->next = slot->next;
	else
		http->open = slot->next;
	if (slot->next != NULL)
		slot->next->prev = slot->prev;
	curl_easy_reset(slot->easy);
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	slot->next = http->idle;
	http->idle = slot;
	http->open_count--;
}

/* "Name: value\n" lines -> the library's list. */
static void
slot_set_headers(struct http_slot *slot)
{
	struct weir_buf *text = &slot->request.headers;
	weir_buf_append(text, "Expect:\n", sizeof("Expect:\n")); /* no round trip before a short body; and terminated */
	char *rest = NULL;
	for (char *line = strtok_r((char *)text->data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		struct curl_slist *longer = curl_slist_append(slot->headers, line);
		WEIR_CHECK(longer != NULL);
		slot->headers = longer;
	}
	(void)curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
}

static void
slot_set_request(struct http_slot *slot)
{
	CURL *easy = slot->easy;
	struct weir_carrier_request *request = &slot->request;
	weir_buf_append(&request->url, "", 1);
	(void)curl_easy_setopt(easy, CURLOPT_URL, (char *)request->url.data);
	if (request->method == WEIR_METHOD_GET) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	} else {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data ? (char *)request->body.data : "");
		if (request->method == WEIR_METHOD_PUT)
			(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
	}
	slot_set_headers(slot);
}

static void
slot_set_limits(struct http_slot *slot)
{
	CURL *easy = slot->easy;
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)slot);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)slot->settings->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, keep_headers);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
}

static struct weir_carrier_command
slot_command(const struct http_slot *slot)
{
	return (struct weir_carrier_command){
	    .kind = slot->call.kind, .iccid = slot->call.iccid, .target = slot->call.target, .ticket = slot->call.ticket};
}

void
weir_http_begin(struct weir_http *http, const struct weir_carrier_adapter *adapter,
    const struct weir_carrier_settings *settings, const struct weir_dispatch_call *call)
{
	struct http_slot *slot = slot_get(http);
	slot->adapter = adapter;
	slot->settings = settings;
	slot->call = *call;
	struct weir_carrier_command command = slot_command(slot);
	adapter->build(settings, &command, &slot->request);
	slot_set_request(slot);
	slot_set_limits(slot);
	WEIR_CHECK(curl_multi_add_handle(http->multi, slot->easy) == CURLM_OK);
}

/* How the transfer ended; whether the carrier can have seen the request is what matters. */
static enum weir_transport
slot_transport(const struct http_slot *slot, CURLcode code)
{
	if (code == CURLE_OK)
		return WEIR_TRANSPORT_ANSWERED;
	long request_bytes = 0;
	(void)curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	if (request_bytes == 0)
		return WEIR_TRANSPORT_NOT_SENT;
	return code == CURLE_OPERATION_TIMEDOUT ? WEIR_TRANSPORT_TIMEOUT : WEIR_TRANSPORT_BROKEN;
}

/* A carrier may repeat what it was sent: its words never carry the key further. */
static void
outcome_hide(struct weir_outcome *outcome, const char *secret)
{
	size_t len = secret != NULL ? strlen(secret) : 0;
	if (len == 0)
		return;
	for (char *at = outcome->text; (at = strstr(at, secret)) != NULL; at += len)
		memset(at, '*', len);
}

static void
slot_classify(struct http_slot *slot, CURLcode code, struct weir_outcome *outcome_out)
{
	long status = 0;
	(void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	struct weir_carrier_response response = {.transport = slot_transport(slot, code),
	    .status = (uint32_t)status,
	    .headers = {slot->answer_headers.data, slot->answer_headers.len},
	    .body = {slot->answer_body.data, slot->answer_body.len},
	    .transport_text = code == CURLE_WRITE_ERROR ? "answer too long" : curl_easy_strerror(code)};
	struct weir_carrier_command command = slot_command(slot);
	memset(outcome_out, 0, sizeof(*outcome_out));
	slot->adapter->classify(&command, &response, outcome_out);
	outcome_hide(outcome_out, slot->settings->api_key);
}

bool
weir_http_next(struct weir_http *http, struct weir_dispatch_call *call_out, struct weir_outcome *outcome_out)
{
	int running = 0, left = 0;
	if (http->open_count == 0)
		return false;
	CURLMsg *message = curl_multi_info_read(http->multi, &left);
	if (message == NULL) {
		(void)curl_multi_perform(http->multi, &running);
		message = curl_multi_info_read(http->multi, &left);
	}
	if (message == NULL || message->msg != CURLMSG_DONE)
		return false;
	char *private = NULL;
	(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
	struct http_slot *slot = (struct http_slot *)(void *)private;
	WEIR_CHECK(slot != NULL && slot->easy == message->easy_handle);
	slot_classify(slot, message->data.result, outcome_out);
	*call_out = slot->call;
	(void)curl_multi_remove_handle(http->multi, slot->easy);
	slot_put(http, slot);
	return true;
}

void
weir_http_wait(struct weir_http *http, uint32_t timeout_ms)
{
	(void)curl_multi_poll(http->multi, NULL, 0, (int)timeout_ms, NULL);
}

void
weir_http_wakeup(struct weir_http *http)
{
	(void)curl_multi_wakeup(http->multi);
}

uint32_t
weir_http_open_calls(const struct weir_http *http)
{
	return http->open_count;
}
