/*
 * A private Redis Cluster for one test: masters on loopback TCP, each in a directory of its own, killed by their process
 * ids. Slots are given out evenly; one may be moved, at once or half. Included by one test file each; single thread.
 */
#ifndef WEIR_TESTS_PRIVATE_CLUSTER_H
#define WEIR_TESTS_PRIVATE_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "private_redis.h"

#define NODES_MAX 4

struct node {
	char dir[64];
	char url[64];
	char id[48];
	uint16_t port;
	pid_t pid;
};
static struct node nodes[NODES_MAX];
static int node_count;

/* Its bus is 10,000 above. */
static inline uint16_t
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

static inline redisContext *
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

/* In node->dir, at node->port. */
static inline void
node_run(struct node *node)
{
	char port[8];
	(void)snprintf(port, sizeof(port), "%u", node->port);
	node->pid = fork();
	if (node->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(126);
		execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", node->dir, "--save",
		    "", "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
		    "--cluster-require-full-coverage", "no", (char *)NULL);
		_exit(127);
	}
}

static inline void
node_start(struct node *node)
{
	node->port = free_port();
	(void)snprintf(node->url, sizeof(node->url), "redis://127.0.0.1:%u", node->port);
	(void)snprintf(node->dir, sizeof(node->dir), "/tmp/weir-redis-XXXXXX");
	assert_non_null(mkdtemp(node->dir));
	node_run(node);
}

static inline void
node_kill(struct node *node)
{
	(void)kill(node->pid, SIGKILL);
	(void)waitpid(node->pid, NULL, 0);
	node->pid = 0;
}

/* One command at one node; the caller frees. Fails the test on an error, but for MOVED and ASK. */
static inline redisReply *
vask_node(const struct node *node, const char *fmt, va_list args)
{
	redisContext *redis = node_open(node);
	redisReply *reply = redisvCommand(redis, fmt, args);
	assert_non_null(reply);
	redisFree(redis);
	if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MOVED ", 6) != 0 &&
	    strncmp(reply->str, "ASK ", 4) != 0)
		fail_msg("%s", reply->str);
	return reply;
}

static inline redisReply *
answer_of_node(const struct node *node, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	redisReply *reply = vask_node(node, fmt, args);
	va_end(args);
	return reply;
}

static inline void
ask_node(const struct node *node, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	freeReplyObject(vask_node(node, fmt, args));
	va_end(args);
}

static inline bool
node_is_ready(const struct node *node)
{
	char known[40];
	(void)snprintf(known, sizeof(known), "cluster_known_nodes:%d", node_count);
	redisReply *reply = answer_of_node(node, "CLUSTER INFO");
	bool ready = strstr(reply->str, "cluster_state:ok") != NULL && strstr(reply->str, known) != NULL &&
		     strstr(reply->str, "cluster_slots_ok:16384") != NULL;
	freeReplyObject(reply);
	return ready;
}

static inline bool
cluster_is_ready(void)
{
	for (int i = 0; i < node_count; i++)
		if (!node_is_ready(&nodes[i]))
			return false;
	return true;
}

/* `count` masters share the slots; more nodes than that join without any. */
static inline bool
cluster_start(int masters, int count)
{
	node_count = count;
	for (int i = 0; i < count; i++)
		node_start(&nodes[i]);
	for (int i = 0; i < count; i++) {
		if (i < masters)
			ask_node(
			    &nodes[i], "CLUSTER ADDSLOTSRANGE %d %d", 16384 * i / masters, 16384 * (i + 1) / masters - 1);
		ask_node(&nodes[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
		redisReply *id = answer_of_node(&nodes[i], "CLUSTER MYID");
		(void)snprintf(nodes[i].id, sizeof(nodes[i].id), "%s", id->str);
		freeReplyObject(id);
	}
	for (int i = 1; i < count; i++)
		ask_node(&nodes[0], "CLUSTER MEET 127.0.0.1 %d", nodes[i].port);
	for (int i = 0; i < 1000 && !cluster_is_ready(); i++)
		usleep(20000);
	return cluster_is_ready();
}

static inline void
cluster_stop(void)
{
	for (int i = 0; i < node_count; i++) {
		if (nodes[i].pid != 0)
			node_kill(&nodes[i]);
		private_redis_remove_dir(nodes[i].dir);
	}
}

/* The node that owns a slot, by its own word; -1: none. */
static inline int
owner_of_slot(int slot)
{
	for (int i = 0; i < node_count; i++) {
		redisReply *reply = nodes[i].pid != 0 ? answer_of_node(&nodes[i], "CLUSTER SLOTS") : NULL;
		int owner = -1;
		for (size_t r = 0; reply != NULL && r < reply->elements; r++) {
			redisReply **range = reply->element[r]->element;
			if (slot < range[0]->integer || slot > range[1]->integer)
				continue;
			for (int n = 0; n < node_count; n++)
				if (range[2]->element[1]->integer == nodes[n].port)
					owner = n;
		}
		if (reply != NULL)
			freeReplyObject(reply);
		if (owner >= 0)
			return owner;
	}
	return -1;
}

/* From now on the source answers ASK for keys that it no longer has. */
static inline void
slot_move_begin(int slot, int from, int to)
{
	ask_node(&nodes[to], "CLUSTER SETSLOT %d IMPORTING %s", slot, nodes[from].id);
	ask_node(&nodes[from], "CLUSTER SETSLOT %d MIGRATING %s", slot, nodes[to].id);
}

static inline void
slot_move_key(int from, int to, const char *key)
{
	ask_node(&nodes[from], "MIGRATE 127.0.0.1 %d %s 0 5000", nodes[to].port, key);
}

/* Moves what keys are left and gives the slot to its new owner. */
static inline void
slot_move_end(int slot, int from, int to)
{
	for (;;) {
		redisReply *keys = answer_of_node(&nodes[from], "CLUSTER GETKEYSINSLOT %d 100", slot);
		for (size_t i = 0; i < keys->elements; i++)
			slot_move_key(from, to, keys->element[i]->str);
		size_t count = keys->elements;
		freeReplyObject(keys);
		if (count == 0)
			break;
	}
	ask_node(&nodes[to], "CLUSTER SETSLOT %d NODE %s", slot, nodes[to].id);
	ask_node(&nodes[from], "CLUSTER SETSLOT %d NODE %s", slot, nodes[to].id);
	for (int i = 0; i < node_count; i++)
		if (i != to && i != from && nodes[i].pid != 0)
			ask_node(&nodes[i], "CLUSTER SETSLOT %d NODE %s", slot, nodes[to].id);
}

#endif
