/* The log sink; see log.h. */
#include "config/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define MESSAGE_MAX_BYTES 2048
#define LINES_A_SECOND 5

/* Relaxed: both are set before threads start; later changes need no order with anything else. */
static _Atomic int sink_fd = STDERR_FILENO;
static _Atomic int sink_level = WEIR_LOG_INFO;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

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

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void
line_put(struct line *line, char c)
{
	if (line->len < sizeof(line->text) - 2) /* room for the closing quote and newline */
		line->text[line->len++] = c;
}

static void
line_put_text(struct line *line, const char *text)
{
	while (*text != '\0')
		line_put(line, *text++);
}

/* Quotes, backslashes and control characters are escaped: whatever a message holds, it is one line. */
static void
line_put_escaped(struct line *line, const char *text)
{
	static const char HEX[] = "0123456789abcdef";
	for (; *text != '\0' && line->len < sizeof(line->text) - 8; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			line_put(line, '\\');
			line_put(line, *text);
		} else if (c == '\n') {
			line_put_text(line, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			line_put_text(line, "\\x");
			line_put(line, HEX[c >> 4]);
			line_put(line, HEX[c & 15]);
		} else {
			line_put(line, *text);
		}
	}
}

static void
line_begin(struct line *line, enum weir_log_level level, const char *event)
{
	struct timespec now;
	struct tm utc;
	char head[96];
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(head, sizeof(head), "ts=%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(
	    head + len, sizeof(head) - len, ".%03dZ level=%s event=", (int)(now.tv_nsec / 1000000), LEVEL_NAMES[level]);
	line_put_text(line, head);
	line_put_text(line, event);
}

static void __attribute__((format(printf, 4, 0)))
write_line(enum weir_log_level level, const char *event, uint64_t suppressed, const char *fmt, va_list args)
{
	struct line line;
	char message[MESSAGE_MAX_BYTES];
	int errno_kept = errno;
	line.len = 0;
	line_begin(&line, level, event);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	if (message[0] != '\0') {
		line_put_text(&line, " msg=\"");
		line_put_escaped(&line, message);
		line.text[line.len++] = '"';
	}
	if (suppressed > 0) {
		(void)snprintf(message, sizeof(message), " suppressed=%" PRIu64, suppressed);
		line_put_text(&line, message);
	}
	line.text[line.len++] = '\n';
	ssize_t written = write(atomic_load_explicit(&sink_fd, memory_order_relaxed), line.text, line.len);
	(void)written; /* a log that cannot be written must not stop the work */
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
	struct timespec now;
	uint64_t suppressed;
	if (!weir_log_enabled(level))
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (!weir_log_site_admit(site, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, &suppressed))
		return;
	va_list args;
	va_start(args, fmt);
	write_line(level, event, suppressed, fmt, args);
	va_end(args);
}
