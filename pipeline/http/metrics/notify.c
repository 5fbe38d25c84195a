/* What weir reports to systemd; see notify.h. */
#include "pipeline/http/metrics/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A whole number of the environment; 0 when it is none. */
static int64_t
environment_number(const char *name)
{
	const char *text = getenv(name);
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	char *end;
	long long value = strtoll(text, &end, 10);
	return *end == '\0' ? value : 0;
}

void
weir_notify_open(struct weir_notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int64_t pid = environment_number("WATCHDOG_PID");
	*notify = (struct weir_notify){.fd = -1};
	bool usable = path != NULL && (path[0] == '/' || path[0] == '@') && path[1] != '\0';
	if (!usable || strlen(path) >= sizeof(notify->socket))
		return;
	(void)strcpy(notify->socket, path);
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (pid == 0 || pid == (int64_t)getpid())
		notify->watchdog_us = environment_number("WATCHDOG_USEC");
}

void
weir_notify_close(struct weir_notify *notify)
{
	if (notify->fd >= 0)
		(void)close(notify->fd);
	notify->fd = -1;
}

void
weir_notify_say(const struct weir_notify *notify, const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(notify->socket);
	if (notify->fd < 0)
		return;
	memcpy(to.sun_path, notify->socket, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract: the name is as long as it is, without an end */
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	ssize_t sent =
	    sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to, size);
	(void)sent; /* a manager that does not listen must not stop the work */
}

void
weir_notify_status(struct weir_notify *notify, const char *status)
{
	char text[sizeof(notify->status) + 8];
	if (notify->fd < 0 || strncmp(status, notify->status, sizeof(notify->status) - 1) == 0)
		return;
	(void)snprintf(notify->status, sizeof(notify->status), "%s", status);
	(void)snprintf(text, sizeof(text), "STATUS=%s", notify->status);
	weir_notify_say(notify, text);
}

bool
weir_notify_watchdog(struct weir_notify *notify, bool live, struct weir_steady now)
{
	bool due = notify->said.us == 0 || now.us - notify->said.us >= notify->watchdog_us / 3;
	if (notify->fd < 0 || notify->watchdog_us <= 0 || !live || !due)
		return false;
	notify->said = now;
	weir_notify_say(notify, "WATCHDOG=1");
	return true;
}
