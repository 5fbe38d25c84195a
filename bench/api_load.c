/*
 * Open-loop load on the HTTP API: cards asked for at a fixed rate over kept connections, each answer's time counted from
 * when its request was due, so that a stall shows in all that it held up.
 *
 * One thread, one epoll, one request at a time on each connection; a request that is due while all are busy waits, and its
 * wait counts. Every answer must be a 200 that names the card. Prints one JSON object with percentiles. Usage:
 * weir_bench_api --port N --token TEXT [--rate N] [--seconds N] [--warmup N] [--connections N] [--cards N]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/workload.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { ANSWER_MAX = 65536, EVENTS = 256 };

struct connection {
	struct connection *next_free;
	int fd;
	int64_t due_us;
	char card[32];
	size_t len;
	char answer[ANSWER_MAX + 1];
};

struct load {
	const char *token;
	uint16_t port;
	uint64_t rate, cards, total, warm, next, done, wrong;
	struct weir_random random;
	int64_t start_us;
	int epoll;
	struct connection *connections, *free;
	uint32_t *took_us; /* of the measured part */
	uint64_t took_count;
};

static uint64_t
option_value(int argc, char **argv, const char *name, uint64_t fallback)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return strtoull(argv[i + 1], NULL, 10);
	return fallback;
}

static void
connection_open(struct load *load, struct connection *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->port)};
	int one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(1);
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	WEIR_CHECK(epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0);
	c->next_free = load->free;
	load->free = c;
}

static int64_t
due_us(const struct load *load, uint64_t number)
{
	return load->start_us + (int64_t)(number * 1000000 / load->rate);
}

static void
send_request(struct load *load)
{
	char text[512];
	struct connection *c = load->free;
	load->free = c->next_free;
	c->due_us = due_us(load, load->next++);
	c->len = 0;
	workload_iccid_text(weir_random_next(&load->random) % load->cards, c->card);
	int len = snprintf(text, sizeof(text),
	    "GET /v1/cards/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", c->card, load->token);
	if (write(c->fd, text, (size_t)len) != len) {
		perror("write");
		exit(1);
	}
}

/* Whether the answer is whole; then *right_out. */
static bool
is_whole(struct connection *c, bool *right_out)
{
	c->answer[c->len] = '\0';
	const char *body = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "\r\nContent-Length:");
	if (body == NULL || length == NULL)
		return false;
	size_t want = (size_t)(body + 4 - c->answer) + strtoull(length + 17, NULL, 10);
	*right_out = strncmp(c->answer, "HTTP/1.1 200", 12) == 0 && strstr(body, c->card) != NULL;
	return c->len >= want;
}

static void
take(struct load *load, struct connection *c)
{
	bool right = false;
	ssize_t n = read(c->fd, c->answer + c->len, ANSWER_MAX - c->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		(void)fprintf(stderr, "the server closed a connection\n");
		exit(1);
	}
	c->len += (size_t)n;
	if (!is_whole(c, &right))
		return;
	load->wrong += !right;
	if (load->done++ >= load->warm)
		load->took_us[load->took_count++] = (uint32_t)(weir_steady_now().us - c->due_us);
	c->next_free = load->free;
	load->free = c;
}

static void
run_load(struct load *load)
{
	struct epoll_event events[EVENTS];
	load->start_us = weir_steady_now().us;
	while (load->done < load->total) {
		int64_t now_us = weir_steady_now().us;
		while (load->next < load->total && load->free != NULL && due_us(load, load->next) <= now_us)
			send_request(load);
		int64_t wait_us =
		    load->next < load->total && load->free != NULL ? due_us(load, load->next) - now_us : 100000;
		struct timespec wait = {0, (wait_us < 0 ? 0 : wait_us > 100000 ? 100000 : wait_us) * 1000};
		int n = epoll_pwait2(load->epoll, events, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++)
			take(load, events[i].data.ptr);
	}
}

static int
order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void
print_report(struct load *load, double cpu_s)
{
	uint64_t n = load->took_count;
	qsort(load->took_us, n, sizeof(*load->took_us), order);
	(void)printf(
	    "{\"what\": \"api\", \"rate\": %" PRIu64 ", \"answers\": %" PRIu64 ", \"wrong\": %" PRIu64
	    ", \"p50_us\": %u, \"p90_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u, \"cpu_s\": %.2f}\n",
	    load->rate, n, load->wrong, load->took_us[n / 2], load->took_us[n * 9 / 10], load->took_us[n * 99 / 100],
	    load->took_us[n * 999 / 1000], load->took_us[n - 1], cpu_s);
}

int
main(int argc, char **argv)
{
	uint64_t seconds = option_value(argc, argv, "--seconds", 10), warmup = option_value(argc, argv, "--warmup", 2);
	uint32_t connections = (uint32_t)option_value(argc, argv, "--connections", 64);
	struct load load = {.port = (uint16_t)option_value(argc, argv, "--port", 8470),
	    .rate = option_value(argc, argv, "--rate", 2000),
	    .cards = option_value(argc, argv, "--cards", 1000000),
	    .random = {option_value(argc, argv, "--seed", 11)}};
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--token") == 0)
			load.token = argv[i + 1];
	if (load.token == NULL || load.rate == 0 || seconds == 0 || connections == 0) {
		(void)fprintf(stderr,
		    "usage: %s --port N --token TEXT [--rate N] [--seconds N] [--warmup N] [--connections N] [--cards N]\n",
		    argv[0]);
		return 2;
	}
	load.warm = warmup * load.rate;
	load.total = load.warm + seconds * load.rate;
	load.took_us = weir_calloc(load.total, sizeof(*load.took_us));
	load.connections = weir_calloc(connections, sizeof(*load.connections));
	load.epoll = epoll_create1(0);
	for (uint32_t i = 0; i < connections; i++)
		connection_open(&load, &load.connections[i]);
	run_load(&load);
	print_report(&load, bench_cpu_seconds());
	free(load.connections);
	free(load.took_us);
	return load.wrong == 0 ? 0 : 1;
}
