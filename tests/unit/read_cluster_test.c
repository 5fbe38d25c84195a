/*
 * The reader in Redis Cluster: two nodes that share the slots, of which it is told one. What lies on the other is found by
 * MOVED, in pipelines, transactions and scans alike.
 */
#include "read_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define CARDS 40u

struct node {
	char dir[64];
	char url[64];
	uint16_t port;
	pid_t pid;
};
static struct node nodes[2];

/* Its bus is 10,000 above. */
static uint16_t
free_port(void)
{
	for (;;) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(address);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
		(void)close(fd);
		if (ntohs(address.sin_port) < 55000)
			return ntohs(address.sin_port);
	}
}

static redisContext *
node_open(const struct node *node)
{
	redisContext *redis = NULL;
	for (int i = 0; i < 500; i++) {
		if (redis != NULL)
			redisFree(redis);
		redis = redisConnect("127.0.0.1", node->port);
		if (redis->err == 0)
			return redis;
		usleep(20000);
	}
	fail_msg("redis-server does not start");
	return NULL;
}

static void
node_start(struct node *node)
{
	char port[8];
	node->port = free_port();
	(void)snprintf(port, sizeof(port), "%u", node->port);
	(void)snprintf(node->url, sizeof(node->url), "redis://127.0.0.1:%u", node->port);
	(void)snprintf(node->dir, sizeof(node->dir), "/tmp/weir-redis-XXXXXX");
	assert_non_null(mkdtemp(node->dir));
	node->pid = fork();
	if (node->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(126);
		execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", node->dir, "--save",
		    "", "--appendonly", "no", "--cluster-enabled", "yes", (char *)NULL);
		_exit(127);
	}
}

static void
ask_node(const struct node *node, const char *fmt, ...)
{
	redisContext *redis = node_open(node);
	va_list args;
	va_start(args, fmt);
	redisReply *reply = redisvCommand(redis, fmt, args);
	va_end(args);
	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s", reply->str);
	freeReplyObject(reply);
	redisFree(redis);
}

static bool
node_is_ready(const struct node *node)
{
	redisContext *redis = node_open(node);
	redisReply *reply = redisCommand(redis, "CLUSTER INFO");
	bool ready = reply != NULL && reply->type == REDIS_REPLY_STRING && strstr(reply->str, "cluster_state:ok") != NULL &&
		     strstr(reply->str, "cluster_known_nodes:2") != NULL;
	if (reply != NULL)
		freeReplyObject(reply);
	redisFree(redis);
	return ready;
}

static int
start_cluster(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		node_start(&nodes[i]);
	ask_node(&nodes[0], "CLUSTER ADDSLOTSRANGE 0 8191");
	ask_node(&nodes[1], "CLUSTER ADDSLOTSRANGE 8192 16383");
	ask_node(&nodes[0], "CLUSTER MEET 127.0.0.1 %d", nodes[1].port);
	for (int i = 0; i < 1000 && !(node_is_ready(&nodes[0]) && node_is_ready(&nodes[1])); i++)
		usleep(20000);
	settings =
	    (struct weir_settings){.redis_url = nodes[0].url, .redis_prefix = (char *)"weir", .redis_timeout_ms = 2000};
	return node_is_ready(&nodes[0]) && node_is_ready(&nodes[1]) ? 0 : -1;
}

static int
stop_cluster(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		(void)kill(nodes[i].pid, SIGKILL);
		(void)waitpid(nodes[i].pid, NULL, 0);
		private_redis_remove_dir(nodes[i].dir);
	}
	return 0;
}

/* Writes to whichever node has the key. */
static void
put_somewhere(const char *fmt, ...)
{
	for (int i = 0; i < 2; i++) {
		redisContext *redis = node_open(&nodes[i]);
		va_list args;
		va_start(args, fmt);
		redisReply *reply = redisvCommand(redis, fmt, args);
		va_end(args);
		assert_non_null(reply);
		bool moved = reply->type == REDIS_REPLY_ERROR;
		if (moved)
			assert_int_equal(strncmp(reply->str, "MOVED ", 6), 0);
		freeReplyObject(reply);
		redisFree(redis);
		if (!moved)
			return;
	}
	fail_msg("neither node has the key");
}

static void
put_cluster_fleet(void)
{
	put_somewhere("SET weir:partitions %u", PARTITIONS);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		put_somewhere("HSET weir:{%u}:h format 3 cards %u lives %u o:#flush 1", p, CARDS, CARDS);
		put_somewhere("DEL weir:{%u}:n", p);
		put_somewhere("RPUSH weir:{%u}:n c:cm", p);
	}
	for (uint32_t n = 0; n < CARDS; n++) {
		char text[WEIR_ICCID_TEXT_MAX];
		(void)snprintf(text, sizeof(text), "898600000000%08u", n);
		struct weir_card_slot card = {.iccid = iccid_of(text),
		    .up = n,
		    .records = 1,
		    .cycle = CYCLE(2026, 3),
		    .carrier = 1,
		    .flags = WEIR_STATUS_IN_USE};
		const uint32_t p = home_of(text), entry[2] = {weir_iccid_tag(card.iccid), n};
		put_somewhere("SETRANGE weir:{%u}:c:0 %u %b", p, n * 64, &card, sizeof(card));
		put_somewhere("APPEND weir:{%u}:d:%u %b", p, entry[0] % 1024, entry, sizeof(entry));
	}
}

static void
what_lies_on_another_node_is_found(void **state)
{
	(void)state;
	struct weir_reader *reader = reader_open();
	struct weir_card_page page = {0};
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	put_cluster_fleet();
	for (uint32_t n = 0; n < CARDS; n++) {
		const struct weir_card_view *card = NULL;
		char text[WEIR_ICCID_TEXT_MAX];
		(void)snprintf(text, sizeof(text), "898600000000%08u", n);
		enum weir_read answer = weir_read_card(reader, iccid_of(text), &card, &err);
		if (answer != WEIR_READ_OK)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(card->used.up, n);
		/* each partition's in one transaction */
		assert_int_equal(
		    weir_read_card_usage(reader, iccid_of(text), WEIR_SPAN_DAY, 0, 0, &rows, &err), WEIR_READ_OK);
	}
	assert_int_equal(reader->link_count, 2);
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, CARDS);
	/* a reader that begins with a scan, and with a transaction */
	weir_reader_free(reader);
	reader = reader_open();
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, CARDS);
	weir_reader_free(reader);
}

static void
a_node_that_is_gone_is_said(void **state)
{
	(void)state;
	struct weir_reader *reader = reader_open();
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	put_cluster_fleet();
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	(void)kill(nodes[1].pid, SIGKILL);
	(void)waitpid(nodes[1].pid, NULL, 0);
	assert_int_equal(weir_read_search(reader, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_AWAY);
	assert_true(strlen(err.text) > 10);
	weir_reader_free(reader);
	nodes[1].pid = fork(); /* something for the teardown to end */
	if (nodes[1].pid == 0)
		_exit(0);
}

int
main(void)
{
	if (!redis_is_installed("read_cluster_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_lies_on_another_node_is_found),
	    cmocka_unit_test(a_node_that_is_gone_is_said),
	};
	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
