/* Broker, Redis, carrier and settings of the demo; see sandbox.h. */
#include "pipeline/demo/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h> /* wants it before */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/base/log.h"
#include "config/base/signals.h"
#include "pipeline/demo/demo_feeds.h"
#include "pipeline/kafka/producer.h"

#define REDIS_TRIES 200
#define PAUSE_MS 25

static void
pause_ms(long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	(void)nanosleep(&pause, NULL);
}

/* ---- temporary folder ---- */

static enum weir_class
folder_make(struct weir_demo_sandbox *s, struct weir_error *err)
{
	const char *base = getenv("TMPDIR");
	/* A unix socket's path holds 107 bytes. */
	if (base == NULL || base[0] == '\0' || strlen(base) > 40)
		base = "/tmp";
	(void)snprintf(s->folder, sizeof(s->folder), "%s/weir-demo-XXXXXX", base);
	if (mkdtemp(s->folder) != NULL)
		return WEIR_OK;
	(void)weir_error_set(err, WEIR_FATAL, "cannot make %s: %s", s->folder, strerror(errno));
	s->folder[0] = '\0';
	return WEIR_FATAL;
}

static void
folder_path(const struct weir_demo_sandbox *s, const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s/%.48s", s->folder, name);
}

/* The folder is flat: what is in it are files. */
static void
folder_remove(const struct weir_demo_sandbox *s)
{
	DIR *dir = s->folder[0] != '\0' ? opendir(s->folder) : NULL;
	if (dir == NULL)
		return;
	char path[128];
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		folder_path(s, entry->d_name, path);
		(void)unlink(path);
	}
	(void)closedir(dir);
	(void)rmdir(s->folder);
}

static enum weir_class
file_write(const struct weir_demo_sandbox *s, const char *name, const char *text, struct weir_error *err)
{
	char path[128];
	folder_path(s, name, path);
	FILE *file = fopen(path, "w");
	bool written = file != NULL && fputs(text, file) >= 0;
	if (file != NULL && fclose(file) != 0)
		written = false;
	return written ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "cannot write %s: %s", path, strerror(errno));
}

/* ---- redis-server ---- */

static bool
program_find(const char *name)
{
	const char *path = getenv("PATH");
	char *copy = weir_strdup(path != NULL ? path : "/usr/bin:/bin"), *rest = copy, *folder;
	bool found = false;
	while (!found && (folder = strsep(&rest, ":")) != NULL) {
		char full[4096];
		(void)snprintf(full, sizeof(full), "%s/%s", folder, name);
		found = access(full, X_OK) == 0;
	}
	free(copy);
	return found;
}

/* In the child. A group of its own, so that Ctrl-C reaches it through us; it ends with us whatever happens. */
_Noreturn static void
redis_exec(const struct weir_demo_sandbox *s, pid_t parent)
{
	char path[128], log[128];
	folder_path(s, "redis.sock", path);
	folder_path(s, "redis.log", log);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	weir_signal_unblock();
	if (getppid() == parent)
		(void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
		    "--appendonly", "no", "--dir", s->folder, "--logfile", log, "--daemonize", "no", (char *)NULL);
	_exit(127);
}

static enum weir_class
redis_start(struct weir_demo_sandbox *s, struct weir_error *err)
{
	if (!program_find("redis-server"))
		return weir_error_set(err, WEIR_FATAL,
		    "redis-server is not in PATH; install it (Debian: apt install redis-server) and try again");
	pid_t parent = getpid();
	s->redis_pid = fork();
	if (s->redis_pid == 0)
		redis_exec(s, parent);
	if (s->redis_pid < 0) {
		s->redis_pid = 0;
		return weir_error_set(err, WEIR_FATAL, "cannot start redis-server: %s", strerror(errno));
	}
	return WEIR_OK;
}

static enum weir_class
redis_wait(struct weir_demo_sandbox *s, struct weir_error *err)
{
	char path[128];
	folder_path(s, "redis.sock", path);
	for (uint32_t i = 0; i < REDIS_TRIES; i++) {
		if (access(path, F_OK) == 0)
			return WEIR_OK;
		if (waitpid(s->redis_pid, NULL, WNOHANG) == s->redis_pid) {
			s->redis_pid = 0;
			return weir_error_set(err, WEIR_FATAL, "redis-server ended at once; it must be version 7 or newer");
		}
		pause_ms(PAUSE_MS);
	}
	return weir_error_set(err, WEIR_FATAL, "redis-server did not come up");
}

static void
redis_stop(struct weir_demo_sandbox *s)
{
	if (s->redis_pid == 0)
		return;
	(void)kill(s->redis_pid, SIGTERM);
	for (uint32_t i = 0; i < REDIS_TRIES; i++) {
		if (waitpid(s->redis_pid, NULL, WNOHANG) == s->redis_pid)
			return;
		pause_ms(PAUSE_MS);
	}
	(void)kill(s->redis_pid, SIGKILL);
	(void)waitpid(s->redis_pid, NULL, 0);
}

/* ---- broker ---- */

static enum weir_class
kafka_start(struct weir_demo_sandbox *s, struct weir_error *err)
{
	static const struct weir_producer_property properties[] = {
	    {"test.mock.num.brokers", "1", false}, {"client.id", "weir-demo", false}, {"linger.ms", "1", false}};
	const struct weir_producer_opts opts = {
	    .properties = properties, .property_count = sizeof(properties) / sizeof(properties[0])};
	static const char *const topics[] = {WEIR_DEMO_TOPIC_RECORDS, WEIR_DEMO_TOPIC_KORE, WEIR_DEMO_TOPIC_EMNIFY,
	    "weir.cards", "weir.partials", "weir.dead", "weir.audit", "weir.alerts", "weir.pool.hourly", "weir.pool.daily",
	    "weir.card.daily"};
	struct weir_error why = {0};
	if (weir_producer_open(&opts, &s->kafka, &why) != WEIR_OK)
		return weir_error_set(err, WEIR_FATAL, "no broker inside this process: %s", why.text);
	rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(weir_producer_handle(s->kafka));
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (cluster == NULL ||
		    rd_kafka_mock_topic_create(cluster, topics[i], WEIR_DEMO_PARTITIONS, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return weir_error_set(err, WEIR_FATAL, "no topic %s in the broker inside this process", topics[i]);
	return WEIR_OK;
}

/* ---- carrier and settings ---- */

static enum weir_class
carrier_start(struct weir_demo_sandbox *s, uint64_t seed, struct weir_error *err)
{
	const struct weir_carrier_sim_opts opts = {.seed = seed,
	    .latency_ms_min = 1,
	    .latency_ms_max = 5,
	    .error_rate = 0.005,
	    .accept_rate = 0.1,
	    .accept_ms = 100,
	    .user = "demo",
	    .api_key = "demo"};
	s->carrier = weir_carrier_sim_start(&opts, err);
	return s->carrier != NULL ? WEIR_OK : WEIR_FATAL;
}

static enum weir_class
settings_make(struct weir_demo_sandbox *s, struct weir_error *err)
{
	static const char feeds[] = "feeds:\n"
				    "  kore:\n"
				    "    filter:\n"
				    "      - path: type\n"
				    "        equals:\n"
				    "          - com.twilio.iot.supersim.connection.data-session.updated\n"
				    "          - com.twilio.iot.supersim.connection.data-session.ended\n"
				    "    iccid: data.sim_iccid\n"
				    "    id: id\n"
				    "    session: data.data_session_sid\n"
				    "    up: data.data_upload\n"
				    "    down: data.data_download\n"
				    "    end: data.timestamp\n"
				    "  emnify:\n"
				    "    filter:\n"
				    "      - {path: traffic_type.id, equals: [5]}\n"
				    "    iccid: sim.iccid\n"
				    "    id: id\n"
				    "    up: {path: volume.tx, unit: MB}\n"
				    "    down: {path: volume.rx, unit: MB}\n"
				    "    end: {path: end_timestamp, format: iso}\n";
	struct weir_buf text = {0};
	weir_buf_printf(&text,
	    "kafka:\n  brokers: %s\n  group: demo\n"
	    "inputs:\n  - {topic: %s}\n  - {topic: %s, format: kore}\n  - {topic: %s, format: emnify}\n"
	    "redis: {url: \"unix://%s/redis.sock\"}\nflush: {interval_ms: 500}\npool: {tick_ms: 200}\nrollups: {grace_s: "
	    "1}\n"
	    "api: {listen: \"127.0.0.1:0\", anonymous: read, metrics_listen: \"\"}\nmetrics: {listen: "
	    "\"127.0.0.1:0\"}\nlog: {level: warn, "
	    "file: %s/weir.log}\n"
	    "carriers:\n  default: {adapter: cisco, url: \"http://127.0.0.1:%u\", user: demo, api_key_file: %s/key,"
	    " rate_per_s: 2000, concurrency: 16, retry_min_ms: 20, retry_max_ms: 500, confirm_ms: 50}\n%s",
	    rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(weir_producer_handle(s->kafka))),
	    WEIR_DEMO_TOPIC_RECORDS, WEIR_DEMO_TOPIC_KORE, WEIR_DEMO_TOPIC_EMNIFY, s->folder, s->folder,
	    weir_carrier_sim_port(s->carrier), s->folder, feeds);
	weir_buf_append(&text, "", 1);
	enum weir_class class = file_write(s, "weir.yaml", (const char *)text.data, err);
	weir_buf_free(&text);
	if (class == WEIR_OK)
		class = file_write(s, "key", "demo", err);
	char path[128];
	weir_demo_sandbox_config(s, path);
	return class == WEIR_OK ? weir_settings_load(path, NULL, 0, &s->settings, err) : class;
}

void
weir_demo_sandbox_config(const struct weir_demo_sandbox *s, char out[128])
{
	folder_path(s, "weir.yaml", out);
}

enum weir_class
weir_demo_sandbox_open(uint64_t seed, struct weir_demo_sandbox *s, struct weir_error *err)
{
	*s = (struct weir_demo_sandbox){0};
	enum weir_class class = folder_make(s, err);
	if (class == WEIR_OK)
		class = redis_start(s, err); /* first: a fork belongs before the threads */
	if (class == WEIR_OK)
		class = kafka_start(s, err);
	if (class == WEIR_OK)
		class = carrier_start(s, seed, err);
	if (class == WEIR_OK)
		class = settings_make(s, err);
	return class == WEIR_OK ? redis_wait(s, err) : class;
}

void
weir_demo_sandbox_close(struct weir_demo_sandbox *s)
{
	if (s->carrier != NULL)
		weir_carrier_sim_stop(s->carrier);
	weir_producer_close(s->kafka, 0);
	redis_stop(s);
	if (s->settings != NULL)
		weir_settings_free(s->settings);
	folder_remove(s);
}
