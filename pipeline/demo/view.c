/* The live view; see view.h. */
#include "pipeline/demo/view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "config/base/amounts.h"

#define EVENTS 40
#define LINE_US 1000000

void
weir_demo_view_begin(struct weir_demo_view *view, bool screen, const struct weir_demo_views *views, struct weir_steady now)
{
	*view = (struct weir_demo_view){.screen = screen, .views = views, .begin = now, .last = now};
	if (screen)
		(void)fputs("\033[2J", stdout);
}

static uint64_t
rejected_sum(const struct weir_run_counters *c)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		sum += c->rejected[i];
	return sum;
}

static void
rate_update(struct weir_demo_view *view, const struct weir_run_counters *c, struct weir_steady now)
{
	int64_t gone_us = now.us - view->last.us;
	if (gone_us < LINE_US)
		return;
	view->records_per_s = (c->records - view->last_records) * 1000000 / (uint64_t)gone_us;
	view->last_records = c->records;
	view->last = now;
}

static void
size_view(struct weir_demo_view *view)
{
	struct winsize size;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 && size.ws_row >= 5;
	view->columns = known ? size.ws_col : 80;
	view->lines = known ? size.ws_row : 24;
	view->used = 0;
}

/* A line, cut at the terminal's width; none where it would scroll. */
static void __attribute__((format(printf, 2, 3))) line(struct weir_demo_view *view, const char *fmt, ...)
{
	char text[512];
	va_list args;
	if (view->used + 1 >= view->lines)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)printf("%.*s\033[K\n", (int)view->columns, text);
	view->used++;
}

static void
events_draw(struct weir_demo_view *view, struct weir_run *run)
{
	struct weir_run_event events[EVENTS];
	uint32_t count = weir_run_events(run, events, EVENTS);
	line(view, "  time     card or pool         what      action  reason          over by");
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_run_event *e = &events[i];
		time_t seconds = (time_t)(e->at_us / 1000000);
		struct tm parts;
		char clock[16], over[WEIR_AMOUNT_TEXT_MAX] = "-";
		(void)localtime_r(&seconds, &parts);
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
		const char *what = !e->is_pool ? e->what : strcmp(e->action, "suspend") == 0 ? "CUT OFF" : "RESUMED";
		if (e->overshoot_bytes > 0)
			(void)weir_amount_text(e->overshoot_bytes, over);
		line(view, "  %s %-20s %-9s %-7s %-15s %s", clock, e->subject, what, e->action, e->reason, over);
	}
}

static void
screen_draw(struct weir_demo_view *view, struct weir_run *run, const struct weir_run_counters *c,
    const struct weir_demo_totals *sent, struct weir_steady now)
{
	size_view(view);
	(void)fputs("\033[H", stdout);
	line(view, "  weir demo   %" PRId64 " s   (Ctrl-C ends it and compares all counters)",
	    (now.us - view->begin.us) / 1000000);
	for (uint32_t i = 0; i < WEIR_DEMO_LINES; i++)
		line(view, "  %s", view->views->lines[i]);
	line(view, " ");
	line(view, "  records   %10" PRIu64 "  %7" PRIu64 " a second  lag %" PRId64 " messages", c->records,
	    view->records_per_s, c->lag_messages);
	line(view, "  counted   %10" PRIu64 "  duplicates %" PRIu64 "  late hours %" PRIu64 "  dead letters %" PRIu64,
	    c->counted, c->duplicates, sent->late, rejected_sum(c));
	line(view, "  cards     %10" PRIu64 "  suspends %" PRIu64 "  resumes %" PRIu64 "  confirmed %" PRIu64, c->cards,
	    c->suspends, c->resumes, c->commands_confirmed);
	line(view, "  pools     %10" PRIu64 "  updates %" PRIu64 "  members scanned %" PRIu64 "  alerts %" PRIu64, c->pools,
	    c->pool_states_published, c->members_scanned, c->alerts);
	line(view, "  feeds     %10" PRIu64 "  rows of hours and days, %" PRIu64 " for late records", weir_run_feed_rows(c),
	    c->rows_again);
	line(view, "  record in Kafka to command at the carrier: p50 %.1f ms, p99 %.1f ms",
	    (double)weir_latency_quantile(c->command_latency, 0.5) / 1000.0,
	    (double)weir_latency_quantile(c->command_latency, 0.99) / 1000.0);
	line(view, "  to Redis  %7" PRIu64 " MB  in %" PRIu64 " flushes  memory %" PRIu64 " MB", c->flush_bytes / 1000000,
	    c->flushes, c->memory_bytes / 1000000);
	line(view, " ");
	events_draw(view, run);
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
}

void
weir_demo_view_draw(
    struct weir_demo_view *view, struct weir_run *run, const struct weir_demo_traffic *traffic, struct weir_steady now)
{
	struct weir_run_counters c;
	struct weir_demo_totals sent = {0};
	bool line_due = now.us - view->last.us >= LINE_US;
	weir_run_counters_get(run, &c);
	weir_demo_traffic_totals(traffic, &sent);
	rate_update(view, &c, now);
	if (view->screen) {
		screen_draw(view, run, &c, &sent, now);
	} else if (line_due) {
		(void)printf("%3" PRId64 " s  %" PRIu64 " records, %" PRIu64 " a second, lag %" PRId64 "; %" PRIu64
			     " suspends, %" PRIu64 " resumes, %" PRIu64 " confirmed\n",
		    (now.us - view->begin.us) / 1000000, c.records, view->records_per_s, c.lag_messages, c.suspends,
		    c.resumes, c.commands_confirmed);
		(void)fflush(stdout);
	}
}
