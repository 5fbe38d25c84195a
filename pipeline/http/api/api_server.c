/*
 * The server: libmicrohttpd's daemon, the threads around it, and their order of start and stop.
 *
 * libmicrohttpd runs api.threads workers, each with an epoll of its own connections. A worker's hand (its reader) is made
 * when it first needs one and freed when its thread ends. A watcher looks once a second after connections that are too
 * slow, which libmicrohttpd by itself only finds when they are silent, and after the token file.
 *
 * Stopping: no new connections; then the job threads end (each job resumes its connection, exports are cut off); then no
 * connection is suspended and libmicrohttpd may be stopped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/base/file.h"
#include "config/base/log.h"
#include "pipeline/http/api/api_priv.h"

#define COMMAND_QUEUE_THREADS 4
#define WAITING_MAX 1024
#define WATCH_MS 500
#define CONNECTION_MEMORY 32768
#define PEM_BYTES_MAX 1048576

static void
worker_at_thread_end(void *worker)
{
	weir_api_worker_free(worker);
}

/* ---- token file ---- */

static bool
file_stamp(const char *path, int64_t stamp_out[3])
{
	struct stat what;
	if (stat(path, &what) != 0)
		return false;
	stamp_out[0] = (int64_t)what.st_mtim.tv_sec * 1000000000 + what.st_mtim.tv_nsec;
	stamp_out[1] = what.st_size;
	stamp_out[2] = (int64_t)what.st_ino;
	return true;
}

bool
weir_api_tokens_refresh(struct weir_api *api, struct weir_error *err)
{
	const char *path = api->settings->api_tokens_file;
	int64_t stamp[3];
	if (path[0] == '\0' || (file_stamp(path, stamp) && memcmp(stamp, api->tokens_stamp, sizeof(stamp)) == 0))
		return true;
	struct weir_api_tokens *fresh = NULL, *old;
	if (weir_api_tokens_read(path, &fresh, err) != WEIR_OK)
		return false;
	(void)file_stamp(path, api->tokens_stamp);
	(void)pthread_rwlock_wrlock(&api->tokens_lock);
	old = api->tokens;
	api->tokens = fresh;
	(void)pthread_rwlock_unlock(&api->tokens_lock);
	weir_api_tokens_free(old);
	weir_log(WEIR_LOG_INFO, "tokens", "count=%u %s read", weir_api_tokens_count(fresh), path);
	return true;
}

/* ---- watcher ---- */

static void
cut_slow(struct weir_api *api)
{
	int64_t before_us = weir_steady_in_ms(-(int64_t)api->settings->api_timeout_s * 1000).us;
	(void)pthread_mutex_lock(&api->peers_lock);
	for (struct weir_api_peer *peer = api->peers; peer != NULL; peer = peer->next) {
		/* relaxed: a step that begins just now is seen a second later */
		bool busy = atomic_load_explicit(&peer->busy, memory_order_relaxed);
		if (busy || atomic_load_explicit(&peer->since_us, memory_order_relaxed) >= before_us || peer->fd < 0)
			continue;
		(void)shutdown(peer->fd, SHUT_RDWR); /* its worker sees that and closes it */
		peer->fd = -1;
		weir_api_count(&api->cut_slow, 1);
	}
	(void)pthread_mutex_unlock(&api->peers_lock);
}

static void *
watch_peers(void *arg)
{
	struct weir_api *api = arg;
	struct timespec pause = {0, WATCH_MS * 1000000L};
	/* relaxed: only ends the loop */
	while (!atomic_load_explicit(&api->stopping, memory_order_relaxed)) {
		struct weir_error err = {0};
		(void)nanosleep(&pause, NULL);
		cut_slow(api);
		if (!weir_api_tokens_refresh(api, &err))
			WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "tokens_wrong", "the former tokens stay: %s", err.text);
	}
	return NULL;
}

/* ---- start ---- */

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	struct sockaddr_in6 in6;
	memcpy(&in6, address, sizeof(in6));
	return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

/* "127.0.0.1:8470", "[::1]:8470"; the caller frees *found_out. */
static enum weir_class
listen_parse(const char *text, struct addrinfo **found_out, struct weir_error *err)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : sizeof(host);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return weir_error_set(err, WEIR_FATAL, "api.listen: must be address:port");
	memcpy(host, text, len);
	host[len] = '\0';
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	int code = getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1"
			       : len > 0                      ? host
							      : NULL,
	    colon + 1, &hints, found_out);
	return code == 0 ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "api.listen: %s: %s", host, gai_strerror(code));
}

static enum weir_class
pem_read(const char *path, char **text_out, struct weir_error *err)
{
	struct weir_buf text = {0};
	if (path[0] == '\0')
		return WEIR_OK;
	if (weir_file_read(path, PEM_BYTES_MAX, &text, err) != WEIR_OK) {
		weir_buf_free(&text);
		return WEIR_FATAL;
	}
	*text_out = (char *)text.data;
	return WEIR_OK;
}

/* Each connection is a descriptor. */
static void
raise_descriptors(uint32_t connections)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	rlim_t want = (rlim_t)connections + 256;
	if (limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
		weir_log(WEIR_LOG_WARN, "few_descriptors", "api.connections is %u, but the system allows %llu descriptors",
		    connections, (unsigned long long)limit.rlim_cur);
}

static void
mhd_log(void *cls, const char *fmt, va_list args)
{
	char text[512];
	(void)cls;
	(void)vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	WEIR_LOG_LIMITED(WEIR_LOG_DEBUG, "api_http", "%s", text);
}

/* Left encoded: params.c decodes. */
static size_t
no_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls, (void)connection;
	return strlen(text);
}

static enum weir_class
daemon_start(struct weir_api *api, const struct addrinfo *where, struct weir_error *err)
{
	const struct weir_settings *settings = api->settings;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	flags |= where->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0;
	flags |= api->cert != NULL ? MHD_USE_TLS : 0;
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, api->cert}, {MHD_OPTION_HTTPS_MEM_KEY, 0, api->key},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
	    {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	errno = 0;
	api->daemon = MHD_start_daemon(flags, 0, NULL, NULL, weir_api_access, api, MHD_OPTION_EXTERNAL_LOGGER, mhd_log,
	    NULL, MHD_OPTION_SOCK_ADDR, where->ai_addr, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)settings->api_threads,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->api_connections, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)settings->api_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_NOTIFY_COMPLETED,
	    weir_api_completed, api, MHD_OPTION_NOTIFY_CONNECTION, weir_api_connected, api, MHD_OPTION_UNESCAPE_CALLBACK,
	    no_unescape, NULL, MHD_OPTION_ARRAY, api->cert != NULL ? tls : none, MHD_OPTION_END);
	if (api->daemon == NULL)
		return weir_error_set(err, WEIR_FATAL, "api.listen: cannot listen at %s%s: %s", settings->api_listen,
		    api->cert != NULL ? " with this certificate and key" : "",
		    errno != 0 ? strerror(errno) : "refused by libmicrohttpd");
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_BIND_PORT);
	api->port = info != NULL ? info->port : 0;
	return WEIR_OK;
}

static enum weir_class
anonymous_check(struct weir_api *api, struct weir_error *err)
{
	(void)weir_api_role_parse(api->settings->api_anonymous, &api->anonymous);
	if (api->anonymous != WEIR_API_NOBODY && !api->loopback)
		return weir_error_set(err, WEIR_FATAL, "api.anonymous: only for a loopback address; api.listen is %s",
		    api->settings->api_listen);
	if (api->anonymous == WEIR_API_NOBODY && api->settings->api_tokens_file[0] == '\0')
		return weir_error_set(
		    err, WEIR_FATAL, "nobody could ask: name a file in api.tokens_file, or on loopback set api.anonymous");
	return WEIR_OK;
}

static enum weir_class
api_open(struct weir_api *api, struct weir_error *err)
{
	const struct weir_settings *settings = api->settings;
	struct addrinfo *where = NULL;
	enum weir_class class = listen_parse(settings->api_listen, &where, err);
	if (class != WEIR_OK)
		return class;
	api->loopback = is_loopback(where->ai_addr);
	class = anonymous_check(api, err);
	if (class == WEIR_OK && !weir_api_tokens_refresh(api, err))
		class = WEIR_FATAL;
	if (class == WEIR_OK)
		class = pem_read(settings->api_tls_cert_file, &api->cert, err);
	if (class == WEIR_OK)
		class = pem_read(settings->api_tls_key_file, &api->key, err);
	if (class == WEIR_OK && (api->producer = weir_api_producer_start(settings, err)) == NULL)
		class = WEIR_POISON;
	if (class == WEIR_OK) {
		raise_descriptors(settings->api_connections);
		api->slow = weir_api_pool_start(api, settings->api_slow_threads, WAITING_MAX);
		api->command_queue = weir_api_pool_start(api, COMMAND_QUEUE_THREADS, WAITING_MAX);
		api->fleet = weir_api_fleet_new(api);
		api->bulks = weir_api_bulks_start(api);
		class = daemon_start(api, where, err);
	}
	freeaddrinfo(where);
	return class;
}

enum weir_class
weir_api_start(const struct weir_settings *settings, struct weir_api **api_out, struct weir_error *err)
{
	struct weir_api *api = weir_calloc(1, sizeof(*api));
	api->settings = settings;
	(void)pthread_mutex_init(&api->peers_lock, NULL);
	(void)pthread_rwlock_init(&api->tokens_lock, NULL);
	WEIR_CHECK(pthread_key_create(&api->worker_key, worker_at_thread_end) == 0);
	api->limits = weir_api_limits_new(settings->api_rate_per_s);
	enum weir_class class = api_open(api, err);
	if (class != WEIR_OK) {
		weir_api_stop(api);
		weir_api_free(api);
		return class;
	}
	WEIR_CHECK(pthread_create(&api->watcher, NULL, watch_peers, api) == 0);
	api->watching = true;
	*api_out = api;
	return WEIR_OK;
}

uint16_t
weir_api_port(const struct weir_api *api)
{
	return api->port;
}

/* ---- stop ---- */

void
weir_api_stop(struct weir_api *api)
{
	/* relaxed: only ends loops; joins below order the rest */
	atomic_store_explicit(&api->stopping, true, memory_order_relaxed);
	MHD_socket listening = api->daemon != NULL ? MHD_quiesce_daemon(api->daemon) : MHD_INVALID_SOCKET;
	if (api->command_queue != NULL)
		weir_api_pool_stop(api->command_queue);
	weir_api_bulks_stop(api->bulks); /* after the command queue, which wakes it */
	api->bulks = NULL;
	if (api->slow != NULL)
		weir_api_pool_stop(api->slow);
	if (api->daemon != NULL)
		MHD_stop_daemon(api->daemon);
	api->daemon = NULL;
	if (listening != MHD_INVALID_SOCKET)
		(void)close(listening);
	if (api->watching)
		(void)pthread_join(api->watcher, NULL);
	api->watching = false;
	weir_api_producer_stop(api->producer);
	api->producer = NULL;
}

void
weir_api_free(struct weir_api *api)
{
	weir_api_pool_free(api->slow);
	weir_api_pool_free(api->command_queue);
	weir_api_fleet_free(api->fleet);
	weir_api_limits_free(api->limits);
	weir_api_tokens_free(api->tokens);
	(void)pthread_key_delete(api->worker_key);
	(void)pthread_mutex_destroy(&api->peers_lock);
	(void)pthread_rwlock_destroy(&api->tokens_lock);
	free(api->cert);
	free(api->key);
	free(api);
}

void
weir_api_counters_get(struct weir_api *api, struct weir_api_counters *counters_out)
{
	/* relaxed: figures by themselves */
#define GET(field) atomic_load_explicit(&api->field, memory_order_relaxed)
	*counters_out = (struct weir_api_counters){.requests = GET(requests),
	    .refused_token = GET(refused_token),
	    .refused_role = GET(refused_role),
	    .refused_rate = GET(refused_rate),
	    .cut_slow = GET(cut_slow),
	    .answer_us_total = GET(answer_us_total),
	    .connections = GET(peer_count),
	    .exports = GET(exports),
	    .slow_waiting = api->slow != NULL ? weir_api_pool_waiting(api->slow) : 0};
	for (unsigned i = 0; i < 6; i++)
		counters_out->by_class[i] = GET(by_class[i]);
	for (unsigned i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		counters_out->answer_bucket[i] = GET(answer_bucket[i]);
#undef GET
	weir_api_producer_counters(api->producer, &counters_out->produced, &counters_out->produce_failed);
}
