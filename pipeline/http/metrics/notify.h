/*
 * What weir reports to systemd: datagrams of NAME=value lines on the socket that it names in the environment
 * (sd_notify(3)). The protocol is a few lines, so libsystemd is not needed. Without that socket all of this does nothing.
 */
#ifndef WEIR_PIPELINE_NOTIFY_H
#define WEIR_PIPELINE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/clock.h"

struct weir_notify {
	int fd;                  /* -1 = nobody listens */
	char socket[108];        /* path; abstract when it begins with '@' */
	int64_t watchdog_us;     /* how often "I live" must be said; 0 = not asked for */
	struct weir_steady said; /* the last time */
	char status[128];        /* last said */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Main thread. */
void weir_notify_open(struct weir_notify *notify);
void weir_notify_close(struct weir_notify *notify);
/* One datagram, such as "READY=1". Never waits. */
void weir_notify_say(const struct weir_notify *notify, const char *text);
/* The line that `systemctl status` shows; said when it changes. */
void weir_notify_status(struct weir_notify *notify, const char *status);
/* "WATCHDOG=1" three times in the time asked for, only while `live`. True when it was said. */
bool weir_notify_watchdog(struct weir_notify *notify, bool live, struct weir_steady now);

#endif
