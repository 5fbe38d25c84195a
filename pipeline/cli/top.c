/*
 * `weir top`: the fleet on one screen, live: what comes in and how far behind, cards by status and reason, the pools
 * nearest to their limit, the newest commands. Fits 80 columns and 24 lines; larger terminals show more lines. q ends it.
 *
 * The screen is drawn as a whole into a buffer and written at once, each line cleared to its end, so that it does not
 * flicker. The terminal is given back as it was, also after a signal.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "config/base/amounts.h"
#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/base/signals.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/table.h"
#include "pipeline/cli/top.h"

#define REASONS_SHOWN 6
#define POOLS_SHOWN 5
#define WIDTH_MAX 200

static const struct weir_usage usage = {
    .command = "top",
    .arguments = "",
    .text = "Shows the fleet live: messages a second and lag, cards by status and reason, the pools nearest to their "
	    "limit, the\n"
	    "newest commands. q ends it, any other key looks again. With --once it looks once (for a second, to know the\n"
	    "rate) and prints; with --json that as one JSON object.\n",
};

/* ---- the screen ---- */

struct screen {
	struct weir_buf buf;
	uint32_t columns, lines, used;
	bool is_terminal;
};

static void
size_of(struct screen *screen)
{
	struct winsize size;
	screen->columns = screen->is_terminal ? 80 : WIDTH_MAX;
	screen->lines = 24;
	if (screen->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 && size.ws_row >= 5) {
		screen->columns = size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
		screen->lines = size.ws_row;
	}
}

/* One line, cut at the screen's width. */
static void __attribute__((format(printf, 2, 3))) draw(struct screen *screen, const char *fmt, ...)
{
	char text[WIDTH_MAX * 4];
	va_list args;
	if (screen->is_terminal && screen->used + 1 >= screen->lines)
		return; /* the last line stays empty, so that nothing scrolls */
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	size_t len = strlen(text);
	while (len > 0 && weir_text_width(text) > screen->columns)
		do
			text[--len] = '\0';
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80);
	weir_buf_append(&screen->buf, text, len);
	weir_buf_printf(&screen->buf, "%s\n", screen->is_terminal ? "\x1b[K" : "");
	screen->used++;
}

static void
heading(struct screen *screen, const char *fmt, const char *text)
{
	if (screen->is_terminal && screen->used + 1 < screen->lines)
		weir_buf_printf(&screen->buf, "\x1b[1m");
	draw(screen, fmt, text);
	if (screen->is_terminal)
		weir_buf_printf(&screen->buf, "\x1b[0m");
}

static void
show_screen(struct screen *screen)
{
	if (screen->is_terminal)
		weir_buf_printf(&screen->buf, "\x1b[J");
	(void)fwrite(screen->buf.data, 1, screen->buf.len, stdout);
	(void)fflush(stdout);
	screen->buf.len = 0;
}

/* ---- what is on it ---- */

static const char *
share_text(uint64_t part, uint64_t of, char out[16])
{
	(void)snprintf(out, 16, "%.1f %%", of == 0 ? 0.0 : 100.0 * (double)part / (double)of);
	return out;
}

static void
draw_head(struct screen *screen, const struct weir_reading *reading, const struct weir_top_data *data)
{
	const struct weir_fleet_view *fleet = data->fleet;
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], c[WEIR_AMOUNT_TEXT_MAX], rate[32] = "-", lag[64] = "-";
	int64_t now_us = weir_wall_now().us, behind_us = fleet->stream_time_us != 0 ? now_us - fleet->stream_time_us : 0;
	if (data->has_rate)
		(void)snprintf(rate, sizeof(rate), "%s/s", weir_count_text((uint64_t)(data->messages_per_s + 0.5), a));
	if (data->has_lag)
		(void)snprintf(lag, sizeof(lag), "%s", weir_count_text((uint64_t)data->lag, a));
	else if (data->kafka_says[0] != '\0')
		(void)snprintf(lag, sizeof(lag), "not known: %.48s", data->kafka_says);
	draw(screen, "weir top  %s  %s  %u partitions of %u owners%s", weir_instant_text(now_us, a),
	    reading->settings->redis_prefix, fleet->partitions, data->owners, screen->is_terminal ? "  (q ends)" : "");
	draw(screen, "in     %s messages, %s  lag %s  furthest %.1f s back", weir_count_text(fleet->records_read, b), rate,
	    lag, behind_us > 0 ? (double)behind_us / 1e6 : 0.0);
	draw(screen, "fleet  %s cards, %s pools, %s used in current cycles", weir_count_text(fleet->cards, a),
	    weir_count_text(fleet->pools, b), weir_amount_text(fleet->used, c));
	draw(screen, "%s", "");
}

/* Reasons by how many cards have them. */
static uint32_t
sort_reasons(const struct weir_fleet_view *fleet, uint8_t order[WEIR_REASON_COUNT])
{
	uint32_t count = 0;
	for (uint8_t i = 0; i < WEIR_REASON_COUNT; i++) {
		uint32_t at = count++;
		for (; at > 0 && fleet->by_reason[order[at - 1]] < fleet->by_reason[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return count;
}

static void
draw_counts(struct screen *screen, const struct weir_fleet_view *fleet)
{
	uint8_t order[WEIR_REASON_COUNT];
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], share[16], left[64], title[64] = "";
	(void)sort_reasons(fleet, order);
	if (fleet->as_of_us == 0)
		(void)snprintf(title, sizeof(title), "  (counting: %s so far)", weir_count_text(fleet->done, a));
	heading(screen, "status               cards    share    reason                    cards%s", title);
	for (uint32_t i = 0; i < REASONS_SHOWN; i++) {
		(void)snprintf(left, sizeof(left), "%-13s %12s %8s", weir_status_name((enum weir_card_status)i),
		    weir_count_text(fleet->by_status[i], a), share_text(fleet->by_status[i], fleet->done, share));
		draw(screen, "%s    %-18s %12s", left, weir_reason_name(order[i]),
		    weir_count_text(fleet->by_reason[order[i]], b));
	}
	draw(screen, "%s", "");
}

static void
draw_pools(struct screen *screen, const struct weir_fleet_view *fleet)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], share[16];
	heading(screen, "%s", "pool                      kind         status           used      limit    share");
	for (uint32_t i = 0; i < POOLS_SHOWN; i++) {
		const struct weir_near_pool *pool = &fleet->nearest[i];
		static const char *const statuses[] = {"in_use", "suspended", "disabled"};
		if (i < fleet->nearest_count)
			draw(screen, "%-25.25s %-12s %-10s %10s %10s %8s", pool->id, weir_plan_kind_name(pool->kind),
			    statuses[pool->status], weir_amount_text(pool->used, a), weir_amount_text(pool->limit, b),
			    share_text(pool->used, pool->limit, share));
		else if (i == 0)
			draw(screen, "%s", "no pool has a limit");
	}
	draw(screen, "%s", "");
}

static void
draw_commands(struct screen *screen, const struct weir_top_data *data)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX];
	heading(screen, "%s", "at        card or pool          event     action  reason            over by");
	for (uint32_t i = 0; i < data->command_count; i++) {
		const struct weir_top_command *c = &data->commands[i];
		(void)weir_instant_text(c->at_us, a);
		draw(screen, "%.8s  %-21.21s %-9.9s %-7.7s %-15.15s %9s", a + 11, c->subject, c->event, c->action,
		    c->reason, c->overshoot == 0 ? "-" : weir_amount_text(c->overshoot, b));
	}
	if (data->command_count == 0)
		draw(screen, "%s", data->has_lag ? "none yet" : "not known without Kafka");
}

static void
draw_all(struct screen *screen, const struct weir_reading *reading, const struct weir_top_data *data)
{
	size_of(screen);
	screen->used = 0;
	if (screen->is_terminal)
		weir_buf_printf(&screen->buf, "\x1b[H");
	draw_head(screen, reading, data);
	draw_counts(screen, data->fleet);
	draw_pools(screen, data->fleet);
	draw_commands(screen, data);
	show_screen(screen);
}

/* ---- JSON ---- */

static void
print_json(const struct weir_top_data *data)
{
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_time(&json, "at", weir_wall_now().us);
	weir_print_fleet(&json, "fleet", data->fleet);
	weir_json_u64(&json, "owners", data->owners);
	if (data->has_rate)
		weir_json_u64(&json, "messages_per_second", (uint64_t)(data->messages_per_s + 0.5));
	else
		weir_json_null(&json, "messages_per_second");
	if (data->has_lag)
		weir_json_i64(&json, "lag_messages", data->lag);
	else
		weir_json_null(&json, "lag_messages");
	weir_json_text_or_null(&json, "kafka", data->kafka_says);
	weir_json_open(&json, "commands", '[');
	for (uint32_t i = 0; i < data->command_count; i++) {
		const struct weir_top_command *c = &data->commands[i];
		weir_json_open(&json, NULL, '{');
		weir_json_time(&json, "at", c->at_us);
		weir_json_text(&json, "subject", c->subject);
		weir_json_text(&json, "event", c->event);
		weir_json_text_or_null(&json, "action", c->action);
		weir_json_text_or_null(&json, "reason", c->reason);
		weir_json_text_or_null(&json, "carrier", c->carrier);
		weir_json_u64(&json, "overshoot_bytes", c->overshoot);
		weir_json_close(&json, '}');
	}
	weir_json_close(&json, ']');
	weir_json_close(&json, '}');
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
}

/* ---- the two ways ---- */

/* The first look may not have counted all cards yet: it is gone on with. The second one is a second later, for the rate. */
static int
show_once(struct weir_reading *reading, struct weir_top_source *source, bool as_json)
{
	struct weir_top_data data;
	struct weir_error err = {0};
	struct weir_steady started = weir_steady_now();
	enum weir_read answer = weir_top_sample(source, &data, &err);
	while (answer == WEIR_READ_OK && (data.fleet->as_of_us == 0 || weir_steady_since_us(started) < 1100000)) {
		(void)usleep(data.fleet->as_of_us == 0 ? 1000 : 1100000);
		answer = weir_top_sample(source, &data, &err);
	}
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	struct screen screen = {0};
	if (as_json)
		print_json(&data);
	else
		draw_all(&screen, reading, &data);
	weir_buf_free(&screen.buf);
	return WEIR_EXIT_OK;
}

/* What was typed within the time; 0: nothing, or a signal that only asks to look again. -1: end. */
static int
wait_key(struct weir_steady until)
{
	for (;;) {
		char key;
		int64_t left_ms = weir_steady_left_us(until) / 1000;
		if (left_ms <= 0)
			return 0;
		if (weir_signal_wait(0) != 0)
			return -1;
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		int ready = poll(&input, 1, left_ms < 100 ? (int)left_ms : 100);
		if (ready > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3))
			return -1;
		if (ready > 0)
			return key;
	}
}

static enum weir_read
watch(struct weir_reading *reading, struct weir_top_source *source, uint64_t interval_ms, struct weir_error *err)
{
	struct screen screen = {.is_terminal = true};
	enum weir_read answer = WEIR_READ_OK;
	(void)fputs("\x1b[?1049h\x1b[?25l", stdout); /* another screen, no cursor */
	for (;;) {
		struct weir_top_data data;
		struct weir_steady next = weir_steady_in_ms((int64_t)interval_ms);
		answer = weir_top_sample(source, &data, err);
		if (answer == WEIR_READ_AWAY) { /* comes back perhaps */
			size_of(&screen);
			screen.used = 0;
			weir_buf_printf(&screen.buf, "\x1b[H");
			draw(&screen, "%s", err->text);
			show_screen(&screen);
		} else if (answer != WEIR_READ_OK) {
			break;
		} else {
			draw_all(&screen, reading, &data);
		}
		if (wait_key(next) < 0) {
			answer = WEIR_READ_OK;
			break;
		}
	}
	(void)fputs("\x1b[?25h\x1b[?1049l", stdout);
	(void)fflush(stdout);
	weir_buf_free(&screen.buf);
	return answer;
}

static int
show_live(struct weir_reading *reading, struct weir_top_source *source, uint64_t interval_ms)
{
	struct termios before, raw;
	struct weir_error err = {0};
	if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &before) != 0) {
		(void)weir_error_set(&err, WEIR_POISON, "this is no terminal; --once prints one look");
		return weir_exit_fail("top", WEIR_EXIT_USAGE, &err);
	}
	raw = before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	enum weir_read answer = watch(reading, source, interval_ms, &err);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return answer == WEIR_READ_OK ? WEIR_EXIT_OK : weir_reading_fail(reading, answer, &err);
}

int
weir_cli_top(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	bool is_once = false, as_json = false;
	uint64_t interval_ms = 1000;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "once", .help = "look once and print", .flag = &is_once},
	    {.name = "json", .help = "with --once: one JSON object", .flag = &as_json},
	    {.name = "interval", .placeholder = "TIME", .help = "between two looks (1s)", .duration_ms = &interval_ms},
	    {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (as_json && !is_once)
		(void)weir_error_set(&err, WEIR_POISON, "--json goes with --once");
	else if (interval_ms < 100 || interval_ms > 3600000)
		(void)weir_error_set(&err, WEIR_POISON, "--interval: must be from 100ms to 1h");
	if (err.class != WEIR_OK)
		return weir_exit_fail("top", WEIR_EXIT_USAGE, &err);
	weir_signal_block(); /* librdkafka's threads are started after it */
	struct weir_reading reading;
	code = weir_reading_open(&reading, "top", &common);
	if (code == WEIR_EXIT_OK) {
		struct weir_top_source *source = weir_top_open(&reading);
		code = is_once ? show_once(&reading, source, as_json) : show_live(&reading, source, interval_ms);
		weir_top_close(source);
	}
	weir_reading_close(&reading);
	return code;
}
