/* Nodes and the map of slots; see cluster.h. Reading CLUSTER SLOTS' answer is in slot_map.c. */
#include "pipeline/redis/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/clock.h"
#include "pipeline/redis/slot_map.h"

#define CLUSTER_MAGIC 0x72636c75u
#define NODE_TEXT_MAX 280    /* host:port */
#define MAP_EVERY_MS 1000    /* after a map was had */
#define MAP_RETRY_MS 100     /* after a node did not answer */
#define MAP_REFUSED_MS 30000 /* after a node said that it gives none */

struct node {
	struct weir_redis_url *url; /* NULL = free number */
	struct weir_connection *connection;
	uint32_t slots; /* in the map */
};

struct weir_cluster {
	uint32_t magic;
	uint32_t timeout_ms;
	const struct weir_interrupt *interrupt;
	struct node nodes[WEIR_NODES_MAX];
	uint32_t node_end;
	uint8_t node_of[WEIR_SLOTS];
	bool spread;     /* a MOVED, an ASK or a map was seen: it is a Redis Cluster */
	bool map_wanted; /* what node_of says may be old */
	bool map_refused;
	uint32_t map_from; /* node to ask for it next */
	struct weir_steady map_due;
};
_Static_assert(WEIR_NODES_MAX <= UINT8_MAX, "a node's number fits node_of");

struct weir_cluster *
weir_cluster_new(const struct weir_settings *settings, uint32_t timeout_ms, const struct weir_interrupt *interrupt,
    struct weir_error *err)
{
	struct weir_redis_url *url = NULL;
	if (weir_redis_url_parse(settings, &url, err) != WEIR_OK)
		return NULL;
	struct weir_cluster *cluster = weir_calloc(1, sizeof(*cluster));
	cluster->magic = CLUSTER_MAGIC;
	if (timeout_ms == 0)
		timeout_ms = settings->redis_timeout_ms != 0 ? settings->redis_timeout_ms : WEIR_REDIS_TIMEOUT_MS;
	cluster->timeout_ms = timeout_ms;
	cluster->interrupt = interrupt;
	cluster->nodes[0] =
	    (struct node){.url = url, .connection = weir_connection_new(url, timeout_ms, interrupt), .slots = WEIR_SLOTS};
	cluster->node_end = 1;
	return cluster;
}

static void
node_free(struct node *node)
{
	weir_connection_free(node->connection);
	weir_redis_url_free(node->url);
	*node = (struct node){0};
}

void
weir_cluster_free(struct weir_cluster *cluster)
{
	if (cluster == NULL)
		return;
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	for (uint32_t i = 0; i < cluster->node_end; i++)
		node_free(&cluster->nodes[i]);
	cluster->magic = 0;
	free(cluster);
}

uint32_t
weir_cluster_node_of(const struct weir_cluster *cluster, uint16_t slot)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	WEIR_CHECK(slot < WEIR_SLOTS || slot == WEIR_SLOT_ANY);
	uint32_t node = slot == WEIR_SLOT_ANY ? 0 : cluster->node_of[slot];
	WEIR_CHECK(node < cluster->node_end && cluster->nodes[node].url != NULL);
	return node;
}

uint32_t
weir_cluster_node_end(const struct weir_cluster *cluster)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	return cluster->node_end;
}

struct weir_connection *
weir_cluster_connection(struct weir_cluster *cluster, uint32_t node)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	WEIR_CHECK(node < cluster->node_end);
	return cluster->nodes[node].connection;
}

bool
weir_cluster_is_master(const struct weir_cluster *cluster, uint32_t node)
{
	WEIR_CHECK(node < cluster->node_end);
	return cluster->nodes[node].slots > 0;
}

void
weir_cluster_close_all(struct weir_cluster *cluster)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	for (uint32_t i = 0; i < cluster->node_end; i++)
		if (cluster->nodes[i].connection != NULL)
			weir_connection_close(cluster->nodes[i].connection);
}

/* ---- nodes by address ---- */

static bool
same_place(const struct weir_redis_url *a, const struct weir_redis_url *b)
{
	return a->host != NULL && b->host != NULL && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The number of the node at "host:port", an old one or a new one. An empty host is that of `from`. false: no address, or
 * no number is free. */
static bool
node_at(struct weir_cluster *cluster, uint32_t from, const char *place, uint32_t *node_out)
{
	struct weir_redis_url *url = weir_redis_url_at(cluster->nodes[from].url, place[0] == '?' ? place + 1 : place);
	if (url == NULL)
		return false;
	uint32_t free_number = WEIR_NODES_MAX;
	for (uint32_t i = cluster->node_end; i-- > 0;) {
		const struct node *node = &cluster->nodes[i];
		if (node->url == NULL)
			free_number = i;
		else if (same_place(node->url, url)) {
			weir_redis_url_free(url);
			*node_out = i;
			return true;
		}
	}
	if (free_number == WEIR_NODES_MAX && cluster->node_end < WEIR_NODES_MAX)
		free_number = cluster->node_end++;
	if (free_number == WEIR_NODES_MAX) {
		weir_redis_url_free(url);
		return false;
	}
	cluster->nodes[free_number] =
	    (struct node){.url = url, .connection = weir_connection_new(url, cluster->timeout_ms, cluster->interrupt)};
	*node_out = free_number;
	return true;
}

/* "MOVED 3999 127.0.0.1:6381": the last word. */
static bool
node_named(struct weir_cluster *cluster, uint32_t from, const struct weir_reply *error, uint32_t *node_out)
{
	char place[NODE_TEXT_MAX];
	const char *space = strrchr(error->str, ' ');
	if (space == NULL || strlen(space + 1) >= sizeof(place))
		return false;
	(void)strcpy(place, space + 1);
	return node_at(cluster, from, place, node_out);
}

/* ---- what answers teach ---- */

static void
want_map(struct weir_cluster *cluster, uint32_t from)
{
	cluster->map_wanted = true;
	cluster->map_from = from;
}

bool
weir_cluster_moved(struct weir_cluster *cluster, uint32_t from, uint16_t slot, const struct weir_reply *error)
{
	uint32_t node;
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	WEIR_CHECK(from < cluster->node_end && cluster->nodes[from].url != NULL);
	if (slot == WEIR_SLOT_ANY || !weir_refusal_says(error, "MOVED") || !node_named(cluster, from, error, &node))
		return false;
	cluster->spread = true;
	cluster->node_of[slot] = (uint8_t)node;
	want_map(cluster, node); /* it has heard of the move; `from` may be on its way out */
	return true;
}

bool
weir_cluster_asked(struct weir_cluster *cluster, uint32_t from, const struct weir_reply *error, uint32_t *node_out)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	WEIR_CHECK(from < cluster->node_end && cluster->nodes[from].url != NULL);
	if (!weir_refusal_says(error, "ASK") || !node_named(cluster, from, error, node_out))
		return false;
	cluster->spread = true;
	return true;
}

void
weir_cluster_failed(struct weir_cluster *cluster, uint32_t node)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	WEIR_CHECK(node < cluster->node_end && cluster->nodes[node].url != NULL);
	weir_connection_close(cluster->nodes[node].connection);
	if (!cluster->spread)
		return;
	want_map(cluster, node + 1);
	if (!cluster->map_refused)
		return;
	for (uint32_t slot = 0; slot < WEIR_SLOTS; slot++) /* redis.url is asked again, and MOVED teaches */
		if (cluster->node_of[slot] == node)
			cluster->node_of[slot] = 0;
}

/* ---- the map ---- */

/* Takes a whole map: numbers its nodes, and forgets those that it does not name. */
static void
take_map(struct weir_cluster *cluster, uint32_t from, const struct weir_reply *reply)
{
	struct weir_slot_range range;
	for (uint32_t i = 0; i < cluster->node_end; i++)
		cluster->nodes[i].slots = 0;
	memset(cluster->node_of, 0, sizeof(cluster->node_of));
	for (size_t i = 0; weir_slot_map_range(reply, i, &range); i++) {
		uint32_t node;
		if (!node_at(cluster, from, range.place, &node))
			continue;
		memset(cluster->node_of + range.first, (int)node, range.last - range.first + 1u);
		cluster->nodes[node].slots += range.last - range.first + 1u;
	}
	for (uint32_t i = 1; i < cluster->node_end; i++)
		if (cluster->nodes[i].url != NULL && cluster->nodes[i].slots == 0)
			node_free(&cluster->nodes[i]);
	cluster->spread = true;
}

static enum weir_exchange
ask_map(struct weir_cluster *cluster, uint32_t from, struct weir_reply **reply_out)
{
	static const char SLOTS[] = "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n";
	struct weir_connection *connection = cluster->nodes[from].connection;
	WEIR_CHECK(weir_connection_owed(connection) == 0);
	enum weir_exchange end = weir_connection_open(connection);
	if (end == WEIR_EXCHANGE_OK)
		end = weir_connection_send(connection, (const uint8_t *)SLOTS, sizeof(SLOTS) - 1, 1);
	if (end == WEIR_EXCHANGE_OK)
		end = weir_connection_reply(connection, reply_out);
	if (end != WEIR_EXCHANGE_OK)
		weir_connection_close(connection);
	return end;
}

static bool
is_not_now(const struct weir_reply *reply)
{
	enum weir_refusal refusal = weir_refusal_of(reply);
	return refusal == WEIR_REFUSAL_LATER || refusal == WEIR_REFUSAL_ELSEWHERE;
}

static enum weir_exchange
get_map(struct weir_cluster *cluster, uint32_t from)
{
	struct weir_reply *reply = NULL;
	uint32_t wait_ms = MAP_RETRY_MS;
	enum weir_exchange end = ask_map(cluster, from, &reply);
	if (end == WEIR_EXCHANGE_OK && weir_slot_map_is_good(reply)) {
		take_map(cluster, from, reply);
		cluster->map_wanted = cluster->map_refused = false;
		wait_ms = MAP_EVERY_MS;
	} else if (end == WEIR_EXCHANGE_OK && !is_not_now(reply)) {
		cluster->map_refused = true;
		wait_ms = MAP_REFUSED_MS;
	}
	weir_reply_free(reply);
	cluster->map_from = from + 1;
	cluster->map_due = weir_steady_in_ms(wait_ms);
	return end;
}

enum weir_exchange
weir_cluster_refresh(struct weir_cluster *cluster)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	if (!cluster->map_wanted || !weir_steady_reached(cluster->map_due))
		return WEIR_EXCHANGE_OK;
	uint32_t from = cluster->map_from % cluster->node_end;
	while (cluster->nodes[from].url == NULL) /* node 0 always has one */
		from = (from + 1) % cluster->node_end;
	return get_map(cluster, from) == WEIR_EXCHANGE_CANCELLED ? WEIR_EXCHANGE_CANCELLED : WEIR_EXCHANGE_OK;
}

enum weir_exchange
weir_cluster_discover(struct weir_cluster *cluster)
{
	WEIR_CHECK_MAGIC(cluster, CLUSTER_MAGIC);
	return get_map(cluster, 0);
}
