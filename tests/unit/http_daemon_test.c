/* Where HTTP servers listen: addresses as settings have them, ports that are taken or shared, short answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipeline/http/daemon.h"

static void
addresses_are_parsed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int family;
		bool loopback;
		uint16_t port;
	} ROWS[] = {{"127.0.0.1:8470", AF_INET, true, 8470}, {"127.9.9.9:1", AF_INET, true, 1},
	    {"0.0.0.0:80", AF_INET, false, 80}, {"10.1.2.3:65535", AF_INET, false, 65535},
	    {"[::1]:8470", AF_INET6, true, 8470}, {"[::]:9", AF_INET6, false, 9}, {"localhost:0", AF_INET, true, 0}};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct weir_http_address address;
		struct weir_error err = {0};
		assert_int_equal(weir_http_address_parse("x.listen", ROWS[i].text, false, &address, &err), WEIR_OK);
		assert_int_equal(address.at.ss_family, ROWS[i].family);
		assert_int_equal(address.is_loopback, ROWS[i].loopback);
		/* both families have the port at the same place */
		assert_int_equal(ntohs(((const struct sockaddr_in *)(const void *)&address.at)->sin_port), ROWS[i].port);
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	(void)state;
	static const char *const TEXTS[] = {"", "127.0.0.1", "nohost.invalid:1", "127.0.0.1:x", "[::1:80",
	    "a-name-of-more-than-sixty-three-characters-which-no-host-can-have-at-all:80"};
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
		struct weir_http_address address;
		struct weir_error err = {0};
		assert_int_equal(weir_http_address_parse("x.listen", TEXTS[i], false, &address, &err), WEIR_FATAL);
		assert_int_equal(strncmp(err.text, "x.listen: ", 10), 0);
	}
}

static enum MHD_Result
answer(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *data, size_t *data_len, void **slot)
{
	(void)ctx, (void)url, (void)method, (void)version, (void)data, (void)data_len;
	if (*slot == NULL) { /* the answer is due with the next call */
		*slot = connection;
		return MHD_YES;
	}
	const struct weir_http_header headers[] = {{"X-One", "1"}, {"X-Two", "2"}, {NULL, NULL}};
	return weir_http_reply(connection, 418, weir_slice_of("short"), headers);
}

static struct MHD_Daemon *
start_at(const char *text, bool share_port, struct weir_error *err)
{
	struct weir_http_address address;
	assert_int_equal(weir_http_address_parse("x.listen", text, false, &address, err), WEIR_OK);
	return weir_http_daemon_start(&(struct weir_http_daemon_opts){.setting = "x.listen",
					  .text = text,
					  .address = &address,
					  .flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
					  .share_port = share_port,
					  .connections_max = 4,
					  .backlog = 4,
					  .timeout_s = 5,
					  .answer = answer},
	    err);
}

static void
get(uint16_t port, char *out, size_t size)
{
	static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(write(fd, REQUEST, sizeof(REQUEST) - 1), sizeof(REQUEST) - 1);
	size_t len = 0;
	ssize_t got;
	while ((got = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';
	(void)close(fd);
}

static void
a_daemon_answers_at_the_port_that_it_reports(void **state)
{
	(void)state;
	struct weir_error err = {0};
	char text[1024];
	struct MHD_Daemon *daemon = start_at("127.0.0.1:0", false, &err);
	assert_non_null(daemon);
	uint16_t port = weir_http_daemon_port(daemon);
	assert_true(port > 0);
	get(port, text, sizeof(text));
	assert_int_equal(strncmp(text, "HTTP/1.1 418 ", 13), 0);
	assert_non_null(strstr(text, "X-One: 1\r\n"));
	assert_non_null(strstr(text, "X-Two: 2\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nshort"));
	MHD_stop_daemon(daemon);
}

static void
a_port_that_is_taken_is_reported(void **state)
{
	(void)state;
	struct weir_error err = {0};
	char text[32];
	struct MHD_Daemon *first = start_at("127.0.0.1:0", false, &err);
	assert_non_null(first);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", weir_http_daemon_port(first));
	assert_null(start_at(text, false, &err));
	assert_int_equal(err.class, WEIR_FATAL);
	assert_non_null(strstr(err.text, "x.listen: cannot listen at 127.0.0.1:"));
	assert_non_null(strstr(err.text, "Address already in use"));
	MHD_stop_daemon(first);
	first = start_at("127.0.0.1:0", true, &err);
	assert_non_null(first);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", weir_http_daemon_port(first));
	struct MHD_Daemon *second = start_at(text, true, &err);
	assert_non_null(second);
	MHD_stop_daemon(second);
	MHD_stop_daemon(first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_parsed),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(a_daemon_answers_at_the_port_that_it_reports),
	    cmocka_unit_test(a_port_that_is_taken_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
