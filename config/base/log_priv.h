/* Inside of logging: how a line is written. */
#ifndef WEIR_BASE_LOG_PRIV_H
#define WEIR_BASE_LOG_PRIV_H

#include "config/base/log.h"

#define WEIR_LOG_LINE_MAX 4096

struct weir_log_line {
	char text[WEIR_LOG_LINE_MAX];
	size_t len;
};

/*
 * Writes one line with its newline. at_us: microseconds UTC. Words at the message's start of the form name=value become
 * fields of the line; the rest is its `msg`. suppressed 0 is not shown. Any thread; touches nothing but `line`.
 */
void weir_log_line_write(struct weir_log_line *line, enum weir_log_format format, int64_t at_us, enum weir_log_level level,
    const char *event, const char *message, uint64_t suppressed);

#endif
