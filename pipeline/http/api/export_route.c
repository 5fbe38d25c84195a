/*
 * Exports: cards as CSV, streamed page by page, so that half a million cards cost the memory of a thousand.
 *
 * A slow thread reads a page and writes its lines; libmicrohttpd pulls them at the client's pace, with the connection
 * suspended while the next page is read. The first page is read before the answer begins, so that mistakes are answers of
 * their own; when a later one cannot be read, the stream is broken off without its end, which every client sees as a failed
 * transfer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/log.h"
#include "config/base/timetext.h"
#include "pipeline/http/api/export_priv.h"

#define TRIES 5
#define TRY_PAUSE_US 200000
#define BLOCK 65536
#define DAY_US INT64_C(86400000000)
#define CYCLE_DAYS_MAX 31

/* ---- what is asked for ---- */

static bool
refuse_parameter(struct weir_api_request *request, const char *name, const char *text)
{
	weir_api_problem(request, 400, "bad-parameter", name, "%s: %s", name, text);
	return false;
}

static int32_t
window_now(enum weir_span span)
{
	char text[WEIR_TIME_TEXT_MAX];
	int64_t now_us = weir_wall_now().us;
	if (span == WEIR_SPAN_DAY)
		return (int32_t)(now_us / DAY_US);
	(void)weir_time_format_ms(now_us, text);
	return (int32_t)(strtol(text, NULL, 10) - 1970) * 12 + (int32_t)strtol(text + 5, NULL, 10) - 1;
}

/* A day more than UTC's today: it has begun somewhere. */
static bool
range_check(struct weir_api_request *request, const struct weir_csv *csv)
{
	bool days = csv->span == WEIR_SPAN_DAY;
	int32_t now = window_now(csv->span), last = csv->first + (int32_t)csv->windows - 1;
	const struct weir_settings *settings = request->api->settings;
	int32_t kept = (int32_t)(days ? CYCLE_DAYS_MAX * (1 + settings->day_cycles) : settings->cycles_kept);
	if (csv->first > now + 1)
		return refuse_parameter(request, "from", "lies in the future");
	if (last < now - kept)
		return refuse_parameter(
		    request, "to", days ? "so old days are no longer kept" : "so old cycles are no longer kept");
	if (csv->first < now - kept)
		return refuse_parameter(
		    request, "from", days ? "so old days are no longer kept" : "so old cycles are no longer kept");
	return true;
}

static bool
columns_take(struct weir_api_request *request, struct weir_api_worker *worker, struct weir_csv *csv)
{
	struct weir_error err = {0};
	const char *usage = weir_api_param(request, "usage");
	const char *from = weir_api_param(request, "from"), *to = weir_api_param(request, "to");
	const char *fields = weir_api_param(request, "usage_fields");
	enum weir_read code = weir_csv_fields(csv, weir_api_param(request, "fields"), &err);
	if (code == WEIR_READ_OK && usage != NULL)
		code = weir_csv_usage(csv, usage, from, to, fields, weir_wall_now().us, &err);
	if (code != WEIR_READ_OK)
		return weir_api_read_failed(request, worker, code, &err);
	if (usage != NULL)
		return range_check(request, csv);
	if (from != NULL || to != NULL || fields != NULL)
		return refuse_parameter(request,
		    from != NULL ? "from"
		    : to != NULL ? "to"
				 : "usage_fields",
		    "belongs to usage=day or cycle");
	return true;
}

static bool
name_take(struct weir_api_request *request, struct weir_api_export *export)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *name = weir_api_param(request, "name");
	char day[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(weir_wall_now().us, day);
	day[10] = '\0';
	if (name != NULL && (strlen(name) == 0 || strlen(name) > 100 || strspn(name, plain) != strlen(name)))
		return refuse_parameter(request, "name", "must be 1 to 100 letters, digits, dots, hyphens and underscores");
	if (name == NULL)
		(void)snprintf(export->name, sizeof(export->name), "weir-cards-%s%s%s.csv", day,
		    export->csv.has_usage ? "-by-" : "", export->csv.has_usage ? weir_span_name(export->csv.span) : "");
	else
		(void)snprintf(export->name, sizeof(export->name), "%s", name);
	return true;
}

/* ---- pages ---- */

static enum weir_read
page_once(struct weir_api_export *export, struct weir_api_worker *worker, struct weir_error *err)
{
	struct weir_card_page page;
	enum weir_read code = weir_read_search(worker->reader, &export->query, export->cursor, WEIR_PAGE_MAX, &page, err);
	if (code == WEIR_READ_OK)
		code = weir_csv_rows(worker->reader, &export->csv, &page, &export->lines, err);
	if (code != WEIR_READ_OK)
		return code;
	export->cards += page.count;
	memcpy(export->cursor, page.next, sizeof(export->cursor));
	export->done = page.next[0] == '\0';
	return WEIR_READ_OK;
}

/* One page with cards in it, or the end. */
static enum weir_read
page_next(struct weir_api_export *export, struct weir_api_worker *worker, struct weir_error *err)
{
	enum weir_read code = WEIR_READ_OK;
	for (int tries = 0; tries < TRIES; tries++) {
		do
			code = page_once(export, worker, err);
		while (code == WEIR_READ_OK && export->lines.len == 0 && !export->done);
		if (code != WEIR_READ_AWAY || export->cards == 0)
			break;
		(void)usleep(TRY_PAUSE_US);
	}
	return code;
}

/* On a slow thread, while the connection is suspended. */
static void
export_run(struct weir_api_job *job, struct weir_api_worker *worker)
{
	struct weir_api_export *export = (struct weir_api_export *)job;
	struct weir_error err = {0};
	export->lines.len = export->at = 0;
	if (page_next(export, worker, &err) != WEIR_READ_OK) {
		WEIR_LOG_LIMITED(
		    WEIR_LOG_WARN, "api_export_broken", "cards=%llu %s", (unsigned long long)export->cards, err.text);
		export->failed = true;
	}
	MHD_resume_connection(export->connection);
}

static ssize_t
export_pull(void *cls, uint64_t position, char *out, size_t max)
{
	struct weir_api_export *export = cls;
	(void)position;
	weir_api_peer_step(export->peer, false);
	if (export->failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t left = export->lines.len - export->at, n = left < max ? left : max;
	if (n > 0) {
		memcpy(out, export->lines.data + export->at, n);
		export->at += n;
		return (ssize_t)n;
	}
	if (export->done)
		return MHD_CONTENT_READER_END_OF_STREAM;
	weir_api_peer_step(export->peer, true);
	MHD_suspend_connection(export->connection);
	if (!weir_api_pool_submit(export->api->slow, &export->job)) {
		export->failed = true; /* the server stops, or far too much waits */
		MHD_resume_connection(export->connection);
	}
	return 0;
}

struct MHD_Response *
weir_api_export_response(struct weir_api_request *request)
{
	struct weir_api_export *export = request->export;
	char disposition[160];
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, export_pull, export, NULL);
	if (response == NULL)
		return NULL;
	(void)snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", export->name);
	(void)MHD_add_response_header(response, "Content-Type", "text/csv; charset=utf-8; header=present");
	(void)MHD_add_response_header(response, "Content-Disposition", disposition);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	return response;
}

void
weir_api_export_free(struct weir_api_export *export)
{
	if (export == NULL)
		return;
	if (export->counted)
		(void)atomic_fetch_sub_explicit(&export->api->exports, 1, memory_order_relaxed); /* a count by itself */
	weir_buf_free(&export->lines);
	free(export);
}

static bool
export_admit(struct weir_api_request *request, struct weir_api_export *export)
{
	uint32_t most = request->api->settings->api_exports;
	/* relaxed: a count by itself */
	uint32_t running = atomic_fetch_add_explicit(&request->api->exports, 1, memory_order_relaxed);
	export->counted = true;
	if (running < most)
		return true;
	weir_api_problem(request, 503, "busy", NULL, "%u exports run already; try again", most);
	request->retry_after_s = 10;
	return false;
}

void
weir_api_export_cards(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_error err = {0};
	struct weir_api_export *export = weir_calloc(1, sizeof(*export));
	request->export = export; /* freed with the request */
	export->job.run = export_run;
	export->api = request->api;
	export->connection = request->connection;
	export->peer = request->peer;
	if (!weir_api_card_query(request, &export->query) || !columns_take(request, worker, &export->csv) ||
	    !name_take(request, export) || !export_admit(request, export))
		return;
	weir_csv_header(&export->csv, &export->lines);
	enum weir_read code = page_next(export, worker, &err);
	if (code != WEIR_READ_OK)
		(void)weir_api_read_failed(request, worker, code, &err);
	else
		request->status = 200;
}
