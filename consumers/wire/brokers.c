/* Bootstrap brokers; see brokers.h. */
#include "consumers/wire/brokers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumers/wire/security.h"

#define PORT 9092

/* Takes the port off the host's text, and the brackets of an address. */
static int32_t
split_port(char *host)
{
	int32_t port = PORT;
	char *colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL) {
		port = atoi(colon + 1);
		*colon = '\0';
	}
	size_t size = strlen(host);
	if (host[0] == '[' && size > 1 && host[size - 1] == ']') {
		host[size - 1] = '\0';
		memmove(host, host + 1, size - 1);
	}
	return port;
}

void
brokers_each(const struct weir_settings *settings, void (*each)(void *ctx, const char *host, int32_t port), void *ctx)
{
	const char *own = security_property(settings, "bootstrap.servers");
	const char *at = own != NULL ? own : settings->kafka_brokers;
	while (*at != '\0') {
		at += strspn(at, ", \t");
		const char *scheme = strstr(at, "://");
		size_t len = strcspn(at, ", \t");
		if (scheme != NULL && scheme < at + len) {
			len -= (size_t)(scheme + 3 - at);
			at = scheme + 3;
		}
		char host[256];
		(void)snprintf(host, sizeof(host), "%.*s", (int)len, at);
		at += len;
		int32_t port = split_port(host);
		if (host[0] != '\0')
			each(ctx, host, port);
	}
}
