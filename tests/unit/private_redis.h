/*
 * A private redis-server for one test: on a Unix socket in a directory of its own, killed by its process id, the directory
 * removed afterwards. For tests only; single thread.
 */
#ifndef WEIR_TESTS_PRIVATE_REDIS_H
#define WEIR_TESTS_PRIVATE_REDIS_H

#include <dirent.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct private_redis {
	char dir[64];
	char socket[96];
	char url[112];
	pid_t pid;
};

/* Starts the server in redis->dir (again, with `--appendonly yes --appendfsync always`) and waits until it answers. */
static inline bool
private_redis_run(struct private_redis *redis)
{
	redis->pid = fork();
	if (redis->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* not left behind by a test that crashes */
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(126);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", redis->socket, "--dir", redis->dir,
		    "--save", "", "--appendonly", "yes", "--appendfsync", "always", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000; i++) {
		usleep(10000);
		int status;
		if (waitpid(redis->pid, &status, WNOHANG) == redis->pid)
			return false;
		redisContext *context = redisConnectUnix(redis->socket);
		redisReply *reply = context->err == 0 ? redisCommand(context, "PING") : NULL;
		bool up = reply != NULL && reply->type == REDIS_REPLY_STATUS;
		if (reply != NULL)
			freeReplyObject(reply);
		redisFree(context);
		if (up)
			return true;
	}
	return false;
}

/* false: redis-server is not installed or does not start. */
static inline bool
private_redis_start(struct private_redis *redis)
{
	(void)snprintf(redis->dir, sizeof(redis->dir), "/tmp/weir-redis-XXXXXX");
	if (mkdtemp(redis->dir) == NULL)
		return false;
	(void)snprintf(redis->socket, sizeof(redis->socket), "%s/redis.sock", redis->dir);
	(void)snprintf(redis->url, sizeof(redis->url), "unix://%s", redis->socket);
	return private_redis_run(redis);
}

static inline void
private_redis_kill(struct private_redis *redis)
{
	(void)kill(redis->pid, SIGKILL);
	(void)waitpid(redis->pid, NULL, 0);
}

static inline void
private_redis_remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char name[4096];
		struct stat what;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (len < 0 || (size_t)len >= sizeof(name))
			continue;
		if (lstat(name, &what) == 0 && S_ISDIR(what.st_mode))
			private_redis_remove_dir(name);
		else
			(void)unlink(name);
	}
	(void)closedir(dir);
	(void)rmdir(path);
}

static inline void
private_redis_stop(struct private_redis *redis)
{
	private_redis_kill(redis);
	private_redis_remove_dir(redis->dir);
}

#endif
