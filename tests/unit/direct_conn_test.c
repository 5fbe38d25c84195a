/* A broker's connection against servers that refuse, lie, say nothing, or show a certificate of another host. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "config/base/clock.h"
#include "consumers/wire/conn.h"

struct world {
	struct security security;
	struct conn_opts opts;
	struct conn conn;
	uint32_t closed, responses;
};

static uint8_t *
no_room(void *ctx, struct conn *conn, const struct conn_request *request, uint32_t len)
{
	(void)ctx, (void)conn, (void)request, (void)len;
	return NULL;
}

static bool
no_response(void *ctx, struct conn *conn, const struct conn_request *request, struct wire_reader r)
{
	(void)ctx, (void)conn, (void)request, (void)r;
	return true;
}

static void
count_closed(void *ctx, struct conn *conn)
{
	(void)conn;
	((struct world *)ctx)->closed++;
}

static void
world_open(struct world *w, const char *host, int port)
{
	w->opts = (struct conn_opts){.epoll_fd = epoll_create1(0),
	    .security = &w->security,
	    .timeout_ms = 300,
	    .frame_max = 1 << 20,
	    .ctx = w,
	    .room = no_room,
	    .response = no_response,
	    .closed = count_closed};
	conn_init(&w->conn, &w->opts, host, port, 7);
}

static void
world_close(struct world *w)
{
	conn_free(&w->conn);
	(void)close(w->opts.epoll_fd);
}

static void
drive_until(struct world *w, enum conn_state state, int ms)
{
	int64_t until = weir_steady_now().us + ms * 1000ll;
	while (weir_steady_now().us < until && w->conn.state != state && w->conn.state != CONN_CLOSED) {
		struct epoll_event event;
		if (epoll_wait(w->opts.epoll_fd, &event, 1, 5) > 0)
			conn_io(event.data.ptr, event.events, weir_steady_now().us);
		(void)conn_tick(&w->conn, weir_steady_now().us);
	}
}

static int
listener(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void
test_refused(void **state)
{
	(void)state;
	struct world w = {0};
	int port, fd = listener(&port); /* bound and not listening */
	int64_t waits[4];
	world_open(&w, "127.0.0.1", port);
	for (int i = 0; i < 4; i++) {
		int64_t at = w.conn.retry_us + 1;
		conn_open(&w.conn, at);
		for (int64_t until = weir_steady_now().us + 1000000;
		     w.conn.state != CONN_CLOSED && weir_steady_now().us < until;) {
			struct epoll_event event;
			if (epoll_wait(w.opts.epoll_fd, &event, 1, 5) > 0)
				conn_io(event.data.ptr, event.events, at);
		}
		assert_int_equal(w.conn.state, CONN_CLOSED);
		waits[i] = w.conn.retry_us - at;
		conn_open(&w.conn, w.conn.retry_us - 1); /* not before */
		assert_int_equal(w.conn.state, CONN_CLOSED);
	}
	assert_int_equal(w.closed, 4);
	assert_in_range(waits[0], 40000, 60000); /* 50 ms, a fifth either way, doubling */
	assert_in_range(waits[3], 320000, 480000);
	world_close(&w);
	(void)close(fd);
}

static void
test_says_nothing(void **state)
{
	(void)state;
	struct world w = {0};
	int port, fd = listener(&port);
	assert_int_equal(listen(fd, 1), 0);
	world_open(&w, "127.0.0.1", port);
	conn_open(&w.conn, weir_steady_now().us);
	drive_until(&w, CONN_READY, 2000);
	assert_int_equal(w.conn.state, CONN_CLOSED);
	assert_int_equal(w.closed, 1);
	world_close(&w);
	(void)close(fd);
}

/* What comes is not an answer: a length that cannot be, another one's correlation, a list that is cut. */
static void
test_lies(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} LIES[] = {{"\x7f\xff\xff\xff", 4}, {"\0\0\0\0", 4}, {"HTTP/1.1 400 Bad Request\r\n", 26},
	    {"\0\0\0\6\0\0\0\x63\0\0", 10}, {"\0\0\0\x0a\0\0\0\1\0\0\x7f\x01\0\1", 14}};
	for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
		struct world w = {0};
		int port, fd = listener(&port);
		assert_int_equal(listen(fd, 1), 0);
		world_open(&w, "127.0.0.1", port);
		conn_open(&w.conn, weir_steady_now().us);
		drive_until(&w, CONN_VERSIONS, 1000);
		assert_int_equal(w.conn.state, CONN_VERSIONS);
		int peer = accept(fd, NULL, NULL);
		assert_int_equal(send(peer, LIES[i].bytes, LIES[i].len, 0), LIES[i].len);
		w.opts.timeout_ms = 60000;
		drive_until(&w, CONN_READY, 2000);
		assert_int_equal(w.conn.state, CONN_CLOSED);
		world_close(&w);
		(void)close(peer);
		(void)close(fd);
	}
}

/* What a connection to a broker that does its work is given. */
static uint8_t *
much_room(void *ctx, struct conn *conn, const struct conn_request *request, uint32_t len)
{
	static uint8_t bytes[1 << 20];
	(void)ctx, (void)conn, (void)request;
	return len <= sizeof(bytes) ? bytes : NULL;
}

static bool
count_response(void *ctx, struct conn *conn, const struct conn_request *request, struct wire_reader r)
{
	(void)conn, (void)request, (void)r;
	((struct world *)ctx)->responses++;
	return true;
}

/* A large response that comes in little pieces, all of them together later than the time-out: it is answered, not lost. */
static void
test_trickle(void **state)
{
	(void)state;
	enum { LEN = 200000, PIECES = 12, PIECE_MS = 60 };
	/* correlation 1, no error, 3 interfaces: Fetch 4-11, Metadata 0-5, ListOffsets 0-3; flexible, as version 3 is */
	static const uint8_t VERSIONS[] = {0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 4, 0, 1, 0, 4, 0, 11, 0, 0, 3, 0, 0, 0, 5, 0, 0,
	    2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0};
	static uint8_t frame[4 + LEN] = {LEN >> 24, LEN >> 16 & 255, LEN >> 8 & 255, LEN & 255, 0, 0, 0, 2};
	struct world w = {0};
	int port, fd = listener(&port);
	assert_int_equal(listen(fd, 1), 0);
	world_open(&w, "127.0.0.1", port);
	w.opts.room = much_room;
	w.opts.response = count_response;
	conn_open(&w.conn, weir_steady_now().us);
	drive_until(&w, CONN_VERSIONS, 1000);
	int peer = accept(fd, NULL, NULL);
	assert_int_equal(send(peer, VERSIONS, sizeof(VERSIONS), 0), sizeof(VERSIONS));
	drive_until(&w, CONN_READY, 1000);
	assert_int_equal(w.conn.state, CONN_READY);
	assert_int_equal(conn_request(&w.conn, API_FETCH, 11, 0, 0, weir_steady_now().us), 2);
	for (int i = 0; i < PIECES; i++) {
		size_t from = sizeof(frame) * (size_t)i / PIECES, to = sizeof(frame) * (size_t)(i + 1) / PIECES;
		assert_int_equal(send(peer, frame + from, to - from, 0), to - from);
		drive_until(&w, CONN_CLOSED, PIECE_MS);
	}
	drive_until(&w, CONN_CLOSED, PIECE_MS);
	assert_int_equal(w.conn.state, CONN_READY);
	assert_int_equal(w.responses, 1);
	assert_int_equal(w.closed, 0);
	world_close(&w);
	(void)close(peer);
	(void)close(fd);
}

static void
test_no_such_host(void **state)
{
	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* it does not see the threads that the C library makes for getaddrinfo_a, and crashes */
#endif
	struct world w = {0};
	world_open(&w, "no-such-host.invalid", 9092);
	w.opts.timeout_ms = 20000;
	conn_open(&w.conn, weir_steady_now().us);
	drive_until(&w, CONN_READY, 15000);
	assert_int_equal(w.conn.state, CONN_CLOSED);
	world_close(&w);
}

/* ---- TLS ---- */

static pid_t
serve_tls(const char *directory, const char *name, int port)
{
	char command[1024];
	(void)snprintf(command, sizeof(command),
	    "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=x -addext "
	    "subjectAltName=%s >/dev/null 2>&1",
	    directory, name);
	assert_int_equal(system(command), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char at[32];
		(void)snprintf(at, sizeof(at), "127.0.0.1:%d", port);
		int null = open("/dev/null", O_RDWR);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		if (chdir(directory) != 0)
			_exit(127);
		(void)execlp(
		    "openssl", "openssl", "s_server", "-accept", at, "-key", "k.pem", "-cert", "c.pem", "-quiet", NULL);
		_exit(127);
	}
	return pid;
}

static bool
shakes_hands(const char *name, const char *algorithm, const char *ca)
{
	struct world w = {0};
	struct weir_error err;
	char directory[] = "/tmp/weir-tls-XXXXXX", path[64], command[64];
	int port, fd = listener(&port);
	assert_non_null(mkdtemp(directory));
	(void)close(fd);
	pid_t pid = serve_tls(directory, name, port);
	(void)snprintf(path, sizeof(path), "%s/c.pem", directory);
	char *texts[] = {"security.protocol", "ssl", "ssl.ca.location", ca == NULL ? path : (char *)(uintptr_t)ca,
	    "ssl.endpoint.identification.algorithm", (char *)(uintptr_t)algorithm};
	struct weir_property properties[] = {{texts[0], texts[1]}, {texts[2], texts[3]}, {texts[4], texts[5]}};
	struct weir_settings settings = {.kafka_properties = properties, .kafka_property_count = 3};
	char text[64];
	assert_null(security_unable(&settings, text, sizeof(text)));
	assert_int_equal(security_open(&w.security, &settings, &err), WEIR_OK);
	world_open(&w, "127.0.0.1", port);
	w.opts.timeout_ms = 3000;
	for (int i = 0; i < 100 && w.conn.state < CONN_VERSIONS; i++) { /* until the server listens */
		conn_open(&w.conn, INT64_MAX / 2);
		w.conn.begun_us = weir_steady_now().us;
		drive_until(&w, CONN_VERSIONS, 3000);
		if (w.conn.state == CONN_CLOSED && w.conn.failures > 3 && i > 30)
			break;
		(void)usleep(30000);
	}
	bool good = w.conn.state == CONN_VERSIONS;
	world_close(&w);
	security_close(&w.security);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	return good;
}

static void
test_tls_host(void **state)
{
	(void)state;
	assert_true(shakes_hands("IP:127.0.0.1", "https", NULL));
	assert_false(shakes_hands("DNS:other.example", "https", NULL));
	assert_true(shakes_hands("DNS:other.example", "none", NULL));
	assert_false(shakes_hands("IP:127.0.0.1", "https", "/etc/ssl/certs")); /* nobody we know signed it */
}

static void
test_what_librdkafka_must_do(void **state)
{
	(void)state;
	static const char *const CASES[][4] = {{"security.protocol", "sasl_ssl", "sasl.mechanisms", "GSSAPI"},
	    {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "OAUTHBEARER"},
	    {"sasl.kerberos.principal", "x", "client.id", "y"}, {"test.mock.num.brokers", "3", "client.id", "y"},
	    {"ssl.keystore.location", "x", "client.id", "y"}};
	char text[64];
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct weir_property properties[] = {{(char *)(uintptr_t)CASES[i][0], (char *)(uintptr_t)CASES[i][1]},
		    {(char *)(uintptr_t)CASES[i][2], (char *)(uintptr_t)CASES[i][3]}};
		struct weir_settings settings = {.kafka_properties = properties, .kafka_property_count = 2};
		assert_non_null(security_unable(&settings, text, sizeof(text)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_says_nothing),
	    cmocka_unit_test(test_lies), cmocka_unit_test(test_trickle), cmocka_unit_test(test_no_such_host),
	    cmocka_unit_test(test_tls_host), cmocka_unit_test(test_what_librdkafka_must_do)};
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
