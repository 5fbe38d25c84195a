/* The live view; see view.h. */
#include "pipeline/demo/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EVENTS 14
#define LINE_US 1000000

void
weir_demo_view_begin(struct weir_demo_view *view, bool screen, int64_t steady_us)
{
	*view = (struct weir_demo_view){.screen = screen, .begin_us = steady_us, .last_us = steady_us};
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
rate_update(struct weir_demo_view *view, const struct weir_run_counters *c, int64_t steady_us)
{
	int64_t gone_us = steady_us - view->last_us;
	if (gone_us < LINE_US)
		return;
	view->records_per_s = (c->records - view->last_records) * 1000000 / (uint64_t)gone_us;
	view->last_records = c->records;
	view->last_us = steady_us;
}

#define END "\033[K\n"

static void
events_draw(struct weir_run *run)
{
	struct weir_run_event events[EVENTS];
	uint32_t count = weir_run_events(run, events, EVENTS);
	(void)printf(
	    END "  time      card or pool          carrier   what       action   reason           over limit by" END);
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_run_event *e = &events[i];
		time_t seconds = (time_t)(e->at_us / 1000000);
		struct tm parts;
		char clock[16];
		(void)localtime_r(&seconds, &parts);
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
		const char *what = !e->is_pool ? e->what : strcmp(e->action, "suspend") == 0 ? "CUT OFF" : "RESUMED";
		(void)printf(
		    "  %s  %-20s  %-9s %-10s %-8s %-16s ", clock, e->subject, e->carrier, what, e->action, e->reason);
		if (e->overshoot_bytes > 0)
			(void)printf("%" PRIu64 " bytes" END, e->overshoot_bytes);
		else
			(void)printf("-" END);
	}
	(void)fputs("\033[J", stdout);
}

static void
screen_draw(const struct weir_demo_view *view, struct weir_run *run, const struct weir_run_counters *c,
    const struct weir_demo_totals *sent, int64_t steady_us)
{
	(void)printf("\033[H  weir demo   %" PRId64 " s   (Ctrl-C ends it and compares all counters)" END END,
	    (steady_us - view->begin_us) / 1000000);
	(void)printf("  records   %12" PRIu64 "   %8" PRIu64 " a second   lag %" PRId64 " messages" END, c->records,
	    view->records_per_s, c->lag_messages);
	(void)printf("  counted   %12" PRIu64 "   duplicates %" PRIu64 "   late hours %" PRIu64
		     "   dead letters %" PRIu64 END,
	    c->counted, c->duplicates, sent->late, rejected_sum(c));
	(void)printf("  cards     %12" PRIu64 "   suspends %" PRIu64 "   resumes %" PRIu64
		     "   confirmed by the carrier %" PRIu64 END,
	    c->cards, c->suspends, c->resumes, c->commands_confirmed);
	(void)printf("  pools     %12" PRIu64 "   partials %" PRIu64 "   words %" PRIu64 "   members walked %" PRIu64
		     "   alerts %" PRIu64 END,
	    c->pools, c->partials_told, c->words_told, c->walked, c->alerts);
	(void)printf("  record in Kafka -> command at the carrier   p50 %.1f ms   p99 %.1f ms" END,
	    (double)weir_latency_quantile(c->command_latency, 0.5) / 1000.0,
	    (double)weir_latency_quantile(c->command_latency, 0.99) / 1000.0);
	(void)printf("  flushes   %12" PRIu64 "   to Redis %" PRIu64 " MB   memory %" PRIu64 " MB" END, c->flushes,
	    c->flush_bytes / 1000000, c->memory_bytes / 1000000);
	events_draw(run);
	(void)fflush(stdout);
}

void
weir_demo_view_draw(
    struct weir_demo_view *view, struct weir_run *run, const struct weir_demo_traffic *traffic, int64_t steady_us)
{
	struct weir_run_counters c;
	struct weir_demo_totals sent = {0};
	bool line_due = steady_us - view->last_us >= LINE_US;
	weir_run_counters_get(run, &c);
	weir_demo_traffic_totals(traffic, &sent);
	rate_update(view, &c, steady_us);
	if (view->screen) {
		screen_draw(view, run, &c, &sent, steady_us);
	} else if (line_due) {
		(void)printf("%3" PRId64 " s  %" PRIu64 " records, %" PRIu64 " a second, lag %" PRId64 "; %" PRIu64
			     " suspends, %" PRIu64 " resumes, %" PRIu64 " confirmed\n",
		    (steady_us - view->begin_us) / 1000000, c.records, view->records_per_s, c.lag_messages, c.suspends,
		    c.resumes, c.commands_confirmed);
		(void)fflush(stdout);
	}
}
