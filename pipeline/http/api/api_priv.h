/*
 * Inside of the API: a request from its first header to its answer, and what its parts share.
 *
 * A request belongs to the connection's worker thread, but while it is suspended to the thread that works on its job;
 * libmicrohttpd's suspend and resume order the two. Handlers fill the answer (status, body) and never touch the connection.
 */
#ifndef WEIR_PIPELINE_API_PRIV_H
#define WEIR_PIPELINE_API_PRIV_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "config/base/clock.h"
#include "config/base/slice.h"
#include "pipeline/http/api/api.h"
#include "pipeline/query/print.h"
#include "pipeline/query/query.h"
#include "pipeline/redis/reply.h"

#define WEIR_API_PARAMS_MAX 32
#define WEIR_API_ID_TEXT 33 /* 32 hex digits and a terminator */
#define WEIR_API_HASH 32    /* bytes of SHA-256 */

struct weir_api_redis;
struct weir_api_producer;
struct weir_api_request;

/* ---- worker.c: what a thread works with ---- */

struct weir_api_worker {
	struct weir_api *api;
	struct weir_reader *reader;
	struct weir_api_redis *redis;  /* for the API's own keys; connected when first used */
	struct weir_steady away_until; /* Redis did not answer: nothing is asked before */
};
struct weir_api_worker *weir_api_worker_new(struct weir_api *api);
void weir_api_worker_free(struct weir_api_worker *worker); /* NULL is fine */

/* ---- jobs.c: threads with a queue ---- */

struct weir_api_job {
	struct weir_api_job *next;
	void (*run)(struct weir_api_job *job, struct weir_api_worker *worker);
};
struct weir_api_pool;
struct weir_api_pool *weir_api_pool_start(struct weir_api *api, uint32_t threads, uint32_t waiting_max);
/* False when too many wait or the pool is closed: the job is still the caller's. */
bool weir_api_pool_submit(struct weir_api_pool *pool, struct weir_api_job *job);
uint32_t weir_api_pool_waiting(struct weir_api_pool *pool);
/* Takes no more jobs, runs those that wait, joins. Then free. */
void weir_api_pool_stop(struct weir_api_pool *pool);
void weir_api_pool_free(struct weir_api_pool *pool); /* NULL is fine */

/* ---- tokens.c: who may what ---- */

enum weir_api_role { WEIR_API_NOBODY, WEIR_API_READ, WEIR_API_OPERATE };
const char *weir_api_role_name(enum weir_api_role role);
bool weir_api_role_parse(const char *text, enum weir_api_role *role_out);

struct weir_api_tokens;
struct weir_api_caller {
	char name[WEIR_ID_MAX];
	enum weir_api_role role;
	uint64_t rate_key; /* whose allowance a request is taken from */
};
/* Reads the file. FATAL with err "file:line: …". */
enum weir_class weir_api_tokens_read(const char *path, struct weir_api_tokens **tokens_out, struct weir_error *err);
void weir_api_tokens_free(struct weir_api_tokens *tokens); /* NULL is fine */
uint32_t weir_api_tokens_count(const struct weir_api_tokens *tokens);
/* Takes as long whichever token it is, and whether or not there is one. Any thread while the object does not change. */
bool weir_api_tokens_find(
    const struct weir_api_tokens *tokens, const char *token, size_t len, struct weir_api_caller *caller_out);
void weir_api_sha256(const void *data, size_t len, uint8_t out[WEIR_API_HASH]);
void weir_api_hex(const uint8_t *bytes, size_t count, char *out); /* 2 * count characters and a terminator */

/* ---- limits.c: requests a second ---- */

struct weir_api_limits;
struct weir_api_limits *weir_api_limits_new(uint32_t rate_per_s);
void weir_api_limits_free(struct weir_api_limits *limits);
/* Whether `key` may have one more request now; a second's worth may come at once. Any thread. */
bool weir_api_limits_admit(struct weir_api_limits *limits, uint64_t key, struct weir_steady now);

/* ---- routes.c ---- */

enum weir_api_where { WEIR_API_HERE, WEIR_API_SLOW, WEIR_API_COMMAND_QUEUE };
enum weir_api_flag { WEIR_API_BULK_BODY = 1, WEIR_API_NO_STORAGE = 2 /* needs no Redis */ };

struct weir_api_route {
	const char *method;
	const char *path; /* `{}` stands for one segment */
	enum weir_api_role role;
	enum weir_api_where where;
	unsigned flags;
	const char *params; /* names with spaces between; NULL = none */
	void (*handle)(struct weir_api_request *request, struct weir_api_worker *worker);
};
/*
 * The route of method and path (undecoded). NULL: *methods_out are those of the path ("GET, PUT"), "" when there is no such
 * path. Segments that stand for {} are left in segments_out, undecoded, pointing into path. HEAD is as GET.
 */
#define WEIR_API_SEGMENTS_MAX 2
const struct weir_api_route *weir_api_route_find(
    const char *method, const char *path, struct weir_slice segments_out[WEIR_API_SEGMENTS_MAX], char methods_out[64]);
const struct weir_api_route *weir_api_routes(uint32_t *count_out);

/* ---- a request ---- */

struct weir_api_peer { /* a connection; see api_server.c */
	struct weir_api_peer *prev, *next;
	int fd;
	_Atomic int64_t since_us; /* steady: when its present step began: waiting, sending a request, taking an answer */
	atomic_bool busy;         /* we work for it: its time does not run */
};

struct weir_api_param {
	char *name, *value; /* decoded */
};

enum weir_api_state { WEIR_API_TAKING, WEIR_API_WORKING, WEIR_API_ANSWERED, WEIR_API_QUEUED };

struct weir_api_file;
struct weir_api_export;

struct weir_api_request {
	struct weir_api_job job; /* first: a job is its request */
	struct weir_api *api;
	struct MHD_Connection *connection;
	struct weir_api_peer *peer;
	const struct weir_api_route *route;
	char method[8];
	char *segments[WEIR_API_SEGMENTS_MAX];
	struct weir_api_param params[WEIR_API_PARAMS_MAX];
	uint32_t param_count;
	struct weir_api_caller caller;
	char key[256]; /* Idempotency-Key, "" = none */
	struct weir_buf body;
	size_t body_max;
	bool body_large; /* more came than body_max */
	bool large;      /* counted in api->large_bodies */
	enum weir_api_state state;
	struct weir_steady began; /* the request was whole */
	/* answer */
	unsigned status;
	const char *content_type;
	struct weir_buf out;
	char location[256];
	uint32_t retry_after_s;
	char allow[64];
	const struct weir_api_file *file; /* instead of out */
	struct weir_api_export *export;   /* instead of out: a stream */
	bool not_modified, gzip;
};

/* request.c */
const char *weir_api_param(const struct weir_api_request *request, const char *name); /* NULL = not given */
/* A step of a connection begins: its time runs from here, unless we are busy with it. peer NULL is fine. */
void weir_api_peer_step(struct weir_api_peer *peer, bool busy);

/* problem.c: an error as RFC 9457 says; replaces whatever the answer was. parameter NULL = none to name. */
void weir_api_problem(struct weir_api_request *request, unsigned status, const char *code, const char *parameter,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What a reader's answer other than OK is in HTTP. False, for `return`. */
bool weir_api_read_failed(
    struct weir_api_request *request, struct weir_api_worker *worker, enum weir_read code, const struct weir_error *err);
const char *weir_api_status_title(unsigned status);
/* Begins an answer of JSON. */
struct weir_json weir_api_json(struct weir_api_request *request, unsigned status);

/* params.c. Each returns false after it has made the problem that names the parameter. */
bool weir_api_decode(struct weir_slice text, bool plus_is_space, char **out); /* percent-encoding; false: malformed */
bool weir_api_params_take(struct weir_api_request *request);                  /* all of the query; unknown ones refused */
bool weir_api_get_u32(struct weir_api_request *request, const char *name, uint32_t min, uint32_t max, uint32_t *in_out);
bool weir_api_get_time(struct weir_api_request *request, const char *name, int64_t *us_out); /* 0 = not given */
bool weir_api_get_iccid(struct weir_api_request *request, const char *name, struct weir_iccid *iccid_out);
bool weir_api_get_id(struct weir_api_request *request, const char *name, const char **id_out); /* NULL = not given */
/* Words with commas between, as bits. */
typedef const char *(*weir_api_word_fn)(unsigned index);
bool weir_api_get_words(
    struct weir_api_request *request, const char *name, weir_api_word_fn word, uint32_t count, uint32_t *bits_out);
bool weir_api_get_span(struct weir_api_request *request, enum weir_span *span_out);
bool weir_api_path_iccid(struct weir_api_request *request, struct weir_iccid *iccid_out);
bool weir_api_path_pool(struct weir_api_request *request, const char **pool_out);
bool weir_api_card_query(struct weir_api_request *request, struct weir_card_query *query_out);
/* `window`, `from` and `to`; both times 0 = not given. */
bool weir_api_get_range(
    struct weir_api_request *request, enum weir_span *span_out, int64_t *from_us_out, int64_t *to_us_out);
bool weir_api_get_limit(struct weir_api_request *request, uint32_t most, uint32_t *limit_out);

/* ---- the server ---- */

struct weir_api_fleet;
struct weir_api_bulks;

struct weir_api {
	const struct weir_settings *settings;
	struct MHD_Daemon *daemon;
	uint16_t port;
	bool loopback;
	enum weir_api_role anonymous;
	char *cert, *key;         /* PEM */
	pthread_key_t worker_key; /* worker thread -> its hand */
	struct weir_api_pool *slow, *command_queue;
	struct weir_api_limits *limits;
	pthread_rwlock_t tokens_lock;
	struct weir_api_tokens *tokens; /* under tokens_lock */
	int64_t tokens_stamp[3];        /* of the file as read; watcher only */
	pthread_mutex_t peers_lock;
	struct weir_api_peer *peers; /* under peers_lock */
	pthread_t watcher;
	bool watching;
	atomic_bool stopping;
	struct weir_api_producer *producer;
	struct weir_api_fleet *fleet;
	struct weir_api_bulks *bulks;
	_Atomic uint32_t exports, large_bodies;
	/* relaxed: figures by themselves */
	_Atomic uint64_t answer_bucket[WEIR_LATENCY_BUCKETS];
	_Atomic uint64_t requests, by_class[6], refused_token, refused_role, refused_rate, cut_slow, answer_us_total,
	    peer_count;
};

static inline void
weir_api_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

bool weir_api_tokens_refresh(struct weir_api *api, struct weir_error *err); /* when the file changed */

/* connection.c: libmicrohttpd's callbacks. */
enum MHD_Result weir_api_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls);
void weir_api_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code);
void weir_api_connected(
    void *cls, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code);
/* answer.c */
enum MHD_Result weir_api_queue(struct weir_api_request *request);
/* admit.c: route, token, role, rate, size: all that is judged before a body is read. */
void weir_api_admit(struct weir_api_request *request, const char *url, const char *method);

/* ---- handlers ---- */

void weir_api_card(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_usage(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_commands(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_audit(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_cards(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_one(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_usage(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_members(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_audit(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pools(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_fleet(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_me(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_healthz(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_readyz(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_openapi(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_export_cards(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_request(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_request(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_tags(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_remark(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_card_request_state(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_pool_request_state(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_guard_request(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_bulk_new(struct weir_api_request *request, struct weir_api_worker *worker);
void weir_api_bulk_one(struct weir_api_request *request, struct weir_api_worker *worker);

/* Answers that cards and pools share (card_routes.c). */
void weir_api_usage_answer(
    struct weir_api_request *request, const char *member, const char *id, const struct weir_usage_rows *rows);
void weir_api_audit_answer(
    struct weir_api_request *request, const char *member, const char *id, const struct weir_history *history);
void weir_api_card_page_answer(struct weir_api_request *request, const struct weir_card_page *page);

struct weir_api_fleet *weir_api_fleet_new(struct weir_api *api);
void weir_api_fleet_free(struct weir_api_fleet *fleet); /* NULL is fine */

/* ---- files.c: what is built in ---- */

struct weir_api_file {
	const char *path; /* "/app.js" */
	const char *type;
	const char *etag; /* quoted */
	const uint8_t *data;
	size_t len;
	const uint8_t *gzip; /* NULL when it would not be smaller */
	size_t gzip_len;
};
const struct weir_api_file *weir_api_file_find(const char *path);
const struct weir_api_file *weir_api_file_openapi(void);

/* ---- export_route.c ---- */

void weir_api_export_free(struct weir_api_export *export); /* NULL is fine */
/* The response that streams it; libmicrohttpd pulls. */
struct MHD_Response *weir_api_export_response(struct weir_api_request *request);

/* ---- api_redis.c: the API's own keys ---- */

struct weir_api_redis *weir_api_redis_new(const struct weir_settings *settings);
void weir_api_redis_free(struct weir_api_redis *redis); /* NULL is fine */
/*
 * One command, key by name: `<prefix>:{api}:<name>` takes the place of argument 1. NULL with err when Redis does not answer
 * or refuses. Caller frees the reply. A broken connection is opened again once.
 */
struct weir_reply *weir_api_redis_query(struct weir_api_redis *redis, const char *key, struct weir_error *err,
    uint32_t argc, const struct weir_slice *argv); /* argv without the key: command, then what follows the key */
/* The same of texts, ended by NULL. */
struct weir_reply *weir_api_redis_texts(struct weir_api_redis *redis, const char *key, struct weir_error *err, ...);

/* ---- producer.c ---- */

struct weir_api_message {
	const char *key;   /* NULL: none */
	int32_t partition; /* -1: by the key. Afterwards: where it went */
	struct weir_slice json;
	/* afterwards */
	bool done, taken;
	int64_t offset;
	char why[96]; /* not taken */
};
struct weir_api_producer *weir_api_producer_start(const struct weir_settings *settings, struct weir_error *err);
void weir_api_producer_stop(struct weir_api_producer *producer); /* and frees; NULL is fine */
/* Sends all to topics.cards and waits until Kafka has taken or refused each (10 s at most). True: all are taken. Any
 * thread. */
bool weir_api_produce(
    struct weir_api_producer *producer, struct weir_api_message *messages, uint32_t count, struct weir_error *err);
/* Partitions of topics.cards. RETRY, FATAL: as weir_topic_partitions. */
enum weir_class weir_api_producer_partitions(
    struct weir_api_producer *producer, uint32_t *count_out, struct weir_error *err);
void weir_api_producer_counters(struct weir_api_producer *producer, uint64_t *taken_out, uint64_t *failed_out);

/* ---- keys.c: idempotency ---- */

enum weir_api_key { WEIR_API_KEY_GO_ON, WEIR_API_KEY_ANSWERED };
/*
 * Decides the request's id: a fresh one, or the one that the same key and body had. ANSWERED: the answer is there already
 * (an earlier one, or a problem).
 */
enum weir_api_key weir_api_key_begin(
    struct weir_api_request *request, struct weir_api_worker *worker, char id_out[WEIR_API_ID_TEXT]);
/* Remembers the answer under the key. */
void weir_api_key_end(struct weir_api_request *request, struct weir_api_worker *worker, const char *id);
bool weir_api_id_is_valid(const char *text); /* 32 lower-case hex digits */
void weir_api_id_new(char id_out[WEIR_API_ID_TEXT]);

/* ---- bulk ---- */

struct weir_api_bulks *weir_api_bulks_start(struct weir_api *api);
void weir_api_bulks_wake(struct weir_api_bulks *bulks);
void weir_api_bulks_stop(struct weir_api_bulks *bulks); /* and frees; NULL is fine */

#endif
