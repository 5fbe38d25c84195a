/* What all HTTP servers of weir do alike; see daemon.h. */
#include "pipeline/http/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#define HOST_MAX 64

/* ---- addresses ---- */

static bool
is_loopback(const struct sockaddr_storage *at)
{
	if (at->ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, at, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	struct sockaddr_in6 in6;
	memcpy(&in6, at, sizeof(in6));
	return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

/* "[::1]:8470" as host and port; false when it has no port or does not fit. */
static bool
split(const char *text, char host[HOST_MAX], const char **port_out)
{
	const char *colon = strrchr(text, ':');
	if (colon == NULL)
		return false;
	size_t len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= HOST_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*port_out = colon + 1;
	return true;
}

enum weir_class
weir_http_address_parse(
    const char *setting, const char *text, bool names, struct weir_http_address *address_out, struct weir_error *err)
{
	char host[HOST_MAX];
	const char *port;
	if (!split(text, host, &port))
		return weir_error_set(err, WEIR_FATAL, "%s: '%.80s' must be address:port", setting, text);
	if (!names && strcmp(host, "localhost") == 0)
		(void)strcpy(host, "127.0.0.1");
	struct addrinfo *found = NULL, hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (names ? 0 : AI_NUMERICHOST),
					   .ai_socktype = SOCK_STREAM};
	int code = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
	if (code != 0)
		return weir_error_set(err, WEIR_FATAL, "%s: %s: %s", setting, text, gai_strerror(code));
	*address_out = (struct weir_http_address){0};
	memcpy(&address_out->at, found->ai_addr, found->ai_addrlen);
	address_out->is_loopback = is_loopback(&address_out->at);
	freeaddrinfo(found);
	return WEIR_OK;
}

/* ---- the daemon ---- */

struct MHD_Daemon *
weir_http_daemon_start(const struct weir_http_daemon_opts *opts, struct weir_error *err)
{
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	/* Left out, the option means the system's default: a port that is taken is refused. */
	struct MHD_OptionItem share[] = {{MHD_OPTION_LISTENING_ADDRESS_REUSE, 1, NULL}, {MHD_OPTION_END, 0, NULL}};
	unsigned flags = opts->flags;
	if (opts->address->at.ss_family == AF_INET6)
		flags |= opts->dual_stack ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
	errno = 0;
	struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, opts->answer, opts->ctx, MHD_OPTION_ARRAY,
	    opts->more != NULL ? opts->more : none, MHD_OPTION_ARRAY, opts->share_port ? share : none, MHD_OPTION_SOCK_ADDR,
	    (const struct sockaddr *)&opts->address->at, MHD_OPTION_CONNECTION_LIMIT, opts->connections_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, opts->timeout_s, MHD_OPTION_NOTIFY_COMPLETED, opts->completed, opts->ctx,
	    MHD_OPTION_END);
	if (daemon == NULL)
		(void)weir_error_set(err, WEIR_FATAL, "%s: cannot listen at %s%s: %s", opts->setting, opts->text,
		    (flags & MHD_USE_TLS) != 0 ? " with this certificate and key" : "",
		    errno != 0 ? strerror(errno) : "refused by libmicrohttpd");
	return daemon;
}

uint16_t
weir_http_daemon_port(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info != NULL ? info->port : 0;
}

enum MHD_Result
weir_http_reply(
    struct MHD_Connection *connection, unsigned status, struct weir_slice body, const struct weir_http_header *headers)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	for (; headers->name != NULL; headers++)
		(void)MHD_add_response_header(response, headers->name, headers->value);
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}
