/*
 * The nodes of one Redis, and which of them holds a hash slot. A plain Redis is one node that holds them all; that it is a
 * Redis Cluster shows in its first MOVED or ASK, and from then on the map of slots is asked of the nodes (CLUSTER SLOTS).
 *
 * Node 0 is redis.url; it stands for every slot that nothing is known of. MOVED changes one slot at once and wants a new
 * map; so does a node that fails. A map is asked of one node at a time, by turns, so that a node with an old view or none
 * at all does not decide alone. Where the map is refused (an ACL without CLUSTER), MOVED alone teaches.
 *
 * The cluster owns its connections and never sends but in weir_cluster_refresh. One thread at a time; users: the store
 * (with an interrupt) and the client (client.h).
 */
#ifndef WEIR_PIPELINE_REDIS_CLUSTER_H
#define WEIR_PIPELINE_REDIS_CLUSTER_H

#include "pipeline/redis/connection.h"
#include "pipeline/redis/slot.h"

#define WEIR_NODES_MAX 255u         /* beyond them slots are taken for redis.url's, which sends MOVED each time */
#define WEIR_REDIS_TIMEOUT_MS 2000u /* where redis.timeout_ms says nothing */

struct weir_cluster;

/* Connects to nothing yet. timeout_ms 0 = redis.timeout_ms. NULL with a FATAL err: redis.url is wrong. */
struct weir_cluster *weir_cluster_new(const struct weir_settings *settings, uint32_t timeout_ms,
    const struct weir_interrupt *interrupt, struct weir_error *err);
/* NULL is fine. */
void weir_cluster_free(struct weir_cluster *cluster);

/* The node of a slot; WEIR_SLOT_ANY is node 0's. */
uint32_t weir_cluster_node_of(const struct weir_cluster *cluster, uint16_t slot);
/* Nodes have numbers below this; some numbers may be free. */
uint32_t weir_cluster_node_end(const struct weir_cluster *cluster);
/* NULL when the number is free. The connection may be closed; it lives until the next weir_cluster_refresh. */
struct weir_connection *weir_cluster_connection(struct weir_cluster *cluster, uint32_t node);
/* Does the last map give it slots? Of a plain Redis: node 0 alone does. */
bool weir_cluster_is_master(const struct weir_cluster *cluster, uint32_t node);
void weir_cluster_close_all(struct weir_cluster *cluster);

/* `from` answered MOVED: the slot belongs to the node that the text names. false: it names none, or there are too many. */
bool weir_cluster_moved(struct weir_cluster *cluster, uint32_t from, uint16_t slot, const struct weir_reply *error);
/* `from` answered ASK: the node to ask, this once. false: as above. */
bool weir_cluster_asked(struct weir_cluster *cluster, uint32_t from, const struct weir_reply *error, uint32_t *node_out);
/* A node does not answer, or says that it is the wrong one: closes it and wants a new map. */
void weir_cluster_failed(struct weir_cluster *cluster, uint32_t node);

/*
 * Asks for the map when one is wanted and due, of one node. Only between exchanges: no connection may owe a reply. OK also
 * when the node did not answer (another one's turn comes); else CANCELLED.
 */
enum weir_exchange weir_cluster_refresh(struct weir_cluster *cluster);
/* Asks node 0 for the map now, whether or not it is known to be a cluster; for those who must reach every master. */
enum weir_exchange weir_cluster_discover(struct weir_cluster *cluster);

#endif
