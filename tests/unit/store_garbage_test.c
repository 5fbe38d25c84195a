/*
 * The store against a fake Redis that refuses, lies, stutters, hangs up and babbles: each time the documented answer, never
 * a crash or a hang. The fake answers command by command as a healthy Redis would, but for one command for which it has
 * been given other bytes, so many times. It listens on a Unix socket and, as "the other node", on a TCP port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/random.h"
#include "pipeline/redis/resp.h"
#include "pipeline/store/store.h"

#define EPOCH INT64_C(4102444800000000) /* beyond any clock, so that a taking raises it by one */
#define OFFSET 10
#define CLIENTS 8
#define NO_LOGS "$-1\r\n$-1\r\n" /* names of the logs of two topics: none */
#define ZERO "$1\r\n0\r\n"
#define ZEROS ZERO ZERO ZERO ZERO ZERO ZERO /* slots of all slabs but the first and the last */
#define CLOSE "\x01"                        /* in a reply: what precedes it is sent, then the connection is closed */

struct fake {
	char dir[64], path[96];
	int unix_fd, tcp_fd, tcp_port;
	pthread_t thread;
	atomic_bool stopping;
	pthread_mutex_t lock; /* of what is below */
	char command[16];
	struct weir_slice reply;
	int times;
	int64_t epoch;
	bool raising; /* an HSET is queued: the next EXEC raises the epoch */
	bool refused; /* a queued command was: the next EXEC aborts */
	bool lie;     /* but this one does not */
	atomic_int tcp_commands;
};

struct client {
	int fd;
	bool tcp;
	struct weir_buf in;
};

static struct fake fake;
static struct weir_settings settings;
static const char *const TOPICS[] = {"weir.records", "weir.cards"};

static const char *
healthy_reply(const char *command)
{
	static const char HEADER[] = "$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS "$1\r\n0\r\n$2\r\n10\r\n$-1\r\n" NO_LOGS;
	if (strcmp(command, "HMGET") == 0)
		return HEADER;
	if (strcmp(command, "SET") == 0 || strcmp(command, "HSET") == 0)
		return "+QUEUED\r\n";
	if (strcmp(command, "EXEC") == 0)
		return "*1\r\n+OK\r\n";
	if (strcmp(command, "LRANGE") == 0 || strcmp(command, "HGETALL") == 0)
		return "*0\r\n";
	if (strcmp(command, "GET") == 0)
		return "$5\r\nvalue\r\n";
	return "+OK\r\n";
}

/* false: close. */
static bool
answer_command(struct client *client, const char *command, uint32_t argc)
{
	(void)pthread_mutex_lock(&fake.lock);
	bool odd = fake.times > 0 && !client->tcp && strcmp(command, fake.command) == 0;
	struct weir_slice reply = odd ? fake.reply : weir_slice_of(healthy_reply(command));
	if (odd)
		fake.times--;
	if (strcmp(command, "HSET") == 0)
		fake.raising = true;
	if (odd && strcmp(command, "SET") == 0 && reply.len > 0 && reply.data[0] == '-')
		fake.refused = true;
	if (!odd && fake.refused && !fake.lie && strcmp(command, "EXEC") == 0)
		reply = weir_slice_of("-EXECABORT Transaction discarded because of previous errors.\r\n");
	if (strcmp(command, "EXEC") == 0 || strcmp(command, "DISCARD") == 0) {
		fake.epoch += fake.raising && command[0] == 'E';
		fake.raising = fake.refused = false;
	}
	int64_t epoch = fake.epoch;
	(void)pthread_mutex_unlock(&fake.lock);
	if (client->tcp)
		(void)atomic_fetch_add(&fake.tcp_commands, 1);
	struct weir_buf out = {0};
	if (!odd && strcmp(command, "MGET") == 0) {
		weir_buf_printf(&out, "*%u\r\n", argc - 1);
		for (uint32_t i = 1; i < argc; i++)
			weir_buf_printf(&out, "$-1\r\n");
	} else {
		if (!odd && strcmp(command, "HMGET") == 0)
			weir_buf_printf(&out, "*16\r\n$1\r\n4\r\n$16\r\n%lld\r\n", (long long)epoch);
		weir_buf_append(&out, reply.data, reply.len);
	}
	bool hang_up = out.len > 0 && out.data[out.len - 1] == CLOSE[0];
	if (out.len - hang_up > 0)
		(void)!send(client->fd, out.data, out.len - hang_up, MSG_NOSIGNAL);
	weir_buf_free(&out);
	return !hang_up;
}

/* One line's number after its sigil; -1 when the line is not whole. */
static long
line_number(const struct weir_buf *in, size_t *at)
{
	uint8_t *end = *at < in->len ? memchr(in->data + *at, '\n', in->len - *at) : NULL;
	if (end == NULL)
		return -1;
	long number = strtol((const char *)in->data + *at + 1, NULL, 10);
	*at = (size_t)(end - in->data) + 1;
	return number;
}

/* Takes whole commands off the input and answers them; false: close. */
static bool
serve_client(struct client *client)
{
	for (;;) {
		size_t at = 0;
		char command[16] = "";
		long argc = line_number(&client->in, &at);
		if (argc < 0)
			return true;
		for (long i = 0; i < argc; i++) {
			long len = line_number(&client->in, &at);
			if (len < 0 || at + (size_t)len + 2 > client->in.len)
				return true;
			if (i == 0)
				(void)snprintf(command, sizeof(command), "%.*s", (int)len, (char *)client->in.data + at);
			at += (size_t)len + 2;
		}
		memmove(client->in.data, client->in.data + at, client->in.len - at);
		client->in.len -= at;
		if (!answer_command(client, command, (uint32_t)argc))
			return false;
	}
}

static void
drop_client(struct client *client)
{
	(void)close(client->fd);
	weir_buf_free(&client->in);
	client->fd = -1;
}

static void
accept_one(struct client *clients, int listener)
{
	int fd = accept(listener, NULL, NULL);
	for (int i = 0; i < CLIENTS && fd >= 0; i++) {
		if (clients[i].fd >= 0)
			continue;
		clients[i] = (struct client){.fd = fd, .tcp = listener == fake.tcp_fd};
		return;
	}
	if (fd >= 0)
		(void)close(fd);
}

static void *
fake_thread(void *arg)
{
	(void)arg;
	struct client clients[CLIENTS];
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){.fd = -1};
	while (!atomic_load(&fake.stopping)) {
		struct pollfd fds[CLIENTS + 2] = {{fake.unix_fd, POLLIN, 0}, {fake.tcp_fd, POLLIN, 0}};
		for (int i = 0; i < CLIENTS; i++)
			fds[2 + i] = (struct pollfd){clients[i].fd, POLLIN, 0};
		(void)poll(fds, CLIENTS + 2, 20);
		for (int i = 0; i < CLIENTS; i++) {
			uint8_t bytes[65536];
			if (clients[i].fd < 0 || fds[2 + i].revents == 0)
				continue;
			ssize_t got = recv(clients[i].fd, bytes, sizeof(bytes), 0);
			if (got > 0)
				weir_buf_append(&clients[i].in, bytes, (size_t)got);
			if (got <= 0 || !serve_client(&clients[i]))
				drop_client(&clients[i]);
		}
		for (int i = 0; i < 2; i++)
			if (fds[i].revents != 0)
				accept_one(clients, fds[i].fd);
	}
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0)
			drop_client(&clients[i]);
	return NULL;
}

static void
misbehave(const char *command, const char *reply, size_t len, int times)
{
	(void)pthread_mutex_lock(&fake.lock);
	(void)snprintf(fake.command, sizeof(fake.command), "%s", command);
	fake.reply = (struct weir_slice){(const uint8_t *)reply, len};
	fake.times = times;
	fake.epoch = EPOCH;
	fake.raising = fake.refused = fake.lie = false;
	(void)pthread_mutex_unlock(&fake.lock);
}

static int
start_fake(void **state)
{
	(void)state;
	(void)pthread_mutex_init(&fake.lock, NULL);
	fake.epoch = EPOCH;
	(void)snprintf(fake.dir, sizeof(fake.dir), "/tmp/weir-fake-XXXXXX");
	assert_non_null(mkdtemp(fake.dir));
	(void)snprintf(fake.path, sizeof(fake.path), "unix://%s/s", fake.dir);
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	(void)snprintf(path.sun_path, sizeof(path.sun_path), "%.60s/s", fake.dir);
	fake.unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake.unix_fd, (struct sockaddr *)&path, sizeof(path)), 0);
	assert_int_equal(listen(fake.unix_fd, 64), 0);
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t place_len = sizeof(place);
	fake.tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fake.tcp_fd, (struct sockaddr *)&place, sizeof(place)), 0);
	assert_int_equal(listen(fake.tcp_fd, 64), 0);
	assert_int_equal(getsockname(fake.tcp_fd, (struct sockaddr *)&place, &place_len), 0);
	fake.tcp_port = ntohs(place.sin_port);
	settings = (struct weir_settings){.redis_url = fake.path, .redis_prefix = (char *)"weir", .redis_timeout_ms = 150};
	return pthread_create(&fake.thread, NULL, fake_thread, NULL);
}

static int
stop_fake(void **state)
{
	(void)state;
	atomic_store(&fake.stopping, true);
	(void)pthread_join(fake.thread, NULL);
	(void)close(fake.unix_fd);
	(void)close(fake.tcp_fd);
	(void)unlink(fake.path + strlen("unix://"));
	(void)rmdir(fake.dir);
	return 0;
}

static void
ring(void *ctx)
{
	uint64_t one = 1;
	assert_int_equal(write(*(int *)ctx, &one, sizeof(one)), sizeof(one));
}

static int bell_fd;

static struct weir_store *
start_store(void)
{
	struct weir_error err = {0};
	bell_fd = eventfd(0, EFD_NONBLOCK);
	struct weir_store *store = weir_store_start(&(struct weir_store_opts){.settings = &settings,
							.topics = TOPICS,
							.topic_count = 2,
							.bell = ring,
							.bell_ctx = &bell_fd,
							.owner_name = "t"},
	    &err);
	assert_non_null(store);
	return store;
}

/* Submits and waits at most 10 s. */
static void
run_request(struct weir_store *store, struct weir_store_request *request)
{
	assert_true(weir_store_submit(store, request));
	for (int i = 0; i < 1000; i++) {
		struct pollfd bell = {.fd = bell_fd, .events = POLLIN};
		uint64_t rings;
		if (poll(&bell, 1, 10) > 0)
			(void)!read(bell_fd, &rings, sizeof(rings));
		struct weir_store_request *answered = weir_store_next(store);
		if (answered != NULL) {
			assert_ptr_equal(answered, request);
			return;
		}
	}
	fail_msg("the store hangs");
}

static bool
sink_begin(void *ctx, const struct weir_store_header *header)
{
	(void)ctx;
	(void)header;
	return true;
}

static bool
sink_name(void *ctx, uint32_t index, struct weir_slice name)
{
	(void)ctx;
	(void)index;
	return name.len < 100;
}

static bool
sink_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)ctx;
	return field.len + json.len < 100;
}

static bool
sink_page(void *ctx, enum weir_slab_kind slab, uint32_t page, struct weir_slice bytes)
{
	(void)ctx;
	(void)slab;
	(void)page;
	return bytes.len == WEIR_SLAB_PAGE_BYTES;
}

static bool
sink_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes)
{
	(void)ctx;
	(void)hour;
	(void)bucket;
	return bytes.len % 7 == 0;
}

static bool
sink_intent(void *ctx, struct weir_iccid iccid, uint64_t token, uint8_t desired)
{
	(void)ctx;
	(void)iccid;
	(void)token;
	(void)desired;
	return true;
}

static struct weir_store_request
request_of(enum weir_store_kind kind)
{
	struct weir_store_request request = {.kind = kind,
	    .partition = 3,
	    .epoch = EPOCH,
	    .commands = 1,
	    .fresh_hours = 1,
	    .sink = {NULL, sink_begin, sink_name, sink_reference, sink_page, sink_dedupe_keys, sink_intent}};
	for (uint32_t i = 0; i < WEIR_CHECKPOINT_OFFSETS_MAX; i++)
		request.offsets_before[i] = request.offsets_after[i] = -1;
	request.offsets_before[0] = OFFSET;
	request.offsets_after[0] = OFFSET + 1;
	weir_resp_command(&request.body, 3);
	weir_resp_text(&request.body, "SET");
	weir_resp_key(&request.body, "weir", 3, "c:0");
	weir_resp_text(&request.body, "page");
	return request;
}

struct row {
	const char *command, *reply;
	enum weir_store_result result;
	enum weir_class class; /* when it failed */
	const char *text;      /* which the error holds */
};

static const struct row FLUSH_ROWS[] = {
    {"WATCH", "-LOADING Redis is loading the dataset in memory\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "-LOADING Redis is loading the dataset in memory\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-LOADING Redis is loading the dataset in memory\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-READONLY You can't write against a read only replica.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "-READONLY You can't write against a read only replica.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-OOM command not allowed when used memory > 'maxmemory'.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "-OOM command not allowed when used memory > 'maxmemory'.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-MISCONF Redis is configured to save RDB snapshots\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "-CLUSTERDOWN Hash slot not served\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-NOREPLICAS Not enough good replicas to write.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "-TRYAGAIN Multiple keys request during rehashing of slot\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "-BUSY Redis is busy running a script.\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "-ASK 3999 127.0.0.1:1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "-ERR max number of clients reached\r\n" CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "*-1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "$-1\r\n", WEIR_STORE_DONE, 0, NULL},
    /* for good */
    {"WATCH", "-NOAUTH Authentication required.\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "NOAUTH"},
    {"MULTI", "-NOPERM this user has no permissions\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "NOPERM"},
    {"HMGET", "-WRONGTYPE Operation against a key\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "WRONGTYPE"},
    {"SET", "-ERR unknown command 'SET'\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "unknown command"},
    {"EXEC", "-SOMETHING new\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "SOMETHING"},
    {"EXEC", "-\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "for good"},
    {"EXEC", "*1\r\n-WRONGTYPE Operation\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "does not roll back"},
    {"EXEC", "*2\r\n+OK\r\n+OK\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "gave 2 answers"},
    {"EXEC", "*0\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "gave 0 answers"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$2\r\n-5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "epoch"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n:0\r\n" ZEROS "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "terms"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS
	"$2\r\n-1\r\n$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "shares"},
    {"HMGET", "*16\r\n$1\r\n1\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "development version"},
    {"HMGET", "*16\r\n$1\r\n5\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "a newer weir's"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO
	"$20\r\n99999999999999999999\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "weir.records"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n0\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "partitions"},
    {"HMGET",
	"*16\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n7\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO
	"$2\r\n10\r\n$-1\r\n$3\r\nx 1\r\n$-1\r\n",
	WEIR_STORE_FAILED, WEIR_POISON, "field log:weir.records"},
    {"HMGET", "*16\r\n$1\r\n3\r\n$1\r\n5\r\n$-1\r\n$7\r\n7200000\r\n$3\r\n130\r\n" ZEROS ZERO "$2\r\n10\r\n$-1\r\n" NO_LOGS,
	WEIR_STORE_FAILED, WEIR_POISON, "weir migrate"},
    /* no RESP, or not what this command answers: reconnect and ask again */
    {"WATCH", "HTTP/1.1 400 Bad Request\r\n\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "\xff\xfe\xfd\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", ":1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "+OK\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "*2\r\n$1\r\n5\r\n$2\r\n10\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "*2000000000\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "$999999999999\r\n", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"MULTI", "*0\r\n", WEIR_STORE_DONE, 0, NULL},
    {"SET", "$3\r\nabc\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", ":1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "?", WEIR_STORE_DONE, 0, NULL},
    /* half answers, silence, hanging up */
    {"WATCH", "", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "*16\r\n$1\r\n4\r\n$1\r", WEIR_STORE_DONE, 0, NULL},
    {"HMGET", "*16\r\n$1\r\n4\r\n$1\r" CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"WATCH", CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"SET", CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"SET", "+QUE" CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"EXEC", CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "*1\r\n+O" CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "", WEIR_STORE_DONE, 0, NULL},
    /* MOVED that leads nowhere */
    {"WATCH", "-MOVED\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "MOVED"},
    {"WATCH", "-MOVED 3999 nowhere\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "-MOVED 3999 127.0.0.1:0\r\n", WEIR_STORE_DONE, 0, NULL},
    {"WATCH", "-MOVED 3999 127.0.0.1:1\r\n", WEIR_STORE_DONE, 0, NULL},
};

static const struct row TAKE_ROWS[] = {
    {"LRANGE", "-LOADING Redis is loading\r\n", WEIR_STORE_DONE, 0, NULL},
    {"LRANGE", "$3\r\nabc\r\n", WEIR_STORE_DONE, 0, NULL},
    {"LRANGE", "*1\r\n:1\r\n", WEIR_STORE_FAILED, WEIR_POISON, "weir:{3}:n"},
    {"LRANGE", "-WRONGTYPE Operation\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "WRONGTYPE"},
    {"HGETALL", "*1\r\n$1\r\na\r\n", WEIR_STORE_FAILED, WEIR_POISON, "weir:{3}:r"},
    {"HGETALL", "*2\r\n$1\r\na\r\n$-1\r\n", WEIR_STORE_FAILED, WEIR_POISON, "weir:{3}:r"},
    {"MGET", "*1\r\n$-1\r\n", WEIR_STORE_DONE, 0, NULL},
    {"MGET", "*2\r\n:1\r\n:2\r\n", WEIR_STORE_DONE, 0, NULL},
    {"MGET", "*2\r\n$5\r\nshort\r\n$-1\r\n", WEIR_STORE_FAILED, WEIR_POISON, "weir:{3}:c:0"},
    {"MGET", "*2\r\n$8192\r\nshort" CLOSE, WEIR_STORE_DONE, 0, NULL},
    {"EXEC", "*1\r\n+O" CLOSE, WEIR_STORE_DONE, 0, NULL},
};

static const struct row FETCH_ROWS[] = {
    {"GET", "-LOADING Redis is loading\r\n", WEIR_STORE_DONE, 0, NULL},
    {"GET", "-WRONGTYPE Operation\r\n", WEIR_STORE_FAILED, WEIR_FATAL, "WRONGTYPE"},
    {"GET", "*0\r\n", WEIR_STORE_DONE, 0, NULL},
    {"GET", "$100\r\nhalf" CLOSE, WEIR_STORE_DONE, 0, NULL},
};

static void
check_row(struct weir_store *store, enum weir_store_kind kind, const struct row *row, int times)
{
	struct weir_store_request request = request_of(kind);
	struct weir_store_fetch fetch = {.key = "m:1:1"};
	request.fetches = &fetch;
	request.fetch_count = kind == WEIR_STORE_FETCH ? 1 : 0;
	/* for good: each time, or an answer to a connection that the store has given up would be the only one */
	misbehave(row->command, row->reply, strlen(row->reply), row->result == WEIR_STORE_FAILED ? 1000 : times);
	run_request(store, &request);
	misbehave("", "", 0, 0);
	if (request.result != row->result)
		fail_msg("%s answered by %s: result %d, %s", row->command, row->reply, request.result, request.error.text);
	if (row->result == WEIR_STORE_FAILED) {
		assert_int_equal(request.error.class, row->class);
		if (strstr(request.error.text, row->text) == NULL)
			fail_msg(
			    "%s answered by %s: \"%s\" lacks %s", row->command, row->reply, request.error.text, row->text);
	} else if (kind == WEIR_STORE_FETCH) {
		assert_int_equal(fetch.value_out.len, 5);
	}
	weir_buf_free(&fetch.value_out);
	weir_buf_free(&request.body);
}

static void
every_refusal_has_its_answer(void **state)
{
	(void)state;
	struct weir_store *store = start_store();
	for (int times = 1; times <= 3; times += 2) {
		for (size_t i = 0; i < sizeof(FLUSH_ROWS) / sizeof(FLUSH_ROWS[0]); i++)
			check_row(store, WEIR_STORE_FLUSH, &FLUSH_ROWS[i], times);
		for (size_t i = 0; i < sizeof(FETCH_ROWS) / sizeof(FETCH_ROWS[0]); i++)
			check_row(store, WEIR_STORE_FETCH, &FETCH_ROWS[i], times);
	}
	weir_store_free(store);
	(void)close(bell_fd);
}

static void
loading_survives_nonsense(void **state)
{
	(void)state;
	struct weir_store *store = start_store();
	for (int times = 1; times <= 3; times += 2)
		for (size_t i = 0; i < sizeof(TAKE_ROWS) / sizeof(TAKE_ROWS[0]); i++)
			check_row(store, WEIR_STORE_TAKE, &TAKE_ROWS[i], times);
	weir_store_free(store);
	(void)close(bell_fd);
}

static void
moved_is_followed_and_remembered(void **state)
{
	(void)state;
	struct weir_store *store = start_store();
	char moved[64];
	int len = snprintf(moved, sizeof(moved), "-MOVED 3999 127.0.0.1:%d\r\n", fake.tcp_port);
	misbehave("WATCH", moved, (size_t)len, 1 << 30);
	struct weir_store_counters counters;
	for (int i = 0; i < 3; i++) {
		struct weir_store_request request = request_of(WEIR_STORE_FLUSH);
		run_request(store, &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		weir_buf_free(&request.body);
	}
	assert_int_equal(atomic_load(&fake.tcp_commands), 3 * 5 + 1); /* and CLUSTER SLOTS */
	weir_store_counters_get(store, &counters);
	assert_int_equal(counters.refusals, 1);
	assert_int_equal(counters.flushes, 3);
	misbehave("", "", 0, 0);
	weir_store_free(store);
	(void)close(bell_fd);
}

static void
silence_and_refusals_can_be_cancelled(void **state)
{
	(void)state;
	static const char *const REPLIES[] = {"", "-LOADING\r\n", CLOSE, "garbage\r\n"};
	settings.redis_timeout_ms = 60000;
	for (size_t i = 0; i < sizeof(REPLIES) / sizeof(REPLIES[0]); i++) {
		struct weir_store *store = start_store();
		struct weir_store_request request = request_of(WEIR_STORE_FLUSH);
		misbehave("HMGET", REPLIES[i], strlen(REPLIES[i]), 1 << 30);
		assert_true(weir_store_submit(store, &request));
		usleep(300000);
		assert_null(weir_store_next(store));
		weir_store_cancel(store, 4); /* another's */
		usleep(20000);
		assert_null(weir_store_next(store));
		struct weir_steady before = weir_steady_now();
		if (i % 2 == 0)
			weir_store_cancel(store, 3);
		else
			weir_store_stop(store);
		while (weir_store_next(store) == NULL)
			usleep(1000);
		assert_true(weir_steady_since_us(before) < 100000);
		assert_int_equal(request.result, WEIR_STORE_CANCELLED);
		misbehave("", "", 0, 0);
		weir_store_free(store);
		weir_buf_free(&request.body);
		(void)close(bell_fd);
	}
	settings.redis_timeout_ms = 150;
}

static void
a_transaction_that_ran_in_part_is_fatal(void **state)
{
	(void)state;
	struct weir_store *store = start_store();
	struct weir_store_request request = request_of(WEIR_STORE_FLUSH);
	misbehave("SET", "-LOADING\r\n", 10, 1);
	(void)pthread_mutex_lock(&fake.lock);
	fake.lie = true;
	(void)pthread_mutex_unlock(&fake.lock);
	run_request(store, &request);
	assert_int_equal(request.result, WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_FATAL);
	assert_non_null(strstr(request.error.text, "WITHOUT"));
	misbehave("", "", 0, 0);
	weir_buf_free(&request.body);
	weir_store_free(store);
	(void)close(bell_fd);
}

/* Random bytes, from an alphabet that makes half-way plausible answers, in place of a random command's answer. */
static void
random_answers_never_crash_it(void **state)
{
	(void)state;
	static const char *const COMMANDS[] = {"WATCH", "HMGET", "MULTI", "SET", "EXEC"};
	static const char ALPHABET[] = "*$:+-0123456789\r\n\r\n\r\n*$1aO";
	settings.redis_timeout_ms = 20;
	struct weir_store *store = start_store();
	struct weir_random random = {20261121};
	for (int i = 0; i < 300; i++) {
		char bytes[24];
		size_t len = 1 + weir_random_below(&random, sizeof(bytes));
		const char *command = COMMANDS[weir_random_below(&random, 5)];
		for (size_t j = 0; j < len; j++) {
			bytes[j] = ALPHABET[weir_random_below(&random, sizeof(ALPHABET) - 1)];
		}
		struct weir_store_request request = request_of(WEIR_STORE_FLUSH);
		misbehave(command, bytes, len, 1);
		run_request(store, &request);
		misbehave("", "", 0, 0); /* before `bytes` goes */
		assert_true(request.result == WEIR_STORE_DONE || request.result == WEIR_STORE_FAILED);
		weir_buf_free(&request.body);
	}
	weir_store_free(store);
	(void)close(bell_fd);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_refusal_has_its_answer),
	    cmocka_unit_test(loading_survives_nonsense),
	    cmocka_unit_test(moved_is_followed_and_remembered),
	    cmocka_unit_test(silence_and_refusals_can_be_cancelled),
	    cmocka_unit_test(a_transaction_that_ran_in_part_is_fatal),
	    cmocka_unit_test(random_answers_never_crash_it),
	};
	return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
