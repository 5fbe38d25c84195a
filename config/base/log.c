/* The log sink; see log.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/log_priv.h"

#define MESSAGE_MAX_BYTES 2048
#define LINES_A_SECOND 5

/* Relaxed: all are set before threads start; later changes need no order with anything else. */
static _Atomic int sink_fd = STDERR_FILENO;
static _Atomic int sink_level = WEIR_LOG_INFO;
static _Atomic int sink_format = WEIR_LOG_LOGFMT;
/* Relaxed: figures by themselves. */
static _Atomic uint64_t lines_written[WEIR_LOG_LEVELS], lines_suppressed;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};
static const char *const FORMAT_NAMES[] = {"logfmt", "json"};

bool
weir_log_level_parse(const char *text, enum weir_log_level *level_out)
{
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(text, LEVEL_NAMES[i]) == 0) {
			*level_out = (enum weir_log_level)i;
			return true;
		}
	return false;
}

const char *
weir_log_level_name(enum weir_log_level level)
{
	return LEVEL_NAMES[level];
}

bool
weir_log_format_parse(const char *text, enum weir_log_format *format_out)
{
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(text, FORMAT_NAMES[i]) == 0) {
			*format_out = (enum weir_log_format)i;
			return true;
		}
	return false;
}

void
weir_log_format_set(enum weir_log_format format)
{
	atomic_store_explicit(&sink_format, (int)format, memory_order_relaxed);
}

void
weir_log_counters_get(struct weir_log_counters *counters_out)
{
	for (unsigned i = 0; i < WEIR_LOG_LEVELS; i++)
		counters_out->lines[i] = atomic_load_explicit(&lines_written[i], memory_order_relaxed);
	counters_out->suppressed = atomic_load_explicit(&lines_suppressed, memory_order_relaxed);
}

void
weir_log_close(void)
{
	int fd = atomic_exchange_explicit(&sink_fd, STDERR_FILENO, memory_order_relaxed);
	if (fd != STDERR_FILENO)
		(void)close(fd);
}

enum weir_class
weir_log_open(enum weir_log_level level, const char *path, struct weir_error *err)
{
	int fd = STDERR_FILENO;
	if (path != NULL && path[0] != '\0')
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return weir_error_set(err, WEIR_FATAL, "%.300s: cannot be opened for logging: %s", path, strerror(errno));
	weir_log_close();
	atomic_store_explicit(&sink_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(&sink_fd, fd, memory_order_relaxed);
	return WEIR_OK;
}

bool
weir_log_enabled(enum weir_log_level level)
{
	return (int)level >= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

static void __attribute__((format(printf, 4, 0)))
write_line(enum weir_log_level level, const char *event, uint64_t suppressed, const char *fmt, va_list args)
{
	struct weir_log_line line;
	char message[MESSAGE_MAX_BYTES];
	int errno_kept = errno;
	(void)vsnprintf(message, sizeof(message), fmt, args);
	weir_log_line_write(&line, (enum weir_log_format)atomic_load_explicit(&sink_format, memory_order_relaxed),
	    weir_wall_now().us, level, event, message, suppressed);
	ssize_t written = write(atomic_load_explicit(&sink_fd, memory_order_relaxed), line.text, line.len);
	(void)written; /* a log that cannot be written must not stop the work */
	atomic_fetch_add_explicit(&lines_written[level], 1, memory_order_relaxed);
	errno = errno_kept;
}

void
weir_log(enum weir_log_level level, const char *event, const char *fmt, ...)
{
	if (!weir_log_enabled(level))
		return;
	va_list args;
	va_start(args, fmt);
	write_line(level, event, 0, fmt, args);
	va_end(args);
}

bool
weir_log_site_admit(struct weir_log_site *site, int64_t now_ms, uint64_t *suppressed_out)
{
	uint64_t second = (uint64_t)now_ms / 1000 + 1; /* never the zero of a fresh site */
	*suppressed_out = 0;
	/* Relaxed: counts only, nothing is published through them. */
	uint64_t window = atomic_load_explicit(&site->window, memory_order_relaxed);
	for (;;) {
		bool begins = window >> 8 < second; /* a thread with an older clock reading joins the newer second */
		if (!begins && (window & 255) >= LINES_A_SECOND) {
			atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
			atomic_fetch_add_explicit(&lines_suppressed, 1, memory_order_relaxed);
			return false;
		}
		uint64_t next = begins ? second << 8 | 1 : window + 1;
		if (!atomic_compare_exchange_weak_explicit(
			&site->window, &window, next, memory_order_relaxed, memory_order_relaxed))
			continue;
		if (begins)
			*suppressed_out = atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
		return true;
	}
}

void
weir_log_limited(struct weir_log_site *site, enum weir_log_level level, const char *event, const char *fmt, ...)
{
	uint64_t suppressed;
	if (!weir_log_enabled(level))
		return;
	if (!weir_log_site_admit(site, weir_steady_now().us / 1000, &suppressed))
		return;
	va_list args;
	va_start(args, fmt);
	write_line(level, event, suppressed, fmt, args);
	va_end(args);
}
