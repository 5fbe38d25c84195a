/*
 * Structured logging in logfmt: `ts=2026-03-30T05:08:16.894Z level=info event=flush_retry partition=3 msg="…"`, or as JSON
 * objects with the same members.
 *
 * `event` is a stable word that people search and alert on; `msg` is for reading. Words name=value at a message's start
 * become fields (log_line.c); whatever concerns a record begins with its topic, partition and offset. Secrets never come
 * here: errors are made without them. A line is one write(2), so lines of
 * several threads and processes do not mix, and no lock is held. Nothing is logged per record: whatever may happen often
 * goes through WEIR_LOG_LIMITED. The sink (level and descriptor) is the one global state of the program, since passing it
 * to each place that may have something to say would put it into every signature. A full disk or closed pipe loses log
 * lines only.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"

enum weir_log_level { WEIR_LOG_DEBUG, WEIR_LOG_INFO, WEIR_LOG_WARN, WEIR_LOG_ERROR };
#define WEIR_LOG_LEVELS 4
enum weir_log_format { WEIR_LOG_LOGFMT, WEIR_LOG_JSON };

/* "debug", "info", "warn", "error". False for anything else. */
bool weir_log_level_parse(const char *text, enum weir_log_level *level_out);
const char *weir_log_level_name(enum weir_log_level level);
/* "logfmt", "json". False for anything else. */
bool weir_log_format_parse(const char *text, enum weir_log_format *format_out);
/* Format of all later lines; logfmt until then. Main thread, before others start. */
void weir_log_format_set(enum weir_log_format format);

/* Lines since the start of the process, and those that a place's limit held back. */
struct weir_log_counters {
	uint64_t lines[WEIR_LOG_LEVELS];
	uint64_t suppressed;
};
void weir_log_counters_get(struct weir_log_counters *counters_out); /* any thread */

/* Sets level and file (empty or NULL = standard error; appended to). Main thread, before others start; until then info,
 * stderr. */
enum weir_class weir_log_open(enum weir_log_level level, const char *path, struct weir_error *err);
/* Back to standard error. Main thread, after others stopped. */
void weir_log_close(void);
bool weir_log_enabled(enum weir_log_level level);

/* Writes one line; longer ones are cut at 4 KiB. Any thread. */
void weir_log(enum weir_log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* State of one call site: at most 5 lines in a second of the monotonic clock; the rest are counted. */
struct weir_log_site {
	_Atomic uint64_t window; /* second << 8 | lines in it */
	_Atomic uint64_t suppressed;
};

/*
 * Whether the site may log at now_ms. When a second begins, *suppressed_out is the number of lines held back before it, to
 * be said once. Any thread.
 */
bool weir_log_site_admit(struct weir_log_site *site, int64_t now_ms, uint64_t *suppressed_out);
void weir_log_limited(struct weir_log_site *site, enum weir_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Like weir_log, at most 5 lines a second from this place; the next line after that carries suppressed=N. */
#define WEIR_LOG_LIMITED(level, event, ...)                                                                                \
	do {                                                                                                               \
		static struct weir_log_site weir_log_site_here;                                                            \
		weir_log_limited(&weir_log_site_here, level, event, __VA_ARGS__);                                          \
	} while (0)

#endif
