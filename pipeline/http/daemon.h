/*
 * An HTTP server over libmicrohttpd: where it listens, its start, its port, and short answers. What a server answers, and
 * how its threads share connections, is its owner's; this is what all servers of weir do alike.
 */
#ifndef WEIR_PIPELINE_HTTP_DAEMON_H
#define WEIR_PIPELINE_HTTP_DAEMON_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/base/error.h"
#include "config/base/slice.h"

struct weir_http_address {
	struct sockaddr_storage at;
	bool is_loopback;
};

/*
 * "127.0.0.1:8470", "[::1]:8470", ":8470" for all addresses. With `names` a host's name is resolved; without, only
 * localhost is known. `setting` names the text in mistakes. FATAL with err.
 */
enum weir_class weir_http_address_parse(
    const char *setting, const char *text, bool names, struct weir_http_address *address_out, struct weir_error *err);

struct weir_http_daemon_opts {
	const char *setting, *text; /* for mistakes: "api.listen", "127.0.0.1:8470" */
	const struct weir_http_address *address;
	unsigned flags;  /* enum MHD_FLAG: how its threads share connections */
	bool dual_stack; /* an IPv6 address takes IPv4 as well */
	bool share_port; /* another process may listen at the same port */
	unsigned connections_max;
	unsigned timeout_s; /* of a silent connection; 0 = none */
	MHD_AccessHandlerCallback answer;
	MHD_RequestCompletedCallback completed; /* NULL = none */
	void *ctx;                              /* of both */
	struct MHD_OptionItem *more;            /* ended by MHD_OPTION_END; NULL = none */
};

/* NULL with err when it cannot listen there. The caller ends it with MHD_stop_daemon. */
struct MHD_Daemon *weir_http_daemon_start(const struct weir_http_daemon_opts *opts, struct weir_error *err);
/* The port it has, also of one that was started at any free port. */
uint16_t weir_http_daemon_port(struct MHD_Daemon *daemon);

struct weir_http_header {
	const char *name, *value;
};

/* Queues an answer with a copy of the body. headers: ended by one without a name. */
enum MHD_Result weir_http_reply(
    struct MHD_Connection *connection, unsigned status, struct weir_slice body, const struct weir_http_header *headers);

#endif
