/* The bare producer's connections: leaders, sockets, memory; see raw_produce.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/raw_produce_priv.h"
#include "config/base/check.h"
#include "config/base/murmur2.h"

enum { METADATA_TIMEOUT_MS = 10000, CONNECT_TIMEOUT_S = 10, SEND_BUFFER_BYTES = 4 << 20 };

struct request *
raw_request_new(const struct raw_produce *rp, const struct connection *c)
{
	struct request *r = weir_calloc(1, sizeof(*r));
	r->head = weir_calloc(1, 64 + strlen(rp->opts.topic));
	r->prefixes = weir_calloc(c->partition_count, sizeof(*r->prefixes));
	r->batches = weir_calloc(c->partition_count, sizeof(*r->batches));
	r->iov = weir_calloc(1 + 2 * (size_t)c->partition_count, sizeof(*r->iov));
	for (uint32_t i = 0; i < c->partition_count; i++)
		raw_batch_init(&r->batches[i], rp->opts.batch_bytes);
	return r;
}

static void
requests_free(struct request *r, uint32_t partition_count)
{
	while (r != NULL) {
		struct request *next = r->next;
		for (uint32_t i = 0; i < partition_count; i++)
			raw_batch_free(&r->batches[i]);
		free(r->iov);
		free(r->batches);
		free(r->prefixes);
		free(r->head);
		free(r);
		r = next;
	}
}

static int
connect_one(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol), on = 1;
	if (fd < 0)
		return -1;
	struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER_BYTES}, sizeof(int));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 &&
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
		return fd;
	int why = errno;
	(void)close(fd);
	errno = why;
	return -1;
}

static enum weir_class
connect_to(struct connection *c, const struct rd_kafka_metadata_broker *broker, struct weir_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
	char port[16];
	(void)snprintf(port, sizeof(port), "%d", broker->port);
	(void)snprintf(c->name, sizeof(c->name), "%s:%s", broker->host, port);
	int code = getaddrinfo(broker->host, port, &hints, &addresses);
	if (code != 0)
		return weir_error_set(err, WEIR_FATAL, "broker %s: %s", c->name, gai_strerror(code));
	for (const struct addrinfo *a = addresses; a != NULL && c->fd < 0; a = a->ai_next)
		c->fd = connect_one(a);
	int why = errno;
	freeaddrinfo(addresses);
	return c->fd >= 0 ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "broker %s: %s", c->name, strerror(why));
}

/* Connection `number` to a broker, made when it is the first partition's; NULL with err. */
static struct connection *
connection_of(struct raw_produce *rp, const struct rd_kafka_metadata *metadata, int32_t broker, uint32_t number,
    struct weir_error *err)
{
	for (uint32_t i = 0; i < rp->connection_count; i++)
		if (rp->connections[i].broker == broker && rp->connections[i].number == number)
			return &rp->connections[i];
	for (int i = 0; i < metadata->broker_cnt; i++) {
		if (metadata->brokers[i].id != broker)
			continue;
		struct connection *c = &rp->connections[rp->connection_count++];
		c->fd = -1;
		c->broker = broker;
		c->number = number;
		c->last = &c->first;
		c->partitions = weir_calloc(rp->partition_count, sizeof(*c->partitions));
		return connect_to(c, &metadata->brokers[i], err) == WEIR_OK ? c : NULL;
	}
	(void)weir_error_set(err, WEIR_FATAL, "broker %d leads a partition of %s and is not known", broker, rp->opts.topic);
	return NULL;
}

static enum weir_class
place_partition(struct raw_produce *rp, const struct rd_kafka_metadata *metadata,
    const struct rd_kafka_metadata_partition *p, struct weir_error *err)
{
	if (p->id < 0 || (uint32_t)p->id >= rp->partition_count)
		return weir_error_set(err, WEIR_FATAL, "%s has gaps in its partitions", rp->opts.topic);
	if (p->leader < 0)
		return weir_error_set(err, WEIR_FATAL, "%s partition %d has no leader", rp->opts.topic, p->id);
	struct connection *c = connection_of(rp, metadata, p->leader, (uint32_t)p->id % rp->opts.connections, err);
	if (c == NULL)
		return WEIR_FATAL;
	rp->places[p->id] = (struct place){(uint32_t)(c - rp->connections), c->partition_count};
	c->partitions[c->partition_count++] = p->id;
	return WEIR_OK;
}

static void
connection_ready(struct raw_produce *rp, struct connection *c)
{
	c->unanswered = weir_calloc(rp->opts.requests_max, sizeof(*c->unanswered));
	if (rp->opts.on_written != NULL)
		c->sent_batches = weir_calloc((size_t)rp->opts.requests_max * c->partition_count, sizeof(*c->sent_batches));
	c->answer_cap = 4096 + strlen(rp->opts.topic) + 64 * (size_t)c->partition_count;
	c->answer = weir_calloc(1, c->answer_cap);
	c->open = raw_request_new(rp, c);
}

static enum weir_class
connect_all(struct raw_produce *rp, const struct rd_kafka_metadata *metadata, struct weir_error *err)
{
	const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];
	if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || topic->partition_cnt == 0)
		return weir_error_set(err, WEIR_FATAL, "topic %s: %s", rp->opts.topic,
		    topic->err != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(topic->err) : "no partitions");
	rp->partition_count = (uint32_t)topic->partition_cnt;
	rp->places = weir_calloc(rp->partition_count, sizeof(*rp->places));
	rp->connections = weir_calloc(rp->partition_count, sizeof(*rp->connections)); /* at most one for each */
	rp->polls = weir_calloc(rp->partition_count, sizeof(*rp->polls));
	for (int i = 0; i < topic->partition_cnt; i++)
		if (place_partition(rp, metadata, &topic->partitions[i], err) != WEIR_OK)
			return WEIR_FATAL;
	for (uint32_t i = 0; i < rp->connection_count; i++)
		connection_ready(rp, &rp->connections[i]);
	return WEIR_OK;
}

/* The hash here against librdkafka's own, so that a key never goes where no consumer expects it. */
static enum weir_class
check_partitioner(const struct raw_produce *rp, rd_kafka_topic_t *topic, struct weir_error *err)
{
	char key[32];
	for (uint32_t i = 0; i < 1000; i++) {
		int len = snprintf(key, sizeof(key), "%.*u", (int)(i % 21), i * 2654435761u);
		int32_t theirs =
		    rd_kafka_msg_partitioner_murmur2(topic, key, (size_t)len, (int32_t)rp->partition_count, NULL, NULL);
		if ((int32_t)weir_murmur2_partition(
			(struct weir_slice){(const uint8_t *)key, (size_t)len}, rp->partition_count) != theirs)
			return weir_error_set(err, WEIR_FATAL, "key %s belongs to partition %d by librdkafka", key, theirs);
	}
	return WEIR_OK;
}

static enum weir_class
ask_leaders(rd_kafka_t *rk, struct raw_produce *rp, struct weir_error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, rp->opts.topic, NULL);
	WEIR_CHECK(topic != NULL);
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, METADATA_TIMEOUT_MS);
	enum weir_class class = WEIR_OK;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		class = weir_error_set(err, WEIR_FATAL, "metadata of %s: %s", rp->opts.topic, rd_kafka_err2str(code));
	else
		class = connect_all(rp, metadata, err);
	if (class == WEIR_OK)
		class = check_partitioner(rp, topic, err);
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(topic);
	return class;
}

enum weir_class
raw_produce_open(rd_kafka_t *rk, const struct raw_produce_opts *opts, struct raw_produce **out, struct weir_error *err)
{
	char protocol[32] = "";
	size_t size = sizeof(protocol);
	(void)rd_kafka_conf_get(rd_kafka_conf(rk), "security.protocol", protocol, &size);
	if (strcmp(protocol, "plaintext") != 0)
		return weir_error_set(
		    err, WEIR_FATAL, "the load generator speaks plaintext only, security.protocol is %s", protocol);
	struct raw_produce *rp = weir_calloc(1, sizeof(*rp));
	rp->opts = *opts;
	if (ask_leaders(rk, rp, err) != WEIR_OK) {
		raw_produce_close(rp);
		return WEIR_FATAL;
	}
	*out = rp;
	return WEIR_OK;
}

static void
connection_free(struct connection *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	requests_free(c->open, c->partition_count);
	requests_free(c->first, c->partition_count);
	requests_free(c->spare, c->partition_count);
	free(c->answer);
	free(c->unanswered);
	free(c->sent_batches);
	free(c->partitions);
}

void
raw_produce_close(struct raw_produce *rp)
{
	for (uint32_t i = 0; i < rp->connection_count; i++)
		connection_free(&rp->connections[i]);
	free(rp->connections);
	free(rp->places);
	free(rp->polls);
	free(rp);
}
