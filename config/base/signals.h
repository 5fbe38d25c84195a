/*
 * The signals that end or reload a program, as something to wait for.
 *
 * A program blocks SIGINT, SIGTERM and SIGHUP before it starts threads; its main thread then takes them one by one.
 * Rejected: a handler that sets a global flag.
 */
#ifndef WEIR_BASE_SIGNALS_H
#define WEIR_BASE_SIGNALS_H

#include <stdint.h>

/* Blocks the three signals in this thread and in every thread that it starts afterwards. */
void weir_signal_block(void);
/* Unblocks them: a child process calls this between fork and exec. */
void weir_signal_unblock(void);
/* Waits up to timeout_ms for one of them; returns its number, or 0 when none came. */
int weir_signal_wait(uint64_t timeout_ms);

#endif
